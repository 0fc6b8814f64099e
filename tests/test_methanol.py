"""Liquid methanol: composition, state, and what its charges must be."""

import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("methanol", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 6 and liquid.molecule[-1] == 19
    assert liquid.masses[:6].sum() == pytest.approx(32.042, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.78633, abs=1e-6)
    assert liquid.experimental_density == 0.78633 and liquid.state.temperature == 298.15
    assert systems.load("methanol", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_hydroxyl_is_polar():
    methanol = systems.load("methanol", n_molecules=1)
    carbon, oxygen, *_, hydroxyl = methanol.partial_charges()
    assert oxygen < -0.5 and hydroxyl > 0.3 and carbon > 0.0
    assert _physics.dispersion(methanol, 5)[1] == 0.0  # ho
    assert _physics.dispersion(methanol, 1) == pytest.approx((0.306647, 0.880314), abs=1e-5)  # oh of GAFF: 1.7210 A, 0.2104 kcal/mol


def test_a_rotation_about_the_bond_costs_half_a_kilocalorie_in_all():
    torsions = [force for force in _physics.of(systems.load("methanol", n_molecules=1)).getForces() if "Torsion" in force.getName()]
    assert torsions[0].getNumTorsions() == 3
    barrier = sum(torsions[0].getTorsionParameters(t)[6]._value for t in range(3))
    assert 2 * barrier == pytest.approx(2 * 0.5 * 4.184, rel=1e-4)
