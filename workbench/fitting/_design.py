"""The design matrix of tables: forces are linear in spline coefficients, F = D c, and least squares needs D^T D and D^T F.

Rows of D are by bead and direction. A bead has columns only for the tables that its type occurs in, so that beads of one type form a
dense block and D^T D is summed block by block; D itself is never kept. Coefficients are those of plain B-splines; what a kind of
table demands at its ends (value and slope zero at the cut-off, a period) is in ``fold``, from its free coefficients to them.
"""

import copy
from typing import NamedTuple

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from workbench import neighbors
from workbench.fitting import _design_kernels as kernels
from workbench.potentials._base import Potential, Sum
from workbench.potentials._bonded_tables import KINDS, BondedTables
from workbench.potentials._pair_tables import PairTables
from workbench.potentials.three_body_spline import ThreeBodySpline
from workbench.types import Beads

LINEAR = (PairTables, BondedTables, ThreeBodySpline)
ROOM = 48 << 20
"""Bytes of rows in memory at once."""


class Tables(NamedTuple):
    """The tables of one kind, and how their columns are made."""

    kind: str
    """'pair', 'bond', 'angle', 'dihedral' or 'triple'."""
    part: Potential
    """The potential they belong to."""
    weight: float
    """Its weight in the sum."""
    members: tuple[tuple[str, ...], ...]
    """Bead types of each table."""
    grid: tuple[float, float, int]
    """First knot, distance of the knots, intervals n."""
    fold: np.ndarray
    """Coefficients from the free ones of a table, (n + 3, free)."""


class Normal(NamedTuple):
    """Normal equations: D^T D (C, C), D^T F (C,), and F^T F and number of the components of the force."""

    matrix: np.ndarray
    vector: np.ndarray
    square: float
    count: int


def parts(potential: Potential, weight: float = 1.0) -> tuple[list[tuple[float, Potential]], list[tuple[float, Potential]]]:
    """Those of ``potential`` that are linear in their coefficients, and the others, with their weights in the sum."""
    if isinstance(potential, Sum):
        found = [parts(part, weight * w) for w, part in zip(potential.weights, potential.parts, strict=True)]
        return [p for linear, _ in found for p in linear], [p for _, other in found for p in other]
    return ([(weight, potential)], []) if isinstance(potential, LINEAR) else ([], [(weight, potential)])


def tables(linear: list[tuple[float, Potential]]) -> list[Tables]:
    """All tables of the linear parts. Raises ``ValueError`` for two parts of one sort, which could not be told apart."""
    found = []
    for weight, part in linear:
        if isinstance(part, PairTables):
            grid = part.start, part.spacing, part.n_intervals
            found.append(Tables("pair", part, weight, part.pairs, grid, fold("pair", part.n_intervals)))
        elif isinstance(part, ThreeBodySpline):
            grid = part.theta_min, part.spacing, part.n_intervals
            found.append(Tables("triple", part, weight, part.triples, grid, fold("triple", part.n_intervals)))
        else:
            for kind in KINDS:
                start, stop, n = part.grids[kind]
                if part.tables[kind]:
                    found.append(Tables(kind, part, weight, part.tables[kind], (start, (stop - start) / n, n), fold(kind, n)))
    kinds = [each.kind for each in found]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        raise ValueError(f"spline_force_matching: two parts of the sum have {twice[0]} tables: the forces cannot tell them apart.")
    return found


def fold(kind: str, n: int) -> np.ndarray:
    """All n + 3 coefficients of a table from its free ones, (n + 3, free)."""
    full = np.eye(n + 3)
    if kind == "pair":
        free = full[:, : n + 1].copy()
        free[n + 1 :, n] = -0.5, 1
        return free
    if kind == "triple":
        free = full[:, 1 : n + 2].copy()
        free[0, :2], free[n + 2, n - 1] = (2, -1), 1
        return free
    return np.eye(n)[np.arange(n + 3) % n] if kind == "dihedral" else full


class Design:
    """Columns of ``found`` tables for frames of ``beads``."""

    def __init__(self, found: list[Tables], beads: Beads):
        self.tables, self.n_beads = found, beads.n_beads
        self.parts = [copy.deepcopy(each.part).cpu().bind(beads) for each in found]
        types = sorted(set(beads.types))
        self.kinds = np.array([types.index(name) for name in beads.types])
        sizes = [each.grid[2] + 3 for each in found]
        self.offset = [np.full((len(types), len(each.members)), -1) for each in found]
        self.columns: list[np.ndarray] = []
        for k, name in enumerate(types):
            first, mine = 0, []
            for offset, each, size in zip(self.offset, found, sizes, strict=True):
                begin = first
                for t, members in enumerate(each.members):
                    if name in members:
                        offset[k, t] = sum(map(len, mine))
                        mine.append(np.arange(begin + t * size, begin + (t + 1) * size))
                first += size * len(each.members)
            self.columns.append(np.concatenate([np.zeros(0, np.int64), *mine]))
        self.n_columns = first
        self.width = max(map(len, self.columns))
        self.fold = scipy.sparse.block_diag([each.fold for each in found for _ in each.members], format="csr")
        self.at_once = max(1, ROOM // (24 * self.n_beads * max(1, self.width)))
        cutoffs = [each.part.cutoff for each in found if each.part.cutoff is not None]
        self.reach = max(cutoffs) if cutoffs else None
        self.excluded = torch.from_numpy(beads.exclusions.copy())

    def seen(self) -> list[np.ndarray]:
        """Empty counts of the visits to every interval, (T, n) by kind."""
        return [np.zeros((len(each.members), each.grid[2]), np.int64) for each in self.tables]

    def rows(self, positions: Tensor, box: Tensor | None, seen: list[np.ndarray]) -> np.ndarray:
        """D (f, B, 3, W) of frames ``positions`` (f, B, 3) in ``box`` (f, 3) or None; the visits are added to ``seen``."""
        frames = len(positions)
        rows = np.zeros((frames * self.n_beads, 3, self.width))
        x, boxes = positions.reshape(-1, 3).numpy(), np.zeros((frames, 3)) if box is None else box.numpy()
        around = ()
        if self.reach is not None:
            pairs = neighbors.search(positions, box, self.reach, self.excluded)
            around = pairs.starts.numpy(), pairs.second.numpy()
        for each, part, offset, count in zip(self.tables, self.parts, self.offset, seen, strict=True):
            visits = np.zeros((frames, *count.shape), np.int64)
            start, spacing, _ = each.grid
            rest = each.weight, rows, visits
            if each.kind == "pair":
                kinds = part.bead_types.numpy(), part.table.numpy(), self.kinds, offset
                kernels.pairs(x, boxes, self.n_beads, *around, *kinds, np.array([start, spacing, part.cutoff]), *rest)
            elif each.kind == "triple":
                kinds = part.bead_types.numpy(), part.table.numpy(), self.kinds, offset
                grid = np.array([start, spacing, part.cutoff, part.gamma])
                kernels.triplets(x, boxes, self.n_beads, *around, *kinds, grid, *rest)
            else:
                terms, table = _terms(part, each.kind)
                kernels.bonded(x, boxes, self.n_beads, terms, table, self.kinds, offset, np.array([start, spacing]), *rest)
            count += visits.sum(0)
        return rows.reshape(frames, self.n_beads, 3, self.width)

    def add(self, matrix: np.ndarray, vector: np.ndarray, rows: np.ndarray, force: np.ndarray) -> None:
        """Add D^T D to ``matrix`` (C, C) and D^T F to ``vector`` (C,) from rows (f, B, 3, W) and ``force`` (f, B, 3)."""
        for kind, columns in enumerate(self.columns):
            mine = slice(None) if len(self.columns) == 1 else self.kinds == kind
            block = torch.from_numpy(rows[:, mine, :, : len(columns)].reshape(-1, len(columns)))
            matrix[np.ix_(columns, columns)] += (block.T @ block).numpy()
            vector[columns] += (block.T @ torch.from_numpy(force[:, mine].reshape(-1))).numpy()

    def folded(self, matrix: np.ndarray, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The normal equations in the free coefficients."""
        half = self.fold.T @ matrix
        return (self.fold.T @ half.T).T, self.fold.T @ vector

    def split(self, free: np.ndarray) -> list[np.ndarray]:
        """B-spline coefficients (T, n + 3) by kind from all free ones."""
        full, first, found = self.fold @ free, 0, []
        for each in self.tables:
            shape = len(each.members), each.grid[2] + 3
            found.append(full[first : first + shape[0] * shape[1]].reshape(shape))
            first += shape[0] * shape[1]
        return found


def _terms(part: BondedTables, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Beads of every term (t, 2, 3 or 4) of a kind and its table (t,)."""
    rows = {"bond": part.descriptor.pairs, "angle": part.descriptor.triples, "dihedral": part.descriptor.quadruples}[kind]
    return rows.numpy(), getattr(part, f"{kind}_table").numpy()
