"""Compiled kernels of the neighbour list for the CPU: beads sorted into cells, pairs counted, pairs written; threads over beads.

Cells are as wide as the range or wider, and there is but one where more would not pay. A bead looks for partners that come after it
in the order of the cells, so that every pair comes once. Counting and writing must agree to the last bit: these kernels leave
floating-point arithmetic as it is written (no fast-math). A coordinate that is not a number has no neighbours and does no harm.
"""

import math

import numba
import numpy as np

import workbench.device  # noqa: F401  (starts the threads of numba, with no effect on those of torch)

BLOCK = 64
"""Beads that a thread takes at once."""
ROW = 9
"""What a row of cells costs, in candidate pairs (measured)."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _divide(length, reach, n_beads, number):
    """Cells in each direction, number (3,), for edges ``length`` [nm] of a frame: one where it would not pay to have more."""
    wanted = np.ones(3)
    for d in range(3):
        if length[d] < np.inf:
            wanted[d] = min(max(length[d] / reach, 1.0), float(n_beads))
    for _ in range(3):  # no more cells than beads; a direction that is down to one cell leaves the rest to the others
        total, shrinking = wanted[0] * wanted[1] * wanted[2], 0
        for d in range(3):
            shrinking += wanted[d] > 1.0
        if total > n_beads:
            for d in range(3):
                wanted[d] = max(1.0, wanted[d] * (n_beads / total) ** (1.0 / shrinking)) if wanted[d] > 1.0 else 1.0
    share, rows = 1.0, 1.0
    for d in range(3):
        number[d] = int(wanted[d])
        share *= min(3.0 / number[d], 1.0)
        rows *= min(3, number[d]) if d < 2 else 1
    if share * n_beads / 2 + ROW * rows > n_beads / 2:
        number[:] = 1


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def sort(x, boxes, reach, order, y, number, cell, offsets):
    """Sort the beads of every frame by cell.

    From positions x (F, B, 3) and boxes (F, 3), empty in vacuum: order (F, B), sorted positions y (F, 3, B), cells in each
    direction ``number`` (F, 3), cell of each sorted bead (F, B) and first bead of each cell, offsets (F, B + 1).
    """
    n_beads = x.shape[1]
    for f in numba.prange(len(x)):
        low, length, n, first = np.zeros(3), np.empty(3), number[f], offsets[f]
        for d in range(3):
            if len(boxes):
                length[d] = boxes[f, d]
            else:
                low[d] = high = x[f, 0, d]
                for b in range(n_beads):
                    low[d], high = min(low[d], x[f, b, d]), max(high, x[f, b, d])
                length[d] = high - low[d]
        _divide(length, reach, n_beads, n)
        own = np.empty(n_beads, np.int32)
        first[:] = 0
        for b in range(n_beads):
            at = 0
            for d in range(3):
                scaled = (x[f, b, d] - low[d]) / length[d]
                scaled -= math.floor(scaled) if len(boxes) else 0.0
                at = at * n[d] + min(max(int(scaled * n[d]), 0), n[d] - 1)
            own[b] = at
            first[at + 1] += 1
        for c in range(n_beads):
            first[c + 1] += first[c]
        for b in range(n_beads - 1, -1, -1):  # the ends of the cells move down to their beginnings
            first[own[b] + 1] -= 1
            s = first[own[b] + 1]
            order[f, s], cell[f, s] = b, own[b]
            for d in range(3):
                y[f, d, s] = x[f, b, d]
        for c in range(n_beads):
            first[c] = first[c + 1]
        first[n_beads] = n_beads


@numba.njit(inline="always")
def _near(u, v, w, box, inverse, limit):
    """Whether the nearest image of the vector (u, v, w) is shorter than the root of ``limit``."""
    u -= box[0] * np.rint(u * inverse[0])
    v -= box[1] * np.rint(v * inverse[1])
    w -= box[2] * np.rint(w * inverse[2])
    return u * u + v * v + w * w < limit


@numba.njit(inline="always")
def _wrapped(index, number):
    return index + number if index < 0 else index - number if index >= number else index


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _around(cell, number, offsets, ranges):
    """Ranges of beads, ranges (any, 2), in ``cell`` and in those that touch it; returns how many."""
    found, z = 0, cell % number[2]
    p, q = cell // number[2] // number[1], cell // number[2] % number[1]
    width = min(3, number[2])
    first = _wrapped(z - 1, number[2])
    rest = max(first + width - number[2], 0)  # cells that wrap around to the beginning of the row
    for i in range(min(3, number[0])):
        for j in range(min(3, number[1])):
            row = (_wrapped(p + i - 1, number[0]) * number[1] + _wrapped(q + j - 1, number[1])) * number[2]
            ranges[found, 0], ranges[found, 1] = offsets[row + first], offsets[row + first + width - rest]
            found += 1
            if rest:
                ranges[found, 0], ranges[found, 1] = offsets[row], offsets[row + rest]
                found += 1
    return found


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def count(y, boxes, reach, number, order, cell, offsets, counts):
    """counts (F, B): pairs that are listed under each bead, exclusions still among them."""
    n_beads, limit = y.shape[2], y.dtype.type(reach) ** 2
    blocks = (n_beads + BLOCK - 1) // BLOCK
    for block in numba.prange(len(y) * blocks):
        f, last = block // blocks, -1
        box, inverse = _box(boxes, f, y)
        ranges = np.empty((18, 2), np.int32)
        for s in range(block % blocks * BLOCK, min(n_beads, (block % blocks + 1) * BLOCK)):
            if cell[f, s] != last:
                last = cell[f, s]
                n_ranges = _around(last, number[f], offsets[f], ranges)
            found, p, q, r = 0, y[f, 0, s], y[f, 1, s], y[f, 2, s]
            for k in range(n_ranges):
                start = max(ranges[k, 0], s + 1)
                u, v, w = y[f, 0, start : ranges[k, 1]], y[f, 1, start : ranges[k, 1]], y[f, 2, start : ranges[k, 1]]
                for t in range(len(u)):  # slices: an index that cannot be negative lets the loop be vectorised
                    found += _near(u[t] - p, v[t] - q, w[t] - r, box, inverse, limit)
            counts[f, order[f, s]] = found


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def write(y, boxes, reach, number, order, cell, offsets, ex_starts, ex_partners, starts, counts, first, second):
    """first and second (P,) from ``starts`` (F B + 1) of what :func:`count` found, less exclusions; counts (F, B) are what is left."""
    n_beads, limit = y.shape[2], y.dtype.type(reach) ** 2
    blocks = (n_beads + BLOCK - 1) // BLOCK
    for block in numba.prange(len(y) * blocks):
        f, last = block // blocks, -1
        box, inverse = _box(boxes, f, y)
        ranges = np.empty((18, 2), np.int32)
        begin, end = block % blocks * BLOCK, min(n_beads, (block % blocks + 1) * BLOCK)
        most = 0
        for s in range(begin, end):
            most = max(most, counts[f, order[f, s]])
        hits, near = np.empty(most + 1, np.int32), np.empty(BLOCK, np.int8)
        for s in range(begin, end):
            if cell[f, s] != last:
                last = cell[f, s]
                n_ranges = _around(last, number[f], offsets[f], ranges)
            found, p, q, r = 0, y[f, 0, s], y[f, 1, s], y[f, 2, s]
            for k in range(n_ranges):
                start = max(ranges[k, 0], s + 1)
                u, v, w = y[f, 0, start : ranges[k, 1]], y[f, 1, start : ranges[k, 1]], y[f, 2, start : ranges[k, 1]]
                if len(near) < len(u):
                    near = np.empty(len(u), np.int8)
                found = _gather(u, v, w, p, q, r, box, inverse, limit, start, near, hits, found)
            bead = order[f, s]
            row = starts[f * n_beads + bead]
            stop = row + found
            found = _copy(hits[:found], order[f], f * n_beads, ex_partners[ex_starts[bead] : ex_starts[bead + 1]], second[row:stop])
            first[row : row + found] = f * n_beads + bead
            counts[f, bead] = found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(u, v, w, p, q, r, box, inverse, limit, start, near, hits, found):
    """Add the beads from ``start`` on that are near to (p, q, r) to hits[:found]; ``near`` (any) is room to work in."""
    for t in range(len(u)):
        near[t] = _near(u[t] - p, v[t] - q, w[t] - r, box, inverse, limit)
    for t in range(len(u)):
        hits[found] = start + t  # kept where the count goes on: no branch to be guessed
        found += near[t]
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _copy(hits, order, offset, excluded, out):
    """Flattened indices of the beads ``hits``, less ``excluded``; returns how many."""
    if len(excluded) == 0:
        for h in range(len(hits)):
            out[h] = offset + order[hits[h]]
        return len(hits)
    kept = 0
    for h in range(len(hits)):
        allowed = True
        for k in range(len(excluded)):
            allowed &= excluded[k] != order[hits[h]]
        out[kept] = offset + order[hits[h]]
        kept += allowed
    return kept


@numba.njit(inline="always")
def _box(boxes, f, y):
    """Edges of frame f and their inverses, zero in vacuum, in the precision of y."""
    box, inverse = np.zeros(3, y.dtype), np.zeros(3, y.dtype)
    if len(boxes):
        for d in range(3):
            box[d], inverse[d] = boxes[f, d], 1.0 / boxes[f, d]
    return box, inverse


@numba.njit(cache=True, nogil=True, parallel=True)
def close_up(first, second, starts, new_starts, new_first, new_second):
    """Rows of pairs that begin at ``starts`` moved together to ``new_starts``."""
    for i in numba.prange(len(new_starts) - 1):
        for k in range(new_starts[i + 1] - new_starts[i]):
            new_first[new_starts[i] + k], new_second[new_starts[i] + k] = first[starts[i] + k], second[starts[i] + k]


@numba.njit(cache=True, nogil=True)
def exclusion_rows(excluded, n_beads):
    """Partners of each bead from ``excluded`` (any, 2): row starts (B + 1) and partners (twice as many as pairs)."""
    starts, partners = np.zeros(n_beads + 2, np.int64), np.empty(2 * len(excluded), np.int32)
    for k in range(len(excluded)):
        for side in range(2):
            starts[excluded[k, side] + 2] += 1
    for b in range(n_beads):
        starts[b + 2] += starts[b + 1]
    for k in range(len(excluded)):
        for side in range(2):
            bead = excluded[k, side]
            partners[starts[bead + 1]] = excluded[k, 1 - side]
            starts[bead + 1] += 1
    return starts[:-1], partners


@numba.njit(cache=True, nogil=True, error_model="numpy")
def crossed(x, at, slack):
    """Whether two beads of x (F, B, 3) may have come closer by more than ``slack`` since they were ``at``, or one is nowhere."""
    most, next_most = 0.0, 0.0  # squared distances of the two that went furthest
    for f in range(len(x)):
        for b in range(x.shape[1]):
            u, v, w = x[f, b, 0] - at[f, b, 0], x[f, b, 1] - at[f, b, 1], x[f, b, 2] - at[f, b, 2]
            square = u * u + v * v + w * w
            if not square <= next_most:
                if not square < np.inf:
                    return True
                most, next_most = max(most, square), min(most, square)
    return math.sqrt(most) + math.sqrt(next_most) > slack
