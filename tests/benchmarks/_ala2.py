"""The published alanine dipeptide subset (10,000 frames of five beads) as reference data; the split is 8000 / 2000 frames."""

import os
import pathlib

import numpy as np

from workbench import types, units

N_TRAIN = 8000
FORCE_UNIT = units.KCAL_PER_ANGSTROM**2
"""1 (kcal/mol/A)^2 in (kJ/mol/nm)^2."""


def load() -> types.ReferenceData:
    """All frames, centred, in project units."""
    folder = pathlib.Path(os.environ["CG_REFERENCE_DATA"])
    x = np.load(folder / "ala2_coordinates.npy").astype(float) * units.ANGSTROM
    f = np.load(folder / "ala2_forces.npy").astype(float) * units.KCAL_PER_ANGSTROM
    names = ("C", "N", "CA", "C2", "N2")
    beads = types.Beads.from_bonds(
        names=names, types=names, masses=[12.011, 14.007, 12.011, 12.011, 14.007], molecule=[0] * 5, bonds=[(0, 1), (1, 2), (2, 3), (3, 4)]
    )
    return types.ReferenceData(positions=x - x.mean(1, keepdims=True), forces=f, beads=beads)
