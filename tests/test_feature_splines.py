"""Splines of features: which terms there are, their ranges, the period of dihedrals, refusals. Recovery: see feature_regression."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import potentials
from workbench.descriptors import internal_coordinates

from .test_potentials_contract import chain, liquid


def test_terms_and_grids():
    data = chain(200)
    splines = potentials.feature_splines.build(data, potentials.feature_splines.Settings(n_intervals=12))
    assert splines.n_terms == 10 + 3 + 2
    q = splines.descriptor.values(torch.tensor(data.positions))
    knots = splines.knots()
    assert knots.shape == (15, 13)
    np.testing.assert_allclose(knots[:13, 1], q[:, :13].min(0).values)
    np.testing.assert_allclose(knots[:13, -2], q[:, :13].max(0).values)
    np.testing.assert_allclose(knots[13:, [0, -1]], [[-np.pi, np.pi]] * 2)
    classical = potentials.feature_splines.Settings(features=internal_coordinates.Settings(distances="bonds"))
    assert potentials.feature_splines.build(data, classical).n_terms == 4 + 3 + 2


def test_a_dihedral_is_periodic():
    splines = potentials.feature_splines.FeatureSplines(n_intervals=8, quadruples=[[0, 1, 2, 3]])
    splines = splines.with_coefficients(np.random.default_rng(0).normal(size=(1, 8))[:, np.arange(11) % 8])
    angle = torch.tensor([np.pi - 1e-9, -np.pi + 1e-9], dtype=torch.float64)
    energy, slope = splines.energy_and_slope(torch.stack([angle.cos(), angle.sin()], 1))
    assert energy[0] == pytest.approx(float(energy[1]), abs=1e-7)
    torch.testing.assert_close(slope[0], slope[1], atol=1e-6, rtol=0)
    assert splines.values()[0, 0] == pytest.approx(splines.values()[0, -1])


def test_beyond_the_grid_a_parabola_goes_on_with_the_slope_of_the_edge():
    splines = potentials.feature_splines.FeatureSplines(n_intervals=5, columns=[[0, 0]], n_beads=1)
    splines.start, splines.width = torch.tensor([1.0], dtype=torch.float64), torch.tensor([2.0], dtype=torch.float64)
    splines = splines.with_coefficients(np.arange(8.0)[None])  # a straight line, one per interval
    at = torch.tensor([[2.9], [3.0], [3.2]], dtype=torch.float64)
    energy, slope = splines.energy_and_slope(at)
    assert slope[0, 0] == pytest.approx(2.5) and slope[1, 0] == pytest.approx(2.5)
    assert slope[2, 0] == pytest.approx(2.5 + 160.0 / 4 * 0.2)
    assert float(energy[2] - energy[1]) == pytest.approx(2.5 * 0.2 + 0.5 * 40 * 0.2**2)


def test_refusals():
    data = chain(20)
    with pytest.raises(ValueError, match="one molecule"):
        potentials.feature_splines.build(liquid(), potentials.feature_splines.Settings())
    frozen = dataclasses.replace(data, positions=np.repeat(data.positions[:1], 20, axis=0))
    with pytest.raises(ValueError, match="never changes"):
        potentials.feature_splines.build(frozen, potentials.feature_splines.Settings())
    splines = potentials.feature_splines.build(data, potentials.feature_splines.Settings())
    with pytest.raises(ValueError, match="cannot be carried"):
        splines.bind(liquid().beads)
    with pytest.raises(ValueError, match="choose one of"):
        potentials.feature_splines.Settings(descriptor="voronoi")
