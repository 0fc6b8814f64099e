"""Isothermal compressibility from the volume at constant pressure: kappa = (<V^2> - <V>^2) / (kBT <V>).

Allen and Tildesley, Computer Simulation of Liquids, 2nd edition, 2017, section 2.5. The variance about the mean of the frames is smaller
than the true one by the squared standard error of that mean, which is added. The error of kappa is to first order in those of <V> and of
the variance, over blocks of frames (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)).
"""

import dataclasses

import numpy as np

from workbench import units
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """How the error is found."""

    n_blocks: int = field(10, "Number of blocks for the error; each should outlast the memory of the volume.", bounds=(2, None))


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """kappa [1/bar] with its standard error, at the temperature of the state.

    Raises ``ValueError`` without a box, and where the box never changes: at constant volume this tells nothing.
    """
    volume = _base.volumes(trajectory)
    if np.ptp(volume) <= 1e-9 * volume.mean():
        raise ValueError(f"the volume is {volume[0]:.6g} nm^3 in every frame: take frames of a run at constant pressure.")
    mean = _base.average(trajectory, volume, settings.n_blocks, "volume", "nm^3")
    scale = units.BAR / (units.thermal_energy(mean.state.temperature) * mean.value)
    kappa = scale * (volume.var() + mean.error**2)
    instant = scale * (volume - mean.value) ** 2 - kappa * (volume / mean.value - 1)  # how every frame moves kappa, to first order
    found = _base.average(trajectory, instant, settings.n_blocks, "isothermal compressibility", "1/bar")
    return dataclasses.replace(found, value=kappa)
