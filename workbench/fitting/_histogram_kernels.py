"""Compiled sums over pairs by distance and type, frame by frame, for the CPU: counts in bins, and B-splines."""

import math

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pairs(x, boxes, n_beads, starts, second, types, table, first_edge, per_spacing, counts):
    """Add the pairs of a half list of flattened frames ``x`` (F * B, 3) to ``counts`` (F, T, bins); those in no bin are left out."""
    n_bins = counts.shape[2]
    for i in range(len(x)):
        frame = i // n_beads
        base = frame * n_beads
        for p in range(starts[i], starts[i + 1]):
            j = second[p]
            k = math.floor((_distance(x, boxes, frame, i, j) - first_edge) * per_spacing)
            if 0 <= k < n_bins:
                counts[frame, table[types[i - base], types[j - base]], k] += 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def splines(x, boxes, n_beads, starts, second, types, table, start, per_spacing, sums):
    """Add the B-splines of the pairs to ``sums`` (F, T, n + 3); those below the first knot count as there."""
    n = sums.shape[2] - 3
    for i in range(len(x)):
        frame = i // n_beads
        base = frame * n_beads
        for p in range(starts[i], starts[i + 1]):
            j = second[p]
            s = max((_distance(x, boxes, frame, i, j) - start) * per_spacing, 0.0)
            k = int(s)
            if k >= n:
                continue
            t = s - k
            row = sums[frame, table[types[i - base], types[j - base]]]
            row[k] += (1 - t) * (1 - t) * (1 - t) / 6
            row[k + 1] += (4 + t * t * (3 * t - 6)) / 6
            row[k + 2] += (1 + t * (3 + t * (3 - 3 * t))) / 6
            row[k + 3] += t * t * t / 6


@numba.njit(inline="always")
def _distance(x, boxes, frame, i, j):
    """Of beads ``i`` and ``j``, by the nearest image where there are boxes."""
    r2 = 0.0
    for c in range(3):
        d = x[j, c] - x[i, c]
        if len(boxes):
            d -= boxes[frame, c] * np.rint(d / boxes[frame, c])
        r2 += d * d
    return math.sqrt(r2)
