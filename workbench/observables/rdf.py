"""Radial distribution of a periodic liquid: g(r) = V <n(r)> / (n_pairs v(r)), with n(r) pairs in a shell of volume v(r).

Pairs within a molecule, and those that are named, are left out. Divided by the number of pairs that are there, an ideal gas of any
size has g = 1 (Allen and Tildesley, Computer Simulation of Liquids, 2nd edition, 2017, section 8.2). Boxes may change from frame to frame.
"""

import numpy as np

from workbench.observables import _base, _pair_kernels
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """Between which beads, and the bins."""

    first: tuple[int, ...] = field((), "Beads at the centre; none named: all.", bounds=(0, None))
    second: tuple[int, ...] = field((), "Beads around them; none named: the same as the first.", bounds=(0, None))
    molecule: tuple[int, ...] = field((), "Molecule of every bead: pairs within one are left out; none named: none.", bounds=(0, None))
    excluded: tuple[tuple[int, int], ...] = field(
        (), "Pairs of beads that are left out, such as a force field's exclusions.", bounds=(0, None)
    )
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

    A frame with a position that is not finite, or beyond 1e12 box lengths, makes its block NaN.
    """
    first, second = _base.chosen(settings.first, settings.second, trajectory.n_particles)
    molecule = _base.molecule_of(settings.molecule, trajectory.n_particles)
    parts = _parts(first, second)
    excluded = _excluded(settings, first, second, molecule, trajectory.n_particles)
    n_pairs = sum(_number(*part, molecule) for part in parts) - len(excluded)
    if n_pairs == 0:
        raise ValueError("there is no pair of beads in different molecules to measure.")
    ideal = n_pairs * (4 / 3) * np.pi * np.diff(np.linspace(0, r_max, settings.n_bins + 1) ** 3)
    found = np.zeros((int(labels.max()) + 1, 2, settings.n_bins))
    for frames, positions, box in _base.in_box(trajectory):
        counts, finite = np.zeros((len(box), settings.n_bins + 1), np.int64), np.ones(len(box), bool)
        for centre, around in parts:
            _pair_kernels.pairs(positions, box, molecule, centre, around, centre is around, r_max, counts, finite)
        _pair_kernels.without(positions, box, excluded, r_max, counts)
        g = np.where(finite[:, None], counts[:, :-1], np.nan) * box.prod(1)[:, None] / ideal  # (f, n_bins)
        np.add.at(found, labels[frames], np.stack([g, g**2], 1))
    return found


def _parts(first: np.ndarray, second: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of lists that hold every pair once: those in both with each other, and the rest of each list with the other."""
    shared = np.intersect1d(first, second)
    rest = np.setdiff1d(first, shared), np.setdiff1d(second, shared)
    parts = [(shared, shared), (rest[0], second), (shared, rest[1])]
    return [part for part in parts if len(part[0]) and len(part[1])]


def _number(centre: np.ndarray, around: np.ndarray, molecule: np.ndarray) -> int:
    """Pairs of beads in different molecules."""
    n = molecule.max() + 1
    within = int(np.bincount(molecule[centre], minlength=n) @ np.bincount(molecule[around], minlength=n))
    return (len(centre) * len(around) - within) // (2 if centre is around else 1)


def _excluded(settings: Settings, first: np.ndarray, second: np.ndarray, molecule: np.ndarray, n_particles: int) -> np.ndarray:
    """The excluded pairs that would be counted, each once, (any, 2)."""
    if any(len(pair) != 2 for pair in settings.excluded):
        raise ValueError("rdf.Settings.excluded: name two beads for each pair that is left out.")
    _base.check_beads(settings.excluded, n_particles)
    i, j = np.unique(np.sort(np.array(settings.excluded, np.int64).reshape(-1, 2), axis=1), axis=0).T
    met = (np.isin(i, first) & np.isin(j, second)) | (np.isin(j, first) & np.isin(i, second))
    return np.stack([i, j], 1)[met & (molecule[i] != molecule[j])]


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
