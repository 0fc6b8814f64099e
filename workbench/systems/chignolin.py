"""Chignolin (GYDPETGTWG), a ten-residue hairpin that folds within microseconds: Honda et al., Structure 12, 1507 (2004).

Without a file the chain is built unfolded, by RDKit's distance geometry; ``pdb`` takes the coordinates of a structure instead (such
as the first model of PDB entry 1UAO). Hydrogens are placed for pH 7, the ends are charged. Force fields: see ``_peptide``.
"""

import functools
import io
import pathlib

import numpy as np
import openmm
from openmm import app, unit
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom

from workbench.settings import field, settings
from workbench.systems import _peptide
from workbench.types import System

SEQUENCE = "GYDPETGTWG"
THREE = {"G": "GLY", "Y": "TYR", "D": "ASP", "P": "PRO", "E": "GLU", "T": "THR", "W": "TRP"}


@settings
class Settings(_peptide.Settings):
    """Where its coordinates come from, what surrounds it and which force field describes it."""

    pdb: str = field("", "A PDB file of chignolin; none: an unfolded chain is built.")
    solvent: str = field("obc2", "Vacuum, implicit water (OBC2) or explicit water (TIP3P).", choices=tuple(_peptide.SOLVENTS))
    box_nm: float = field(4.0, "Edge of the cubic box of explicit water.", unit="nm", bounds=(2.4, 50.0))
    temperature: float = field(340.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of the unfolded chain.", bounds=(0, 2**31 - 2))


@functools.lru_cache(maxsize=4)
def load(settings: Settings) -> System:
    """The peptide. Raises ``ValueError`` for a file that is missing, cannot be read or holds another sequence."""
    topology, positions = _built(settings.seed) if not settings.pdb else _given(pathlib.Path(settings.pdb))
    return _peptide.system("chignolin", topology, positions, settings)


def _built(seed: int) -> tuple[app.Topology, np.ndarray]:
    chain = Chem.AddHs(Chem.MolFromSequence(SEQUENCE))
    options = rdDistGeom.ETKDGv3()
    options.randomSeed = seed
    with rdBase.BlockLogs():
        if rdDistGeom.EmbedMolecule(chain, options) < 0:
            raise ValueError(f"systems.chignolin: no coordinates could be found with seed {seed}: choose another.")
    return _protonated(app.PDBFile(io.StringIO(Chem.MolToPDBBlock(Chem.RemoveHs(chain)))))


def _given(path: pathlib.Path) -> tuple[app.Topology, np.ndarray]:
    if not path.is_file():
        raise ValueError(f"there is no PDB file {path}: check the path.")
    try:
        pdb = app.PDBFile(str(path))
    except Exception as error:  # the reader lets errors of every kind through
        raise ValueError(f"{path.name} cannot be read as a PDB file ({' '.join(str(error).split())}): check the file.") from None
    found = [residue.name for residue in pdb.topology.residues()]
    if found != [THREE[letter] for letter in SEQUENCE]:
        raise ValueError(f"{path.name} holds {' '.join(found[:12])}, not chignolin ({SEQUENCE}): systems.from_pdb loads any peptide.")
    return _protonated(pdb)


def _protonated(pdb: app.PDBFile) -> tuple[app.Topology, np.ndarray]:
    """With hydrogens as at pH 7."""
    heavy = app.Modeller(pdb.topology, pdb.positions)
    heavy.delete([atom for atom in heavy.topology.atoms() if atom.element is app.element.hydrogen])
    reference = openmm.Platform.getPlatformByName("Reference")
    with _peptide.repeatable():  # OpenMM places hydrogens at random before it minimises them
        heavy.addHydrogens(app.ForceField(_peptide.FORCE_FIELDS["amber14sb"]), pH=7.0, platform=reference)
    return heavy.topology, np.array(heavy.positions.value_in_unit(unit.nanometer))
