"""Compiled kernel of the feature regression: normal equations of splines of one coordinate each, four coefficients seen at a time."""

import numba


@numba.njit(cache=True, nogil=True)
def add(matrix, vector, first, slopes, gradient, force):
    """Add D^T D to the lower triangle of ``matrix`` (C, C) and D^T F to ``vector`` (C,).

    Spline t of frame f has the coefficients ``first[f, t]`` and the next three; with them its force is -sum_a c_a slopes[f, t, a]
    gradient[f, t], for the components X of ``gradient`` (F, T, X) and ``force`` (F, X).
    """
    n_frames, n_terms, n_components = gradient.shape
    for f in range(n_frames):
        for t in range(n_terms):
            along = 0.0
            for x in range(n_components):
                along -= gradient[f, t, x] * force[f, x]
            row = first[f, t]
            for a in range(4):
                vector[row + a] += slopes[f, t, a] * along
            for u in range(t + 1):
                product = 0.0
                for x in range(n_components):
                    product += gradient[f, t, x] * gradient[f, u, x]
                column = first[f, u]
                for a in range(4):
                    for b in range(4):
                        matrix[row + a, column + b] += slopes[f, t, a] * slopes[f, u, b] * product
