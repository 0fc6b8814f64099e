"""From distributions to the values of tables: inversion where there are data, continuation where there are none, smoothing."""

import numpy as np

from workbench.fitting import _histograms
from workbench.potentials._table_kernels import CORE_POWER

LEAST_COUNT = 20
"""Counts over all frames that make a bin of pairs sampled."""
LEAST_SHARE = 1e-3
"""Share of the highest bin that makes a bin of a bonded term sampled: the logarithm of less is noise."""
LARGEST_STEP = 2.0
"""Largest change of a value in one update, in kBT."""
LEAST_PUSH = 500.0
"""Least repulsion of the continuation to short distances [kJ/mol/nm]."""


def sampled_pairs(counts: np.ndarray) -> np.ndarray:
    """Which bins (T, n + 1) of the counts of all frames (F, T, n + 1) hold enough to tell an energy from: all from the first good one."""
    enough = counts.sum(0) >= LEAST_COUNT
    return np.maximum.accumulate(enough, axis=1)


def sampled_terms(counts: np.ndarray) -> np.ndarray:
    """Which bins (T, n + 1) of a bonded term hold enough."""
    total = counts.sum(0)
    return total >= np.maximum(LEAST_COUNT, LEAST_SHARE * total.max(1, keepdims=True))


def log_ratio(found: np.ndarray, wanted: np.ndarray, where: np.ndarray, least: np.ndarray | float = 0.0) -> np.ndarray:
    """ln(found / wanted) where sampled, else 0, within +- ``LARGEST_STEP``: also for a bin that an iteration never visits.

    ``least`` is added to both: what a few counts make, so that the noise of a bin that is hardly visited does not become energy.
    """
    good = where & (wanted > 0)
    ratio = np.divide(found + least, wanted + least, out=np.ones_like(wanted), where=good)
    return np.log(ratio.clip(np.exp(-LARGEST_STEP), np.exp(LARGEST_STEP)))


def continue_pairs(values: np.ndarray, sampled: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Values (T, n + 1) with a wall (r0/r)^12 at the knots below the first sampled one, r0, with the force there, and 0 at the last knot.

    A table without any sampled knot stays as it is.
    """
    values = values - values[:, -1:]
    for u, seen in zip(values, sampled, strict=True):
        first = int(np.argmax(seen))
        if not seen.any() or first == 0:
            continue
        push = max((u[first] - u[first + 2]) / (knots[first + 2] - knots[first]), LEAST_PUSH)
        u[:first] = u[first] + push * knots[first] / CORE_POWER * ((knots[first] / knots[:first]) ** CORE_POWER - 1)
    return values


def continue_terms(kind: str, values: np.ndarray, sampled: np.ndarray, knots: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Values (T, n + 1): gaps bridged by lines; beyond the data, of bonds and angles, a parabola of ``curvature`` (T,); lowest value 0.

    A dihedral's first and last value are one.
    """
    values = values.copy()
    for u, seen, stiff in zip(values, sampled, curvature, strict=True):
        known = np.flatnonzero(seen)
        if len(known) == 0:
            continue
        u[:] = np.interp(knots, knots[known], u[known], period=2 * np.pi if kind == "dihedral" else None)
        if kind == "dihedral":
            u[-1] = u[0]
        else:
            for edge, inner, outside in ((known[0], known[:3][-1], slice(0, known[0])), (known[-1], known[-3:][0], slice(known[-1], None))):
                run = knots[outside] - knots[edge]
                slope = (u[edge] - u[inner]) / (knots[edge] - knots[inner]) if edge != inner else 0.0
                outward = np.sign(run.sum()) or 1.0
                u[outside] = u[edge] + max(outward * slope, 0.0) * np.abs(run) + 0.5 * stiff * run**2
        u -= u.min()
    return values


def invert_pairs(g: np.ndarray, sampled: np.ndarray, kT: float, knots: np.ndarray) -> np.ndarray:
    """u = -kBT ln g (T, n + 1) [kJ/mol], continued to short distances, zero at the cut-off."""
    good = sampled & (g > 0)
    return continue_pairs(-kT * np.log(np.where(good, g, 1.0)), good, knots)


def invert_terms(kind: str, density: np.ndarray, sampled: np.ndarray, kT: float, knots: np.ndarray) -> np.ndarray:
    """u = -kBT ln(p / J) (T, n + 1) [kJ/mol], J = q^2, sin q, 1, continued beyond the data."""
    jacobian = _histograms.bin_jacobian(kind, knots)
    good = sampled & (density > 0)
    values = -kT * np.log(np.where(good, density, 1.0) / jacobian)
    return continue_terms(kind, values, good, knots, curvature(density, knots, kT))


def curvature(density: np.ndarray, knots: np.ndarray, kT: float) -> np.ndarray:
    """kBT / variance of each distribution (T,): the force constant of a harmonic term like it."""
    weight = density / np.maximum(density.sum(1, keepdims=True), 1e-300)
    mean = weight @ knots
    return kT / np.maximum((weight * (knots - mean[:, None]) ** 2).sum(1), 1e-9)


def smooth(values: np.ndarray, passes: int, periodic: bool = False) -> np.ndarray:
    """``values`` (T, n + 1) averaged with their neighbours, 1/4, 1/2, 1/4, ``passes`` times; the ends stay unless ``periodic``."""
    for _ in range(passes):
        if periodic:
            ring = values[:, :-1]
            ring = (np.roll(ring, 1, 1) + 2 * ring + np.roll(ring, -1, 1)) / 4
            values = np.concatenate([ring, ring[:, :1]], 1)
        else:
            inner = (values[:, :-2] + 2 * values[:, 1:-1] + values[:, 2:]) / 4
            values = np.concatenate([values[:, :1], inner, values[:, -1:]], 1)
    return values
