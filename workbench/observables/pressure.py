"""Pressure from the virial of saved frames: P = (N kBT + tr W / 3) / V, with N the number of particles that have mass.

W as in ``Trajectory.virial`` (Allen and Tildesley, Computer Simulation of Liquids, 2nd edition, 2017, section 2.4); T is that of the state,
not the kinetic one. The error is over blocks of frames (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)).
"""

import numpy as np

from workbench import units
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """How the error is found."""

    n_blocks: int = field(20, "Number of blocks for the error.", bounds=(2, None))


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """Mean pressure [bar] with its standard error.

    Raises ``ValueError`` without a virial or a box, and where the trajectory knows neither its system nor its beads.
    """
    if trajectory.virial is None:
        raise ValueError("the trajectory has no virial: run it with virial=True.")
    volume = _base.volumes(trajectory)
    n = np.count_nonzero(_base.masses(trajectory))
    work = np.trace(np.asarray(trajectory.virial, np.float64), axis1=1, axis2=2) / 3  # (F,)
    ideal = n * units.thermal_energy(_base.one_state(trajectory).temperature)
    return _base.average(trajectory, (ideal + work) / volume / units.BAR, settings.n_blocks, "pressure", "bar")
