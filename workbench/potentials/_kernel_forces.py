"""Three covariant kernels of forces between pairs or triplets, to be compared: explicit rotations, integration over SO(3), Hessian.

Bead forces are F = L K L^T alpha: L adds the forces on the beads of interactions to those of a bead, K_pq (3, 3) is the covariance of the
force on one bead of interaction p with that on one bead of interaction q. For positions x of the n beads of an interaction, relative
to its first bead (a pair is a bead and its neighbour, a triplet is sorted by the distances from its centre), and its lengths q:

    explicit rotations  K = delta_ab R_p R_q^T exp(-1/2 |(q_p - q_q) / s|^2),  R the axes of the interaction
    SO(3)               K = delta_ab int dR R exp(-1/2 |x_p - R x_q|^2 / s^2)
    Hessian             K = sum_c (1/s_c^2 - d_c^2/s_c^4) exp(-1/2 |d / s|^2) (dq_c/dx_a) (dq_c/dx_b)^T,  d = q_p - q_q

a and b are the places of the beads. Sources: Scherer, Scheid, Andrienko and Bereau, J. Chem. Theory Comput. 16, 3194 (2020), and for the
second, closed for pairs, Glielmo, Sollich and De Vita, Phys. Rev. B 95, 214302 (2017), equation 20. For triplets, flat, the integral is
that of the matrix Fisher distribution: int dR R exp(tr(R^T M)) = U diag(dc/ds) V^T for M = U diag(s) V^T, where
c(s) = 1/2 int_-1^1 du I0((s1 - s2)(1 - u)/2) I0((s1 + s2)(1 + u)/2) exp(s3 u) (Lee, IEEE Trans. Autom. Control 63, 3377 (2018)); it is
tabulated over s1 and s2 at s3 = 0.
"""

import numba
import numpy as np
import scipy.special

KINDS = ("explicit rotations", "SO(3)", "Hessian")
FAST = {"contract", "arcp", "nsz", "reassoc"}


def fisher_table(largest: float, n: int) -> np.ndarray:
    """exp(-s1 - s2) dc/ds_1, 2, 3 at s3 = 0 on a grid, (n, n, 3), of s1 and |s2| from 0 to ``largest`` in steps growing with the square."""
    s = largest * (np.arange(n) / (n - 1)) ** 2
    node, weight = np.polynomial.legendre.leggauss(60)
    v = 0.5 * (node + 1)  # u = 1 - 2 v^2 puts more points where the integrand is
    u, weight = 1 - 2 * v * v, weight * v
    a, b = 0.5 * (s[:, None, None] - s[None, :, None]) * (1 - u), 0.5 * (s[:, None, None] + s[None, :, None]) * (1 + u)
    scale = np.exp(np.abs(a) + b - s[:, None, None] - s[None, :, None]) * weight
    i0a, i1a, i0b, i1b = scipy.special.i0e(a), scipy.special.i1e(a), scipy.special.i0e(b), scipy.special.i1e(b)
    by_a, by_b = 0.5 * (1 - u) * i1a * i0b, 0.5 * (1 + u) * i0a * i1b
    return np.stack([(scale * each).sum(-1) for each in (by_a + by_b, by_b - by_a, u * i0a * i0b)], -1)


@numba.njit(inline="always")
def _radial(kind, r, s, width):
    """Covariance of the forces along two pairs of lengths ``r`` and ``s``."""
    apart = (r - s) / width
    if kind == 1:
        g = max(r * s / width**2, 1e-6)
        return np.exp(-0.5 * apart**2) * (g * (1 + np.exp(-2 * g)) - (1 - np.exp(-2 * g))) / (2 * g * g)
    plain = np.exp(-0.5 * apart**2)
    return plain if kind == 0 else plain * (1 - apart**2) / width**2


@numba.njit(parallel=True, cache=True, fastmath=FAST)
def pair_matrix(kind, r, n, starts, other_r, other_n, other_starts, width):
    """Covariances (3 A, 3 B) of the forces on A beads with those on B others, from the lengths and directions of their pairs.

    Pairs of bead a are rows ``starts[a]`` to ``starts[a + 1]`` of lengths ``r`` (P,) and directions ``n`` (P, 3) to the neighbour. ``kind``
    is the place in ``KINDS``.
    """
    made = np.zeros((3 * (len(starts) - 1), 3 * (len(other_starts) - 1)))
    for a in numba.prange(len(starts) - 1):
        for b in range(len(other_starts) - 1):
            for p in range(starts[a], starts[a + 1]):
                for q in range(other_starts[b], other_starts[b + 1]):
                    k = _radial(kind, r[p], other_r[q], width)
                    for d in range(3):
                        for e in range(3):
                            made[3 * a + d, 3 * b + e] += k * n[p, d] * other_n[q, e]
    return made


def triplet_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What the kernels need of sorted triplets with legs ``a`` and ``b`` (T, 3): lengths, frames and gradients, (T, 3 + 9 + 27 + 4).

    Columns: q; the three axes of the frame; dq_c/dx of the three beads, by c, bead and direction; both legs in the plane.
    """
    c = b - a
    q = np.stack([np.linalg.norm(side, axis=1) for side in (a, b, c)], 1)
    unit = [side / q[:, k : k + 1] for k, side in enumerate((a, b, c))]
    normal = np.cross(a, b)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    frame = np.stack([unit[0], np.cross(normal, unit[0]), normal], 1)
    gradient = np.zeros((len(a), 3, 3, 3))
    for k, (first, second) in enumerate(((0, 1), (0, 2), (1, 2))):
        gradient[:, k, first], gradient[:, k, second] = -unit[k], unit[k]
    flat = np.stack([q[:, 0], 0 * q[:, 0], (b * frame[:, 0]).sum(1), (b * frame[:, 1]).sum(1)], 1)
    return np.concatenate([q, frame.reshape(-1, 9), gradient.reshape(-1, 27), flat], 1)


@numba.njit(inline="always")
def _fisher(row, other, width, table, largest, turn):
    """Into ``turn`` (3, 3): the integral over rotations of R exp(-|x_p - R x_q|^2 / 2 s^2), in the frames of both triplets."""
    over = 1 / width**2
    m00 = (row[39] * other[39] + row[41] * other[41]) * over
    m01 = (row[39] * other[40] + row[41] * other[42]) * over
    m10 = (row[40] * other[39] + row[42] * other[41]) * over
    m11 = (row[40] * other[40] + row[42] * other[42]) * over
    e, f, g, h = 0.5 * (m00 + m11), 0.5 * (m00 - m11), 0.5 * (m10 + m01), 0.5 * (m10 - m01)
    along, across = np.hypot(e, h), np.hypot(f, g)
    mean, half = np.arctan2(h, e), np.arctan2(g, f)
    u, v = 0.5 * (half + mean), 0.5 * (half - mean)
    s1, s2 = along + across, along - across  # s2 has the sign of the determinant
    n = len(table)
    x, y = np.sqrt(min(s1 / largest, 1.0)) * (n - 1), np.sqrt(min(abs(s2) / largest, 1.0)) * (n - 1)
    i, j = min(int(x), n - 2), min(int(y), n - 2)
    x, y = x - i, y - j
    sign = 1.0 if s2 >= 0 else -1.0
    total = 0.0
    for k in (39, 40, 41, 42):
        total += row[k] ** 2 + other[k] ** 2
    scale = np.exp(s1 + abs(s2) - 0.5 * total * over)
    d = np.empty(3)
    for k in range(3):
        low = table[i, j, k] * (1 - y) + table[i, j + 1, k] * y
        high = table[i + 1, j, k] * (1 - y) + table[i + 1, j + 1, k] * y
        d[k] = scale * (low * (1 - x) + high * x)
    d[1], d[2] = sign * d[1], sign * d[2]
    cu, su, cv, sv = np.cos(u), np.sin(u), np.cos(v), np.sin(v)
    turn[0, 0], turn[0, 1] = cu * d[0] * cv + su * d[1] * sv, cu * d[0] * sv - su * d[1] * cv
    turn[1, 0], turn[1, 1] = su * d[0] * cv - cu * d[1] * sv, su * d[0] * sv + cu * d[1] * cv
    turn[2, 2] = d[2]


@numba.njit(inline="always")
def _block(kind, row, place, other, at, widths, table, largest, turn, made):
    """Add to ``made`` (3, 3) the covariance of the force on bead ``place`` of one triplet with that on bead ``at`` of another."""
    if kind < 2 and place != at:
        return
    square, apart = 0.0, np.empty(3)
    for c in range(3):
        apart[c] = (row[c] - other[c]) / widths[c]
        square += apart[c] ** 2
    if kind == 2:
        k = np.exp(-0.5 * square)
        for c in range(3):
            weight = k * (1 - apart[c] ** 2) / widths[c] ** 2
            for d in range(3):
                for e in range(3):
                    made[d, e] += weight * row[12 + 9 * c + 3 * place + d] * other[12 + 9 * c + 3 * at + e]
        return
    turn[:] = 0.0
    if kind == 0:
        turn[0, 0] = turn[1, 1] = turn[2, 2] = np.exp(-0.5 * square)
    else:
        _fisher(row, other, widths[0], table, largest, turn)
    for d in range(3):
        for e in range(3):
            for k in range(3):
                for m in range(3):
                    made[d, e] += row[3 + 3 * k + d] * turn[k, m] * other[3 + 3 * m + e]


@numba.njit(parallel=True, cache=True)
def triplet_matrix(kind, rows, place, starts, other_rows, at, other_starts, widths, table, largest):
    """Covariances (3 A, 3 B) of the forces on A beads with those on B others, from the triplets that each is in.

    Triplets of bead a are ``rows[starts[a]:starts[a + 1]]`` from :func:`triplet_rows`, and it has ``place`` 0, 1 or 2 in them. ``widths``
    (3,) [nm]; the first alone counts for SO(3), with ``table`` of :func:`fisher_table` up to ``largest``. ``kind`` as in ``KINDS``.
    """
    made = np.zeros((3 * (len(starts) - 1), 3 * (len(other_starts) - 1)))
    for a in numba.prange(len(starts) - 1):
        turn, block = np.zeros((3, 3)), np.zeros((3, 3))
        for b in range(len(other_starts) - 1):
            block[:] = 0.0
            for p in range(starts[a], starts[a + 1]):
                for q in range(other_starts[b], other_starts[b + 1]):
                    _block(kind, rows[p], place[p], other_rows[q], at[q], widths, table, largest, turn, block)
            made[3 * a : 3 * a + 3, 3 * b : 3 * b + 3] = block
    return made
