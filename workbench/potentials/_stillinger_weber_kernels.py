"""Compiled kernel of the Stillinger-Weber form for the CPU: two passes over a half neighbour list, none over triplets.

It says the same as the torch expressions of the class (a test holds them against each other) and exists for speed. Every bead gathers
the moments S = sum e, V = sum e n and Q = sum e n n^T of its neighbours' radial factors e and unit vectors n, the second pass spreads
their derivatives. Rows are cut into as many chunks as there are threads, each with moments and forces of its own.
"""

import math

import numba
import numpy as np

FAST = {"contract", "arcp", "nsz", "reassoc"}
MOMENTS = 11
EDGE = 8
CLEAR = 1e-6
"""Nearest approach to the cut-off that is told from it, relative; the factors have long vanished there."""


@numba.njit(inline="always")
def _edge(r, parameters, edge):
    """Pair energy at distance r; into ``edge``: 1/r, three-body factor e, de/dr and du/dr."""
    eps, sigma, a, big_a, big_b = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    p, q, gamma = parameters[5], parameters[6], parameters[8]
    real = edge.dtype.type
    over = real(1) / min(r - a * sigma, -real(CLEAR) * sigma)
    ratio = sigma / r
    square = ratio * ratio
    repulsion = big_b * (square * square if p == real(4) else ratio**p)
    attraction = real(1) if q == real(0) else ratio**q
    soft = big_a * eps * math.exp(sigma * over)
    energy = soft * (repulsion - attraction)
    edge[3], edge[4] = real(1) / r, math.exp(gamma * sigma * over)
    edge[5] = -gamma * sigma * over * over * edge[4]
    edge[6] = soft * (q * attraction - p * repulsion) * edge[3] - energy * sigma * over * over
    return energy


@numba.njit(inline="always")
def _add(moments, e, n, sign):
    """Add the moments of a neighbour in direction ``sign * n``."""
    x, y, z = e * n[0], e * n[1], e * n[2]
    moments[0] += e
    moments[1] += sign * x
    moments[2] += sign * y
    moments[3] += sign * z
    moments[4] += x * n[0]
    moments[5] += y * n[1]
    moments[6] += z * n[2]
    moments[7] += x * n[1]
    moments[8] += x * n[2]
    moments[9] += y * n[2]
    moments[10] += e * e


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _gather(rows, x, boxes, n_beads, starts, second, parameters, ends, edges, moments, energy):
    """First pass over ``rows`` (begin, end): edges within the cut-off, their moments (N, 11) and pair energies (F,); how many."""
    kept, real = 0, x.dtype.type
    vector = np.empty(3, x.dtype)
    for i in range(rows[0], rows[1]):
        frame = i // n_beads
        box, own = boxes[frame], parameters[frame % len(parameters)]
        squared, total = (own[1] * own[2]) ** 2, 0.0
        for k in range(starts[i], starts[i + 1]):
            j = second[k]
            r2 = real(0)
            for d in range(3):
                vector[d] = x[j, d] - x[i, d]
                if box[d] > 0:  # no box has no length
                    vector[d] -= box[d] * np.rint(vector[d] / box[d])
                r2 += vector[d] * vector[d]
            if r2 < squared:
                r, edge = math.sqrt(r2), edges[kept]
                for d in range(3):
                    edge[d] = vector[d] / r
                total += _edge(r, own, edge)
                ends[kept, 0], ends[kept, 1] = i, j
                _add(moments[i], edge[4], edge, real(1))
                _add(moments[j], edge[4], edge, real(-1))
                kept += 1
        energy[frame] += total
    return kept


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _three_body(rows, n_beads, parameters, moments, energy):
    """Three-body energies (F,) of the centres ``rows``: lambda eps / 2 [Q:Q - 2 c V.V + c^2 S^2 - (1 - c)^2 sum e^2]."""
    for i in range(rows[0], rows[1]):
        own, m = parameters[(i // n_beads) % len(parameters)], moments[i]
        c = own[9]
        trace = m[4] * m[4] + m[5] * m[5] + m[6] * m[6] + 2 * (m[7] * m[7] + m[8] * m[8] + m[9] * m[9])
        v2 = m[1] * m[1] + m[2] * m[2] + m[3] * m[3]
        energy[i // n_beads] += 0.5 * own[7] * own[0] * (trace - 2 * c * v2 + c * c * m[0] * m[0] - (1 - c) * (1 - c) * m[10])


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _spread(kept, n_beads, parameters, ends, edges, moments, forces, virial):
    """Second pass: forces (N, 3) and, unless it is empty, virial (F, 3, 3) of ``kept`` edges."""
    two, one = edges.dtype.type(2), edges.dtype.type(1)
    for k in range(kept):
        i, j, edge = ends[k, 0], ends[k, 1], edges[k]
        frame = i // n_beads
        own, a, b = parameters[frame % len(parameters)], moments[i], moments[j]
        strength, c = own[7] * own[0], own[9]
        x, y, z, e = edge[0], edge[1], edge[2], edge[4]
        vx, vy, vz = a[1] - b[1], a[2] - b[2], a[3] - b[3]
        xx, yy, zz, xy, xz, yz = a[4] + b[4], a[5] + b[5], a[6] + b[6], a[7] + b[7], a[8] + b[8], a[9] + b[9]
        qx, qy, qz = xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z
        along_q, along_v = qx * x + qy * y + qz * z, vx * x + vy * y + vz * z
        by_e = along_q - two * c * along_v + c * c * (a[0] + b[0]) - two * (one - c) * (one - c) * e
        turn = two * e * strength * edge[3]
        pull = edge[6] + strength * edge[5] * by_e - turn * (along_q - c * along_v)
        gx, gy, gz = pull * x + turn * (qx - c * vx), pull * y + turn * (qy - c * vy), pull * z + turn * (qz - c * vz)
        forces[i, 0] += gx
        forces[i, 1] += gy
        forces[i, 2] += gz
        forces[j, 0] -= gx
        forces[j, 1] -= gy
        forces[j, 2] -= gz
        if virial.size:
            for d in range(3):
                reach = edge[d] / edge[3]
                virial[frame, d, 0] -= reach * gx
                virial[frame, d, 1] -= reach * gy
                virial[frame, d, 2] -= reach * gz


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy", fastmath=FAST)
def evaluate(x, boxes, n_beads, starts, second, bounds, parameters, moments, forces, energy, virial):
    """Add energy (C, F), forces (C, N, 3) and, unless it is empty, virial (C, F, 3, 3) of the rows ``bounds[c]`` to ``bounds[c + 1]``.

    ``x`` (N, 3) are flattened frames of ``n_beads``; ``boxes`` (F, 3) has zeros in vacuum; ``parameters`` (1 or F, 10);
    ``moments`` (C, N, 11) are zero at first.
    """
    chunks = len(bounds) - 1
    ends, edges = np.empty((len(second), 2), np.int32), np.empty((len(second), EDGE), x.dtype)
    kept = np.empty(chunks, np.int64)
    for c in numba.prange(chunks):
        a, b = starts[bounds[c]], starts[bounds[c + 1]]
        kept[c] = _gather(bounds[c : c + 2], x, boxes, n_beads, starts, second, parameters, ends[a:b], edges[a:b], moments[c], energy[c])
    for c in numba.prange(chunks):
        for other in range(1, chunks):
            for i in range(bounds[c], bounds[c + 1]):
                for m in range(MOMENTS):
                    moments[0, i, m] += moments[other, i, m]
        _three_body(bounds[c : c + 2], n_beads, parameters, moments[0], energy[c])
    for c in numba.prange(chunks):
        a, b = starts[bounds[c]], starts[bounds[c + 1]]
        _spread(kept[c], n_beads, parameters, ends[a:b], edges[a:b], moments[0], forces[c], virial[c])
