"""Compiled kernel of Lennard-Jones pairs for the CPU, of a half neighbour list: no tables, one root for the switch.

It says the same as the torch expressions of ``lennard_jones`` (the contract tests hold them against each other) and exists for speed.
"""

import math

import numba
import numpy as np

from workbench.potentials._table_kernels import BLOCK, FAST, _within


@numba.njit(inline="always")
def _curves(r2, count, epsilon, sigma, on, cutoff, pull):
    """Energy of ``count`` pairs, and du/dr / r of each in ``pull``."""
    real = pull.dtype.type
    square, per_width, four = sigma * sigma, real(1) / (cutoff - on), real(4) * epsilon
    energy, one, none = real(0), real(1), real(0)
    for p in range(count):
        over = one / r2[p]
        sixth = square * over
        sixth = sixth * sixth * sixth
        u = four * (sixth * sixth - sixth)
        slope = -four * (real(12) * sixth * sixth - real(6) * sixth) * over
        r = math.sqrt(r2[p])
        x = max((r - on) * per_width, none)
        rest = x * (one - x)
        faded = one - x * x * x * (real(10) - real(15) * x + real(6) * x * x)
        energy += u * faded
        pull[p] = slope * faded - real(30) * u * rest * rest * per_width * r * over
    return energy


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def pairs(x, boxes, n_beads, starts, second, bounds, epsilon, sigma, on, cutoff, forces, energy, virial):
    """Add energy (C, F), forces (C, N, 3) and, unless it is empty, virial (C, F, 3, 3) of the rows ``bounds[c]`` to ``bounds[c + 1]``.

    ``x`` (N, 3) are flattened frames of ``n_beads``; ``boxes`` (F, 3) has zeros in vacuum; ``epsilon``, ``sigma`` (F,) are of a frame.
    """
    for chunk in numba.prange(len(bounds) - 1):
        real = x.dtype.type
        vectors, near, force = np.empty((5, BLOCK), x.dtype), np.empty(BLOCK, np.int32), forces[chunk]
        dx, dy, dz, pull = vectors[0], vectors[1], vectors[2], vectors[4]
        for i in range(bounds[chunk], bounds[chunk + 1]):
            frame = i // n_beads
            fx, fy, fz = real(0), real(0), real(0)
            for begin in range(starts[i], starts[i + 1], BLOCK):
                end = min(begin + BLOCK, starts[i + 1])
                count = _within(x, i, boxes[frame], second, begin, end, cutoff * cutoff, near, vectors)
                energy[chunk, frame] += _curves(vectors[3], count, epsilon[frame], sigma[frame], on, cutoff, pull)
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
                    for a in range(3):
                        for b in range(3):
                            for p in range(count):
                                virial[chunk, frame, a, b] -= vectors[a, p] * vectors[b, p] * pull[p]
            force[i, 0] += fx
            force[i, 1] += fy
            force[i, 2] += fz
