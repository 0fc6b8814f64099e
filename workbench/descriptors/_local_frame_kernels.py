"""Compiled kernels of the local frame for the CPU: descriptor, its transpose (slopes to vectors) and its tangent (moves to changes).

They say the same as the torch expressions of ``local_frame`` (a test holds them against each other). Rows are beads; a place without a
neighbour has a vector of zeros. e_1 points to the nearest neighbour a, e_2 to what the vector w of the second nearest has across it.
"""

import math

import numba
import numpy as np


@numba.njit(inline="always")
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(inline="always")
def _cross(a, b, sign, out):
    """Add ``sign`` a x b."""
    out[0] += sign * (a[1] * b[2] - a[2] * b[1])
    out[1] += sign * (a[2] * b[0] - a[0] * b[2])
    out[2] += sign * (a[0] * b[1] - a[1] * b[0])


@numba.njit(inline="always")
def _axes(v, e):
    """The frame (3, 3), rows e_1, e_2, e_3, of vectors ``v`` (K, 3); lengths of the nearest vector and of w."""
    length = math.sqrt(_dot(v[0], v[0]))
    for d in range(3):
        e[0, d] = v[0, d] / length
    along = _dot(v[1], e[0])
    for d in range(3):
        e[1, d] = v[1, d] - along * e[0, d]
    width = math.sqrt(_dot(e[1], e[1]))
    for d in range(3):
        e[1, d] /= width
        e[2, d] = 0
    _cross(e[0], e[1], 1, e[2])
    return length, width


@numba.njit(cache=True, nogil=True, error_model="numpy")
def values(vectors, n_full, q):
    """Descriptors (N, 4 n_full + n_radial): first 1/r of all, then x/r^2, y/r^2, z/r^2 of the nearest."""
    e, slots = np.empty((3, 3), vectors.dtype), q.shape[1] - 3 * n_full
    for i in range(len(vectors)):
        v = vectors[i]
        _axes(v, e)
        q[i, :] = 0
        for k in range(min(slots, len(v))):
            square = _dot(v[k], v[k])
            if square == 0:
                break
            q[i, k] = 1 / math.sqrt(square)
            if k < n_full:
                for d in range(3):
                    q[i, slots + 3 * k + d] = _dot(e[d], v[k]) / square


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pullback(vectors, n_full, weight, out):
    """``weight`` (N, D) . dq/d(vectors) (N, K, 3)."""
    real = vectors.dtype.type
    e, c, p, slots = np.empty((3, 3), real), np.empty((3, 3), real), np.empty(3, real), weight.shape[1] - 3 * n_full
    for i in range(len(vectors)):
        v, g, to = vectors[i], weight[i], out[i]
        length, width = _axes(v, e)
        to[:], c[:] = 0, 0
        for k in range(min(slots, len(v))):
            square = _dot(v[k], v[k])
            if square == 0:
                break
            inverse = 1 / square
            pull = -g[k] * inverse * math.sqrt(inverse)
            if k < n_full:
                row = g[slots + 3 * k : slots + 3 * k + 3]
                for d in range(3):
                    p[d] = row[0] * e[0, d] + row[1] * e[1, d] + row[2] * e[2, d]
                pull -= 2 * _dot(p, v[k]) * inverse * inverse
                for d in range(3):
                    to[k, d] = p[d] * inverse
                    for axis in range(3):
                        c[axis, d] += row[axis] * v[k, d] * inverse
            for d in range(3):
                to[k, d] += pull * v[k, d]
        _cross(e[1], c[2], 1, c[0])
        _cross(c[2], e[0], 1, c[1])
        over = _dot(c[1], e[1])
        for d in range(3):
            p[d] = (c[1, d] - over * e[1, d]) / width  # by w
        along, part = _dot(v[1], e[0]), _dot(p, e[0])
        for d in range(3):
            to[1, d] += p[d] - part * e[0, d]
            c[0, d] -= part * v[1, d] + along * p[d]
        over = _dot(c[0], e[0])
        for d in range(3):
            to[0, d] += (c[0, d] - over * e[0, d]) / length


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pushforward(vectors, n_full, moves, out):
    """Change (N, D) of the descriptors as the vectors change by ``moves`` (N, K, 3)."""
    real = vectors.dtype.type
    e, de, slots = np.empty((3, 3), real), np.empty((3, 3), real), out.shape[1] - 3 * n_full
    for i in range(len(vectors)):
        v, m = vectors[i], moves[i]
        length, width = _axes(v, e)
        out[i, :] = 0
        over = _dot(m[0], e[0])
        for d in range(3):
            de[0, d] = (m[0, d] - over * e[0, d]) / length
        along, change = _dot(v[1], e[0]), _dot(m[1], e[0]) + _dot(v[1], de[0])
        for d in range(3):
            de[1, d] = m[1, d] - change * e[0, d] - along * de[0, d]
        over = _dot(de[1], e[1])
        for d in range(3):
            de[1, d] = (de[1, d] - over * e[1, d]) / width
            de[2, d] = 0
        _cross(de[0], e[1], 1, de[2])
        _cross(e[0], de[1], 1, de[2])
        for k in range(min(slots, len(v))):
            square = _dot(v[k], v[k])
            if square == 0:
                break
            inverse, stretch = 1 / square, _dot(v[k], m[k])
            out[i, k] = -stretch * inverse * math.sqrt(inverse)
            if k < n_full:
                for d in range(3):
                    change = _dot(de[d], v[k]) + _dot(e[d], m[k])
                    out[i, slots + 3 * k + d] = (change - 2 * _dot(e[d], v[k]) * stretch * inverse) * inverse
