"""Walls: zero inside, harmonic outside, fitted to the tails alone; refusals."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import potentials, types, units

from .test_potentials_contract import chain, liquid

KT = units.thermal_energy(300.0)


def along_x(x):
    beads = types.Beads.from_bonds(names=("X",), types=("X",), masses=[1.0], molecule=[0], bonds=[])
    positions = np.zeros((len(x), 1, 3))
    positions[:, 0, 0] = x
    return types.ReferenceData(positions=positions, beads=beads)


def test_tails_of_a_gaussian_give_back_its_parabola():
    x = np.random.default_rng(0).normal(1.0, 0.5, 1_000_000)
    walls = potentials.walls.build(along_x(x), potentials.walls.Settings(share=0.05, descriptor="cartesian"))
    assert walls.constants[:, 0] / KT == pytest.approx([4.0, 4.0], rel=0.1)
    assert walls.edges[:, 0].numpy() == pytest.approx([1.0, 1.0], abs=0.1)


def test_only_the_outermost_frames_count():
    x = np.random.default_rng(1).normal(0.0, 1.0, 10_000)
    settings = potentials.walls.Settings(share=0.05, descriptor="cartesian")
    first = potentials.walls.build(along_x(x), settings)
    inner = np.abs(x) < 1.0
    other = potentials.walls.build(along_x(np.where(inner, 0.1 * x, x)), settings)
    assert torch.equal(first.edges, other.edges) and torch.equal(first.constants, other.constants)


def test_harmonic_outside_and_nothing_inside():
    walls = potentials.walls.Walls(columns=[[0, 0]], n_beads=1)
    walls.edges = torch.tensor([[-1.0], [2.0]], dtype=torch.float64)
    walls.constants = torch.tensor([[3.0], [5.0]], dtype=torch.float64)
    x = torch.zeros(4, 1, 3, dtype=torch.float64)
    x[:, 0, 0] = torch.tensor([-2.0, 0.0, 1.9, 4.0])
    torch.testing.assert_close(walls(x), torch.tensor([1.5, 0.0, 0.0, 10.0], dtype=torch.float64))
    torch.testing.assert_close(potentials.forces(walls, x)[:, 0, 0], torch.tensor([3.0, 0.0, 0.0, -10.0], dtype=torch.float64))


def test_an_exponential_tail_gets_a_wall_at_the_edge():
    begin, constant = potentials.walls.parabola(np.random.default_rng(2).exponential(0.5, 1_000_000))
    assert abs(constant - 4.0) < 0.1 if begin == 0 else constant < 0.1
    begin, constant = potentials.walls.parabola(np.array([0.1, 0.1, 0.1, 1.0]))  # all but empty between the edge and its end
    assert begin == 0.0 and constant == pytest.approx(2 / 0.2575)


def test_refusals():
    with pytest.raises(ValueError, match="frames leave 3 beyond"):
        potentials.walls.build(chain(300), potentials.walls.Settings(share=0.01))
    with pytest.raises(ValueError, match="one molecule"):
        potentials.walls.build(liquid(), potentials.walls.Settings())
    data = chain(200)
    walls = potentials.walls.build(data, potentials.walls.Settings(share=0.2))
    with pytest.raises(ValueError, match="cannot be carried"):
        walls.bind(liquid().beads)
    frozen = dataclasses.replace(data, positions=np.repeat(data.positions[:1], 200, axis=0))
    with pytest.raises(ValueError, match="same value"):
        potentials.walls.build(frozen, potentials.walls.Settings(share=0.2))
