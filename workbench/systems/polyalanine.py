"""Polyalanine with capped ends, ACE-(ALA)n-NME: a peptide of any length.

The chain is built from alanine dipeptide: the rigid motion that lays the peptide group before its alanine onto the one after it takes
every residue to the next (a screw, so that the chain is a regular helix of the dipeptide's phi and psi). Force fields: see
``_peptide``.
"""

import functools
import pathlib

import numpy as np
from openmm import app, unit

from workbench.settings import field, settings
from workbench.systems import _peptide
from workbench.types import System

GROUP = (("ACE", "CH3"), ("ACE", "C"), ("ACE", "O"), ("ALA", "N"), ("ALA", "CA"))
NEXT = (("ALA", "CA"), ("ALA", "C"), ("ALA", "O"), ("NME", "N"), ("NME", "C"))
"""Atoms of the peptide groups before and after the alanine, in the same order."""


@settings
class Settings(_peptide.Settings):
    """How long the chain is, what surrounds it and which force field describes it."""

    n_residues: int = field(9, "Number of alanines.", bounds=(1, 100))
    box_nm: float = field(5.0, "Edge of the cubic box of explicit water.", unit="nm", bounds=(2.4, 50.0))


@functools.lru_cache(maxsize=4)
def load(settings: Settings) -> System:
    """The peptide, in a box of water where wanted. Raises ``ValueError`` for a chain too long for its box."""
    topology, positions = _chain(settings.n_residues)
    return _peptide.system("polyalanine", topology, positions, settings)


def _chain(n: int) -> tuple[app.Topology, np.ndarray]:
    """Topology and positions [nm] of ACE-(ALA)n-NME."""
    pdb = app.PDBFile(str(pathlib.Path(__file__).with_name("alanine_dipeptide.pdb")))
    dipeptide = np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    cap, alanine, amide = pdb.topology.residues()
    index = {(residue.name, atom.name): atom.index for residue in (cap, alanine, amide) for atom in residue.atoms()}
    turn, step = _motion(dipeptide[[index[name] for name in GROUP]], dipeptide[[index[name] for name in NEXT]])
    topology, rows = app.Topology(), []
    chain = topology.addChain()
    moved = dipeptide
    for place, residue in enumerate([cap, *[alanine] * n, amide]):
        if 2 <= place <= n:
            moved = moved @ turn.T + step
        made = topology.addResidue(residue.name, chain)
        for atom in residue.atoms():
            topology.addAtom(atom.name, atom.element, made)
            rows.append(moved[atom.index])
    topology.createStandardBonds()
    return topology, np.array(rows)


def _motion(points: np.ndarray, onto: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and translation that lay ``points`` onto ``onto``, both (m, 3) (Kabsch, Acta Cryst. A32, 922 (1976))."""
    u, _, v = np.linalg.svd((points - points.mean(0)).T @ (onto - onto.mean(0)))
    u[:, -1] *= np.sign(np.linalg.det(u @ v))
    turn = (u @ v).T
    return turn, onto.mean(0) - turn @ points.mean(0)
