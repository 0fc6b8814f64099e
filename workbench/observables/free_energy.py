"""Free-energy surface over two dihedrals: F(phi, psi) = -kBT ln p(phi, psi), on square bins over [-pi, pi) x [-pi, pi).

A bin that was never visited has F = +inf. The scores that compare two surfaces live here too: the Jensen-Shannon divergence
(Lin, IEEE Trans. Inf. Theory 37, 145 (1991); natural logarithm, 0 to ln 2) and the mean-squared free-energy difference after
the optimal shift (Wang et al., ACS Cent. Sci. 5, 755 (2019)).
"""

import dataclasses

import numpy as np
import scipy.ndimage

from workbench import units
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """The two dihedrals and the bins."""

    dihedrals: tuple[tuple[int, int, int, int], ...] = field(
        ((0, 1, 2, 3), (1, 2, 3, 4)), "Beads of phi and of psi; further pairs (phi, psi, phi, psi ...) are pooled.", bounds=(0, None)
    )
    n_bins: int = field(60, "Number of bins along each dihedral.", bounds=(2, None))
    n_blocks: int = field(20, "Number of blocks for the error.", bounds=(2, None))
    n_bootstrap: int = field(200, "Number of bootstrap samples for the error.", bounds=(2, None))
    seed: int = field(0, "Seed of the bootstrap.", bounds=(0, None))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Basin:
    """A minimum of a free-energy surface."""

    phi: float
    """First dihedral at the minimum [degrees]."""
    psi: float
    """Second dihedral at the minimum [degrees]."""
    free_energy: float
    """Smoothed free energy above the lowest minimum [kJ/mol]."""
    depth: float
    """Barrier to the next deeper basin [kJ/mol]; infinite for the deepest."""
    population: float
    """Share of the population that drains into it, 0 to 1."""


def histogram(phi: np.ndarray, psi: np.ndarray, n_bins: int = 60) -> np.ndarray:
    """Counts (n_bins, n_bins) of dihedrals [rad] of any equal shapes, phi along the first axis; pi counts as -pi."""
    return np.bincount((_bin(phi, n_bins) * n_bins + _bin(psi, n_bins)).ravel(), minlength=n_bins**2).reshape(n_bins, n_bins)


def _bin(angle: np.ndarray, n_bins: int) -> np.ndarray:
    return np.floor((np.asarray(angle) + np.pi) * (n_bins / (2 * np.pi))).astype(np.int64) % n_bins


def jensen_shannon(p: np.ndarray, q: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Jensen-Shannon divergence (natural logarithm, 0 to ln 2) of two histograms of counts, normalised over ``axis`` (None: all)."""
    p, q = np.asarray(p, float), np.asarray(q, float)
    p, q = p / p.sum(axis, keepdims=True), q / q.sum(axis, keepdims=True)
    middle = (p + q) / 2
    return (_relative_entropy(p, middle).sum(axis) + _relative_entropy(q, middle).sum(axis)) / 2


def _relative_entropy(p: np.ndarray, m: np.ndarray) -> np.ndarray:
    populated = p > 0
    return np.where(populated, p * np.log(np.where(populated, p, 1) / np.where(populated, m, 1)), 0.0)


def mean_squared_difference(counts_p: np.ndarray, counts_q: np.ndarray, min_counts: float = 10) -> float:
    """Mean-squared free-energy difference [(kBT)^2] over bins with at least ``min_counts`` in both, after the shift that makes it least.

    Infinite where fewer than two bins are shared: one bin alone can always be shifted onto the other.
    """
    shift, shared = optimal_shift(counts_p, counts_q, min_counts)
    if shared.sum() < 2:
        return float("inf")
    difference = np.log(np.asarray(counts_q, float)[shared] / np.asarray(counts_p, float)[shared])
    return float(np.mean((difference - shift) ** 2))


def optimal_shift(counts_p: np.ndarray, counts_q: np.ndarray, min_counts: float = 10) -> tuple[float, np.ndarray]:
    """The constant [kBT] in ln q - ln p that is least wrong, and the bins (a mask) that both populate."""
    p, q = np.asarray(counts_p, float), np.asarray(counts_q, float)
    shared = (p >= max(min_counts, 1)) & (q >= max(min_counts, 1))
    return (float(np.mean(np.log(q[shared] / p[shared]))) if shared.any() else 0.0), shared


def counts(trajectory: Trajectory, settings: Settings, labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Counts per block (n, n_bins, n_bins) and the number of frames whose dihedrals are not finite, which are in no bin."""
    if len(settings.dihedrals) < 2 or len(settings.dihedrals) % 2 or any(len(term) != 4 for term in settings.dihedrals):
        raise ValueError(f"dihedrals = {settings.dihedrals}: name four beads for phi and four for psi.")
    size = settings.n_bins**2
    found, broken = np.zeros((int(labels.max()) + 1) * size), 0
    for frames, values in _base.measure(trajectory, settings.dihedrals):
        finite = np.isfinite(values).all(1)
        broken += int((~finite).sum())
        phi, psi = values[finite, 0::2], values[finite, 1::2]
        cell = _bin(phi, settings.n_bins) * settings.n_bins + _bin(psi, settings.n_bins)
        found += np.bincount((labels[frames][finite, None] * size + cell).ravel(), minlength=found.size)
    return found.reshape(-1, settings.n_bins, settings.n_bins), broken


def observation(counts: np.ndarray, trajectory: Trajectory, settings: Settings) -> Observation:
    """The surface from what :func:`counts` gave; its lowest bin is 0. The error is NaN where fewer than two blocks visited a bin."""
    state, total = _base.one_state(trajectory), counts.sum(0)
    generator = np.random.default_rng(settings.seed)
    drawn = _base.resample(counts, settings.n_bootstrap, generator)  # (n_bootstrap, n_bins, n_bins)
    drawn = drawn / np.maximum(drawn.sum((1, 2), keepdims=True), 1)
    visits = (drawn > 0).sum(0)
    logarithm = np.log(np.where(drawn > 0, drawn, 1.0))  # 0 where a sample missed the bin: left out of the mean below
    mean = logarithm.sum(0) / np.maximum(visits, 1)
    spread = np.where(drawn > 0, (logarithm - mean) ** 2, 0.0).sum(0) / np.maximum(visits - 1, 1)
    told = (counts > 0).sum(0) >= 2
    probability, error = _base.ratio(counts, np.maximum(counts.sum((1, 2)), 1))
    centres = (np.arange(settings.n_bins) + 0.5) * (2 * np.pi / settings.n_bins) - np.pi
    kt = units.thermal_energy(state.temperature)
    return Observation(
        name="free energy",
        x=(centres, centres),
        value=kt * in_kbt(total),
        error=np.where(told, kt * np.sqrt(spread), np.nan),
        unit="kJ/mol",
        x_unit="rad",
        n_effective=_base.effective_samples(probability, error, counts.sum()),
        state=state,
    )


def in_kbt(counts: np.ndarray) -> np.ndarray:
    """Free energy [kBT] of a histogram of counts: 0 in the fullest bin, +inf in an empty one."""
    populated = counts > 0
    top = max(float(np.max(counts)), 1.0)
    return np.where(populated, -np.log(np.where(populated, counts, 1) / top), np.inf)


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """The surface F(phi, psi) [kJ/mol], (n_bins, n_bins), with standard errors. Raises ``ValueError`` where a dihedral is not finite."""
    found, broken = counts(trajectory, settings, _base.block_labels(trajectory, settings.n_blocks))
    if broken:
        raise ValueError(f"{broken} frames have dihedrals that are not finite: leave out the frames that blew up.")
    return observation(found, trajectory, settings)


def basins(surface: Observation, smoothing: float = 1.5, min_depth: float = 0.5, min_population: float = 0.005) -> tuple[Basin, ...]:
    """Minima of a surface, lowest first; empty where nothing is populated.

    The population is smoothed by a periodic Gaussian of ``smoothing`` bins. Bins are flooded from the lowest up, each joining the
    basin of its lowest flooded neighbour; where two pools meet, the barrier of the shallower one is known. Basins with a barrier
    below ``min_depth`` [kBT] join the one they meet; those with less than ``min_population`` of the population are left out.
    """
    kt = units.thermal_energy(surface.state.temperature)
    population = np.exp(-surface.value / kt)
    if not population.any():
        return ()
    population /= population.sum()
    smooth = scipy.ndimage.gaussian_filter(population, smoothing, mode="wrap")
    level = np.where(smooth > 1e-12, -np.log(np.maximum(smooth, 1e-12)), np.inf)
    owner, barrier = _flood(level, min_depth)
    found = []
    for minimum in barrier:
        share = float(population[owner == minimum].sum())
        if share >= min_population:
            phi, psi = (np.degrees(axis[k]) for axis, k in zip(surface.x, np.unravel_index(minimum, level.shape), strict=True))
            above, depth = (level.flat[minimum] - level.min()) * kt, barrier[minimum] * kt
            found.append(Basin(phi=float(phi), psi=float(psi), free_energy=float(above), depth=float(depth), population=share))
    return tuple(sorted(found, key=lambda basin: basin.free_energy))


def _flood(level: np.ndarray, min_depth: float) -> tuple[np.ndarray, dict[int, float]]:
    """The minimum (flat index) that every bin drains into, -1 for none, and the barrier of every minimum that is kept."""
    shape = level.shape
    owner, pool, joined = np.full(shape, -1), {}, {}  # pool: minimum -> deeper minimum it is connected to; joined: basin -> basin
    barrier: dict[int, float] = {}

    def root(links: dict[int, int], minimum: int) -> int:
        while minimum in links:
            minimum = links[minimum]
        return minimum

    for flat in np.argsort(level, axis=None, kind="stable"):
        i, j = divmod(int(flat), shape[1])
        if not np.isfinite(level[i, j]):
            break
        around = [((i + a) % shape[0], (j + b) % shape[1]) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
        flooded = [bin for bin in around if owner[bin] >= 0]
        if not flooded:
            owner[i, j] = int(flat)
            barrier[int(flat)] = np.inf
            continue
        flooded.sort(key=lambda bin: level[bin], reverse=True)
        owner[i, j] = owner[flooded[-1]]
        nearest = {root(pool, int(owner[bin])): int(owner[bin]) for bin in flooded}  # pool -> its basin at the lowest bin here
        pools = sorted(nearest, key=lambda minimum: level.flat[minimum])
        for shallow in pools[1:]:
            barrier[shallow] = float(level[i, j] - level.flat[shallow])
            pool[shallow] = pools[0]
            if barrier[shallow] < min_depth:
                joined[shallow] = nearest[pools[0]]
    final = np.array([root(joined, int(minimum)) for minimum in owner.ravel()]).reshape(shape)
    return final, {minimum: height for minimum, height in barrier.items() if minimum not in joined}
