"""Compiled kernels of the tables for the CPU: pairs of a half neighbour list, and the curves of bonded terms.

They say the same as the torch expressions of the classes (a test holds them against each other) and exist for speed: every listed
pair is visited once, and nothing is stored in between. Work is cut into as many chunks as there are threads, each with its own forces.
"""

import math

import numba
import numpy as np

CORE_POWER = 12
FAST = {"contract", "arcp", "nsz", "reassoc"}


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def pairs(x, boxes, n_beads, starts, second, bounds, types, table, polynomial, core, grid, forces, energy, virial):
    """Energy (C, F), forces (C, N, 3) and, unless it is empty, virial (C, F, 9) of the rows ``bounds[c]`` to ``bounds[c + 1]``, added.

    ``x`` (N, 3) are flattened frames of ``n_beads``; ``boxes`` (F, 3) has zeros in vacuum. ``grid`` is (start, 1 / spacing, cut-off).
    ``core`` (T, 2): energy at the start, and the strength of the inverse power that goes on from there to smaller distances.
    """
    start, per_spacing, cutoff = grid[0], grid[1], grid[2]
    squared, last = cutoff * cutoff, polynomial.shape[1] - 1
    for c in numba.prange(len(bounds) - 1):
        force = forces[c]
        for i in range(bounds[c], bounds[c + 1]):
            frame = i // n_beads
            lx, ly, lz = boxes[frame, 0], boxes[frame, 1], boxes[frame, 2]
            px = 1 / lx if lx > 0 else lx
            py = 1 / ly if ly > 0 else ly
            pz = 1 / lz if lz > 0 else lz
            xi, yi, zi = x[i, 0], x[i, 1], x[i, 2]
            kind, base = types[i % n_beads], frame * n_beads
            fx = fy = fz = x.dtype.type(0)
            total = 0.0
            for p in range(starts[i], starts[i + 1]):
                j = second[p]
                dx, dy, dz = x[j, 0] - xi, x[j, 1] - yi, x[j, 2] - zi
                dx -= lx * np.rint(dx * px)
                dy -= ly * np.rint(dy * py)
                dz -= lz * np.rint(dz * pz)
                r2 = dx * dx + dy * dy + dz * dz
                if r2 < squared:
                    which = table[kind, types[j - base]]
                    r = math.sqrt(r2)
                    s = (r - start) * per_spacing
                    if s < 0:
                        ratio = (start / r) ** CORE_POWER
                        total += core[which, 0] + core[which, 1] * (ratio - 1)
                        pull = -CORE_POWER * core[which, 1] * ratio / r2
                    else:
                        k = min(int(s), last)
                        t = s - k
                        a1, a2, a3 = polynomial[which, k, 1], polynomial[which, k, 2], polynomial[which, k, 3]
                        total += polynomial[which, k, 0] + t * (a1 + t * (a2 + t * a3))
                        pull = (a1 + t * (2 * a2 + 3 * t * a3)) * per_spacing / r
                    dx_pull, dy_pull, dz_pull = dx * pull, dy * pull, dz * pull
                    fx += dx_pull
                    fy += dy_pull
                    fz += dz_pull
                    force[j, 0] -= dx_pull
                    force[j, 1] -= dy_pull
                    force[j, 2] -= dz_pull
                    if virial.size:
                        stress = virial[c, frame]
                        stress[0] -= dx * dx_pull
                        stress[1] -= dx * dy_pull
                        stress[2] -= dx * dz_pull
                        stress[4] -= dy * dy_pull
                        stress[5] -= dy * dz_pull
                        stress[8] -= dz * dz_pull
            force[i, 0] += fx
            force[i, 1] += fy
            force[i, 2] += fz
            energy[c, frame] += total


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
