"""The published first-principles water (400 frames of 64 flexible molecules) as a trajectory, the atoms of a molecule side by side."""

import dataclasses
import pathlib

import numpy as np

from workbench import mappings, systems, types, units


def load(folder: pathlib.Path) -> types.Trajectory:
    """All frames of ``folder / water_aimd_frames.npz`` in project units, with forces and box."""
    stored = np.load(folder / "water_aimd_frames.npz", allow_pickle=False)
    order = np.ravel([(k, 64 + k, 128 + k) for k in range(64)])
    return types.Trajectory(
        positions=stored["coordinates"][:, order].astype(float) * units.ANGSTROM,
        forces=stored["forces"][:, order].astype(float) * units.ELECTRONVOLT_PER_ANGSTROM,
        box=np.diagonal(stored["box"], axis1=1, axis2=2).astype(float) * units.ANGSTROM,
        system=dataclasses.replace(systems.load("water_tip3p"), constraints=np.zeros((0, 2), int)),
    )


def oxygens(system: types.System) -> types.Mapping:
    """One bead a molecule, on the oxygen."""
    return mappings.by_pick.build(system, None, mappings.by_pick.Settings(atoms=((0,),), names=("O",)))
