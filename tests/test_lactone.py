"""The review's lactone: its atoms in the order of the SMILES, alone or as a liquid."""

import pytest

from tests import _physics
from workbench import systems


def test_the_molecule():
    lactone = systems.load("lactone")
    assert lactone.elements[:11] == ("C", "O", "O", "C", "C", "C", "O", "C", "C", "C", "C") and lactone.n_atoms == 25
    assert lactone.name == "C8H14O3" and "GAFF2" in lactone.source and lactone.box is None
    assert lactone.partial_charges().sum() == pytest.approx(0.0, abs=1e-9)
    assert _physics.energy(lactone) < 400.0


def test_its_liquid_is_a_loose_packing():
    liquid = systems.load("lactone", n_molecules=10, cutoff_nm=0.5)
    assert liquid.molecule[-1] == 9 and liquid.experimental_density is None
    assert 0.8 < liquid.masses.sum() / liquid.box.prod() / 602.214 < 1.1
