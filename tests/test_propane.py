"""Liquid propane: composition, state, and what its charges must be."""

import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("propane", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 11 and liquid.molecule[-1] == 19
    assert liquid.masses[:11].sum() == pytest.approx(44.097, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.58092, abs=1e-6)
    assert liquid.experimental_density == 0.58092 and liquid.state.temperature == 231.0
    assert systems.load("propane", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_ends_are_alike():
    charges = systems.load("propane", n_molecules=1).partial_charges()
    assert charges.sum() == pytest.approx(0.0, abs=1e-9)
    assert charges[0] == pytest.approx(charges[2]) and charges[0] < 0 < charges[3]
    assert _physics.dispersion(systems.load("propane", n_molecules=1), 3) == pytest.approx((0.260018, 0.087027), abs=1e-5)  # hc
