"""Kernel regression: regularised least squares of forces for the coefficients of kernels, the mean of a Gaussian process.

Minimise |F - D c|^2 + lambda s c^T (K + jitter) c, where a column of D has the forces of one kernel, K are the kernels between the
representative points and s is the mean of the diagonal of D^T D: the sparse form of (L K L^T + lambda 1) alpha = F of Scherer, Scheid,
Andrienko and Bereau, J. Chem. Theory Comput. 16, 3194 (2020); Quiñonero-Candela and Rasmussen, J. Mach. Learn. Res. 6, 1939 (2005),
equation 20. Kernels of pairs and triplets are solved for together, or, as in that paper, the pairs first and the triplets on the force that
these leave. Unless it is given, lambda is the decade with the least error on the last block of frames; then all blocks are fitted.
"""

import copy
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import torch

from workbench import device as _device
from workbench import store
from workbench.observables import _base as observed
from workbench.potentials._base import Potential, Sum, evaluate
from workbench.potentials._kernel_expansion import KernelExpansion
from workbench.settings import field, settings
from workbench.types import Fit, ReferenceData

JITTER = 1e-6
"""Added to the diagonal of K relative to it: points that repeat each other leave K singular but for rounding."""
DECADES = 10.0 ** np.arange(-10, 1)


@settings
class Settings:
    """Regularisation and blocks."""

    regularisation: float | None = field(None, "lambda relative to the data; None: the best decade on the last block.", bounds=(0.0, None))
    in_turn: bool = field(False, "The parts of a sum one after another, each on the force that those before leave; else together.")
    n_blocks: int = field(5, "Blocks of frames: the last one is held out to judge by, and a stop costs at most one.", bounds=(2, None))
    n_threads: int = field(1, "CPU threads; one makes a run repeatable bit for bit. 0: as many as torch takes.", bounds=(0, 1024))


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Solve for the coefficients of all kernels within ``potential``; what else is in the sum is subtracted from the forces.

    ``on_step(block, metrics)`` gets ``force_before``, the root mean square of the force per component [kJ/mol/nm] over the frames so far.
    ``checkpoint`` is a folder: a run that finds its own checkpoint there goes on with the block after. The history has
    ``force_error_before`` and ``force_error_after`` by block, ``held_out``, the error of the last block by a fit to the others, and
    ``regularisation``, the lambda that was used.

    Raises ``ValueError`` without forces, without kernels, for fewer than two frames, a cut-off beyond half of the box, and where the
    kernel matrix is singular.
    """
    if data.forces is None:
        raise ValueError("kernel regression needs forces: this trajectory was saved without them.")
    kernels, fixed = parts(potential)
    if not kernels:
        raise ValueError("kernel regression: there is no kernel to solve for: build one by potentials.kernel or potentials.gap.")
    if len(data) < 2:
        raise ValueError(f"kernel regression needs two frames, one of them to judge by, not {len(data)}.")
    identity = store.identity("kernel_regression.fit", potential, data, settings)
    with _device.threads(settings.n_threads):
        run = _Run(kernels, fixed, data, settings, identity, checkpoint)
        run.resume()
        while not run.finished():
            metrics = run.block_step()
            if on_step is not None:
                on_step(run.block, metrics)
        coefficients, history = run.solution()
    parents = (identity, store.identity(data), store.identity(potential))
    return Fit(potential=_with(potential, coefficients), settings=settings, history=history, parents=parents)


def parts(potential: Potential, weight: float = 1.0) -> tuple[list[tuple[float, Potential]], list[tuple[float, Potential]]]:
    """The kernels within ``potential``, and the other parts, with their weights in the sum."""
    if isinstance(potential, Sum):
        found = [parts(part, weight * w) for w, part in zip(potential.weights, potential.parts, strict=True)]
        return [p for kernels, _ in found for p in kernels], [p for _, other in found for p in other]
    return ([(weight, potential)], []) if isinstance(potential, KernelExpansion) else ([], [(weight, potential)])


def solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """x (C,) of ``matrix`` (C, C) x = ``vector``, symmetric. Raises ``ValueError`` where the matrix is not positive beyond rounding."""
    scale = np.sqrt(np.maximum(np.diagonal(matrix), 0))
    if not np.isfinite(matrix).all() or not scale.all():
        raise ValueError("kernel regression: a kernel has no part in any force: take more frames, fewer points or wider kernels.")
    values, vectors = scipy.linalg.eigh(matrix / scale[:, None] / scale)
    if values[0] <= len(matrix) * np.finfo(float).eps * values[-1]:
        raise ValueError("kernel regression: the kernel matrix is singular: raise the regularisation, take fewer points or more frames.")
    return (vectors @ ((vectors.T @ (vector / scale)) / values)) / scale


class _Run:
    """Normal equations of the blocks so far: everything that a checkpoint holds."""

    def __init__(self, kernels: list, fixed: list, data: ReferenceData, settings: Settings, identity: str, checkpoint: Any):
        self.data, self.settings, self.identity = data, settings, identity
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.labels = observed.block_labels(data, settings.n_blocks)
        self.n_blocks = int(self.labels.max()) + 1
        self.kernels, self.fixed = (
            [(weight, copy.deepcopy(part).cpu().double().bind(data.beads)) for weight, part in found] for found in (kernels, fixed)
        )
        self.bounds = np.cumsum([0, *(len(part.points) for _, part in self.kernels)])
        size = self.bounds[-1]
        self.matrix, self.vector = np.zeros((0, size, size)), np.zeros((0, size))
        self.square, self.count = np.zeros(0), np.zeros(0, np.int64)

    @property
    def block(self) -> int:
        return len(self.count)

    def finished(self) -> bool:
        return self.block == self.n_blocks

    def block_step(self) -> dict:
        """Add the normal equations of the next block and save them."""
        size = self.bounds[-1]
        matrix, vector, square, count = np.zeros((size, size)), np.zeros(size), 0.0, 0
        for frame in np.flatnonzero(self.labels == self.block):
            columns, force = self._equations(int(frame))
            matrix += columns.T @ columns
            vector += columns.T @ force
            square, count = square + float(force @ force), count + len(force)
        self.matrix, self.vector = np.concatenate([self.matrix, matrix[None]]), np.concatenate([self.vector, vector[None]])
        self.square, self.count = np.append(self.square, square), np.append(self.count, count)
        if self.path is not None:
            arrays = {name: getattr(self, name) for name in ("matrix", "vector", "square", "count")}
            store.write_checkpoint(self.path, arrays, {"identity": self.identity})
        return {"total": self.n_blocks, "force_before": float(np.sqrt(self.square.sum() / self.count.sum()))}

    def _equations(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Columns (3 B, C) and the force left to learn (3 B,) of a frame."""
        chunk = self.data.take(slice(frame, frame + 1))
        force = np.array(chunk.forces, np.float64)
        positions = torch.tensor(chunk.positions, dtype=torch.float64)
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        for weight, part in self.fixed:
            force -= weight * evaluate(part, positions, box).forces.numpy()
        return np.concatenate([weight * part.columns(positions, box) for weight, part in self.kernels], 1), force.reshape(-1)

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is not None:
            self.matrix, self.vector, self.square, self.count = (found[0][name] for name in ("matrix", "vector", "square", "count"))

    def solution(self) -> tuple[list[np.ndarray], dict]:
        """Coefficients (M,) by kernel, and the history."""
        known, held = slice(0, -1), slice(-1, None)
        strength = self.settings.regularisation
        errors = {}
        for each in DECADES if strength is None else [strength]:
            try:
                errors[float(each)] = self._error(self._fitted(known, each), held)
            except ValueError:
                if each == DECADES[-1] or strength is not None:
                    raise
        strength = min(errors, key=errors.get)
        best = self._fitted(slice(None), strength)
        blocks = [slice(b, b + 1) for b in range(self.n_blocks)]
        history = {
            "force_error_before": np.sqrt(self.square / self.count),
            "force_error_after": np.array([self._error(best, block) for block in blocks]),
            "held_out": np.array([errors[strength]]),
            "regularisation": np.array([strength]),
        }
        return np.split(best, self.bounds[1:-1]), history

    def _fitted(self, blocks: slice, strength: float) -> np.ndarray:
        """Coefficients (C,) of all kernels from the normal equations of ``blocks``."""
        matrix, vector = self.matrix[blocks].sum(0), self.vector[blocks].sum(0)
        penalty = np.zeros_like(matrix)
        for (_, part), a, b in zip(self.kernels, self.bounds[:-1], self.bounds[1:], strict=True):
            gram = part.gram()
            level = np.diagonal(matrix)[a:b].mean() / np.diagonal(gram).mean()
            penalty[a:b, a:b] = level * (gram + JITTER * np.diagonal(gram).mean() * np.eye(b - a))
        if not self.settings.in_turn:
            return solve(matrix + strength * penalty, vector)
        found = np.zeros(len(vector))
        for a, b in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            found[a:b] = solve((matrix + strength * penalty)[a:b, a:b], vector[a:b] - matrix[a:b] @ found)
        return found

    def _error(self, found: np.ndarray, blocks: slice) -> float:
        """Root mean square of the force that is left over ``blocks``, per component."""
        matrix, vector = self.matrix[blocks].sum(0), self.vector[blocks].sum(0)
        left = self.square[blocks].sum() - 2 * vector @ found + found @ matrix @ found
        return float(np.sqrt(max(left, 0.0) / self.count[blocks].sum()))


def _with(potential: Potential, coefficients: list[np.ndarray]) -> Potential:
    """A copy of ``potential`` with these coefficients (M,) in its kernels."""
    made = copy.deepcopy(potential)
    with torch.no_grad():
        for (_, part), found in zip(parts(made)[0], coefficients, strict=True):
            part.coefficients.copy_(torch.from_numpy(found.copy()))
    return made.requires_grad_(False)
