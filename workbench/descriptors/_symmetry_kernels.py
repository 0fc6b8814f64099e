"""Compiled kernels of symmetry functions: values and derivatives by the vectors to the neighbours, bead by bead."""

import math

import numba
import numpy as np


@numba.njit(inline="always")
def fade(r, cutoff):
    """Cut-off function and its slope."""
    return 0.5 * (math.cos(math.pi * r / cutoff) + 1), -0.5 * math.pi / cutoff * math.sin(math.pi * r / cutoff)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _radial(v, kinds, r, radial, cutoff, q, slope):
    """Add to ``q`` (D,) and, unless it is empty, ``slope`` (D, K, 3) of one bead with neighbours at distances ``r`` (n,)."""
    for k in range(len(r)):
        f, df = fade(r[k], cutoff)
        for m in range(len(radial)):
            d, away = kinds[k] * len(radial) + m, r[k] - radial[m, 1]
            e = math.exp(-radial[m, 0] * away * away)
            q[d] += e * f
            if slope.size:
                along = e * (df - 2 * radial[m, 0] * away * f) / r[k]
                for x in range(3):
                    slope[d, k, x] += along * v[k, x]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _angular(v, kinds, r, angular, cutoff, n_types, first, narrow, q, slope):
    """The same for the angular functions, columns from ``first`` on."""
    out = np.empty(3)
    for j in range(len(r)):
        fj, dj = fade(r[j], cutoff)
        for k in range(j):
            fk, dk = fade(r[k], cutoff)
            square, dot = 0.0, 0.0
            for x in range(3):
                out[x] = v[j, x] - v[k, x]
                square += out[x] * out[x]
                dot += v[j, x] * v[k, x]
            apart, f3, d3 = math.sqrt(square), 1.0, 0.0
            if narrow:
                if apart >= cutoff:
                    continue
                f3, d3 = fade(apart, cutoff)
            cosine = dot / (r[j] * r[k])
            low, high = min(kinds[j], kinds[k]), max(kinds[j], kinds[k])
            block = first + (high * (high + 1) // 2 + low) * len(angular)
            for m in range(len(angular)):
                eta, sign, zeta = angular[m, 0], angular[m, 1], angular[m, 2]
                base = max(1 + sign * cosine, 0.0)
                a, da = 2.0 ** (1 - zeta) * base**zeta, 2.0 ** (1 - zeta) * zeta * sign * base ** (zeta - 1)
                e = math.exp(-eta * (r[j] * r[j] + r[k] * r[k] + (square if narrow else 0.0)))
                radial = e * fj * fk * f3
                q[block + m] += a * radial
                if not slope.size:
                    continue
                turn = da * radial
                pull_j = a * e * fk * f3 * (dj - 2 * eta * r[j] * fj) / r[j] - turn * cosine / (r[j] * r[j])
                pull_k = a * e * fj * f3 * (dk - 2 * eta * r[k] * fk) / r[k] - turn * cosine / (r[k] * r[k])
                across = turn / (r[j] * r[k])
                apart_pull = a * e * fj * fk * (d3 - 2 * eta * apart * f3) / apart if narrow else 0.0
                for x in range(3):
                    slope[block + m, j, x] += pull_j * v[j, x] + across * v[k, x] + apart_pull * out[x]
                    slope[block + m, k, x] += pull_k * v[k, x] + across * v[j, x] - apart_pull * out[x]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bead(v, kinds, radial, angular, cutoffs, n_types, narrow, q, slope):
    """Values ``q`` (D,) and, unless it is empty, derivatives ``slope`` (D, K, 3) of one bead; neighbours are nearest first."""
    r, near, all_of_them = np.empty(len(v)), 0, 0
    for k in range(len(v)):
        r[k] = math.sqrt(v[k, 0] * v[k, 0] + v[k, 1] * v[k, 1] + v[k, 2] * v[k, 2])
        if r[k] == 0 or r[k] >= cutoffs[0]:
            break
        all_of_them += 1
        near += r[k] < cutoffs[1]
    _radial(v, kinds, r[:all_of_them], radial, cutoffs[0], q, slope)
    _angular(v, kinds, r[:near], angular, cutoffs[1], n_types, n_types * len(radial), narrow, q, slope)


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def values(vectors, kinds, radial, angular, cutoffs, n_types, narrow, q):
    """Values ``q`` (N, D), zeros before, of ``vectors`` (N, K, 3) to neighbours of types ``kinds`` (N, K)."""
    for i in numba.prange(len(vectors)):
        row = np.zeros(q.shape[1])
        _bead(vectors[i], kinds[i], radial, angular, cutoffs, n_types, narrow, row, np.zeros((0, 0, 0)))
        q[i] = row


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def jacobian(vectors, kinds, radial, angular, cutoffs, n_types, narrow, q, slope):
    """Values and their derivatives ``slope`` (N, D, K, 3)."""
    for i in numba.prange(len(vectors)):
        row, of_row = np.zeros(q.shape[1]), np.zeros(slope.shape[1:])
        _bead(vectors[i], kinds[i], radial, angular, cutoffs, n_types, narrow, row, of_row)
        q[i], slope[i] = row, of_row


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def pullback(vectors, kinds, radial, angular, cutoffs, n_types, narrow, weight, out):
    """``weight`` (N, D) . dq/d(vectors), (N, K, 3)."""
    for i in numba.prange(len(vectors)):
        row, of_row = np.zeros(weight.shape[1]), np.zeros((weight.shape[1], out.shape[1], 3))
        _bead(vectors[i], kinds[i], radial, angular, cutoffs, n_types, narrow, row, of_row)
        for k in range(out.shape[1]):
            for x in range(3):
                total = 0.0
                for d in range(len(row)):
                    total += weight[i, d] * of_row[d, k, x]
                out[i, k, x] = total
