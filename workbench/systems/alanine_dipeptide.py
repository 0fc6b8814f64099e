"""Alanine dipeptide (N-acetyl-L-alanine-N'-methylamide, ACE-ALA-NME), the standard test of free-energy surfaces.

Atoms 4, 6, 8, 14, 16 (counted from 0) are the backbone C N CA C N that carries phi and psi. Force fields: see ``_peptide``.
"""

import functools
import pathlib

import numpy as np
from openmm import app, unit

from workbench.systems import _peptide
from workbench.systems._peptide import Settings
from workbench.types import System


@functools.lru_cache(maxsize=4)
def load(settings: Settings) -> System:
    """The peptide at its C7eq minimum, in a box of water where wanted. The same settings give the same coordinates."""
    pdb = app.PDBFile(str(pathlib.Path(__file__).with_name("alanine_dipeptide.pdb")))
    positions = np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    return _peptide.system("alanine_dipeptide", pdb.topology, positions, settings)
