"""Compiled kernel of the bond-order form for the CPU: bonds are found once, then every bead weighs its own against each other.

It says the same as the torch expressions of the class (a test holds them against each other) and exists for speed. What belongs to a
bond alone is computed when it is found, the angle of two bonds once for both orders. Rows and centres are cut into as many chunks as
there are threads, each with forces of its own.
"""

import math

import numba
import numpy as np

FAST = {"contract", "arcp", "nsz", "reassoc"}
EDGE = 8
"""Of a bond: unit vector (3), 1/r, cut-off function and its slope, attraction and its slope."""


@numba.njit(inline="always")
def _edge(r, p, edge):
    """Repulsive energy of a bond of length r and its slope; into ``edge``: 1/r, the cut-off function, the attraction, and their slopes."""
    real = edge.dtype.type
    middle, half, fade, slope = p[4], p[5], real(1), real(0)
    if r > middle - half:
        angle = real(0.5 * math.pi) * (r - middle) / half
        fade, slope = real(0.5) - real(0.5) * math.sin(angle), -real(0.25 * math.pi) / half * math.cos(angle)
    repulsion, attraction = p[0] * math.exp(-p[2] * r), p[1] * math.exp(-p[3] * r)
    edge[3], edge[4], edge[5] = real(1) / r, fade, slope
    edge[6], edge[7] = fade * attraction, (slope - p[3] * fade) * attraction
    return fade * repulsion, (slope - p[2] * fade) * repulsion


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _bonds(rows, x, boxes, n_beads, starts, second, parameters, ends, edges, forces, energy, virial):
    """Bonds within the cut-off of ``rows`` (begin, end), with the forces of their repulsion; how many."""
    kept, real = 0, x.dtype.type
    vector = np.empty(3, x.dtype)
    for i in range(rows[0], rows[1]):
        frame = i // n_beads
        box, own = boxes[frame], parameters[frame % len(parameters)]
        squared, total = (own[4] + own[5]) ** 2, 0.0
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
                repulsion, slope = _edge(r, own, edge)
                total += repulsion
                for d in range(3):
                    forces[i, d] += slope * edge[d]
                    forces[j, d] -= slope * edge[d]
                    if virial.size:
                        for e in range(3):
                            virial[frame, d, e] -= slope * edge[d] * vector[e]
                ends[kept, 0], ends[kept, 1] = i, j
                kept += 1
        energy[frame] += total
    return kept


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _both_ways(ends, first, kept, n):
    """For every bead the bonds it is an end of: ``begin`` (N + 1,) and ``of`` (2 K,), a bond k as k, or as -k - 1 seen from its second."""
    begin = np.zeros(n + 1, np.int64)
    for c in range(len(kept)):
        for k in range(first[c], first[c] + kept[c]):
            begin[ends[k, 0] + 1] += 1
            begin[ends[k, 1] + 1] += 1
    most = 0
    for i in range(n):
        most = max(most, begin[i + 1])
        begin[i + 1] += begin[i]
    of, place = np.empty(begin[n], np.int64), begin[:n].copy()
    for c in range(len(kept)):
        for k in range(first[c], first[c] + kept[c]):
            i, j = ends[k, 0], ends[k, 1]
            of[place[i]], of[place[j]] = k, -k - 1
            place[i] += 1
            place[j] += 1
    return begin, of, most


@numba.njit(inline="always")
def _order(xi, beta, n):
    """Bond order (1 + (beta xi)^n)^(-1/2n) and its slope."""
    if xi <= 0:
        return xi * 0 + 1, xi * 0
    power = (beta * xi) ** n
    order = (1 + power) ** (-0.5 / n)
    return order, -0.5 * order * power / (xi * (1 + power))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _centres(rows, n_beads, parameters, begin, of, most, ends, edges, forces, energy, virial):
    """Attraction of the bonds of the centres ``rows``, weakened by their other bonds: forces (N, 3), energy (F,), virial (F, 3, 3)."""
    real = edges.dtype.type
    m = max(most, 1)
    n, cosine, g, dg = (
        np.empty((m, 3), edges.dtype),
        np.empty((m, m), edges.dtype),
        np.empty((m, m), edges.dtype),
        np.empty((m, m), edges.dtype),
    )
    pull, slope, weight = np.empty((m, 3), edges.dtype), np.empty(m, edges.dtype), np.empty(m, edges.dtype)
    bond = np.empty(m, np.int64)
    for i in range(rows[0], rows[1]):
        frame, count = i // n_beads, begin[i + 1] - begin[i]
        own = parameters[frame % len(parameters)]
        beta, power, c2, d2, cos0 = own[6], own[7], own[8] * own[8], own[9] * own[9], own[10]
        for a in range(count):
            k = of[begin[i] + a]
            sign = real(1) if k >= 0 else real(-1)
            bond[a] = k if k >= 0 else -k - 1
            for d in range(3):
                n[a, d] = sign * edges[bond[a], d]
        for a in range(count):
            for b in range(a):
                cos = n[a, 0] * n[b, 0] + n[a, 1] * n[b, 1] + n[a, 2] * n[b, 2]
                h = cos - cos0
                over = real(1) / (d2 + h * h)
                cosine[a, b] = cosine[b, a] = cos
                g[a, b] = g[b, a] = real(1) + c2 * h * h / d2 * over
                dg[a, b] = dg[b, a] = real(2) * c2 * h * over * over
        total = 0.0
        for a in range(count):
            xi = real(0)
            for b in range(count):
                if b != a:
                    xi += edges[bond[b], 4] * g[a, b]
            order, change = _order(xi, beta, power)
            edge = edges[bond[a]]
            total -= real(0.5) * order * edge[6]
            slope[a], weight[a] = -real(0.5) * order * edge[7], -real(0.5) * change * edge[6]
        energy[frame] += total
        for a in range(count):
            edge = edges[bond[a]]
            along = slope[a]
            px = py = pz = real(0)
            for b in range(count):
                if b != a:
                    other = edges[bond[b]]
                    along += weight[b] * edge[5] * g[a, b]
                    turn = (weight[a] * other[4] + weight[b] * edge[4]) * dg[a, b] * edge[3]
                    px += turn * (n[b, 0] - cosine[a, b] * n[a, 0])
                    py += turn * (n[b, 1] - cosine[a, b] * n[a, 1])
                    pz += turn * (n[b, 2] - cosine[a, b] * n[a, 2])
            pull[a, 0], pull[a, 1], pull[a, 2] = px + along * n[a, 0], py + along * n[a, 1], pz + along * n[a, 2]
        for a in range(count):
            j = ends[bond[a], 0] + ends[bond[a], 1] - i
            for d in range(3):
                forces[i, d] += pull[a, d]
                forces[j, d] -= pull[a, d]
                if virial.size:
                    for e in range(3):
                        virial[frame, d, e] -= n[a, d] / edges[bond[a], 3] * pull[a, e]


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy", fastmath=FAST)
def evaluate(x, boxes, n_beads, starts, second, bounds, parameters, forces, energy, virial):
    """Add energy (C, F), forces (C, N, 3) and, unless it is empty, virial (C, F, 3, 3) of the rows ``bounds[c]`` to ``bounds[c + 1]``.

    ``x`` (N, 3) are flattened frames of ``n_beads``; ``boxes`` (F, 3) has zeros in vacuum; ``parameters`` (1 or F, 11).
    """
    chunks = len(bounds) - 1
    ends, edges = np.empty((len(second), 2), np.int32), np.empty((len(second), EDGE), x.dtype)
    kept, first = np.empty(chunks, np.int64), np.empty(chunks, np.int64)
    for c in numba.prange(chunks):
        a, b = starts[bounds[c]], starts[bounds[c + 1]]
        first[c] = a
        kept[c] = _bonds(
            bounds[c : c + 2], x, boxes, n_beads, starts, second, parameters, ends[a:b], edges[a:b], forces[c], energy[c], virial[c]
        )
    begin, of, most = _both_ways(ends, first, kept, len(x))
    for c in numba.prange(chunks):
        _centres(bounds[c : c + 2], n_beads, parameters, begin, of, most, ends, edges, forces[c], energy[c], virial[c])
