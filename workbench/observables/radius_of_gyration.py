"""Size of chain molecules: R_g^2 = sum_i m_i |r_i - r_cm|^2 / sum_i m_i, averaged over molecules and frames.

Flory, Statistical Mechanics of Chain Molecules (1969), chapter I. What is given is sqrt(<R_g^2>), with the error over blocks of frames.
"""

import numpy as np

from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """How the error is found."""

    n_blocks: int = field(10, "Number of blocks for the error.", bounds=(2, None))


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """sqrt(<R_g^2>) [nm] with its standard error, over all molecules of atoms or beads, made whole across the box.

    Raises ``ValueError`` where the trajectory knows neither its system nor its beads.
    """
    molecule, masses = _base.molecules(trajectory), _base.masses(trajectory)
    starts = np.flatnonzero(np.r_[True, np.diff(molecule) > 0])
    total = np.add.reduceat(masses, starts)
    squared = np.empty(len(trajectory))
    for frames, x in _base.whole(trajectory):
        centre = np.add.reduceat(masses[:, None] * x, starts, axis=1) / total[:, None]
        spread = np.add.reduceat(masses * ((x - centre[:, molecule]) ** 2).sum(2), starts, axis=1) / total
        squared[frames] = spread.mean(1)
    return _base.root_mean_square(trajectory, squared, settings.n_blocks, "radius of gyration", "nm")
