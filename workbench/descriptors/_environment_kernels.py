"""Compiled kernels for potentials of the environment of every bead: neighbours in rows, nearest first, and what comes back from them."""

import numba
import numpy as np


@numba.njit(inline="always")
def _vector(x, box, i, j, out):
    """Shortest vector from i to j into ``out``; its square."""
    square = x.dtype.type(0)
    for d in range(3):
        out[d] = x[j, d] - x[i, d]
        if box[d] > 0:  # no box has no length
            out[d] -= box[d] * np.rint(out[d] / box[d])
        square += out[d] * out[d]
    return square


@numba.njit(cache=True, nogil=True, error_model="numpy")
def count(x, boxes, n_beads, first, second, cutoff, counts):
    """Add the neighbours of every bead within ``cutoff`` to ``counts`` (N,)."""
    vector, limit = np.empty(3, x.dtype), x.dtype.type(cutoff * cutoff)
    for p in range(len(first)):
        i, j = first[p], second[p]
        if _vector(x, boxes[i // n_beads], i, j, vector) < limit:
            counts[i] += 1
            counts[j] += 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill(x, boxes, n_beads, first, second, cutoff, index, vectors):
    """Neighbours (N, K) of every bead, nearest first, and the vectors (N, K, 3) to them; empty places: the bead itself, zeros."""
    n, slots, limit = len(index), index.shape[1], x.dtype.type(cutoff * cutoff)
    number, vector = np.zeros(n, np.int32), np.empty(3, x.dtype)
    squares, found, along = np.empty((n, slots), x.dtype), np.empty((n, slots), np.int32), np.empty((n, slots, 3), x.dtype)
    for p in range(len(first)):
        i, j = first[p], second[p]
        square = _vector(x, boxes[i // n_beads], i, j, vector)
        if square < limit:
            a, b = number[i], number[j]
            squares[i, a], squares[j, b], found[i, a], found[j, b] = square, square, j, i
            for d in range(3):
                along[i, a, d], along[j, b, d] = vector[d], -vector[d]
            number[i] += 1
            number[j] += 1
    order = np.empty(slots, np.int32)
    for i in range(n):
        for k in range(number[i]):
            place = k
            while place > 0 and squares[i, order[place - 1]] > squares[i, k]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = k
        for k in range(slots):
            full = k < number[i]
            index[i, k] = found[i, order[k]] if full else i
            for d in range(3):
                vectors[i, k, d] = along[i, order[k], d] if full else 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def scatter(index, slope, gradient):
    """Add to ``gradient`` (N, 3) what ``slope`` = dU/d(vector) (N, K, 3) means for the beads at both ends."""
    for i in range(len(index)):
        for k in range(index.shape[1]):
            j = index[i, k]
            if j != i:
                for d in range(3):
                    gradient[j, d] += slope[i, k, d]
                    gradient[i, d] -= slope[i, k, d]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def spread(index, moves, out):
    """Differences (N, K, 3) of ``moves`` (N, 3) between each neighbour and its bead: the transpose of :func:`scatter`."""
    for i in range(len(index)):
        for k in range(index.shape[1]):
            for d in range(3):
                out[i, k, d] = moves[index[i, k], d] - moves[i, d]
