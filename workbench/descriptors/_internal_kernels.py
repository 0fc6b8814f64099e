"""Compiled kernels of the internal coordinates for the CPU: values, and the pull-back of a gradient to positions and strain.

They say the same as the torch expressions of ``geometry`` (a test holds them against each other) and exist for speed: 40 small
tensor operations become one pass over the frames. One thread only: numba's threads would reset torch's. Gradients of a
dihedral: Blondel and Karplus, J. Comput. Chem. 17, 1132 (1996).
"""

import math

import numba
import numpy as np


@numba.njit(inline="always")
def _vector(x, i, j, box, out):
    """out = x_j - x_i, nearest image where ``box`` has three lengths (it has none in vacuum)."""
    for c in range(3):
        d = x[j, c] - x[i, c]
        if box.size == 3:
            d -= box[c] * np.rint(d / box[c])
        out[c] = d


@numba.njit(inline="always")
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(inline="always")
def _cross(a, b, out):
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@numba.njit(inline="always")
def _add(gradient, strain, bead, reach, sign, value):
    """Gradient ``sign * value`` on ``bead``; ``reach`` is the vector to it from the term's fixed point."""
    for c in range(3):
        gradient[bead, c] += sign * value[c]
    if strain.size:
        for a in range(3):
            for c in range(3):
                strain[a, c] += sign * reach[a] * value[c]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def values(x, boxes, pairs, triples, quadruples, out):
    """out (F, D): distances, angles, cosines and sines of dihedrals."""
    n_p, n_t, n_q = len(pairs), len(triples), len(quadruples)
    work = np.empty((5, 3), x.dtype)
    a, b, c, m, n = work[0], work[1], work[2], work[3], work[4]
    for f in range(len(x)):
        box = boxes[f] if boxes.shape[0] else boxes.ravel()
        for p in range(n_p):
            _vector(x[f], pairs[p, 0], pairs[p, 1], box, a)
            out[f, p] = math.sqrt(_dot(a, a))
        for t in range(n_t):
            _vector(x[f], triples[t, 1], triples[t, 0], box, a)
            _vector(x[f], triples[t, 1], triples[t, 2], box, b)
            _cross(a, b, m)
            out[f, n_p + t] = math.atan2(math.sqrt(_dot(m, m)), _dot(a, b))
        for q in range(n_q):
            _vector(x[f], quadruples[q, 0], quadruples[q, 1], box, a)
            _vector(x[f], quadruples[q, 1], quadruples[q, 2], box, b)
            _vector(x[f], quadruples[q, 2], quadruples[q, 3], box, c)
            _cross(a, b, m)
            _cross(b, c, n)
            norm = math.sqrt(_dot(m, m) * _dot(n, n))
            out[f, n_p + n_t + q] = _dot(m, n) / norm
            out[f, n_p + n_t + n_q + q] = _dot(m, c) * math.sqrt(_dot(b, b)) / norm


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def pullback(x, boxes, pairs, triples, quadruples, weight, gradient, strain):
    """gradient (F, B, 3) += dq/dx . weight (F, D); strain (F, 3, 3), unless empty, += dq/d(strain) . weight."""
    n_p, n_t, n_q = len(pairs), len(triples), len(quadruples)
    work = np.empty((7, 3), x.dtype)
    a, b, c, m, n, u, v = work[0], work[1], work[2], work[3], work[4], work[5], work[6]
    for f in range(len(x)):
        box = boxes[f] if boxes.shape[0] else boxes.ravel()
        s = strain[f] if strain.shape[0] else strain[0:0].reshape(0, 0)
        g = gradient[f]
        for p in range(n_p):
            i, j = pairs[p, 0], pairs[p, 1]
            _vector(x[f], i, j, box, a)
            scale = weight[f, p] / math.sqrt(_dot(a, a))
            for k in range(3):
                u[k] = scale * a[k]
                g[i, k] -= u[k]
            _add(g, s, j, a, 1.0, u)
        for t in range(n_t):
            i, j, k = triples[t, 0], triples[t, 1], triples[t, 2]
            _vector(x[f], j, i, box, a)
            _vector(x[f], j, k, box, b)
            _cross(a, b, m)
            length = math.sqrt(_dot(m, m))
            w = weight[f, n_p + t]
            _cross(a, m, u)
            _cross(m, b, v)
            in_a, in_b = w / (_dot(a, a) * length), w / (_dot(b, b) * length)
            for d in range(3):
                u[d] *= in_a
                v[d] *= in_b
                g[j, d] -= u[d] + v[d]
            _add(g, s, i, a, 1.0, u)
            _add(g, s, k, b, 1.0, v)
        for q in range(n_q):
            i, j, k, l = quadruples[q, 0], quadruples[q, 1], quadruples[q, 2], quadruples[q, 3]
            _vector(x[f], i, j, box, a)
            _vector(x[f], j, k, box, b)
            _vector(x[f], k, l, box, c)
            _cross(a, b, m)
            _cross(b, c, n)
            mm, nn, bb = _dot(m, m), _dot(n, n), _dot(b, b)
            length, norm = math.sqrt(bb), math.sqrt(mm * nn)
            cosine, sine = _dot(m, n) / norm, _dot(m, c) * length / norm
            w = weight[f, n_p + n_t + n_q + q] * cosine - weight[f, n_p + n_t + q] * sine
            along_a, along_c = _dot(a, b) / bb, _dot(c, b) / bb
            for d in range(3):
                u[d] = -w * length / mm * m[d]
                v[d] = w * length / nn * n[d]
            for d in range(3):
                g[j, d] += -(1.0 + along_a) * u[d] + along_c * v[d]
                m[d] = along_a * u[d] - (1.0 + along_c) * v[d]
                n[d] = b[d] + c[d]
            for d in range(3):
                a[d] = -a[d]
            _add(g, s, i, a, 1.0, u)
            _add(g, s, k, b, 1.0, m)
            _add(g, s, l, n, 1.0, v)
