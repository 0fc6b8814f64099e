"""Tabulated pairs: one cubic B-spline for every pair of bead types, smooth to zero at the cut-off, a wall below the first knot."""

import itertools
from collections.abc import Sequence

import numba
import numpy as np
import openmm
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _pair, _spline
from workbench.potentials import _table_kernels as kernels
from workbench.potentials._base import Analytic, Evaluation
from workbench.types import Beads

LEAST_PUSH = 1000.0
"""Least force at the first knot [kJ/mol/nm], so that no bead falls through a table that is not repulsive there."""
PAIRS_PER_CHUNK = 4000
"""A thread is worth its start for this many pairs."""
ROOM = 24
"""Knots by which a spline goes on for an engine whose splines end without curvature."""


class PairTables(Analytic):
    """u_ab(r) of types a, b: ``coefficients`` (T, n + 1), free ones of splines on n intervals from ``start`` to ``cutoff`` [nm].

    The last two coefficients follow: value and slope vanish at the cut-off. Below ``start`` an inverse power (start/r)^12 goes on with
    the force there, at least ``LEAST_PUSH``. Tables are in the order of ``pairs``.
    """

    native_on = ("CUDA",)

    def __init__(self, types: Sequence[str], bead_types: Sequence[int], start: float, cutoff: float, n_intervals: int, exclusions: list):
        super().__init__()
        self.types, self.start, self.cutoff, self.n_intervals = tuple(types), start, cutoff, n_intervals
        self.pairs = tuple(itertools.combinations_with_replacement(self.types, 2))
        self.coefficients = torch.nn.Parameter(torch.zeros(len(self.pairs), n_intervals + 1, dtype=torch.float64))
        self.register_buffer("bead_types", torch.tensor(bead_types, dtype=torch.int64))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))
        index = {pair: k for k, pair in enumerate(self.pairs)}
        rows = [[index[tuple(sorted((a, b), key=self.types.index))] for b in self.types] for a in self.types]
        self.register_buffer("table", torch.tensor(rows, dtype=torch.int64).reshape(len(self.types), -1), persistent=False)

    @property
    def spacing(self) -> float:
        """Distance of two knots [nm]."""
        return (self.cutoff - self.start) / self.n_intervals

    def knots(self) -> np.ndarray:
        """Distances [nm] of the knots, (n + 1,), the last one at the cut-off."""
        return np.linspace(self.start, self.cutoff, self.n_intervals + 1)

    def values(self) -> np.ndarray:
        """Energies [kJ/mol] at the knots, (T, n + 1)."""
        return _spline.at_knots(self._splines().detach().cpu().numpy())

    def with_values(self, values: np.ndarray) -> "PairTables":
        """The tables through ``values`` (T, n + 1) [kJ/mol] at the knots; the last of each counts as zero. Raises ``ValueError``."""
        if values.shape != (len(self.pairs), self.n_intervals + 1):
            raise ValueError(
                f"tabulated: these {len(self.pairs)} tables have {self.n_intervals + 1} knots each, not values of shape {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError("tabulated: a value at a knot is not a finite number.")
        values = np.concatenate([values[:, :-1], np.zeros((len(values), 1))], 1)
        return self.with_coefficients(_spline.interpolate(values, "clamped")[:, :-2])

    def with_coefficients(self, coefficients: np.ndarray) -> "PairTables":
        """The tables with these free coefficients (T, n + 1) [kJ/mol]."""
        made = PairTables(**self.recipe())
        with torch.no_grad():
            made.coefficients.copy_(torch.as_tensor(coefficients))
        return made.to(self.coefficients)

    def curve(self, table: int, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy [kJ/mol] and its slope [kJ/mol/nm] of one table at distances ``r`` [nm]; zero from the cut-off on."""
        distance = torch.tensor(r, dtype=torch.float64)
        with torch.no_grad():
            energy, slope = self._at(distance, torch.full(distance.shape, table))
        return energy.numpy(), slope.numpy()

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        vector, frame, pairs = _pair.vectors(positions, box, pairs, self.cutoff, self.exclusions)
        energy, _ = self._at(torch.linalg.vector_norm(vector, dim=-1), self._tables(pairs, positions.shape[1]))
        energy = energy.to(positions.dtype)
        return torch.zeros(len(positions), dtype=energy.dtype, device=energy.device).index_add(0, frame, energy)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        if positions.is_cuda:
            return self._evaluate_by_torch(positions, box, pairs, virial)
        if pairs is None:
            pairs = neighbors.search(positions, box, self.cutoff, self.exclusions)
        (frames, beads), x = positions.shape[:2], positions.detach().contiguous().reshape(-1, 3).numpy()
        polynomial = np.empty((len(self.pairs), self.n_intervals, 4), x.dtype)
        core = np.empty((len(self.pairs), 2), x.dtype)
        kernels.splines(self.coefficients.detach().double().numpy(), self.spacing, self.start, LEAST_PUSH, polynomial, core)
        chunks = min(numba.get_num_threads(), 1 + len(pairs.second) // PAIRS_PER_CHUNK)
        bounds = np.array([0, frames * beads])
        if chunks > 1:
            bounds = np.searchsorted(pairs.starts.numpy(), np.linspace(0, len(pairs.second), chunks + 1))
            bounds[0], bounds[-1] = 0, frames * beads
        force, energy = np.zeros((chunks, frames * beads, 3), x.dtype), np.zeros((chunks, frames))
        stress = np.zeros((chunks, frames if virial else 0, 9))
        kernels.pairs(
            x,
            np.zeros((frames, 3), x.dtype) if box is None else box.to(positions.dtype).numpy(),
            beads,
            pairs.starts.numpy(),
            pairs.second.numpy(),
            bounds,
            self.bead_types.numpy(),
            self.table.numpy(),
            polynomial,
            core,
            np.array([self.start, 1 / self.spacing, self.cutoff], x.dtype),
            force,
            energy,
            stress,
        )
        total = torch.from_numpy(force[0] if chunks == 1 else force.sum(0)).reshape(positions.shape)
        dtype = positions.dtype
        sums = torch.from_numpy(energy.sum(0)).to(dtype)
        return Evaluation(sums, total, _symmetric(torch.from_numpy(stress.sum(0))).to(dtype) if virial else None)

    def bind(self, beads: Beads) -> "PairTables":
        bound = PairTables(**{**self.recipe(), "bead_types": type_index(self.types, beads), "exclusions": _pair.exclusion_list(beads)})
        bound.coefficients = self.coefficients
        return bound.to(self.coefficients.device)

    def recipe(self) -> dict:
        return {
            "types": list(self.types),
            "bead_types": self.bead_types.tolist(),
            "start": self.start,
            "cutoff": self.cutoff,
            "n_intervals": self.n_intervals,
            "exclusions": self.exclusions.tolist(),
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        """One force for every pair of types that occurs: OpenMM's splines have the same knots, and go on beyond both ends of ours."""
        members = [np.flatnonzero(self.bead_types.cpu().numpy() == k).tolist() for k in range(len(self.types))]
        margin = min(ROOM, self.n_intervals)
        first, last = self.start - margin * self.spacing, self.cutoff + margin * self.spacing
        points, core = self._continued(margin)
        forces = []
        for k, (a, b) in enumerate(self.pairs):
            one, other = members[self.types.index(a)], members[self.types.index(b)]
            if not one or not other or (a == b and len(one) < 2):
                continue
            at, strength = core[k].tolist()
            wall = f"{at!r}+{strength!r}*(({self.start!r}/r)^{kernels.CORE_POWER}-1)"
            force = openmm.CustomNonbondedForce(f"select(step({self.start!r}-r),{wall},table(r))")
            force.addTabulatedFunction("table", openmm.Continuous1DFunction(points[k], first, last))
            force.setNonbondedMethod(force.CutoffPeriodic if periodic else force.CutoffNonPeriodic)
            force.setCutoffDistance(self.cutoff)
            for _ in range(beads.n_beads):
                force.addParticle(())
            for pair in self.exclusions.tolist():
                force.addExclusion(*pair)
            if len(self.types) > 1:
                force.addInteractionGroup(one, other)
            forces.append(force)
        return forces

    def _continued(self, margin: int) -> tuple[np.ndarray, np.ndarray]:
        """Energies (T, n + 1 + 2 margin) at the knots and beyond, by the first polynomial and mirrored at the cut-off; walls (T, 2)."""
        polynomial, core = (part.detach().cpu().numpy() for part in self._polynomials())
        before = np.polynomial.polynomial.polyval(np.arange(-margin, 0), polynomial[:, 0].T)
        inside = self.values()
        return np.concatenate([before, inside, inside[:, -2 : -margin - 2 : -1]], 1), core

    def _splines(self) -> Tensor:
        """All coefficients (T, n + 3): the last two from the condition that value and slope vanish at the cut-off."""
        last = self.coefficients[:, -1:]
        return torch.cat([self.coefficients, -last / 2, last], 1)

    def _polynomials(self) -> tuple[Tensor, Tensor]:
        """Per interval (T, n, 4), and of the wall (T, 2): energy at the start and strength."""
        polynomial = _spline.polynomials(self._splines())
        push = (-polynomial[:, 0, 1] / self.spacing).clamp(min=LEAST_PUSH)
        return polynomial, torch.stack([polynomial[:, 0, 0], push * (self.start / kernels.CORE_POWER)], 1)

    def _at(self, r: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """u and du/dr of pairs at ``r`` (P,) of tables ``table`` (P,)."""
        polynomial, core = self._polynomials()
        energy, slope = _spline.evaluate(polynomial, table, (r - self.start) / self.spacing)
        ratio = (self.start / r.clamp(max=self.start)) ** kernels.CORE_POWER
        wall = core[table, 0] + core[table, 1] * (ratio - 1), -kernels.CORE_POWER * core[table, 1] * ratio / r
        inner, inside = r < self.start, r < self.cutoff
        energy, slope = torch.where(inner, wall[0], energy), torch.where(inner, wall[1], slope / self.spacing)
        return torch.where(inside, energy, torch.zeros_like(energy)), torch.where(inside, slope, torch.zeros_like(slope))

    def _tables(self, pairs: neighbors.Pairs, n_beads: int) -> Tensor:
        first, second = self.bead_types[pairs.first % n_beads], self.bead_types[pairs.second % n_beads]
        return self.table[first, second]

    def _evaluate_by_torch(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        vector, frame, pairs = _pair.vectors(positions, box, pairs, self.cutoff, self.exclusions)
        r = torch.linalg.vector_norm(vector, dim=-1)
        energy, slope = (part.to(r.dtype) for part in self._at(r, self._tables(pairs, positions.shape[1])))
        return _pair.gather(positions, pairs, frame, vector, energy, slope / r, virial)


def type_index(types: Sequence[str], beads: Beads) -> list[int]:
    """Place in ``types`` of the type of every bead. Raises ``ValueError`` for one that has no table."""
    missing = sorted(set(beads.types) - set(types))
    if missing:
        raise ValueError(f"tabulated: there is no table for type {', '.join(missing)}: the tables are of {', '.join(types)}.")
    place = {name: k for k, name in enumerate(types)}
    return [place[name] for name in beads.types]


def _symmetric(upper: Tensor) -> Tensor:
    """(F, 3, 3) from rows (F, 9) whose lower half is empty."""
    full = upper.reshape(-1, 3, 3)
    return full + full.triu(1).transpose(1, 2)
