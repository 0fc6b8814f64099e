"""Mass density of a periodic box: rho = sum_i m_i / V.

The error is over blocks of frames (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)).
"""

from workbench import units
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """How the error is found."""

    n_blocks: int = field(10, "Number of blocks for the error.", bounds=(2, None))


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """Mean density [g/cm^3] with its standard error. Raises ``ValueError`` without a box, and where masses are not known."""
    instant = _base.masses(trajectory).sum() / _base.volumes(trajectory) / units.GRAM_PER_CM3
    return _base.average(trajectory, instant, settings.n_blocks, "density", "g/cm^3")
