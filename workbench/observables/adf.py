"""Angular distribution at a centre: p(theta) = <delta(theta - theta_ijk)> over pairs i, k of beads nearer than a cut-off to j.

A density over 0..pi whose integral is 1, sin(theta) contained in it: an ideal gas has p = sin(theta) / 2. So is the one of the oxygens of
water with a cut-off of 0.318 nm to which models are compared (Soper and Benmore, Phys. Rev. Lett. 101, 065502 (2008)). Divided by
sin(theta) it is a density over -cos(theta), 1/2 for an ideal gas. Errors are over blocks of frames (Flyvbjerg and Petersen,
J. Chem. Phys. 91, 461 (1989)).
"""

import numpy as np

from workbench.observables import _base, _pair_kernels
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """Between which beads, how near, and the bins."""

    first: tuple[int, ...] = field((), "Beads at the centre; none named: all.", bounds=(0, None))
    second: tuple[int, ...] = field((), "Beads around them; none named: the same as the first.", bounds=(0, None))
    molecule: tuple[int, ...] = field(
        (), "Molecule of every bead: one in that of the centre is no neighbour; none: none.", bounds=(0, None)
    )
    cutoff: float = field(0.318, "Largest distance of both neighbours from the centre.", unit="nm", bounds=(1e-6, None))
    by_sine: bool = field(False, "Divide by sin(theta), the density that all directions alike would give.")
    n_bins: int = field(90, "Number of bins from 0 to pi.", bounds=(2, None))
    n_blocks: int = field(20, "Number of blocks for the error.", bounds=(2, None))


def counts(trajectory: Trajectory, settings: Settings, labels: np.ndarray) -> np.ndarray:
    """Angles per block and bin, (n, n_bins); NaN for a block with a position that is not finite, or two beads in one place.

    ``labels`` (F,) is the block of every frame, as from ``_base.block_labels``. Raises ``ValueError`` without a box, or where it is too
    small for the cut-off.
    """
    if trajectory.box is None:
        raise ValueError("the trajectory has no box: the neighbours of a bead are those of a periodic liquid.")
    half = float(np.min(trajectory.box)) / 2
    if settings.cutoff > half:
        raise ValueError(
            f"cutoff = {settings.cutoff} nm: half of the smallest box length is {half:.6g} nm; beyond it neighbours are missed."
        )
    centre, around = _base.chosen(settings.first, settings.second, trajectory.n_particles)
    molecule = _base.molecule_of(settings.molecule, trajectory.n_particles)
    found = np.zeros((int(labels.max()) + 1, settings.n_bins))
    for frames, positions, box in _base.in_box(trajectory):
        angles, finite = np.zeros((len(box), settings.n_bins), np.int64), np.ones(len(box), bool)
        _pair_kernels.angles(positions, box, molecule, centre, around, settings.cutoff, angles, finite)
        np.add.at(found, labels[frames], np.where(finite[:, None], angles, np.nan))
    return found


def observation(counts: np.ndarray, trajectory: Trajectory, settings: Settings) -> Observation:
    """The density over the bins from what :func:`counts` gave."""
    probability, error = _base.ratio(counts, counts.sum(1))
    edges = np.linspace(0, np.pi, settings.n_bins + 1)
    width = -np.diff(np.cos(edges)) if settings.by_sine else np.diff(edges)
    return Observation(
        name="angular distribution" + (" by sin(theta)" if settings.by_sine else ""),
        x=((edges[1:] + edges[:-1]) / 2,),
        value=probability / width,
        error=error / width,
        unit="" if settings.by_sine else "1/rad",
        x_unit="rad",
        n_effective=_base.effective_samples(probability, error, counts.sum()),
        state=_base.one_state(trajectory),
    )


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """p(theta) [1/rad] with standard errors. Raises ``ValueError`` as :func:`counts`, for unknown beads, or where there is no angle."""
    found = counts(trajectory, settings, _base.block_labels(trajectory, settings.n_blocks))
    if not np.isfinite(found).all():
        raise ValueError("positions are not finite, or coincide, in some frames: leave out the frames that blew up.")
    if not found.any():
        raise ValueError(f"cutoff = {settings.cutoff} nm: no bead has two neighbours that near; give a longer one.")
    return observation(found, trajectory, settings)
