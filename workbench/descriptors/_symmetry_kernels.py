"""Compiled kernels of symmetry functions: values and derivatives by the vectors to the neighbours, bead by bead."""

import math

import numba
import numpy as np


@numba.njit(inline="always")
def _fade(r, cutoff):
    """Cut-off function and its slope."""
    return 0.5 * (math.cos(math.pi * r / cutoff) + 1), -0.5 * math.pi / cutoff * math.sin(math.pi * r / cutoff)


@numba.njit(inline="always")
def _power(base, n):
    """base^n by squaring."""
    found = 1.0
    while n > 0:
        if n & 1:
            found *= base
        base *= base
        n >>= 1
    return found


@numba.njit(inline="always")
def _add(row, j, k, v, out, of_j, of_k, across, apart):
    """Add to the derivatives ``row`` (K, 3) of a function of r_ij, r_ik, the angle between them and r_jk."""
    for x in range(3):
        row[j, x] += of_j * v[j, x] + across * v[k, x] + apart * out[x]
        row[k, x] += of_k * v[k, x] + across * v[j, x] - apart * out[x]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _radial(v, kinds, r, radial, cutoff, weight, q, slope, pull):
    """The radial functions of one bead with neighbours at distances ``r`` (n,): see :func:`_bead`."""
    for k in range(len(r)):
        f, df = _fade(r[k], cutoff)
        total = 0.0
        for m in range(len(radial)):
            d, away = kinds[k] * len(radial) + m, r[k] - radial[m, 1]
            e = math.exp(-radial[m, 0] * away * away)
            q[d] += e * f
            along = e * (df - 2 * radial[m, 0] * away * f) / r[k]
            if slope.size:
                for x in range(3):
                    slope[d, k, x] += along * v[k, x]
            elif weight.size:
                total += weight[d] * along
        if weight.size:
            for x in range(3):
                pull[k, x] += total * v[k, x]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _angular(v, kinds, r, angular, zetas, cutoff, n_types, first, narrow, weight, q, slope, pull):
    """The angular functions, columns from ``first`` on; neighbours of one distance r have one fade."""
    out, fades = np.empty(3), np.empty((len(r), 2))
    for j in range(len(r)):
        fades[j] = _fade(r[j], cutoff)
    for j in range(len(r)):
        fj, dj = fades[j]
        for k in range(j):
            fk, dk = fades[k]
            square, dot = 0.0, 0.0
            for x in range(3):
                out[x] = v[j, x] - v[k, x]
                square += out[x] * out[x]
                dot += v[j, x] * v[k, x]
            apart, f3, d3 = math.sqrt(square), 1.0, 0.0
            if narrow:
                if apart >= cutoff:
                    continue
                f3, d3 = _fade(apart, cutoff)
            cosine, legs = dot / (r[j] * r[k]), r[j] * r[j] + r[k] * r[k] + (square if narrow else 0.0)
            low, high = min(kinds[j], kinds[k]), max(kinds[j], kinds[k])
            block = first + (high * (high + 1) // 2 + low) * len(angular)
            e, sum_j, sum_k, sum_across, sum_apart = 1.0, 0.0, 0.0, 0.0, 0.0
            for m in range(len(angular)):
                eta, sign = angular[m, 0], angular[m, 1]
                if m == 0 or eta != angular[m - 1, 0]:
                    e = math.exp(-eta * legs)
                half = max(0.5 * (1 + sign * cosine), 0.0)
                less = _power(half, zetas[m] - 1)
                a = 2 * less * half * e
                q[block + m] += a * fj * fk * f3
                if not (slope.size or weight.size):
                    continue
                turn = zetas[m] * sign * less * e * fj * fk * f3
                of_j = a * fk * f3 * (dj - 2 * eta * r[j] * fj) / r[j] - turn * cosine / (r[j] * r[j])
                of_k = a * fj * f3 * (dk - 2 * eta * r[k] * fk) / r[k] - turn * cosine / (r[k] * r[k])
                across = turn / (r[j] * r[k])
                of_apart = a * fj * fk * (d3 - 2 * eta * apart * f3) / apart if narrow else 0.0
                if slope.size:
                    _add(slope[block + m], j, k, v, out, of_j, of_k, across, of_apart)
                else:
                    w = weight[block + m]
                    sum_j, sum_k = sum_j + w * of_j, sum_k + w * of_k
                    sum_across, sum_apart = sum_across + w * across, sum_apart + w * of_apart
            if weight.size:
                _add(pull, j, k, v, out, sum_j, sum_k, sum_across, sum_apart)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bead(v, kinds, radial, angular, zetas, cutoffs, n_types, narrow, weight, q, slope, pull):
    """Add the values of one bead to ``q`` (D,); neighbours are nearest first.

    Where ``slope`` (D, K, 3) is not empty their derivatives are added to it, else where ``weight`` (D,) is not, weight . dq/dv to ``pull``.
    """
    r, near, all_of_them = np.empty(len(v)), 0, 0
    for k in range(len(v)):
        r[k] = math.sqrt(v[k, 0] * v[k, 0] + v[k, 1] * v[k, 1] + v[k, 2] * v[k, 2])
        if r[k] == 0 or r[k] >= cutoffs[0]:
            break
        all_of_them += 1
        near += r[k] < cutoffs[1]
    _radial(v, kinds, r[:all_of_them], radial, cutoffs[0], weight, q, slope, pull)
    _angular(v, kinds, r[:near], angular, zetas, cutoffs[1], n_types, n_types * len(radial), narrow, weight, q, slope, pull)


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def values(vectors, kinds, radial, angular, zetas, cutoffs, n_types, narrow, q):
    """Values ``q`` (N, D) of ``vectors`` (N, K, 3) to neighbours of types ``kinds`` (N, K)."""
    for i in numba.prange(len(vectors)):
        row = np.zeros(q.shape[1])
        none = np.zeros(0), np.zeros((0, 0, 0)), np.zeros((0, 0))
        _bead(vectors[i], kinds[i], radial, angular, zetas, cutoffs, n_types, narrow, none[0], row, none[1], none[2])
        q[i] = row


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def jacobian(vectors, kinds, radial, angular, zetas, cutoffs, n_types, narrow, q, slope):
    """Values and their derivatives ``slope`` (N, D, K, 3)."""
    for i in numba.prange(len(vectors)):
        row, of_row = np.zeros(q.shape[1]), np.zeros(slope.shape[1:])
        _bead(vectors[i], kinds[i], radial, angular, zetas, cutoffs, n_types, narrow, np.zeros(0), row, of_row, np.zeros((0, 0)))
        q[i], slope[i] = row, of_row


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def pullback(vectors, kinds, radial, angular, zetas, cutoffs, n_types, narrow, weight, out):
    """``weight`` (N, D) . dq/d(vectors), (N, K, 3)."""
    for i in numba.prange(len(vectors)):
        of_bead, pull, row = weight[i].astype(np.float64), np.zeros(out.shape[1:]), np.zeros(weight.shape[1])
        _bead(vectors[i], kinds[i], radial, angular, zetas, cutoffs, n_types, narrow, of_bead, row, np.zeros((0, 0, 0)), pull)
        out[i] = pull
