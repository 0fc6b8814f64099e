"""Distances, angles and dihedrals against known values, under rotation, translation and periodic images."""

import math

import pytest
import torch

from workbench import geometry


def rotation(seed):
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return q * torch.linalg.det(q)


def test_right_angle_and_trans_dihedral():
    x = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, -1.0, 0.0]]], dtype=torch.float64)
    assert geometry.distances(x, torch.tensor([[0, 2]])).item() == pytest.approx(math.sqrt(2))
    assert geometry.angles(x, torch.tensor([[0, 1, 2]])).item() == pytest.approx(math.pi / 2)
    assert abs(geometry.dihedrals(x, torch.tensor([[0, 1, 2, 3]])).item()) == pytest.approx(math.pi)


@pytest.mark.parametrize("degrees", [-150.0, -60.0, 30.0, 90.0, 175.0])
def test_dihedral_has_the_iupac_sign(degrees):
    """Looking along the middle bond, the far bond turns clockwise from the near one by a positive angle."""
    phi = math.radians(degrees)
    x = torch.tensor([[[1.0, 0, 0], [0, 0, 0], [0, 0, 1.0], [math.cos(phi), math.sin(phi), 1.0]]], dtype=torch.float64)
    quadruple = torch.tensor([[0, 1, 2, 3]])
    assert math.degrees(geometry.dihedrals(x, quadruple).item()) == pytest.approx(degrees)
    assert math.degrees(geometry.dihedrals(-x, quadruple).item()) == pytest.approx(-degrees)


def test_invariant_under_rotation_translation_and_wrapping():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(6, 4, 3, generator=generator, dtype=torch.float64)
    quadruple, triple, pair = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[0, 1, 2]]), torch.tensor([[0, 3]])
    box = torch.full((6, 3), 5.0, dtype=torch.float64)
    wrapped = x + 5.0 * torch.randint(-2, 3, x.shape, generator=generator)
    for function, index in ((geometry.distances, pair), (geometry.angles, triple), (geometry.dihedrals, quadruple)):
        here = function(x, index)
        torch.testing.assert_close(function(x @ rotation(3) + 7.0, index), here)
        torch.testing.assert_close(function(wrapped, index, box), here)


def test_minimum_image_is_the_shortest():
    box = torch.tensor([[2.0, 3.0, 4.0]], dtype=torch.float64)
    vector = torch.tensor([[[1.2, -1.6, 2.1]]], dtype=torch.float64)
    torch.testing.assert_close(geometry.minimum_image(vector, box), torch.tensor([[[-0.8, 1.4, -1.9]]], dtype=torch.float64))
