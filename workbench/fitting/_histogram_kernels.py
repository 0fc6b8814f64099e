"""Compiled counts of pairs by distance and type, frame by frame, for the CPU."""

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
            r2 = 0.0
            for c in range(3):
                d = x[j, c] - x[i, c]
                if len(boxes):
                    d -= boxes[frame, c] * np.rint(d / boxes[frame, c])
                r2 += d * d
            k = math.floor((math.sqrt(r2) - first_edge) * per_spacing)
            if 0 <= k < n_bins:
                counts[frame, table[types[i - base], types[j - base]], k] += 1
