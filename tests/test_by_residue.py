import numpy as np
import pytest

from tests import _molecules
from workbench import mappings, systems

by_residue = mappings.by_residue


def build(system, **values):
    return by_residue.build(system, None, by_residue.Settings(**values))


def test_a_bead_a_residue_at_its_centre_of_mass(dipeptide):
    mapping = build(dipeptide)
    beads = mapping.beads(dipeptide)
    assert beads.names == beads.types == ("ACE", "ALA", "NME") and beads.bonds.tolist() == [[0, 1], [1, 2]]
    alanine = [name == "ALA" for name in dipeptide.residue_names]
    wanted = dipeptide.masses[alanine] @ dipeptide.positions[alanine] / dipeptide.masses[alanine].sum()
    np.testing.assert_allclose((mapping.expand(dipeptide) @ dipeptide.positions)[1], wanted)


def test_caps_join_the_residue_they_are_bonded_to(dipeptide):
    beads = build(dipeptide, join=("ACE", "NME")).beads(dipeptide)
    assert beads.names == ("ACE-ALA-NME",) and beads.masses.sum() == pytest.approx(dipeptide.masses.sum())
    assert build(dipeptide, join=("ACE",)).templates[0].types == ("ACE-ALA", "NME")


def test_like_residues_share_a_type_and_are_numbered():
    peptide = _molecules.system("CCCC", [(0, 1), (1, 2), (2, 3)], residues=("GLY", "ALA", "GLY", "NME"))
    template = build(peptide).templates[0]
    assert template.types == ("GLY", "ALA", "GLY", "NME") and template.names == ("GLY1", "ALA", "GLY3", "NME")
    assert build(peptide, residue_names=("GLY",)).templates[0].weights.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


def test_a_cap_may_be_bonded_through_another():
    peptide = _molecules.system("CCC", [(0, 1), (1, 2)], residues=("ALA", "LNK", "CAP"))
    assert build(peptide, join=("LNK", "CAP")).templates[0].types == ("ALA-LNK-CAP",)


def test_solvent_is_kept_or_left_out():
    system = systems.load("alanine_dipeptide", solvent="tip3p")
    assert build(system).expand(system).shape[0] == 611
    assert build(system, residue_names=("ALA",), join=("ACE",)).expand(system).shape[0] == 1


def test_refusals(dipeptide):
    with pytest.raises(ValueError, match="no residue 'GLY' in 'alanine_dipeptide': it has ACE, ALA, NME"):
        build(dipeptide, join=("GLY",))
    loose = _molecules.system("CCC", [(0, 1)], residues=("ALA", "LNK", "CAP"))
    with pytest.raises(ValueError, match="residue 'CAP' of 'drawn' is bonded to none that is kept: take it out of join"):
        build(loose, join=("CAP",))
    with pytest.raises(ValueError, match="a mapping needs at least one bead"):
        build(dipeptide, residue_names=("ALA",), join=("ALA",))
    massless = _molecules.system(("C", ""), [(0, 1)], residues=("ALA", "SIT"))
    with pytest.raises(ValueError, match="residue 'SIT' of 'drawn' has no mass"):
        build(massless)
