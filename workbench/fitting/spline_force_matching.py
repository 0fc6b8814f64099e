"""Spline force matching: least squares for the coefficients of tables, the minimum of the mean of |F - sum_k c_k F_k|^2.

Sources: Izvekov and Voth, J. Chem. Phys. 123, 134105 (2005); Noid et al., J. Chem. Phys. 128, 244115 (2008) for the normal equations;
Rühle et al., J. Chem. Theory Comput. 5, 3211 (2009), section 2.4, for blocks of frames; three-body splines as in Scherer and
Andrienko, Phys. Chem. Chem. Phys. 20, 22387 (2018). Value and slope vanish at the cut-off because the splines are made so.
The normal equations are summed frame by frame. Errors are the jackknife's over blocks of frames: the fit is repeated without each.
"""

import copy
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from workbench import device as _device
from workbench import store
from workbench.fitting import _continued, _design, _evidence
from workbench.observables import _base as observed
from workbench.potentials import _spline
from workbench.potentials._base import Potential, evaluate
from workbench.potentials._bonded_tables import KINDS, BondedTables
from workbench.settings import field, settings
from workbench.types import Fit, ReferenceData


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
    """Solve for all tables and three-body splines within ``potential``; what else is in the sum is subtracted from the forces.

    ``on_step(block, metrics)`` gets ``force_error_before`` and ``force_error_after`` [kJ/mol/nm], root mean squares per component over
    the frames so far. ``checkpoint`` is a folder: a run that finds its own checkpoint there goes on with the block after.

    The history has, by kind (pair, bond, angle, dihedral, triple) and on the knots, ``<kind>_values`` of each block by itself
    (blocks, T, n + 1) and ``<kind>_error``, the standard error of the result (T, n + 1) [kJ/mol]; bonded ones are taken relative to
    their mean over the data. ``<kind>_count`` (T, n) are visits to the intervals, ``strength`` (tables,) the weights of smoothness
    relative to the data, ``condition`` the condition number, and force errors are by block.

    Raises ``ValueError`` without forces, without tables, for fewer than two frames, or a cut-off beyond half of the box.
    """
    if data.forces is None:
        raise ValueError("spline force matching needs forces: this trajectory was saved without them.")
    linear, fixed = _design.parts(potential)
    found = _design.tables(linear)
    if not found:
        raise ValueError("spline force matching: there is no table to solve for: build one by potentials.tabulated or three_body_spline.")
    identity = store.identity("spline_force_matching.fit", potential, data, settings)
    parents = (identity, store.identity(data), store.identity(potential))
    with _device.threads(settings.n_threads):
        run = _Run(found, fixed, data, settings, identity, checkpoint)
        run.resume()
        while not run.finished():
            metrics = run.block_step()
            if on_step is not None:
                on_step(run.block, metrics)
        coefficients, history = run.solution()
        return Fit(potential=_with(potential, coefficients), settings=settings, history=history, parents=parents)


class _Run:
    """Normal equations of the blocks so far: everything that a checkpoint holds."""

    def __init__(self, found: list, fixed: list, data: ReferenceData, settings: Settings, identity: str, checkpoint: Any):
        self.data, self.settings, self.identity = data, settings, identity
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.labels = observed.block_labels(data, settings.n_blocks)
        self.n_blocks = int(self.labels.max()) + 1
        self.design = _design.Design(found, data.beads)
        self.fixed = [(weight, copy.deepcopy(part).cpu().bind(data.beads)) for weight, part in fixed]
        empty = {id(each.part): (each.weight, BondedTables(**each.part.recipe())) for each in found if isinstance(each.part, BondedTables)}
        self.fixed += [(weight, part.bind(data.beads)) for weight, part in empty.values()]  # what is beyond their grids has no coefficient
        self.groups = _evidence.groups([(each.fold, each.kind in KINDS) for each in found for _ in each.members])
        size = self.design.fold.shape[1]
        self.matrix, self.vector = np.zeros((0, size, size)), np.zeros((0, size))
        self.square, self.count = np.zeros(0), np.zeros(0, np.int64)
        self.seen = self.design.seen()

    @property
    def block(self) -> int:
        return len(self.count)

    def finished(self) -> bool:
        return self.block == self.n_blocks

    def block_step(self) -> dict:
        """Add the normal equations of the next block and save them."""
        columns = self.design.n_columns
        matrix, vector, square, count = np.zeros((columns, columns)), np.zeros(columns), 0.0, 0
        frames = np.flatnonzero(self.labels == self.block)
        for start in range(0, len(frames), self.design.at_once):
            chunk = self.data.take(frames[start : start + self.design.at_once])
            positions = torch.tensor(chunk.positions, dtype=torch.float64)
            box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
            force = np.array(chunk.forces, np.float64)
            for weight, part in self.fixed:
                force -= weight * evaluate(part, positions, box).forces.double().numpy()
            self.design.add(matrix, vector, self.design.rows(positions, box, self.seen), force)
            square, count = square + float(np.sum(force**2)), count + force.size
        matrix, vector = self.design.folded(matrix, vector)
        self.matrix, self.vector = np.concatenate([self.matrix, matrix[None]]), np.concatenate([self.vector, vector[None]])
        self.square, self.count = np.append(self.square, square), np.append(self.count, count)
        if self.path is not None:
            arrays = {name: getattr(self, name) for name in ("matrix", "vector", "square", "count")}
            arrays |= {f"seen.{k}": seen for k, seen in enumerate(self.seen)}
            store.write_checkpoint(self.path, arrays, {"identity": self.identity})
        before, after = self._error(self._solve(self.matrix.sum(0), self.vector.sum(0), None), slice(None))
        return {"total": self.n_blocks, "force_error_before": before, "force_error_after": after}

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is not None:
            arrays, _ = found
            self.matrix, self.vector, self.square, self.count = (arrays[name] for name in ("matrix", "vector", "square", "count"))
            self.seen = [arrays[f"seen.{k}"] for k in range(len(self.seen))]

    def solution(self) -> tuple[list[np.ndarray], dict]:
        """Coefficients (T, n + 3) by kind, and the history."""
        matrix, vector, n = self.matrix.sum(0), self.vector.sum(0), self.n_blocks
        strengths = self._strengths(matrix, vector)
        best = self._solve(matrix, vector, strengths)
        history = {
            "strength": strengths / _evidence.scales(matrix, self.groups),
            "condition": np.array([_evidence.condition(_evidence.regularised(matrix, self.groups, strengths))]),
        }
        errors = np.array([self._error(best, slice(b, b + 1)) for b in range(n)])
        history["force_error_before"], history["force_error_after"] = errors.T
        alone = [self._values(self._solve(self.matrix[b], self.vector[b], strengths / n)) for b in range(n)]
        without = [self._values(self._solve(matrix - self.matrix[b], vector - self.vector[b], strengths * (1 - 1 / n))) for b in range(n)]
        for k, each in enumerate(self.design.tables):
            left = np.array([values[k] for values in without])
            history[f"{each.kind}_values"] = np.array([values[k] for values in alone])
            history[f"{each.kind}_error"] = np.sqrt((n - 1) / n * np.sum((left - left.mean(0)) ** 2, 0))
            history[f"{each.kind}_count"] = self.seen[k]
        return self._finished(best), history

    def _strengths(self, matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
        s = self.settings
        if s.regularisation == "bayesian":
            return _evidence.strengths(matrix, vector, float(self.square.sum()), int(self.count.sum()), self.groups)
        relative = max(s.strength, _evidence.FLOOR) if s.regularisation == "ridge" else _evidence.FLOOR
        return relative * _evidence.scales(matrix, self.groups)

    def _solve(self, matrix: np.ndarray, vector: np.ndarray, strengths: np.ndarray | None) -> np.ndarray:
        """Free coefficients; without strengths those of hardly any smoothness."""
        used = _evidence.FLOOR * _evidence.scales(matrix, self.groups) if strengths is None else strengths
        return _evidence.solve(_evidence.regularised(matrix, self.groups, used), vector)

    def _error(self, free: np.ndarray, blocks: slice) -> tuple[float, float]:
        """Root mean square of the force before and after the fit, over ``blocks``."""
        square, count = self.square[blocks].sum(), self.count[blocks].sum()
        left = _evidence.residue(self.matrix[blocks].sum(0), self.vector[blocks].sum(0), square, free)
        return float(np.sqrt(square / count)), float(np.sqrt(left / count))

    def _values(self, free: np.ndarray) -> list[np.ndarray]:
        """Energies (T, n + 1) at the knots by kind; bonded ones relative to their mean over the data."""
        found = [_spline.at_knots(full) for full in self.design.split(free)]
        for each, values, seen in zip(self.design.tables, found, self.seen, strict=True):
            if each.kind in KINDS:
                values -= _mean(values, seen)
        return found

    def _finished(self, free: np.ndarray) -> list[np.ndarray]:
        """Coefficients by kind, continued beyond the data; bonded ones from their least energy over the data on."""
        made = self.design.split(free)
        for each, full, seen in zip(self.design.tables, made, self.seen, strict=True):
            if each.kind == "pair":
                _continued.wall(full, seen, *each.grid[:2])
            if each.kind in ("bond", "angle"):
                _continued.parabolas(each.kind, full, seen, each.grid[1])
            if each.kind in KINDS:
                met = np.where(np.pad(seen, ((0, 0), (0, 1))) > 0, _spline.at_knots(full), np.inf).min(1, keepdims=True)
                full -= np.where(np.isfinite(met), met, 0.0)
        return made


def _mean(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean over the data of energies (T, n + 1) at the knots, (T, 1), from the visits (T, n) of the intervals between them."""
    weights = np.maximum(seen, 1e-300)
    return (0.5 * (values[:, 1:] + values[:, :-1]) * weights).sum(1, keepdims=True) / weights.sum(1, keepdims=True)


def _with(potential: Potential, coefficients: list[np.ndarray]) -> Potential:
    """A copy of ``potential`` with these coefficients (T, n + 3) in its tables."""
    made = copy.deepcopy(potential)
    linear, _ = _design.parts(made)
    with torch.no_grad():
        for each, full in zip(_design.tables(linear), coefficients, strict=True):
            tensor = each.part.coefficients[each.kind] if isinstance(each.part, BondedTables) else each.part.coefficients
            first = 1 if each.kind == "triple" else 0
            tensor.copy_(torch.as_tensor(full[:, first : first + tensor.shape[1]].copy()))
    return made.requires_grad_(False)
