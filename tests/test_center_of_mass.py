import numpy as np
import pytest

from workbench import mappings, systems

center_of_mass = mappings.center_of_mass


def build(system, **values):
    return center_of_mass.build(system, None, center_of_mass.Settings(**values))


def test_one_bead_per_water_at_its_centre_of_mass():
    water = systems.load("water_tip3p")
    mapping = build(water)
    places = mapping.expand(water) @ water.positions
    masses, positions = water.masses.reshape(64, 3, 1), water.positions.reshape(64, 3, 3)
    np.testing.assert_allclose(places, (masses * positions).sum(1) / masses.sum(1))
    beads = mapping.beads(water)
    assert beads.n_beads == 64 and set(beads.types) == {"HOH"} and len(beads.bonds) == 0
    np.testing.assert_allclose(beads.masses, 18.01528, atol=1e-3)
    np.testing.assert_allclose(beads.charges, 0, atol=1e-9)


def test_one_bead_per_residue_keeps_the_chain(dipeptide):
    beads = build(dipeptide, group="residue").beads(dipeptide)
    assert beads.names == ("ACE", "ALA", "NME")
    assert beads.bonds.tolist() == [[0, 1], [1, 2]] and beads.angles.tolist() == [[0, 1, 2]]
    assert beads.masses.sum() == pytest.approx(dipeptide.masses.sum())


def test_residue_names_choose_what_is_kept():
    system = systems.load("alanine_dipeptide", solvent="tip3p")
    assert build(system).expand(system).shape[0] == 609
    solvent = build(system, residue_names=("HOH",)).expand(system)
    assert solvent.shape[0] == 608 and solvent[:, :22].nnz == 0
    peptide = build(system, residue_names=("ALA",))
    assert peptide.templates[0].names == ("ACE-ALA-NME",) and peptide.expand(system).shape[0] == 1
    assert build(system, group="residue", residue_names=("ALA",)).templates[0].names == ("ALA",)
    with pytest.raises(ValueError, match="no residue 'GLY' in 'alanine_dipeptide': it has ACE, ALA, HOH, NME"):
        build(system, residue_names=("GLY",))
