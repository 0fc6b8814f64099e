"""Compiled counts of pairs and triplets of a periodic liquid within a range, frame by frame, on the CPU.

Points are wrapped into the box and sorted into a grid of cells (Allen and Tildesley, Computer Simulation of Liquids, 2nd edition,
2017, section 5.3.2). What may be in range of a cell is copied into one block, so that the distances from a point are one vectorised
loop; what is in range is then squeezed together and binned. A range close to half of the box makes one cell, and so every pair.
Strict arithmetic: a pair falls into the same bin whichever way it is met. One thread: numba's threads would reset torch's.
"""

import math

import numba
import numpy as np

PER_CELL = 4.0
"""Points that a cell holds at least, on average."""
FARTHEST = 1e12
"""Box lengths from the origin at which a coordinate no longer tells a place in the box: such frames count as not finite."""


@numba.njit(inline="always")
def _wrapped(value, length):
    return value - math.floor(value / length) * length


@numba.njit(inline="always")
def _shortest(a, b, length):
    """Distance along one axis of two wrapped coordinates."""
    d = abs(a - b)
    e = length - d
    return d if d < e else e


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _grid(n_points, box, reach):
    """Number of cells along x, y and z."""
    shape = np.ones(3, np.int64)
    if 3 * reach < min(box[0], box[1], box[2]):
        side = max(reach / 2, (PER_CELL * box[0] * box[1] * box[2] / n_points) ** (1 / 3))
        for c in range(3):
            shape[c] = max(1, int(box[c] / side))
    return shape


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sorted(x, chosen, molecule, box, shape):
    """The ``chosen`` points wrapped, with molecule, by cells (4, n); the first point of each cell (cells + 1,); whether all are finite."""
    n = len(chosen)
    points, wrapped, cell = np.empty((4, n)), np.empty((3, n)), np.empty(n, np.int64)
    start = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int64)
    for k in range(n):
        at = 0
        for c in range(3):
            value = x[chosen[k], c]
            if not abs(value) < FARTHEST * box[c]:
                return points, start, False
            wrapped[c, k] = _wrapped(value, box[c])
            at = at * shape[c] + max(0, min(shape[c] - 1, int(wrapped[c, k] * (shape[c] / box[c]))))
        cell[k] = at
        start[at + 1] += 1
    start = np.cumsum(start)
    free = start.copy()
    for k in range(n):
        at = free[cell[k]]
        free[cell[k]] += 1
        for c in range(3):
            points[c, at] = wrapped[c, k]
        points[3, at] = molecule[chosen[k]]
    return points, start, True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _columns(shape, box, reach):
    """Columns of cells along z that may be in range: steps along x and y, and cells up and down, (any, 3); the own column first."""
    found = np.empty((shape[0] * shape[1], 3), np.int64)
    n = 0
    for a in range(shape[0]):
        x = max(min(a, shape[0] - a) - 1, 0) * (box[0] / shape[0])
        for b in range(shape[1]):
            y = max(min(b, shape[1] - b) - 1, 0) * (box[1] / shape[1])
            left = reach * reach * (1 + 1e-9) - x * x - y * y
            if left >= 0:
                found[n] = a, b, int(math.sqrt(left) / (box[2] / shape[2])) + 1
                n += 1
    return found[:n]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _copy(points, first, last, block, n):
    """Append points number ``first`` to ``last`` to the ``n`` of ``block``; how many there are then."""
    if last <= first:
        return n
    for c in range(4):
        source, target = points[c, first:last], block[c, n : n + last - first]
        for k in range(len(source)):
            target[k] = source[k]
    return n + last - first


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(cell, shape, columns, points, start, first, block):
    """Copy the points from number ``first`` on that may be in range of ``cell`` into ``block`` (4, any); how many they are."""
    wide, deep = shape[1], shape[2]
    column, z = cell // deep, cell % deep
    x, y = column // wide, column % wide
    n = 0
    for k in range(len(columns)):
        a, b, up = x + columns[k, 0], y + columns[k, 1], columns[k, 2]
        a -= shape[0] if a >= shape[0] else 0
        b -= wide if b >= wide else 0
        base = (a * wide + b) * deep
        if start[base + deep] <= first:
            continue
        low, high = (0, deep) if 2 * up + 1 >= deep else (z - up, z + up + 1)
        n = _copy(points, max(first, start[base + max(low, 0)]), start[base + min(high, deep)], block, n)
        if low < 0:
            n = _copy(points, max(first, start[base + low + deep]), start[base + deep], block, n)
        if high > deep:
            n = _copy(points, max(first, start[base]), start[base + high - deep], block, n)
    return n


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _squared(points, i, block, first, n, box, out):
    """Squared distances from point ``i`` to numbers ``first`` to ``n`` of ``block``, at the front of ``out``; infinite in its molecule."""
    x, y, z, own = points[0, i], points[1, i], points[2, i], points[3, i]
    length_x, length_y, length_z = box[0], box[1], box[2]
    xs, ys, zs, molecule = block[0, first:n], block[1, first:n], block[2, first:n], block[3, first:n]
    for j in range(len(xs)):
        dx, dy, dz = _shortest(xs[j], x, length_x), _shortest(ys[j], y, length_y), _shortest(zs[j], z, length_z)
        squared = dx * dx + dy * dy + dz * dz
        out[j] = squared if molecule[j] != own else np.inf


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _squeeze(squared, n, limit):
    """Move the first ``n`` squared distances that are below ``limit`` to the front; how many they are. Without a branch."""
    near = 0
    for j in range(n):
        value = squared[j]
        squared[near] = value
        near += value < limit
    return near


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pairs(x, boxes, molecule, centre, around, same, r_max, counts, finite):
    """Add to ``counts`` (F, n_bins + 1) the pairs of a point of ``centre`` (a,) with one of ``around`` (b,) in another molecule.

    ``same`` says that the two are one list: then each pair counts once. The last bin takes what rounding puts at ``r_max``.
    ``x`` (F, N, 3) and ``boxes`` (F, 3) [nm], ``molecule`` (N,); ``finite`` (F,) becomes False where a point is not finite.
    """
    n_bins = counts.shape[1] - 1
    scale, limit = n_bins / r_max, r_max * r_max * (1 + 1e-9)
    block, squared = np.empty((4, len(around))), np.empty(len(around))
    for f in range(len(x)):
        box = boxes[f]
        shape = _grid(len(around), box, r_max)
        points, start, told = _sorted(x[f], around, molecule, box, shape)
        middle, begin, also = (points, start, told) if same else _sorted(x[f], centre, molecule, box, shape)
        if not (told and also):
            finite[f] = False
            continue
        columns = _columns(shape, box, r_max)
        for cell in range(len(begin) - 1):
            if begin[cell] == begin[cell + 1]:
                continue
            n = _gather(cell, shape, columns, points, start, start[cell] if same else 0, block)
            for i in range(begin[cell], begin[cell + 1]):
                first = i - begin[cell] + 1 if same else 0
                _squared(middle, i, block, first, n, box, squared)
                for j in range(_squeeze(squared, n - first, limit)):
                    counts[f, min(int(math.sqrt(squared[j]) * scale), n_bins)] += 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def without(x, boxes, listed, r_max, counts):
    """Take from ``counts`` what :func:`pairs` added for the ``listed`` pairs (any, 2)."""
    n_bins = counts.shape[1] - 1
    scale, limit = n_bins / r_max, r_max * r_max * (1 + 1e-9)
    for f in range(len(x)):
        for i, j in listed:
            squared = 0.0
            for c in range(3):
                d = _shortest(_wrapped(x[f, i, c], boxes[f, c]), _wrapped(x[f, j, c], boxes[f, c]), boxes[f, c])
                squared += d * d
            if squared < limit:
                counts[f, min(int(math.sqrt(squared) * scale), n_bins)] -= 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _vectors(points, i, block, n, box, limit, vectors):
    """Unit vectors from point ``i`` to those of ``block`` in another molecule and nearer than sqrt(limit), (any, 3); how many."""
    near = 0
    for j in range(n):
        squared = 0.0
        for c in range(3):
            d = block[c, j] - points[c, i]
            d -= box[c] * np.rint(d / box[c])
            vectors[near, c] = d
            squared += d * d
        if squared < limit and block[3, j] != points[3, i]:
            vectors[near] /= math.sqrt(squared)
            near += 1
    return near


@numba.njit(cache=True, nogil=True, error_model="numpy")
def angles(x, boxes, molecule, centre, around, cutoff, counts, finite):
    """Add to ``counts`` (F, n_bins) the angles, 0 to pi, at a point of ``centre`` between two of ``around`` nearer than ``cutoff`` [nm].

    Both are in other molecules than the centre. ``finite`` (F,) becomes False where a point is not finite or two coincide.
    """
    scale, last = counts.shape[1] / math.pi, counts.shape[1] - 1
    block, vectors = np.empty((4, len(around))), np.empty((len(around) + 1, 3))
    for f in range(len(x)):
        box = boxes[f]
        shape = _grid(len(around), box, cutoff)
        points, start, told = _sorted(x[f], around, molecule, box, shape)
        middle, begin, also = _sorted(x[f], centre, molecule, box, shape)
        if not (told and also):
            finite[f] = False
            continue
        columns = _columns(shape, box, cutoff)
        for cell in range(len(begin) - 1):
            if begin[cell] == begin[cell + 1]:
                continue
            n = _gather(cell, shape, columns, points, start, 0, block)
            for i in range(begin[cell], begin[cell + 1]):
                near = _vectors(middle, i, block, n, box, cutoff * cutoff, vectors)
                for j in range(near):
                    for k in range(j):
                        cosine = vectors[j, 0] * vectors[k, 0] + vectors[j, 1] * vectors[k, 1] + vectors[j, 2] * vectors[k, 2]
                        if math.isfinite(cosine):
                            counts[f, min(int(math.acos(max(-1.0, min(1.0, cosine))) * scale), last)] += 1
                        else:
                            finite[f] = False
