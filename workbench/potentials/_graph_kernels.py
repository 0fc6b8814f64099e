"""Compiled kernels of graph networks for the CPU: pairs within the cut-off, and sums over them of filters times features.

A filter is a table of cubic Hermite pieces over the distance: node k of channel c holds the value in row 2 k and the slope times the
spacing in row 2 k + 1, so that a pair between nodes k and k + 1 is a weighted sum of four rows that lie one after the other. Every
kernel says the same as a torch expression (tests hold them against each other) and exists for speed.
"""

import math

import numba
import numpy as np

FAST = {"contract", "arcp", "nsz", "reassoc"}


@numba.njit(cache=True, nogil=True, error_model="numpy")
def edges(x, boxes, n_beads, starts, second, excluded, reach, first_out, second_out, vectors, distances):
    """Number of pairs within ``reach`` of the list and of ``excluded`` (E, 2) in every frame; they are written to the last four."""
    count, squared = 0, reach * reach
    for i in range(len(x)):
        frame = i // n_beads
        for p in range(starts[i], starts[i + 1]):
            count += _within(x, boxes[frame], i, second[p], squared, count, first_out, second_out, vectors, distances)
    for frame in range(len(x) // n_beads):
        for p in range(len(excluded)):
            i, j = frame * n_beads + excluded[p, 0], frame * n_beads + excluded[p, 1]
            count += _within(x, boxes[frame], i, j, squared, count, first_out, second_out, vectors, distances)
    return count


@numba.njit(inline="always")
def _within(x, box, i, j, squared, at, first, second, vectors, distances):
    """Write the pair (i, j) in place ``at`` if it is within the cut-off; whether it is."""
    total = 0.0
    for a in range(3):
        d = x[j, a] - x[i, a]
        if box[a] > 0:  # no box has no length
            d -= box[a] * np.rint(d / box[a])
        vectors[at, a] = d
        total += d * d
    if total >= squared:
        return 0
    first[at], second[at], distances[at] = i, j, math.sqrt(total)
    return 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pieces(distances, spacing, rows, weights):
    """First row of the table (P,) for each distance, and weights (P, 8) of its four rows for the value and for the slope."""
    for p in range(len(distances)):
        s = distances[p] / spacing
        k = int(s)
        t = s - k
        rows[p] = 2 * k
        weights[p, 0] = (1 + 2 * t) * (1 - t) * (1 - t)
        weights[p, 1] = t * (1 - t) * (1 - t)
        weights[p, 2] = t * t * (3 - 2 * t)
        weights[p, 3] = t * t * (t - 1)
        weights[p, 4] = 6 * t * (t - 1) / spacing
        weights[p, 5] = (1 - t) * (1 - 3 * t) / spacing
        weights[p, 6] = -weights[p, 4]
        weights[p, 7] = t * (3 * t - 2) / spacing


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def convolve(first, second, rows, weights, table, x, out):
    """out_i += sum_j W(r_ij) x_j over neighbours, channel by channel; ``x`` and ``out`` (N, C)."""
    for p in range(len(first)):
        i, j, k = first[p], second[p], rows[p]
        a, b, c, d = weights[p, 0], weights[p, 1], weights[p, 2], weights[p, 3]
        for f in range(x.shape[1]):
            w = a * table[k, f] + b * table[k + 1, f] + c * table[k + 2, f] + d * table[k + 3, f]
            out[i, f] += w * x[j, f]
            out[j, f] += w * x[i, f]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def pull_back(first, second, rows, weights, table, x, g, slopes):
    """slopes_p += dE/dr of every pair, of what ``convolve`` gave of ``x``, where g (N, C) is dE/d(out)."""
    for p in range(len(first)):
        i, j, k = first[p], second[p], rows[p]
        a, b, c, d = weights[p, 4], weights[p, 5], weights[p, 6], weights[p, 7]
        total = x.dtype.type(0)
        for f in range(x.shape[1]):
            w = a * table[k, f] + b * table[k + 1, f] + c * table[k + 2, f] + d * table[k + 3, f]
            total += w * (g[i, f] * x[j, f] + g[j, f] * x[i, f])
        slopes[p] += total


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def convolve_along(first, second, rows, weights, rates, table, x, dx, out, dout):
    """``convolve`` and its derivative along a motion: pairs change their distance at ``rates`` (P,), features ``x`` at ``dx`` (N, C)."""
    for p in range(len(first)):
        i, j, k, rate = first[p], second[p], rows[p], rates[p]
        a, b, c, d = weights[p, 0], weights[p, 1], weights[p, 2], weights[p, 3]
        da, db, dc, dd = rate * weights[p, 4], rate * weights[p, 5], rate * weights[p, 6], rate * weights[p, 7]
        for f in range(x.shape[1]):
            t0, t1, t2, t3 = table[k, f], table[k + 1, f], table[k + 2, f], table[k + 3, f]
            w = a * t0 + b * t1 + c * t2 + d * t3
            dw = da * t0 + db * t1 + dc * t2 + dd * t3
            out[i, f] += w * x[j, f]
            out[j, f] += w * x[i, f]
            dout[i, f] += w * dx[j, f] + dw * x[j, f]
            dout[j, f] += w * dx[i, f] + dw * x[i, f]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def pull_back_along(first, second, rows, weights, rates, table, x, dx, g, dg, gx, gdx, gtable):
    """Gradients of x, dx (N, C) and of the table of what ``convolve_along`` gave, where ``g``, ``dg`` are those of its results."""
    for p in range(len(first)):
        i, j, k, rate = first[p], second[p], rows[p], rates[p]
        a, b, c, d = weights[p, 0], weights[p, 1], weights[p, 2], weights[p, 3]
        da, db, dc, dd = rate * weights[p, 4], rate * weights[p, 5], rate * weights[p, 6], rate * weights[p, 7]
        for f in range(x.shape[1]):
            t0, t1, t2, t3 = table[k, f], table[k + 1, f], table[k + 2, f], table[k + 3, f]
            w = a * t0 + b * t1 + c * t2 + d * t3
            dw = da * t0 + db * t1 + dc * t2 + dd * t3
            gi, gj, hi, hj = g[i, f], g[j, f], dg[i, f], dg[j, f]
            gx[i, f] += w * gj + dw * hj
            gx[j, f] += w * gi + dw * hi
            gdx[i, f] += w * hj
            gdx[j, f] += w * hi
            of_w = gi * x[j, f] + gj * x[i, f] + hi * dx[j, f] + hj * dx[i, f]
            of_dw = hi * x[j, f] + hj * x[i, f]
            gtable[k, f] += a * of_w + da * of_dw
            gtable[k + 1, f] += b * of_w + db * of_dw
            gtable[k + 2, f] += c * of_w + dc * of_dw
            gtable[k + 3, f] += d * of_w + dd * of_dw


@numba.njit(cache=True, nogil=True, error_model="numpy")
def collect(first, second, vectors, distances, slopes, n_beads, forces, virial):
    """Add forces (N, 3) and, unless it is empty, virial (F, 3, 3) of pairs whose energy changes by ``slopes`` (P,) with distance."""
    for p in range(len(first)):
        i, j, pull = first[p], second[p], slopes[p] / distances[p]
        for a in range(3):
            forces[i, a] += pull * vectors[p, a]
            forces[j, a] -= pull * vectors[p, a]
        if virial.size:
            for a in range(3):
                for b in range(3):
                    virial[i // n_beads, a, b] -= vectors[p, a] * vectors[p, b] * pull
