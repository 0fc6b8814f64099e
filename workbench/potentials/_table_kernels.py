"""Compiled kernels of the tables for the CPU: pairs of a half neighbour list, and the curves of bonded terms.

They say the same as the torch expressions of the classes (a test holds them against each other) and exist for speed. The pairs of a
bead are taken in blocks: distances of all, then only those within the cut-off, then the spline, each a loop that the compiler
vectorises. Rows are cut into as many chunks as there are threads, each with its own forces.
"""

import math

import numba
import numpy as np

CORE_POWER = 12
BLOCK = 256
FAST = {"contract", "arcp", "nsz", "reassoc"}


@numba.njit(cache=True, nogil=True, error_model="numpy")
def splines(coefficients, spacing, start, least_push, polynomial, core):
    """Polynomials (T, n, 4) and walls (T, 2), energy at the start and strength, of free ``coefficients`` (T, n + 1)."""
    n = polynomial.shape[1]
    for which in range(len(coefficients)):
        c = np.empty(n + 3)
        c[: n + 1] = coefficients[which]
        c[n + 1], c[n + 2] = -c[n] / 2, c[n]
        for k in range(n):
            polynomial[which, k, 0] = (c[k] + 4 * c[k + 1] + c[k + 2]) / 6
            polynomial[which, k, 1] = (c[k + 2] - c[k]) / 2
            polynomial[which, k, 2] = (c[k] - 2 * c[k + 1] + c[k + 2]) / 2
            polynomial[which, k, 3] = (c[k + 3] - c[k] + 3 * (c[k + 1] - c[k + 2])) / 6
        core[which, 0] = (c[0] + 4 * c[1] + c[2]) / 6
        core[which, 1] = max((c[0] - c[2]) / (2 * spacing), least_push) * start / CORE_POWER


@numba.njit(inline="always")
def _within(x, i, box, second, begin, end, squared, near, vectors):
    """Neighbours of bead i closer than the cut-off: their number; indices in ``near``, vectors and squared distances in ``vectors``."""
    real = x.dtype.type
    dx, dy, dz, r2 = vectors[0], vectors[1], vectors[2], vectors[3]
    xi, yi, zi = x[i, 0], x[i, 1], x[i, 2]
    lx, ly, lz = box[0], box[1], box[2]
    px = real(1) / lx if lx > 0 else real(0)  # no box has no length
    py = real(1) / ly if ly > 0 else real(0)
    pz = real(1) / lz if lz > 0 else real(0)
    for p in range(end - begin):
        j = second[begin + p]
        a, b, c = x[j, 0] - xi, x[j, 1] - yi, x[j, 2] - zi
        a -= lx * np.rint(a * px)
        b -= ly * np.rint(b * py)
        c -= lz * np.rint(c * pz)
        dx[p], dy[p], dz[p], r2[p] = a, b, c, a * a + b * b + c * c
    count = 0
    for p in range(end - begin):
        square = r2[p]
        dx[count], dy[count], dz[count], r2[count], near[count] = dx[p], dy[p], dz[p], square, second[begin + p]
        count += square < squared
    return count


@numba.njit(inline="always")
def _curves(r2, count, which, polynomial, core, grid, pull):
    """Energy of ``count`` pairs, and du/dr / r of each in ``pull``; below the first knot the wall."""
    real = pull.dtype.type
    start, per_spacing = grid[0], grid[1]
    last, inner = np.int32(polynomial.shape[1] - 1), grid[0] * grid[0]
    energy, close = real(0), 0
    for p in range(count):
        r = math.sqrt(r2[p])
        s = (r - start) * per_spacing
        k = max(min(np.int32(s), last), np.int32(0))
        t = s - real(k)
        a0, a1 = polynomial[which[p], k, 0], polynomial[which[p], k, 1]
        a2, a3 = polynomial[which[p], k, 2], polynomial[which[p], k, 3]
        energy += a0 + t * (a1 + t * (a2 + t * a3))
        pull[p] = (a1 + t * (real(2) * a2 + real(3) * t * a3)) * per_spacing / r
        close += r2[p] < inner
    if close:
        for p in range(count):
            if r2[p] < inner:
                t = (math.sqrt(r2[p]) - start) * per_spacing
                a1, a2, a3 = polynomial[which[p], 0, 1], polynomial[which[p], 0, 2], polynomial[which[p], 0, 3]
                ratio = (inner / r2[p]) ** (CORE_POWER // 2)
                energy += core[which[p], 1] * (ratio - real(1)) - t * (a1 + t * (a2 + t * a3))
                pull[p] = -real(CORE_POWER) * core[which[p], 1] * ratio / r2[p]
    return energy


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def pairs(x, boxes, n_beads, starts, second, bounds, types, table, polynomial, core, grid, forces, energy, virial):
    """Add energy (C, F), forces (C, N, 3) and, unless it is empty, virial (C, F, 9) of the rows ``bounds[c]`` to ``bounds[c + 1]``.

    ``x`` (N, 3) are flattened frames of ``n_beads``; ``boxes`` (F, 3) has zeros in vacuum. ``grid`` is (start, 1 / spacing, cut-off).
    Only the upper half of the virial is filled.
    """
    for chunk in numba.prange(len(bounds) - 1):
        real, squared = x.dtype.type, grid[2] * grid[2]
        vectors, near, which = np.empty((5, BLOCK), x.dtype), np.empty(BLOCK, np.int32), np.zeros(BLOCK, np.int64)
        dx, dy, dz, pull = vectors[0], vectors[1], vectors[2], vectors[4]
        force = forces[chunk]
        for i in range(bounds[chunk], bounds[chunk + 1]):
            frame = i // n_beads
            kind, base = types[i - frame * n_beads], frame * n_beads
            fx, fy, fz = real(0), real(0), real(0)
            for begin in range(starts[i], starts[i + 1], BLOCK):
                count = _within(x, i, boxes[frame], second, begin, min(begin + BLOCK, starts[i + 1]), squared, near, vectors)
                if table.size > 1:
                    for p in range(count):
                        which[p] = table[kind, types[near[p] - base]]
                energy[chunk, frame] += _curves(vectors[3], count, which, polynomial, core, grid, pull)
                for p in range(count):
                    j = near[p]
                    a, b, c = dx[p] * pull[p], dy[p] * pull[p], dz[p] * pull[p]
                    fx += a
                    fy += b
                    fz += c
                    force[j, 0] -= a
                    force[j, 1] -= b
                    force[j, 2] -= c
                if virial.size:
                    stress = virial[chunk, frame]
                    for p in range(count):
                        stress[0] -= dx[p] * dx[p] * pull[p]
                        stress[1] -= dx[p] * dy[p] * pull[p]
                        stress[2] -= dx[p] * dz[p] * pull[p]
                        stress[4] -= dy[p] * dy[p] * pull[p]
                        stress[5] -= dy[p] * dz[p] * pull[p]
                        stress[8] -= dz[p] * dz[p] * pull[p]
            force[i, 0] += fx
            force[i, 1] += fy
            force[i, 2] += fz


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def curves(q, table, polynomial, start, per_spacing, stiffness, energy, slope):
    """Add the energies of terms ``q`` (F, t) to ``energy`` (F,) and write their slopes (F, t); beyond the grid a parabola goes on."""
    n = polynomial.shape[1]
    for f in range(q.shape[0]):
        for term in range(q.shape[1]):
            s = (q[f, term] - start) * per_spacing
            which = table[term]
            inside = min(max(s, 0.0), float(n))
            k = min(int(inside), n - 1)
            t = inside - k
            a0, a1, a2, a3 = polynomial[which, k, 0], polynomial[which, k, 1], polynomial[which, k, 2], polynomial[which, k, 3]
            beyond = (s - inside) / per_spacing
            u = a0 + t * (a1 + t * (a2 + t * a3))
            du = (a1 + t * (2 * a2 + 3 * t * a3)) * per_spacing
            energy[f] += u + beyond * (du + 0.5 * stiffness * beyond)
            slope[f, term] = du + stiffness * beyond
