"""What the observables share: reading frames by chunks, blocks of frames, and the error of a ratio over blocks.

Frames that follow each other are correlated, so errors come from blocks: whole replicas, or contiguous pieces of one. For sums
s_b and weights w_b of the blocks b = 1..n the estimate is r = sum s / sum w, and its squared standard error
n / (n - 1) * sum_b (s_b - r w_b)^2 / (sum w)^2 (Cochran, Sampling Techniques, 3rd edition, 1977, section 6.3).
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch

from workbench import geometry, projection
from workbench.types import Beads, Observation, ReferenceData, State, System, Trajectory

MEASURES = {2: geometry.distances, 3: geometry.angles, 4: geometry.dihedrals}


def block_labels(trajectory: Trajectory, n_blocks: int) -> np.ndarray:
    """Block of every frame, (F,), 0 to n - 1 with n close to ``n_blocks``: groups of replicas, or contiguous pieces of each.

    Raises ``ValueError`` for fewer than two frames, from which no error can be told.
    """
    frames = len(trajectory)
    if frames < 2:
        raise ValueError(f"the trajectory has {frames} frame(s): a standard error needs at least 2.")
    n_blocks = min(n_blocks, frames)
    if trajectory.replica is None:
        return np.arange(frames) * n_blocks // frames
    _, replica, lengths = np.unique(trajectory.replica, return_inverse=True, return_counts=True)
    if len(lengths) >= n_blocks:
        return replica * n_blocks // len(lengths)
    order = np.argsort(replica, kind="stable")
    within = np.empty(frames, np.int64)
    within[order] = np.arange(frames) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    pieces = -(-n_blocks // len(lengths))
    label = replica * pieces + within * pieces // lengths[replica]
    return np.unique(label, return_inverse=True)[1]


def ratio(sums: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate and standard error (...,) of ``sums`` (n, ...) over ``weights`` (n,) of n independent blocks."""
    n, total = len(weights), weights.sum()
    value = sums.sum(0) / total
    spread = sums - value * weights.reshape((n,) + (1,) * (sums.ndim - 1))
    return value, np.sqrt(n / (n - 1) * (spread**2).sum(0)) / total


def resample(counts: np.ndarray, n_bootstrap: int, generator: np.random.Generator) -> np.ndarray:
    """Sums (n_bootstrap, ...) of as many blocks as ``counts`` (n, ...) has, drawn with replacement: the block bootstrap."""
    n = len(counts)
    drawn = generator.multinomial(n, np.full(n, 1 / n), size=n_bootstrap).astype(float)
    return (drawn @ counts.reshape(n, -1)).reshape(n_bootstrap, *counts.shape[1:])


def measure(trajectory: Trajectory, terms: tuple[tuple[int, ...], ...]) -> Iterator[tuple[slice, np.ndarray]]:
    """Distances [nm], angles or dihedrals [rad] of ``terms`` (t, 2, 3 or 4), by chunks: frames (slice) and values (f, t).

    Where positions overflow or beads coincide the value is not finite; the caller decides what that means.
    """
    check_beads(terms, trajectory.n_particles)
    index = torch.tensor(terms)
    size = max(1, 1_000_000 // max(trajectory.n_particles, len(terms)))
    for start in range(0, len(trajectory), size):
        frames = slice(start, min(start + size, len(trajectory)))
        positions = torch.from_numpy(np.array(trajectory.positions[frames], np.float64))  # (f, N, 3)
        box = None if trajectory.box is None else torch.from_numpy(np.array(trajectory.box[frames], np.float64))
        yield frames, MEASURES[index.shape[1]](positions, index, box).numpy()


def in_box(trajectory: Trajectory) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Frames by chunks: which (slice), positions (f, N, 3) and box (f, 3), both [nm] in double precision."""
    size = max(1, 1_000_000 // trajectory.n_particles)
    for start in range(0, len(trajectory), size):
        frames = slice(start, min(start + size, len(trajectory)))
        yield frames, np.array(trajectory.positions[frames], np.float64), np.array(trajectory.box[frames], np.float64)


def chosen(first: tuple[int, ...], second: tuple[int, ...], n_particles: int) -> tuple[np.ndarray, np.ndarray]:
    """Two lists of beads of the settings: none as ``first`` is all, none as ``second`` that list again. Raises as :func:`check_beads`."""
    centre = np.array(first or range(n_particles))
    around = np.array(second) if second else centre
    for beads in (centre, around):
        check_beads((tuple(beads.tolist()),), n_particles)
    return centre, around


def molecule_of(molecule: tuple[int, ...], n_particles: int) -> np.ndarray:
    """The molecule of every bead, (N,), as the settings name it; none named: every bead is one. Numbered without gaps."""
    if not molecule:
        return np.arange(n_particles)
    if len(molecule) != n_particles:
        raise ValueError(f"molecule has {len(molecule)} entries; the trajectory has {n_particles} beads.")
    return np.unique(molecule, return_inverse=True)[1]


def check_beads(terms: tuple[tuple[int, ...], ...], n_particles: int) -> None:
    """Raise ``ValueError`` where a term names a bead that is not there, or one bead twice."""
    for term in terms:
        if min(term) < 0 or max(term) >= n_particles:
            raise ValueError(f"beads {term}: the trajectory has beads 0 to {n_particles - 1}.")
        if len(set(term)) < len(term):
            raise ValueError(f"beads {term}: a bead is named twice.")


def topology(trajectory: Trajectory) -> System | Beads:
    """The atoms or beads that these frames hold. Raises ``ValueError`` where the trajectory does not know."""
    known = trajectory.beads if isinstance(trajectory, ReferenceData) else trajectory.system
    if known is None:
        raise ValueError("this trajectory does not know its particles: give it its system by dataclasses.replace(trajectory, system=...).")
    return known


def masses(trajectory: Trajectory) -> np.ndarray:
    """Mass of every particle [amu], (N,). Raises ``ValueError`` as :func:`topology`."""
    return topology(trajectory).masses


def molecules(trajectory: Trajectory) -> np.ndarray:
    """Index of the molecule of every particle, (N,), ascending. Raises ``ValueError`` as :func:`topology`."""
    return topology(trajectory).molecule


def volumes(trajectory: Trajectory) -> np.ndarray:
    """Volume of the box in every frame [nm^3], (F,). Raises ``ValueError`` without a box."""
    if trajectory.box is None:
        raise ValueError("the trajectory has no box, and so no volume, density or pressure.")
    return np.prod(np.asarray(trajectory.box, np.float64), axis=1)


def whole(trajectory: Trajectory) -> Iterator[tuple[slice, np.ndarray]]:
    """Positions with every molecule in one piece, by chunks: frames (slice) and positions (f, N, 3) [nm]."""
    known = topology(trajectory)
    size = max(1, 1_000_000 // trajectory.n_particles)
    for start in range(0, len(trajectory), size):
        frames = slice(start, min(start + size, len(trajectory)))
        positions = np.array(trajectory.positions[frames], np.float64)
        yield frames, positions if trajectory.box is None else projection.whole(positions, trajectory.box[frames], known)


def average(trajectory: Trajectory, instant: np.ndarray, n_blocks: int, name: str, unit: str) -> Observation:
    """The mean of the per-frame values ``instant`` (F,) with its standard error over blocks."""
    labels = block_labels(trajectory, n_blocks)
    value, error = ratio(np.bincount(labels, weights=instant), np.bincount(labels).astype(float))
    return Observation(
        name=name,
        x=(),
        value=value,
        error=error,
        unit=unit,
        n_effective=float(min(len(trajectory), instant.var() / error**2)) if error > 0 else float(len(trajectory)),
        state=one_state(trajectory),
    )


def root_mean_square(trajectory: Trajectory, squared: np.ndarray, n_blocks: int, name: str, unit: str) -> Observation:
    """sqrt(<s>) of the per-frame values ``squared`` (F,) with its standard error over blocks, to first order."""
    mean = average(trajectory, squared, n_blocks, name, unit)
    value = np.sqrt(mean.value)
    return dataclasses.replace(mean, value=value, error=mean.error / (2 * value) if value > 0 else mean.error)


def one_state(trajectory: Trajectory) -> State:
    """The one thermodynamic state of all frames. Raises ``ValueError`` where there are several."""
    index = np.zeros(1, np.int64) if trajectory.state is None else np.unique(trajectory.state)
    if len(index) != 1:
        raise ValueError(
            f"the frames belong to {len(index)} thermodynamic states: take those of one, trajectory.take(trajectory.state == 0)."
        )
    return trajectory.states[int(index[0])]


def effective_samples(value: np.ndarray, error: np.ndarray, frames: float) -> float:
    """Number of independent samples that would give these errors of the probabilities ``value``, at most ``frames``."""
    squared = float(np.sum(error**2))
    return float(min(frames, np.sum(value * (1 - value)) / squared)) if squared > 0 else float(frames)
