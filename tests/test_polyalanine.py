"""Polyalanine of any length: one residue is alanine dipeptide, many are a regular helix."""

import numpy as np
import pytest

from tests import _physics
from workbench import geometry, systems


def test_one_residue_is_alanine_dipeptide(dipeptide):
    one = systems.load("polyalanine", n_residues=1)
    np.testing.assert_allclose(one.positions, dipeptide.positions, atol=1e-9)
    assert one.elements == dipeptide.elements and np.array_equal(one.bonds, dipeptide.bonds)
    assert _physics.energy(one) == pytest.approx(_physics.energy(dipeptide))


def test_every_residue_is_like_the_next():
    import torch

    chain = systems.load("polyalanine", n_residues=6)
    assert chain.n_atoms == 12 + 6 * 10 and chain.residue_names[0] == "ACE" and chain.residue_names[-1] == "NME"
    atom = {(int(r), n): i for i, (r, n) in enumerate(zip(chain.residue, chain.atom_names, strict=True))}
    phi = [[atom[k - 1, "C"], atom[k, "N"], atom[k, "CA"], atom[k, "C"]] for k in range(1, 7)]
    angles = geometry.dihedrals(torch.tensor(chain.positions[None]), torch.tensor(phi), None).numpy()[0]
    assert np.ptp(angles) < 0.1 and angles.mean() == pytest.approx(np.deg2rad(-80), abs=0.3)
    bonds = np.linalg.norm(chain.positions[chain.bonds[:, 0]] - chain.positions[chain.bonds[:, 1]], axis=1)
    assert bonds.min() > 0.09 and bonds.max() < 0.16


def test_a_chain_too_long_for_its_box_is_refused():
    with pytest.raises(ValueError, match=r"polyalanine: the peptide is \d\.\d nm long, too much for a box of 2\.5 nm: choose box_nm above"):
        systems.load("polyalanine", n_residues=9, solvent="tip3p", box_nm=2.5)
