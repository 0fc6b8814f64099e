"""How slow a molecule is: the slowest relaxation that is linear in distances within it.

Of all combinations of distances the one that remembers itself longest is sought (time-lagged independent components, Molgedey and
Schuster, Phys. Rev. Lett. 72, 3634 (1994); Pérez-Hernández et al., J. Chem. Phys. 139, 015102 (2013)) in the first half of the frames;
its autocorrelation rho at one lag tau is measured in the second half, which it has not seen. The time is -tau / ln rho, a lower bound
of the true one (variational principle, Noé and Nüske, Multiscale Model. Simul. 11, 635 (2013)).
"""

import dataclasses

import numpy as np

from workbench.types import Trajectory

N_BLOCKS = 10
"""Blocks of the second half for the errors."""
LEAST_FRAMES = 40
MOST_DISTANCES = 100
"""More distances are thinned evenly."""
KEPT = 1e-4
"""Directions of the distances with less than this share of the largest variance are left out."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
    """The autocorrelation of the slowest combination at one lag, by blocks of frames not used to find it."""

    lagged: np.ndarray
    """Sum of z(t) z(t + tau) in every block, (blocks,)."""
    total: np.ndarray
    """Sum of (z(t)^2 + z(t + tau)^2) / 2 in every block, (blocks,)."""

    @property
    def correlation(self) -> float:
        """rho."""
        return float(self.lagged.sum() / self.total.sum())

    def correlations(self) -> np.ndarray:
        """rho without each of the blocks, (blocks,): the jackknife."""
        return (self.lagged.sum() - self.lagged) / (self.total.sum() - self.total)

    def error(self) -> float:
        """Standard error of rho."""
        return spread(self.correlations())


def slowest(distances: np.ndarray, lag: int) -> Memory:
    """Memory of the slowest combination of ``distances`` (F, copies, d) over ``lag`` frames, copies of the molecule pooled."""
    half = len(distances) // 2
    learned, judged = distances[:half], distances[half:]
    mean = learned.mean((0, 1))
    before, after = (learned[:-lag] - mean).reshape(-1, len(mean)), (learned[lag:] - mean).reshape(-1, len(mean))
    covariance = (before.T @ before + after.T @ after) / (2 * len(before))
    values, vectors = np.linalg.eigh(covariance)
    kept = values > KEPT * values[-1]
    white = vectors[:, kept] / np.sqrt(values[kept])
    crossed = white.T @ (before.T @ after + after.T @ before) @ white / (2 * len(before))
    slow = (judged - mean) @ white @ np.linalg.eigh(crossed)[1][:, -1]  # (F, copies)
    slow = slow - slow.mean()
    pieces = np.array_split(np.arange(len(slow) - lag), N_BLOCKS)
    lagged = np.array([(slow[p] * slow[p + lag]).sum() for p in pieces])
    total = np.array([(slow[p] ** 2 + slow[p + lag] ** 2).sum() / 2 for p in pieces])
    return Memory(lagged=lagged, total=total)


def inner_distances(positions: np.ndarray) -> np.ndarray:
    """Distances [nm] within molecules (F, copies, n, 3): (F, copies, d), at most ``MOST_DISTANCES`` of all pairs, evenly thinned."""
    i, j = np.triu_indices(positions.shape[2], 1)
    step = -(-len(i) // MOST_DISTANCES) or 1
    i, j = i[::step], j[::step]
    return np.linalg.norm(positions[:, :, i] - positions[:, :, j], axis=-1)


def spread(without: np.ndarray) -> float:
    """Standard error of a jackknife (blocks,)."""
    return float(np.sqrt((len(without) - 1) * without.var()))


def interval(all_atom: Trajectory) -> float | None:
    """Time between two frames [ps], or None where it is not known or not even."""
    if all_atom.time is None or len(all_atom) < 2:
        return None
    steps = np.diff(all_atom.time)
    return float(steps[0]) if steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3) else None
