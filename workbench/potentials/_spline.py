"""Cubic B-splines on a uniform grid: u(x) = sum_k c_k b_k((x - x0) / h), with two continuous derivatives.

A grid of n intervals has n + 3 coefficients; interval k sees c_k to c_k+3. Coefficients are linear in the values at the knots, and
energies and forces linear in the coefficients: what structure-based and force-based fits need. Source: de Boor, A Practical
Guide to Splines, revised edition, 2001, chapter IX, for equidistant knots.
"""

import functools

import numpy as np
import torch
from torch import Tensor

TO_POLYNOMIAL = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6
"""Rows: coefficients of t^0 to t^3 within an interval, from the four B-spline coefficients that it sees."""


@functools.cache
def _to_polynomial(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix on its device: copied there once, since a CUDA graph may not."""
    return torch.as_tensor(TO_POLYNOMIAL.T, dtype=dtype, device=device)


def polynomials(coefficients: Tensor) -> Tensor:
    """Coefficients of 1, t, t^2, t^3 in every interval (T, n, 4), 0 <= t < 1, of splines ``coefficients`` (T, n + 3)."""
    seen = coefficients.unfold(1, 4, 1)  # (T, n, 4)
    return seen @ _to_polynomial(coefficients.dtype, coefficients.device)


def evaluate(polynomial: Tensor, table: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """u and du/ds at ``s`` = (x - x0) / h of splines ``table`` (same shape); outside of the grid the outer polynomials go on."""
    k = s.detach().floor().clamp(0, polynomial.shape[1] - 1).long()
    t = s - k
    a0, a1, a2, a3 = polynomial[table, k].unbind(-1)
    return a0 + t * (a1 + t * (a2 + t * a3)), a1 + t * (2 * a2 + 3 * t * a3)


def basis(s: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First coefficient seen at ``s`` (P,) within a grid of ``n`` intervals, and the weights of four of it in u and in du/ds, (P, 4)."""
    k = np.clip(np.floor(s), 0, n - 1).astype(np.int64)
    t = s - k
    powers = np.stack([np.ones_like(t), t, t * t, t * t * t], -1)
    slopes = np.stack([np.zeros_like(t), np.ones_like(t), 2 * t, 3 * t * t], -1)
    return k, powers @ TO_POLYNOMIAL, slopes @ TO_POLYNOMIAL


def interpolate(values: np.ndarray, ends: str) -> np.ndarray:
    """Coefficients (..., n + 3) of the splines through ``values`` (..., n + 1) at the knots.

    ``ends``: 'natural' (no curvature at both), 'clamped' (none at the first, no slope at the last), 'free' (the first two intervals
    have one polynomial, and so the last two: n of at least 4) or 'periodic' (the last value is the first).
    """
    n = values.shape[-1] - 1
    rows = np.zeros((n + 3, n + 3))
    for k in range(n + 1):
        rows[k, k : k + 3] = TO_POLYNOMIAL[0, :3]
    wanted = np.concatenate([values, np.zeros((*values.shape[:-1], 2))], -1)
    if ends == "periodic":
        rows[n + 1, [0, n]] = rows[n + 2, [1, n + 1]] = 1, -1
        rows[n] = 0
        rows[n, [2, n + 2]] = 1, -1
        wanted[..., n] = 0
    elif ends == "free":
        rows[n + 1, :5] = rows[n + 2, n - 2 :] = 1, -4, 6, -4, 1
    else:
        rows[n + 1, :3] = 1, -2, 1
        rows[n + 2, n:] = (-1, 0, 1) if ends == "clamped" else (1, -2, 1)
    return np.linalg.solve(rows, wanted[..., None])[..., 0]


def at_knots(coefficients: np.ndarray) -> np.ndarray:
    """Values (..., n + 1) at the knots of ``coefficients`` (..., n + 3)."""
    return (coefficients[..., :-2] + 4 * coefficients[..., 1:-1] + coefficients[..., 2:]) / 6
