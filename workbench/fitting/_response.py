"""Linear response: which change of the energies brings mean sums to what is wanted, from how the sums fluctuate in the frames at hand.

U = sum_a u_a S_a with sums S per frame (counts in bins, or sums of spline functions): <S_a> moves by -sum_g (<S_a S_g> - <S_a> <S_g>)
du_g / kBT. The same equations are those of inverse Monte Carlo and a Newton step of the relative entropy.

Few frames make the eigenvalues of changes that hardly move a sum too small (Rosenberger, Hanke and van der Vegt, Eur. Phys. J. Special
Topics 225, 1323 (2016)). Sums are divided by the root of their mean, where an ideal gas has a matrix of order one, and
``regularization`` K / F for K sums and F frames is added to the diagonal (Tikhonov); more, where a step would be too large.
"""

import numpy as np

STIFFER = 1.25
"""Factor by which the regularisation grows until the step is small enough."""
LEAST = 1e-12
"""Least that is added to the diagonal: sums that never change ask for nothing."""


def solve(sums: np.ndarray, wanted: np.ndarray, regularization: float, largest: float, weights: np.ndarray | None = None) -> np.ndarray:
    """Changes du / kBT (K,) that bring the means of ``sums`` (F, K) to ``wanted`` (K,), none above ``largest``.

    ``weights`` (F,) of the frames sum to one; None: all alike. A sum with less than half of what is wanted counts as half as full:
    its own fluctuation says nothing.
    """
    weights = np.full(len(sums), 1 / len(sums)) if weights is None else weights
    mean, squared = weights @ sums, float(weights @ weights)
    fullness = np.maximum(mean, wanted / 2)
    root = np.sqrt(np.where(fullness > 0, fullness, 1.0))
    scaled = (sums - mean) / root * np.sqrt(weights)[:, None]
    matrix = scaled.T @ scaled / (1 - squared) + np.diag((fullness - mean).clip(0) / root**2)
    eigenvalue, mode = np.linalg.eigh(matrix)
    force = mode.T @ ((mean - wanted) / root)
    added = max(regularization * len(mean) * squared, LEAST)
    while True:
        step = mode @ (force / (eigenvalue.clip(0) + added)) / root
        if np.abs(step).max(initial=0.0) <= largest:
            return step
        added *= STIFFER
