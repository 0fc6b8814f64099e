"""Compiled kernel of three-body tables for the CPU: energies and forces of triplets by the tensor product of cubic B-splines.

It says the same as the torch expressions of the class (a test holds them against each other) and exists for speed: the weights of a
leg are found once for every neighbour, and the sixteen coefficients of the other leg and of the angle lie side by side. A thread
takes whole frames.
"""

import numba
import numpy as np

from workbench.potentials._triplet_kernels import close

FAST = {"contract", "arcp", "nsz", "reassoc"}


@numba.njit(inline="always")
def _weights(t, value, slope):
    """Weights (4,) of the coefficients seen at ``t`` within an interval, in the value and in the slope by t."""
    real = value.dtype.type
    sixth, half, rest = real(1 / 6), real(0.5), real(1) - t
    square = t * t
    value[0], value[3] = sixth * rest * rest * rest, sixth * square * t
    value[1] = real(2 / 3) - square + half * square * t
    value[2] = real(1) - value[0] - value[1] - value[3]
    slope[0], slope[3] = -half * rest * rest, half * square
    slope[1] = real(1.5) * square - real(2) * t
    slope[2] = -slope[0] - slope[1] - slope[3]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _legs(edge, grid, n_leg, place, weight):
    """Interval of every neighbour's distance, and its weights in value and slope (E, 8); a straight line below the first knot."""
    real = weight.dtype.type
    for e in range(len(edge)):
        s = (edge[e, 3] - grid[0]) * grid[1]
        inside = max(s, real(0))
        place[e] = min(int(inside), n_leg - 1)
        _weights(inside - real(place[e]), weight[e, :4], weight[e, 4:])
        if s < real(0):
            for a in range(4):
                weight[e, a] += s * weight[e, 4 + a]


@numba.njit(inline="always")
def _at(table, begin, stride, t, basis, u, v):
    """Value, and slopes by both legs and the angle in units of their knots; ``u`` and ``v`` (8,) are the weights of the legs.

    ``begin`` is the place of the first coefficient in the flat ``table``, ``stride`` that to the next of the first leg. Indices are
    unsigned: they need no test for counting from the end, and four at a time are computed.
    """
    real = table.dtype.type
    value, by_u, by_v, by_angle = real(0), real(0), real(0), real(0)
    u0, u1, u2, u3, u4, u5, u6, u7 = u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7]
    v0, v1, v2, v3, v4, v5, v6, v7 = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
    four, eight, twelve = np.uint64(4), np.uint64(8), np.uint64(12)
    for c in range(4):
        m = np.uint64(begin) + np.uint64(c)
        n, o = m + np.uint64(stride), m + np.uint64(2 * stride)
        p = n + np.uint64(2 * stride)
        a0, a1, a2, a3 = table[m], table[m + four], table[m + eight], table[m + twelve]
        b0, b1, b2, b3 = table[n], table[n + four], table[n + eight], table[n + twelve]
        c0, c1, c2, c3 = table[o], table[o + four], table[o + eight], table[o + twelve]
        d0, d1, d2, d3 = table[p], table[p + four], table[p + eight], table[p + twelve]
        e0, e1, e2, e3 = (
            _mix(u0, u1, u2, u3, a0, b0, c0, d0),
            _mix(u0, u1, u2, u3, a1, b1, c1, d1),
            _mix(u0, u1, u2, u3, a2, b2, c2, d2),
            _mix(u0, u1, u2, u3, a3, b3, c3, d3),
        )
        f0, f1, f2, f3 = (
            _mix(u4, u5, u6, u7, a0, b0, c0, d0),
            _mix(u4, u5, u6, u7, a1, b1, c1, d1),
            _mix(u4, u5, u6, u7, a2, b2, c2, d2),
            _mix(u4, u5, u6, u7, a3, b3, c3, d3),
        )
        here = basis[0, c] + t * (basis[1, c] + t * (basis[2, c] + t * basis[3, c]))
        there = basis[1, c] + t * (real(2) * basis[2, c] + real(3) * t * basis[3, c])
        both = _mix(v0, v1, v2, v3, e0, e1, e2, e3)
        value += here * both
        by_angle += there * both
        by_v += here * _mix(v4, v5, v6, v7, e0, e1, e2, e3)
        by_u += here * _mix(v0, v1, v2, v3, f0, f1, f2, f3)
    return value, by_u, by_v, by_angle


@numba.njit(inline="always")
def _mix(u0, u1, u2, u3, a, b, c, d):
    return u0 * a + u1 * b + u2 * c + u3 * d


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def triplets(x, boxes, n_beads, starts, second, table, row, basis, grid, forces, energy, virial):
    """Add energy (F,), forces (N, 3) and, unless it is empty, virial (F, 3, 3).

    ``x`` (N, 3) are flattened frames of ``n_beads``; ``boxes`` (F, 3) has zeros in vacuum. ``table`` ((n + 3) m ``row``,) holds, for every
    coefficient of the first leg and every interval of the cosine, a row of four coefficients of the cosine for each of the second leg.
    ``basis`` (4, 4) are the polynomials of a spline; ``grid`` is (first distance, 1 / spacing, cut-off, 1 / spacing of the cosine, n, m).
    """
    for f in numba.prange(len(boxes)):
        rows, other, edge = close(x, boxes[f], second, starts, f, n_beads, grid[2], x.dtype.type(0))
        real, n_leg, n_angle = x.dtype.type, int(grid[4]), int(grid[5])
        place, weight = np.empty(len(edge), np.int64), np.empty((len(edge), 8), x.dtype)
        _legs(edge, grid, n_leg, place, weight)
        force, total, stride = forces[f * n_beads : (f + 1) * n_beads], 0.0, n_angle * row
        by_leg, by_angle = grid[1], grid[3]
        for i in range(n_beads):
            fx, fy, fz = real(0), real(0), real(0)
            for p in range(np.uint64(rows[i]), np.uint64(rows[i + 1])):
                px, py, pz, over_p = edge[p, 0], edge[p, 1], edge[p, 2], real(1) / edge[p, 3]
                gx, gy, gz, begin, legs = real(0), real(0), real(0), place[p] * stride, weight[p]
                for q in range(p + np.uint64(1), np.uint64(rows[i + 1])):
                    qx, qy, qz, over_q = edge[q, 0], edge[q, 1], edge[q, 2], real(1) / edge[q, 3]
                    cosine = (px * qx + py * qy + pz * qz) * over_p * over_q
                    cosine = min(max(cosine, real(-1)), real(1))
                    s = (cosine + real(1)) * by_angle
                    k = max(min(int(s), n_angle - 1), 0)
                    value, out_p, out_q, turn = _at(table, begin + k * row + 4 * place[q], stride, s - real(k), basis, legs, weight[q])
                    total += value
                    turn *= by_angle
                    out_p = over_p * (out_p * by_leg - turn * cosine * over_p)
                    out_q = over_q * (out_q * by_leg - turn * cosine * over_q)
                    turn *= over_p * over_q
                    hx, hy, hz = out_q * qx + turn * px, out_q * qy + turn * py, out_q * qz + turn * pz
                    ox, oy, oz = out_p * px + turn * qx, out_p * py + turn * qy, out_p * pz + turn * qz
                    gx, gy, gz = gx + ox, gy + oy, gz + oz
                    j = np.uint64(other[q])
                    force[j, 0] -= hx
                    force[j, 1] -= hy
                    force[j, 2] -= hz
                    fx, fy, fz = fx + hx, fy + hy, fz + hz
                    if virial.size:
                        for d in range(3):
                            virial[f, d, 0] -= edge[q, d] * hx + edge[p, d] * ox
                            virial[f, d, 1] -= edge[q, d] * hy + edge[p, d] * oy
                            virial[f, d, 2] -= edge[q, d] * hz + edge[p, d] * oz
                j = np.uint64(other[p])
                force[j, 0] -= gx
                force[j, 1] -= gy
                force[j, 2] -= gz
                fx, fy, fz = fx + gx, fy + gy, fz + gz
            force[i, 0] += fx
            force[i, 1] += fy
            force[i, 2] += fz
        energy[f] += total
