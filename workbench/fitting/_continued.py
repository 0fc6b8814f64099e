"""Splines continued beyond the data, as their tables go on beyond the grid: coefficients that saw no data are set, others stay.

Coefficient k of a B-spline belongs to the knot k - 1; a curve follows its coefficients closely enough to be monotonic where they are.
"""

import numpy as np

from workbench.potentials._bonded_tables import STIFFNESS
from workbench.potentials._pair_tables import LEAST_PUSH
from workbench.potentials._table_kernels import CORE_POWER

LEAST_VISITS = 10
"""Visits to an interval of the grid below which it counts as empty at the edge of the data."""


def wall(coefficients: np.ndarray, visits: np.ndarray, start: float, spacing: float) -> None:
    """Continue pairs (T, n + 3) to short distances, below the first interval that is not empty, by the wall of ``PairTables``.

    ``visits`` (T, n) are to the intervals; a table without any stays as it is.
    """
    for row, seen in zip(coefficients, visits >= LEAST_VISITS, strict=True):
        first = int(np.argmax(seen))
        r = np.maximum(start + spacing * (np.arange(first + 1) - 1), 0.25 * spacing)
        push = max((row[first] - row[first + 1]) / spacing, LEAST_PUSH)
        row[:first] = row[first] + push * r[first] / CORE_POWER * ((r[first] / r[:first]) ** CORE_POWER - 1)


def parabolas(kind: str, coefficients: np.ndarray, visits: np.ndarray, spacing: float) -> None:
    """Continue bonds or angles (T, n + 3) on both sides: by the slope there, if it holds them back, and ``STIFFNESS``."""
    for row, seen in zip(coefficients, visits >= min(LEAST_VISITS, visits.max(initial=0)), strict=True):
        known = np.flatnonzero(seen)
        if len(known):
            for out in (row[known[0] + 1 :: -1], row[known[-1] + 2 :]):
                _parabola(kind, out, spacing)


def _parabola(kind: str, out: np.ndarray, spacing: float) -> None:
    """Coefficients outwards, the first two of them known."""
    reach = spacing * np.arange(1, len(out) - 1)
    out[2:] = out[1] + max((out[1] - out[0]) / spacing, 0.0) * reach + 0.5 * STIFFNESS[kind] * reach**2
