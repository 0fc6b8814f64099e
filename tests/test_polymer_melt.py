"""Oligomer melts: units as residues, charges by unit, and the trimer recovered."""

import numpy as np
import pytest

from tests import _physics
from workbench import systems, units


def test_a_melt_of_different_conformers():
    melt = systems.load("polymer_melt", n_units=5, n_chains=6, cutoff_nm=0.6)
    (copies,) = melt.kinds().values()
    assert copies.shape == (6, 32) and melt.residue[-1] == 29 and set(melt.residue_names) == {"ETH"}
    assert melt.masses.sum() / melt.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.5, abs=1e-6)
    apart = [np.linalg.norm(chain[:, None] - chain[None], axis=-1) for chain in melt.positions[copies]]
    assert np.abs(apart[0] - apart[1]).max() > 0.05
    assert systems.load("polymer_melt").experimental_density == 0.683


@pytest.mark.parametrize("monomer", ["ethylene", "styrene"])
def test_every_unit_is_neutral_and_inner_ones_are_alike(monomer):
    chain = systems.load("polymer_melt", monomer=monomer, n_units=6, n_chains=1)
    charges = [chain.partial_charges()[chain.residue == unit] for unit in range(6)]
    assert [unit.sum() for unit in charges] == pytest.approx([0.0] * 6, abs=1e-9)
    for unit in charges[2:5]:
        np.testing.assert_allclose(unit, charges[1], atol=1e-12)
    assert len(charges[0]) == len(charges[5]) == len(charges[1]) + 1


def test_three_ethylene_units_are_hexane():
    three = systems.load("polymer_melt", n_units=3, n_chains=1)
    hexane = systems.load("hexane", n_molecules=1)
    carbons = np.array(three.elements) == "C"
    np.testing.assert_allclose(three.partial_charges()[carbons], hexane.partial_charges()[:6], atol=2e-3)
    order = np.r_[np.flatnonzero(carbons), np.flatnonzero(~carbons)]
    positions = np.empty_like(three.positions)
    positions[order] = hexane.positions[np.argsort(_hosts(hexane), kind="stable")]
    assert _physics.energy(three, positions) == pytest.approx(_physics.energy(hexane), abs=2.0)


def _hosts(molecule) -> np.ndarray:
    """Heavy atoms first, then hydrogens by the carbon that they hang on."""
    host = np.arange(molecule.n_atoms, dtype=float)
    for i, j in molecule.bonds:
        if molecule.elements[j] == "H":
            host[j] = 100 + i + j / 1000
    return host


def test_too_short_a_chain_is_refused():
    with pytest.raises(ValueError, match=r"polymer_melt\.Settings\.n_units = 2: must be between 3 and 100"):
        systems.load("polymer_melt", n_units=2)
