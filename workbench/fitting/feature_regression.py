"""Feature regression: regularised least squares of the forces of splines of features, min |F + sum_t u_t'(q_t) dq_t/dx|^2 + s_t |u_t''|^2.

Sources: Noid et al., J. Chem. Phys. 128, 244115 (2008), for the normal equations; Wang et al., ACS Cent. Sci. 5, 755 (2019), section
'Feature regression'. The forces are linear in the coefficients through the descriptor's derivatives. The strength s_t of smoothness
is that of largest evidence (see ``_evidence``), one given, or hardly any; what the data do not determine goes on straight. Errors are the
jackknife's over blocks of frames: the fit is repeated without each.
"""

import copy
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import torch

from workbench import device as _device
from workbench import store
from workbench.fitting import _evidence
from workbench.fitting import _feature_kernels as kernels
from workbench.observables import _base as observed
from workbench.potentials import _spline
from workbench.potentials._base import Potential, Sum, evaluate
from workbench.potentials.feature_splines import FeatureSplines
from workbench.settings import field, settings
from workbench.types import Fit, ReferenceData

CHUNK = 4096


@settings
class Settings:
    """Blocks and regularisation."""

    n_blocks: int = field(20, "Blocks of frames: for the errors, and to go on from after a stop.", bounds=(2, None))
    regularisation: str = field(
        "bayesian", "Weight of smoothness: by its evidence, as given, or as good as none.", choices=("bayesian", "ridge", "none")
    )
    strength: float = field(1e-6, "Weight of smoothness relative to the data, for ridge.", bounds=(0.0, None))
    n_threads: int = field(1, "CPU threads; one makes a run repeatable bit for bit. 0: as many as torch takes.", bounds=(0, 1024))


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Solve for the splines of features within ``potential``; what else is in the sum is subtracted from the forces.

    ``on_step(block, metrics)`` gets ``force_error_before`` and ``force_error_after`` [kJ/mol/nm], root mean squares per component over
    the frames so far. ``checkpoint`` is a folder: a run that finds its own checkpoint there goes on with the block after.

    The history has ``values`` of the splines at their knots less their mean (T, n + 1) and their standard ``error`` [kJ/mol], the
    force errors of each block, the ``strength`` (T,) of smoothness relative to the data and the ``condition`` number.

    Raises ``ValueError`` without forces, without splines of features (or twice), for fewer than two
    frames, and where the features are of another molecule.
    """
    if data.forces is None:
        raise ValueError("feature regression needs forces: this trajectory was saved without them.")
    splines, weight, fixed = _parts(potential)
    splines.bind(data.beads)
    identity = store.identity("feature_regression.fit", potential, data, settings)
    parents = (identity, store.identity(data), store.identity(potential))
    with _device.threads(settings.n_threads):
        run = _Run(splines, weight, fixed, data, settings, identity, checkpoint)
        run.resume()
        while run.block < run.n_blocks:
            metrics = run.block_step()
            if on_step is not None:
                on_step(run.block, metrics)
        coefficients, history = run.solution()
    solved = splines.with_coefficients(coefficients).requires_grad_(False)
    return Fit(potential=_replaced(potential, splines, solved), settings=settings, history=history, parents=parents)


class _Run:
    """Normal equations of the blocks so far: everything that a checkpoint holds."""

    def __init__(
        self, splines: FeatureSplines, weight: float, fixed: list, data: ReferenceData, settings: Settings, identity: str, checkpoint: Any
    ):
        self.splines, self.weight, self.data, self.settings, self.identity = splines, weight, data, settings, identity
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.labels = observed.block_labels(data, settings.n_blocks)
        self.n_blocks = int(self.labels.max()) + 1
        n = splines.n_intervals
        empty = splines.with_coefficients(np.zeros((splines.n_terms, n + 3)))
        self.fixed = [*fixed, (weight, empty)]  # what is beyond the grids has no coefficient
        circle = np.eye(n)[np.arange(n + 3) % n]
        folds = [np.eye(n + 3)] * len(splines.free) + [circle] * splines.n_periodic
        self.fold = scipy.sparse.block_diag(folds, format="csr")
        self.groups = _evidence.groups([(fold, True) for fold in folds])
        size = self.fold.shape[1]
        self.matrix, self.vector = np.zeros((0, size, size)), np.zeros((0, size))
        self.square, self.count = np.zeros(0), np.zeros(0, np.int64)

    @property
    def block(self) -> int:
        return len(self.count)

    def block_step(self) -> dict:
        """Add the normal equations of the next block and save them."""
        size = self.fold.shape[0]
        matrix, vector, square, count = np.zeros((size, size)), np.zeros(size), 0.0, 0
        frames = np.flatnonzero(self.labels == self.block)
        for start in range(0, len(frames), CHUNK):
            chunk = self.data.take(frames[start : start + CHUNK])
            force = self._add(matrix, vector, chunk)
            square, count = square + float(np.sum(force**2)), count + force.size
        matrix = np.tril(matrix) + np.tril(matrix, -1).T
        self.matrix = np.concatenate([self.matrix, (self.fold.T @ (self.fold.T @ matrix).T)[None]])
        self.vector = np.concatenate([self.vector, (self.fold.T @ vector)[None]])
        self.square, self.count = np.append(self.square, square), np.append(self.count, count)
        if self.path is not None:
            arrays = {name: getattr(self, name) for name in ("matrix", "vector", "square", "count")}
            store.write_checkpoint(self.path, arrays, {"identity": self.identity})
        matrix = self.matrix.sum(0)
        free = self._solve(matrix, self.vector.sum(0), _evidence.FLOOR * _evidence.scales(matrix, self.groups))
        before, after = self._error(free, slice(None))
        return {"total": self.n_blocks, "force_error_before": before, "force_error_after": after}

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is not None:
            self.matrix, self.vector, self.square, self.count = (found[0][name] for name in ("matrix", "vector", "square", "count"))

    def solution(self) -> tuple[np.ndarray, dict]:
        """Coefficients (T, n + 3), and the history."""
        matrix, vector, n = self.matrix.sum(0), self.vector.sum(0), self.n_blocks
        strengths = self._strengths(matrix, vector)
        best = self._solve(matrix, vector, strengths)
        before, after = np.array([self._error(best, slice(b, b + 1)) for b in range(n)]).T
        left = np.array(
            [self._solve(matrix - m, vector - v, strengths * (1 - 1 / n)) for m, v in zip(self.matrix, self.vector, strict=True)]
        )
        without = np.array([self._values(free) for free in left])
        history = {
            "values": self._values(best),
            "error": np.sqrt((n - 1) / n * np.sum((without - without.mean(0)) ** 2, 0)),
            "force_error_before": before,
            "force_error_after": after,
            "strength": strengths / _evidence.scales(matrix, self.groups),
            "condition": np.array([_evidence.condition(_evidence.regularised(matrix, self.groups, strengths))]),
        }
        return self._full(best), history

    def _add(self, matrix: np.ndarray, vector: np.ndarray, chunk: ReferenceData) -> np.ndarray:
        """Add frames to the normal equations of plain B-splines; their forces less those of the fixed parts, (f, 3 B)."""
        positions = torch.tensor(chunk.positions, dtype=torch.float64)
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        force = np.array(chunk.forces, np.float64)
        for weight, part in self.fixed:
            force -= weight * evaluate(part, positions, box).forces.double().numpy()
        q = self.splines.descriptor.values(positions, box)
        gradient = self.splines.unit_slope(q, self.splines.descriptor.jacobian(positions, box).flatten(2)).numpy()
        n = self.splines.n_intervals
        at = self.splines.unit(q).clamp(0, 1).numpy() * n  # (f, T)
        first, _, slopes = _spline.basis(at.ravel(), n)
        first = first.reshape(at.shape) + (n + 3) * np.arange(at.shape[1])
        force = force.reshape(len(force), -1)
        kernels.add(matrix, vector, first, self.weight * n * slopes.reshape(*at.shape, 4), gradient, force)
        return force

    def _strengths(self, matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
        s = self.settings
        if s.regularisation == "bayesian":
            return _evidence.strengths(matrix, vector, float(self.square.sum()), int(self.count.sum()), self.groups)
        relative = max(s.strength, _evidence.FLOOR) if s.regularisation == "ridge" else _evidence.FLOOR
        return relative * _evidence.scales(matrix, self.groups)

    def _solve(self, matrix: np.ndarray, vector: np.ndarray, strengths: np.ndarray) -> np.ndarray:
        return _evidence.solve(_evidence.regularised(matrix, self.groups, strengths), vector)

    def _error(self, free: np.ndarray, blocks: slice) -> tuple[float, float]:
        """Root mean square of the force before and after the fit, over ``blocks``."""
        square, count = self.square[blocks].sum(), self.count[blocks].sum()
        left = _evidence.residue(self.matrix[blocks].sum(0), self.vector[blocks].sum(0), square, free)
        return float(np.sqrt(square / count)), float(np.sqrt(left / count))

    def _full(self, free: np.ndarray) -> np.ndarray:
        return (self.fold @ free).reshape(self.splines.n_terms, -1)

    def _values(self, free: np.ndarray) -> np.ndarray:
        values = _spline.at_knots(self._full(free))
        return values - values.mean(1, keepdims=True)


def _parts(potential: Potential) -> tuple[FeatureSplines, float, list[tuple[float, Potential]]]:
    """The splines of features in ``potential``, their weight, and the other parts with theirs."""
    found = [(w, p) for w, p in _flat(potential) if isinstance(p, FeatureSplines)]
    if len(found) != 1:
        raise ValueError(
            f"feature regression: the sum has {len(found)} potentials.feature_splines; give it one, since forces cannot tell two apart."
        )
    others = [(w, copy.deepcopy(p).cpu()) for w, p in _flat(potential) if not isinstance(p, FeatureSplines)]
    return found[0][1], found[0][0], others


def _flat(potential: Potential, weight: float = 1.0) -> list[tuple[float, Potential]]:
    if not isinstance(potential, Sum):
        return [(weight, potential)]
    return [pair for w, part in zip(potential.weights, potential.parts, strict=True) for pair in _flat(part, weight * w)]


def _replaced(potential: Potential, old: Potential, new: Potential) -> Potential:
    """``potential`` with its part ``old`` replaced; other parts are copied."""
    if potential is old:
        return new
    if isinstance(potential, Sum):
        return Sum([_replaced(part, old, new) for part in potential.parts], potential.weights)
    return copy.deepcopy(potential)
