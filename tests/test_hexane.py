"""Liquid hexane: composition, state, and what its charges must be."""

import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("hexane", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 20 and liquid.molecule[-1] == 19
    assert liquid.masses[:20].sum() == pytest.approx(86.178, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.65485, abs=1e-6)
    assert liquid.experimental_density == 0.65485 and liquid.state.temperature == 298.15
    assert systems.load("hexane", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_it_is_symmetric_end_to_end():
    charges = systems.load("hexane", n_molecules=1).partial_charges()
    assert charges[:6] == pytest.approx(charges[:6][::-1]) and charges.sum() == pytest.approx(0.0, abs=1e-9)
    assert _physics.of(systems.load("hexane", n_molecules=1)).getNumConstraints() == 0
