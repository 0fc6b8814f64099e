"""Symmetry functions: values by hand, kernels against torch, derivatives, invariance, smoothness at the cut-off, refusals."""

import itertools
import math

import numpy as np
import pytest
import torch

from workbench import types
from workbench.descriptors import symmetry_functions
from workbench.descriptors.symmetry_functions import Settings, SymmetryFunctions

from .test_potentials_contract import liquid

RADIAL, ANGULAR = [(40.0, 0.3), (0.0, 0.0)], [(0.0, 1.0, 1), (2.0, -1.0, 4)]


def neighbours(n=40, seed=0):
    """Vectors to seven neighbours, nearest first, the last place of half of them empty, and their types."""
    rng = np.random.default_rng(seed)
    v = rng.standard_normal((n, 7, 3))
    v *= (rng.uniform(0.2, 0.75, (n, 7)) / np.linalg.norm(v, axis=-1))[..., None]
    v = np.take_along_axis(v, np.linalg.norm(v, axis=-1).argsort(1)[..., None], 1)
    v[::2, -1] = 0
    return torch.tensor(v), torch.tensor(rng.integers(0, 2, (n, 7)))


def functions(narrow=False, n_types=2):
    return SymmetryFunctions(n_types, 0.7, RADIAL, 0.5, ANGULAR, narrow)


def test_values_by_hand():
    """Three beads with a right angle, sides 0.3 and 0.4 nm."""
    v, kinds = torch.tensor([[[0.3, 0, 0], [0, 0.4, 0]]], dtype=torch.float64), torch.zeros(1, 2, dtype=torch.int64)
    f = {(r, c): 0.5 * (math.cos(math.pi * r / c) + 1) for r, c in itertools.product((0.3, 0.4, 0.5), (0.7, 0.5))}
    wide = f[0.3, 0.5] * f[0.4, 0.5]
    expected = [
        f[0.3, 0.7] + math.exp(-0.4) * f[0.4, 0.7],
        f[0.3, 0.7] + f[0.4, 0.7],
        wide,
        2**-3 * math.exp(-2 * 0.25) * wide,
    ]
    np.testing.assert_allclose(functions(n_types=1).values(v, kinds)[0], expected, rtol=1e-12)
    assert torch.equal(functions(narrow=True, n_types=1).values(v, kinds)[0, 2:], torch.zeros(2, dtype=torch.float64))  # 0.5 nm apart


@pytest.mark.parametrize("narrow", [False, True])
def test_kernels_say_what_torch_says(narrow):
    v, kinds = neighbours()
    made = functions(narrow)
    moved = v.clone().requires_grad_(True)
    q = made.of_vectors(moved, kinds)
    assert q.shape == (40, made.size) == (40, 4 + 6)
    values, slope = made.jacobian(v, kinds)
    torch.testing.assert_close(values, q.detach())
    torch.testing.assert_close(made.values(v, kinds), values)
    weight = torch.randn(q.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (by_autograd,) = torch.autograd.grad((q * weight).sum(), moved)
    torch.testing.assert_close(made.pullback(v, kinds, weight), by_autograd)
    torch.testing.assert_close(torch.einsum("nd,ndkx->nkx", weight, slope), by_autograd)


def test_turning_or_renumbering_changes_nothing():
    v, kinds = neighbours()
    made = functions()
    q = made.of_vectors(v, kinds)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(made.values((v @ turn).contiguous(), kinds), q)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(made.of_vectors(v[:, order], kinds[:, order]), q)


def test_a_neighbour_fades_at_the_cut_off():
    kinds = torch.zeros(1, 2, dtype=torch.int64)
    for distance in (0.5, 0.7):
        inside, outside = (
            functions(n_types=1).values(torch.tensor([[[0.3, 0, 0], [0, distance + step, 0]]], dtype=torch.float64), kinds)
            for step in (-1e-6, 1e-6)
        )
        assert float((inside - outside).abs().max()) < 1e-5


def test_built_for_a_liquid_and_refusals():
    data = liquid()
    made = symmetry_functions.build(data, Settings(n_radial=5, zetas=(1, 4), etas=(0.0, 5.0)))
    assert made.size == 5 + 8
    assert made.radial[0] == pytest.approx((0.5 / 0.07**2, 0.25))
    with pytest.raises(ValueError, match="give the projected frames"):
        symmetry_functions.build(None, Settings())
    with pytest.raises(ValueError, match="must be the largest"):
        symmetry_functions.build(data, Settings(cutoff=0.4))
    with pytest.raises(ValueError, match=r"has no neighbour within 0\.26 nm: give a longer cut-off"):
        symmetry_functions.build(data, Settings(cutoff=0.26, angular_cutoff=0.2))
    with pytest.raises(ValueError, match="must be at most half of it"):
        symmetry_functions.build(data, Settings(cutoff=0.7))
    assert isinstance(data, types.ReferenceData)
