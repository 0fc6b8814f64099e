"""Compiled kernels of three-body splines for the CPU: close neighbours of every bead, energies and forces of its triplets.

They say the same as the torch expressions of the class (a test holds them against each other) and exist for speed. A thread takes
whole frames.
"""

import math

import numba
import numpy as np

FAST = {"contract", "arcp", "nsz"}
TINY = 1e-30
"""Keeps the direction in which an angle opens finite where the three beads are in line; no force acts along it there."""

CLEAR = 1e-6
"""Nearest approach to the cut-off that is told from it, relative: rounding may put a distance at it, and the factors have long vanished."""


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def close(x, box, second, starts, begin, n_beads, cutoff, gamma):
    """Neighbours closer than the cut-off of every bead of a frame, from its rows of the half list.

    Returns the row starts (B + 1), the neighbours (counted within the frame) and, for each, the vector to it, its length, the radial
    factor exp(gamma / (r - cut-off)) and that factor's slope, (any, 6).
    """
    first, end = begin * n_beads, (begin + 1) * n_beads
    most = starts[end] - starts[first]
    left, right, vectors = np.empty(most, np.int32), np.empty(most, np.int32), np.empty((most, 4), x.dtype)
    rows, kept, squared = np.zeros(n_beads + 2, np.int64), 0, x.dtype.type(cutoff) ** 2
    for i in range(first, end):
        for p in range(starts[i], starts[i + 1]):
            j = second[p]
            a, b, c = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
            if box[0] > 0:  # no box has no length
                a, b, c = a - box[0] * np.rint(a / box[0]), b - box[1] * np.rint(b / box[1]), c - box[2] * np.rint(c / box[2])
            square = a * a + b * b + c * c
            if square < squared:
                left[kept], right[kept] = i - first, j - first
                vectors[kept, 0], vectors[kept, 1], vectors[kept, 2], vectors[kept, 3] = a, b, c, math.sqrt(square)
                rows[i - first + 2] += 1
                rows[j - first + 2] += 1
                kept += 1
    for b in range(n_beads):
        rows[b + 2] += rows[b + 1]
    other, edge = np.empty(2 * kept, np.int32), np.empty((2 * kept, 6), x.dtype)
    for p in range(kept):
        r = vectors[p, 3]
        over = x.dtype.type(1) / min(r - x.dtype.type(cutoff), -x.dtype.type(CLEAR * cutoff))
        factor = math.exp(x.dtype.type(gamma) * over)
        for side in range(2):
            at, to = (left[p], right[p]) if side == 0 else (right[p], left[p])
            e = rows[at + 1]
            rows[at + 1] += 1
            other[e] = to
            for d in range(3):
                edge[e, d] = vectors[p, d] if side == 0 else -vectors[p, d]
            edge[e, 3], edge[e, 4], edge[e, 5] = r, factor, -x.dtype.type(gamma) * over * over * factor
    return rows[:-1], other, edge


@numba.njit(inline="always")
def opening(a, b, along, across):
    """Angle between vectors ``a`` and ``b``; its gradients by the ends of both in ``along`` and ``across`` (3,)."""
    mx, my, mz = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    m = math.sqrt(mx * mx + my * my + mz * mz)
    in_a, in_b = 1 / (a[3] * a[3] * (m + TINY)), 1 / (b[3] * b[3] * (m + TINY))
    along[0], along[1], along[2] = in_a * (a[1] * mz - a[2] * my), in_a * (a[2] * mx - a[0] * mz), in_a * (a[0] * my - a[1] * mx)
    across[0], across[1], across[2] = in_b * (my * b[2] - mz * b[1]), in_b * (mz * b[0] - mx * b[2]), in_b * (mx * b[1] - my * b[0])
    return math.atan2(m, a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def triplets(x, boxes, n_beads, starts, second, types, table, polynomial, grid, forces, energy, virial):
    """Add energy (F,), forces (N, 3) and, unless it is empty, virial (F, 3, 3).

    ``x`` (N, 3) are flattened frames of ``n_beads``; ``boxes`` (F, 3) has zeros in vacuum; ``table`` (types, types, types) is by the
    types of the centre and of both others. ``grid`` is (first angle, 1 / spacing, cut-off, gamma).
    """
    for f in numba.prange(len(boxes)):
        rows, other, edge = close(x, boxes[f], second, starts, f, n_beads, grid[2], grid[3])
        work = np.empty((2, 3), x.dtype)
        along, across = work[0], work[1]
        force, total = forces[f * n_beads : (f + 1) * n_beads], 0.0
        for i in range(n_beads):
            for p in range(rows[i], rows[i + 1]):
                for q in range(p + 1, rows[i + 1]):
                    which = table[types[i], types[other[p]], types[other[q]]]
                    s = (opening(edge[p], edge[q], along, across) - grid[0]) * grid[1]
                    inside = max(s, 0.0)
                    k = min(int(inside), polynomial.shape[1] - 1)
                    t, beyond = inside - k, s - inside
                    a0, a1, a2, a3 = polynomial[which, k, 0], polynomial[which, k, 1], polynomial[which, k, 2], polynomial[which, k, 3]
                    slope = a1 + t * (2 * a2 + 3 * t * a3)
                    value = a0 + t * (a1 + t * (a2 + t * a3)) + beyond * slope
                    both = edge[p, 4] * edge[q, 4]
                    turn = slope * grid[1] * both
                    out_p, out_q = value * edge[p, 5] * edge[q, 4] / edge[p, 3], value * edge[q, 5] * edge[p, 4] / edge[q, 3]
                    total += value * both
                    for d in range(3):
                        along[d] = turn * along[d] + out_p * edge[p, d]
                        across[d] = turn * across[d] + out_q * edge[q, d]
                        force[other[p], d] -= along[d]
                        force[other[q], d] -= across[d]
                        force[i, d] += along[d] + across[d]
                    if virial.size:
                        for d in range(3):
                            for e in range(3):
                                virial[f, d, e] -= edge[p, d] * along[e] + edge[q, d] * across[e]
        energy[f] += total
