"""Chignolin: sequence, charges at pH 7, the same chain every time, and files that are something else."""

import numpy as np
import pytest

from workbench import reference, systems
from workbench.systems import chignolin
from workbench.systems._pdb import pdb_text


@pytest.fixture(scope="module")
def peptide():
    return systems.load("chignolin")


def test_sequence_and_charge(peptide):
    names = [peptide.residue_names[i] for i in np.unique(peptide.residue, return_index=True)[1]]
    assert " ".join(names) == "GLY TYR ASP PRO GLU THR GLY THR TRP GLY"
    assert peptide.n_atoms == 138 and peptide.charges.sum() == pytest.approx(-2.0, abs=1e-6)


def test_the_same_seed_gives_the_same_chain(peptide):
    again = chignolin.load.__wrapped__(chignolin.Settings())
    np.testing.assert_array_equal(again.positions, peptide.positions)


def test_left_handed_amino_acids(peptide):
    atom = {(int(r), n): i for i, (r, n) in enumerate(zip(peptide.residue, peptide.atom_names, strict=True))}
    for residue in (1, 2, 3, 4, 5, 7, 8):  # all but glycine
        x = {name: peptide.positions[atom[residue, name]] for name in ("N", "CA", "C", "CB")}
        volume = np.dot(np.cross(x["N"] - x["CA"], x["C"] - x["CA"]), x["CB"] - x["CA"])
        assert volume > 0.001  # L: N, C, CB counterclockwise seen from the hydrogen


def test_it_can_be_sampled(peptide):
    run = reference.sample(peptide, reference.Settings(n_frames=3, interval_ps=0.02, equilibration_ps=0.05))
    assert np.isfinite(run.forces).all() and np.isfinite(run.energy).all()


def test_a_structure_of_the_user_is_taken(peptide, tmp_path):
    path = tmp_path / "fold.pdb"
    path.write_text(pdb_text(peptide, np.arange(peptide.n_atoms)))
    given = systems.load("chignolin", pdb=str(path))
    heavy = np.array([element != "H" for element in given.elements])
    assert (
        np.abs(np.sort(given.positions[heavy], axis=0) - np.sort(peptide.positions[np.array(peptide.elements) != "H"], axis=0)).max() < 2e-4
    )


def test_files_of_something_else_are_refused(tmp_path, dipeptide):
    with pytest.raises(ValueError, match=r"there is no PDB file nowhere\.pdb"):
        systems.load("chignolin", pdb="nowhere.pdb")
    path = tmp_path / "other.pdb"
    path.write_text(pdb_text(dipeptide, np.arange(22)))
    with pytest.raises(ValueError, match=r"other\.pdb holds ACE ALA NME, not chignolin \(GYDPETGTWG\)"):
        systems.load("chignolin", pdb=str(path))
