"""Compiled kernels of the design matrix: what each B-spline coefficient adds to the force on each bead.

Rows (N, 3, W) are by bead and direction; a bead has columns only for the tables that its type occurs in, which begin at
``offset[kind of the bead, table]``. Interval k of a table sees its columns k to k + 3. A thread takes whole frames. ``seen``
(F, T, n) counts the visits to every interval.
"""

import math

import numba
import numpy as np

from workbench.descriptors._internal_kernels import _cross, _dot, _vector
from workbench.potentials._table_kernels import CORE_POWER
from workbench.potentials._triplet_kernels import close, opening


@numba.njit(inline="always")
def _slopes(t, weight):
    """Weights of the four coefficients in du/dt at 0 <= t <= 1 of an interval."""
    weight[0], weight[3] = -0.5 * (1 - t) * (1 - t), 0.5 * t * t
    weight[1], weight[2] = t * (1.5 * t - 2), 0.5 + t * (1 - 1.5 * t)


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def pairs(x, boxes, n_beads, starts, second, types, table, kinds, offset, grid, scale, rows, seen):
    """Add the columns of pairs. ``grid`` is (start, spacing, cut-off); below the first knot the slope there grows as in the wall."""
    for f in numba.prange(len(boxes)):
        weight, vector, base = np.empty(4), np.empty(3), f * n_beads
        box = boxes[f] if boxes[f, 0] > 0 else boxes[f, :0]
        for i in range(base, base + n_beads):
            for p in range(starts[i], starts[i + 1]):
                j = second[p]
                _vector(x, i, j, box, vector)
                r = math.sqrt(_dot(vector, vector))
                if r >= grid[2]:
                    continue
                which = table[types[i - base], types[j - base]]
                s = max((r - grid[0]) / grid[1], 0.0)
                k = min(int(s), seen.shape[2] - 1)
                _slopes(s - k, weight)
                pull = scale / (grid[1] * r)
                if r < grid[0]:
                    pull *= (grid[0] / r) ** (CORE_POWER + 1)
                seen[f, which, k] += 1
                at, to = offset[kinds[i - base], which] + k, offset[kinds[j - base], which] + k
                for d in range(3):
                    for m in range(4):
                        push = pull * weight[m] * vector[d]
                        rows[i, d, at + m] += push
                        rows[j, d, to + m] -= push


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _coordinate(x, beads, box, work, gradient):
    """A bond length, angle or dihedral of ``beads`` (2, 3 or 4) and its gradient by each of them (4, 3)."""
    a, b, c, m, n = work[0], work[1], work[2], work[3], work[4]
    _vector(x, beads[0], beads[1], box, a)
    if len(beads) == 2:
        r = math.sqrt(_dot(a, a))
        for d in range(3):
            gradient[1, d] = a[d] / r
            gradient[0, d] = -gradient[1, d]
        return r
    _vector(x, beads[1], beads[2], box, b)
    if len(beads) == 3:
        for d in range(3):
            a[d] = -a[d]
        a[3], b[3] = math.sqrt(_dot(a, a)), math.sqrt(_dot(b, b))
        theta = opening(a, b, gradient[0], gradient[2])
        for d in range(3):
            gradient[1, d] = -gradient[0, d] - gradient[2, d]
        return theta
    _vector(x, beads[2], beads[3], box, c)
    _cross(a, b, m)
    _cross(b, c, n)
    mm, nn, bb = _dot(m, m), _dot(n, n), _dot(b, b)
    length, along_a, along_c = math.sqrt(bb), _dot(a, b) / bb, _dot(c, b) / bb
    for d in range(3):
        first, last = -length / mm * m[d], length / nn * n[d]
        gradient[0, d], gradient[3, d] = first, last
        gradient[1, d] = -(1 + along_a) * first + along_c * last
        gradient[2, d] = along_a * first - (1 + along_c) * last
    return math.atan2(_dot(m, c) * length, _dot(m, n))


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def bonded(x, boxes, n_beads, terms, table, kinds, offset, grid, scale, rows, seen):
    """Add the columns of bonds, angles or dihedrals ``terms`` (t, 2, 3 or 4). ``grid`` is (start, spacing)."""
    n = seen.shape[2]
    for f in numba.prange(len(boxes)):
        weight, work, gradient, base = np.empty(4), np.empty((5, 4)), np.empty((4, 3)), f * n_beads
        box = boxes[f] if boxes[f, 0] > 0 else boxes[f, :0]
        for term in range(len(terms)):
            q = _coordinate(x[base : base + n_beads], terms[term], box, work, gradient)
            s = min(max((q - grid[0]) / grid[1], 0.0), float(n))
            k = min(int(s), n - 1)
            _slopes(s - k, weight)
            seen[f, table[term], k] += 1
            for part in range(terms.shape[1]):
                bead = terms[term, part]
                at = offset[kinds[bead], table[term]] + k
                for d in range(3):
                    for m in range(4):
                        rows[base + bead, d, at + m] -= scale / grid[1] * weight[m] * gradient[part, d]


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def triplets(x, boxes, n_beads, starts, second, types, table, kinds, offset, grid, scale, rows, seen):
    """Add the columns of three-body splines. ``grid`` is (first angle, spacing, cut-off, gamma)."""
    for f in numba.prange(len(boxes)):
        first, other, edge = close(x, boxes[f], second, starts, f, n_beads, grid[2], grid[3])
        along, across, slope, value = np.empty(3), np.empty(3), np.empty(4), np.empty(4)
        mine = rows[f * n_beads : (f + 1) * n_beads]
        for i in range(n_beads):
            for p in range(first[i], first[i + 1]):
                for q in range(p + 1, first[i + 1]):
                    j, k = other[p], other[q]
                    which = table[types[i], types[j], types[k]]
                    s = (opening(edge[p], edge[q], along, across) - grid[0]) / grid[1]
                    inside = max(s, 0.0)
                    interval = min(int(inside), seen.shape[2] - 1)
                    t, beyond = inside - interval, s - inside
                    _slopes(t, slope)
                    value[0], value[3] = (1 - t) ** 3 / 6, t**3 / 6
                    value[1], value[2] = 2 / 3 + t * t * (0.5 * t - 1), 1 / 6 + 0.5 * t * (1 + t * (1 - t))
                    seen[f, which, interval] += 1
                    both = scale * edge[p, 4] * edge[q, 4] / grid[1]
                    out_p = scale * edge[p, 5] * edge[q, 4] / edge[p, 3]
                    out_q = scale * edge[q, 5] * edge[p, 4] / edge[q, 3]
                    at, to_p = offset[kinds[i], which] + interval, offset[kinds[j], which] + interval
                    to_q = offset[kinds[k], which] + interval
                    for d in range(3):
                        for m in range(4):
                            height = value[m] + beyond * slope[m]
                            on_p = both * slope[m] * along[d] + out_p * height * edge[p, d]
                            on_q = both * slope[m] * across[d] + out_q * height * edge[q, d]
                            mine[j, d, to_p + m] -= on_p
                            mine[k, d, to_q + m] -= on_q
                            mine[i, d, at + m] += on_p + on_q
