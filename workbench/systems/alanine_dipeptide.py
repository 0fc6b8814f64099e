"""Alanine dipeptide (N-acetyl-L-alanine-N'-methylamide, ACE-ALA-NME), the standard test of free-energy surfaces.

Atoms 4, 6, 8, 14, 16 (counted from 0) are the backbone C N CA C N that carries phi and psi. Force fields: see ``_peptide``.
"""

import functools
import pathlib

import numpy as np
from openmm import app, unit

from workbench.settings import field, settings
from workbench.systems import _peptide
from workbench.types import System


@settings
class Settings:
    """What surrounds the peptide and which force field describes it."""

    solvent: str = field("vacuum", "Vacuum, implicit water (OBC2) or explicit water (TIP3P).", choices=("vacuum", "obc2", "tip3p"))
    force_field: str = field("amber14sb", "Force field of the peptide.", choices=("amber14sb", "amber99sb-ildn"))
    box_nm: float = field(2.7, "Edge of the cubic box of explicit water.", unit="nm", bounds=(2.4, 10.0))
    cutoff_nm: float = field(1.0, "Cut-off of the direct-space interactions in explicit water.", unit="nm", bounds=(0.6, 1.2))
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))


@functools.lru_cache(maxsize=4)
def load(settings: Settings) -> System:
    """The peptide at its C7eq minimum, in a box of water where wanted. The same settings give the same coordinates."""
    pdb = app.PDBFile(str(pathlib.Path(__file__).with_name("alanine_dipeptide.pdb")))
    positions = np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    fields = {name: getattr(settings, name) for name in ("force_field", "solvent", "box_nm", "cutoff_nm", "temperature")}
    return _peptide.system("alanine_dipeptide", pdb.topology, positions, **fields)
