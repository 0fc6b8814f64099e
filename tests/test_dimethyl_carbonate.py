"""Liquid dimethyl carbonate: composition, state, and what its charges must be."""

import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("dimethyl_carbonate", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 12 and liquid.molecule[-1] == 19
    assert liquid.masses[:12].sum() == pytest.approx(90.078, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(1.06329, abs=1e-6)
    assert liquid.experimental_density == 1.06329 and liquid.state.temperature == 298.15
    assert systems.load("dimethyl_carbonate", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_two_sides_are_alike():
    carbonate = systems.load("dimethyl_carbonate", n_molecules=1)
    charges = carbonate.partial_charges()
    assert charges[0] == pytest.approx(charges[5]) and charges[1] == pytest.approx(charges[4]) and charges[3] < -0.4
    assert _physics.dispersion(carbonate, 3)[1] > _physics.dispersion(carbonate, 6)[1] > 0.0
