"""Liquid ethane: composition, state, and what its charges must be."""

import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("ethane", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 8 and liquid.molecule[-1] == 19
    assert liquid.masses[:8].sum() == pytest.approx(30.07, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.54379, abs=1e-6)
    assert liquid.experimental_density == 0.54379 and liquid.state.temperature == 184.6
    assert systems.load("ethane", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_six_hydrogens_are_alike_and_neutralise_the_carbons():
    ethane = systems.load("ethane", n_molecules=1)
    charges = ethane.partial_charges()
    assert charges[2:] == pytest.approx(charges[2]) and charges[0] == pytest.approx(-3 * charges[2], abs=1e-9)
    assert _physics.dispersion(ethane, 0) == pytest.approx((0.339771, 0.451035), abs=1e-5)  # c3 of GAFF2: 1.9069 A, 0.1078 kcal/mol
