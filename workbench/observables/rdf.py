"""Radial distribution of a periodic liquid: g(r) = V <n(r)> / (n_pairs v(r)), with n(r) pairs in a shell of volume v(r).

Pairs within a molecule are left out. Divided by the number of pairs that are there, an ideal gas of any size has g = 1
(Allen and Tildesley, Computer Simulation of Liquids, 2nd edition, 2017, section 8.2). Boxes may change from frame to frame.
"""

from collections.abc import Iterator

import numpy as np
import torch

from workbench import geometry
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory

PAIRS_AT_ONCE = 2_000_000


@settings
class Settings:
    """Between which beads, and the bins."""

    first: tuple[int, ...] = field((), "Beads at the centre; none named: all.", bounds=(0, None))
    second: tuple[int, ...] = field((), "Beads around them; none named: the same as the first.", bounds=(0, None))
    molecule: tuple[int, ...] = field((), "Molecule of every bead: pairs within one are left out; none named: none.", bounds=(0, None))
    r_max: float | None = field(None, "Largest distance; None: half of the smallest box length met.", unit="nm", bounds=(1e-6, None))
    n_bins: int = field(100, "Number of bins.", bounds=(2, None))
    n_blocks: int = field(20, "Number of blocks for the error.", bounds=(2, None))


def largest(trajectory: Trajectory, settings: Settings) -> float:
    """Largest distance of the bins [nm]. Raises ``ValueError`` where there is no box or it is too small for ``r_max``."""
    if trajectory.box is None:
        raise ValueError("the trajectory has no box: a radial distribution needs the density of a periodic liquid.")
    half = float(np.min(trajectory.box)) / 2
    if settings.r_max is not None and settings.r_max > half * (1 + 1e-6):
        raise ValueError(f"r_max = {settings.r_max} nm: half of the smallest box length is {half:.6g} nm, and beyond it pairs are missed.")
    return half if settings.r_max is None else settings.r_max


def shells(trajectory: Trajectory, settings: Settings, r_max: float, labels: np.ndarray) -> np.ndarray:
    """Sums over the frames of each block of V n(r) / (n_pairs v(r)) and of its square, (n, 2, n_bins); divide by its frames for g(r).

    A frame with a distance that is not finite makes its block NaN.
    """
    pieces = list(_pairs(trajectory, settings))
    n_pairs = sum(len(pairs) for pairs in pieces)
    if n_pairs == 0:
        raise ValueError("there is no pair of beads in different molecules to measure.")
    edges = np.linspace(0, r_max, settings.n_bins + 1)
    ideal = n_pairs * (4 / 3) * np.pi * np.diff(edges**3)
    found = np.zeros((int(labels.max()) + 1, 2, settings.n_bins))
    size = max(1, PAIRS_AT_ONCE // max(len(pairs) for pairs in pieces))
    for start in range(0, len(trajectory), size):
        frames = slice(start, min(start + size, len(trajectory)))
        positions = torch.from_numpy(np.array(trajectory.positions[frames], np.float64))
        box = torch.from_numpy(np.array(trajectory.box[frames], np.float64))
        counts = sum(_per_frame(geometry.distances(positions, pairs, box).numpy(), r_max, settings.n_bins) for pairs in pieces)
        g = counts * box.numpy().prod(1)[:, None] / ideal  # (f, n_bins)
        np.add.at(found, labels[frames], np.stack([g, g**2], 1))
    return found


def _per_frame(distance: np.ndarray, r_max: float, n_bins: int) -> np.ndarray:
    """Counts (f, n_bins) of ``distance`` (f, P) in every frame; NaN for a frame with one that is not finite."""
    finite = np.isfinite(distance)
    column = np.minimum(np.where(finite, distance, np.inf) * (n_bins / r_max), n_bins).astype(np.int64)
    column += np.arange(len(distance))[:, None] * (n_bins + 1)
    counts = np.bincount(column.ravel(), minlength=len(distance) * (n_bins + 1)).reshape(len(distance), -1)[:, :-1].astype(float)
    counts[~finite.all(1)] = np.nan
    return counts


def _pairs(trajectory: Trajectory, settings: Settings) -> Iterator[torch.Tensor]:
    """Pairs (P, 2) of beads in different molecules, each once, in pieces of bounded size."""
    everyone = range(trajectory.n_particles)
    first = np.array(settings.first or everyone)
    second = np.array(settings.second) if settings.second else first
    molecule = np.array(settings.molecule or everyone)
    if len(molecule) != trajectory.n_particles:
        raise ValueError(f"molecule has {len(molecule)} entries; the trajectory has {trajectory.n_particles} beads.")
    for chosen in (first, second):
        _base.check_beads((tuple(chosen.tolist()),), trajectory.n_particles)
    rows = max(1, PAIRS_AT_ONCE // len(second))
    both = np.isin(first, second)  # a pair of two such beads would come twice
    other = np.isin(second, first)
    for start in range(0, len(first), rows):
        i, j = first[start : start + rows, None], second[None, :]
        twice = both[start : start + rows, None] & other[None, :] & (i >= j)
        keep = (molecule[i] != molecule[j]) & ~twice
        if keep.any():
            a, b = np.nonzero(keep)
            yield torch.from_numpy(np.stack([i[a, 0], j[0, b]], 1))


def observation(sums: np.ndarray, labels: np.ndarray, trajectory: Trajectory, settings: Settings, r_max: float) -> Observation:
    """g(r) from what :func:`shells` gave."""
    frames = np.bincount(labels).astype(float)
    (value, square), (error, _) = _base.ratio(sums, frames)
    edges = np.linspace(0, r_max, settings.n_bins + 1)
    independent = np.sum(square - value**2) / max(float(np.sum(error**2)), 1e-300)
    return Observation(
        name="radial distribution",
        x=((edges[1:] + edges[:-1]) / 2,),
        value=value,
        error=error,
        unit="",
        x_unit="nm",
        n_effective=float(min(len(labels), independent)) if np.isfinite(independent) else 0.0,
        state=_base.one_state(trajectory),
    )


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """g(r) with standard errors. Raises ``ValueError`` without a box, for unknown beads, or where a distance is not finite."""
    r_max = largest(trajectory, settings)
    labels = _base.block_labels(trajectory, settings.n_blocks)
    sums = shells(trajectory, settings, r_max, labels)
    if not np.isfinite(sums).all():
        raise ValueError("distances are not finite in some frames: leave out the frames that blew up.")
    return observation(sums, labels, trajectory, settings, r_max)
