"""Alanine dipeptide of five beads: the published subset (10,000 frames, split 8000 / 2000), and an own run in implicit water."""

import os
import pathlib
from collections.abc import Callable

import numpy as np

from tests.benchmarks._runs import sampled
from workbench import mappings, projection, reference, systems, types, units

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


OWN = reference.Settings(n_frames=200_000, interval_ps=0.3, equilibration_ps=100.0, checkpoint_every=2000)
"""The own run: 60 ns."""


def own(folder: pathlib.Path, on_step: Callable[[int, dict], None] | None = None) -> types.ReferenceData:
    """Frames of amber99sb-ildn in implicit water (OBC2) with optimally mapped forces; sampled once into ``folder``, then read there."""
    system = systems.load("alanine_dipeptide", solvent="obc2", force_field="amber99sb-ildn")
    all_atom = sampled(system, OWN, folder, on_step)
    picked = mappings.by_pick.Settings(atoms=((4,), (6,), (8,), (14,), (16,)))
    return projection.project(
        all_atom, mappings.by_pick.build(system, None, picked), force_map="optimal", folder=folder.with_name(f"{folder.name}-beads")
    )
