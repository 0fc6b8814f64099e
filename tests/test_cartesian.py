"""Cartesian coordinates: which they are, their derivatives, refusals."""

import numpy as np
import pytest
import torch

from workbench import descriptors, types
from workbench.descriptors import cartesian

from .test_potentials_contract import chain, liquid


def test_only_what_moves_is_seen():
    data = chain(5)
    still = np.array(data.positions)
    still[:, 1:, :] = still[:1, 1:, :]
    still[:, 0, 2] = 0.0
    descriptor = descriptors.cartesian.build(types.ReferenceData(positions=still, beads=data.beads), cartesian.Settings())
    assert descriptor.columns.tolist() == [[0, 0], [0, 1]]
    assert (descriptor.size, descriptor.n_beads) == (2, 5)
    torch.testing.assert_close(descriptor(torch.tensor(still)), torch.tensor(still[:, 0, :2]))
    along_y = descriptors.cartesian.build(types.ReferenceData(positions=still, beads=data.beads), cartesian.Settings(axes=(1,)))
    assert along_y.columns.tolist() == [[0, 1]]


def test_derivatives_by_positions_and_strain():
    data = chain(4)
    descriptor = descriptors.cartesian.build(data, cartesian.Settings(axes=(0, 2)))
    x = torch.tensor(data.positions)
    weight = torch.randn(4, descriptor.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gradient, stress = descriptor.pullback(x, None, weight, True)
    torch.testing.assert_close(gradient, torch.einsum("fd,fdba->fba", weight, descriptor.jacobian(x)))
    moved, strain = x.requires_grad_(True), torch.zeros(4, 3, 3, dtype=torch.float64, requires_grad=True)
    by_x, by_strain = torch.autograd.grad((descriptor(moved + moved @ strain) * weight).sum(), [moved, strain])
    torch.testing.assert_close(gradient, by_x)
    torch.testing.assert_close(stress, by_strain)


def test_refusals():
    with pytest.raises(ValueError, match="periodic box"):
        descriptors.cartesian.build(liquid(), cartesian.Settings())
    data = chain(3, wobble=0.0)
    with pytest.raises(ValueError, match="no bead moves"):
        descriptors.cartesian.build(data, cartesian.Settings())
    with pytest.raises(ValueError, match="between 0 and 2"):
        cartesian.Settings(axes=(3,))
