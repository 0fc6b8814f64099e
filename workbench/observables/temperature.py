"""Kinetic temperature: T = sum_i m_i v_i^2 / (n_dof kB), with n_dof = 3 N - n_constrained_dof.

The error is over blocks of frames (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)).
"""

import numpy as np

from workbench import units
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """What moves."""

    masses: tuple[float, ...] = field((), "Mass of every particle; 0 for a site without mass.", unit="amu", bounds=(0.0, None))
    n_constrained_dof: int = field(0, "Degrees of freedom held: one per constraint, 3 for the centre of mass.", bounds=(0, None))
    n_blocks: int = field(20, "Number of blocks for the error.", bounds=(2, None))


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """Mean kinetic temperature [K] with its standard error. Raises ``ValueError`` without velocities, or for masses that do not fit."""
    if trajectory.velocities is None:
        raise ValueError("the trajectory has no velocities: an overdamped run has no kinetic temperature.")
    masses = np.array(settings.masses)
    if len(masses) != trajectory.n_particles:
        raise ValueError(f"masses has {len(masses)} entries; the trajectory has {trajectory.n_particles} particles.")
    freedom = 3 * int((masses > 0).sum()) - settings.n_constrained_dof
    if freedom < 1:
        raise ValueError(f"n_constrained_dof = {settings.n_constrained_dof}: it leaves {freedom} degrees of freedom.")
    instant = np.empty(len(trajectory))
    size = max(1, 1_000_000 // trajectory.n_particles)
    for start in range(0, len(trajectory), size):
        velocities = np.array(trajectory.velocities[start : start + size], np.float64)
        instant[start : start + size] = np.einsum("n,fna,fna->f", masses, velocities, velocities) / (freedom * units.BOLTZMANN)
    return _base.average(trajectory, instant, settings.n_blocks, "kinetic temperature", "K")
