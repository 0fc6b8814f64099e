"""Regularised least squares: minimise |F - D c|^2 + sum_t s_t c_t^T R_t c_t, the strength s_t of every table t found by its evidence.

R_t is the squared second difference of the B-spline coefficients, so that what the data do not determine goes on smoothly. The
strengths s = alpha / beta are re-estimated until they stay: alpha_t = g_t / (c_t^T R_t c_t), beta = (N - sum g) / |F - D c|^2, where
g_t = rank R_t - s_t tr (H^-1 R_t) coefficients of table t are determined by the data and H = D^T D + sum_t s_t R_t.
Sources: MacKay, Neural Comput. 4, 415 (1992), section 4, with a strength for each group of parameters; for force matching Liu, Shi,
Daumé and Voth, J. Chem. Phys. 129, 214114 (2008).
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

FLOOR = 1e-10
"""Least strength, relative to the data: where there are none it still tells what to do."""
LARGEST = 1e6
SMALLEST_RESIDUE = 1e-14
"""Share of F^T F below which the residue is rounding."""
MOST_ROUNDS = 200
REFINEMENTS = 2


class Group(NamedTuple):
    """The free coefficients of one table."""

    where: slice
    penalty: np.ndarray
    """R, (free, free)."""
    rank: int
    floating: bool
    """Whether a constant is of no consequence: it is then kept at zero on average, which changes nothing else."""


def groups(folds: list[tuple[np.ndarray, bool]]) -> list[Group]:
    """One for each table, from its coefficients (n + 3, free) by free ones and whether they may be shifted together."""
    found, first = [], 0
    for fold, floating in folds:
        bend = np.diff(fold, 2, axis=0)
        found.append(Group(slice(first, first + fold.shape[1]), bend.T @ bend, int(np.linalg.matrix_rank(bend)), floating))
        first += fold.shape[1]
    return found


def scales(matrix: np.ndarray, tables: list[Group]) -> np.ndarray:
    """Strength of each table that would weigh as much as the data, (t,)."""
    found = []
    for each in tables:
        data = np.diagonal(matrix)[each.where].mean()
        found.append(data / np.diagonal(each.penalty).mean() if data > 0 else 1.0)
    return np.array(found)


def regularised(matrix: np.ndarray, tables: list[Group], strengths: np.ndarray) -> np.ndarray:
    """H (C, C)."""
    made = matrix.copy()
    for each, strength in zip(tables, strengths, strict=True):
        made[each.where, each.where] += strength * each.penalty
        if each.floating:
            made[each.where, each.where] += np.diagonal(matrix)[each.where].mean() / len(each.penalty)
    return made


def solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solution (C, any) of ``matrix`` (C, C), symmetric, for ``vector`` (C, any); a direction that nothing determines stays at zero.

    The diagonal is scaled to one, and the residue solved for again, which takes away most of the rounding.
    """
    scale = 1 / np.sqrt(np.maximum(np.diagonal(matrix), np.finfo(float).tiny))
    scaled = scale[:, None] * matrix * scale
    vector = (vector.T * scale).T
    try:
        factor = scipy.linalg.cho_factor(scaled)
    except np.linalg.LinAlgError:
        return ((scipy.linalg.pinvh(scaled) @ vector).T * scale).T
    found = scipy.linalg.cho_solve(factor, vector)
    for _ in range(REFINEMENTS):
        found += scipy.linalg.cho_solve(factor, vector - scaled @ found)
    return (found.T * scale).T


def condition(matrix: np.ndarray) -> float:
    """Condition number of ``matrix`` (C, C), its diagonal scaled to one."""
    scale = 1 / np.sqrt(np.maximum(np.diagonal(matrix), np.finfo(float).tiny))
    return float(np.linalg.cond(scale[:, None] * matrix * scale))


def residue(matrix: np.ndarray, vector: np.ndarray, square: float, c: np.ndarray) -> float:
    """|F - D c|^2."""
    return max(square - 2 * c @ vector + c @ matrix @ c, 0.0)


def strengths(matrix: np.ndarray, vector: np.ndarray, square: float, count: int, tables: list[Group]) -> np.ndarray:
    """Strength of each table by the evidence, (t,)."""
    unit = scales(matrix, tables)
    found = 1e-6 * unit
    for _ in range(MOST_ROUNDS):
        full = regularised(matrix, tables, found)
        h, c = solve(full, np.eye(len(full))), solve(full, vector)
        determined = np.array([g.rank - s * np.sum(h[g.where, g.where] * g.penalty) for g, s in zip(tables, found, strict=True)])
        bends = np.array([c[g.where] @ g.penalty @ c[g.where] for g in tables])
        noise = max(residue(matrix, vector, square, c), SMALLEST_RESIDUE * square) / max(count - determined.sum(), 1.0)
        told = (bends > 0) & (determined > 0)
        new = np.where(told, noise * np.maximum(determined, 1e-300) / np.where(told, bends, 1.0), found)
        new = np.clip(new, FLOOR * unit, LARGEST * unit)
        change = np.abs(np.log(new / found)).max()
        found = new
        if change < 1e-3:
            break
    return found
