"""Tabulated bonds, angles and dihedrals: one cubic B-spline for every kind of term, told apart by the types of its beads."""

from collections.abc import Mapping, Sequence

import numpy as np
import openmm
import torch
from torch import Tensor

from workbench.descriptors.internal_coordinates import InternalCoordinates
from workbench.potentials import _spline
from workbench.potentials import _table_kernels as kernels
from workbench.potentials._on_descriptor import OnDescriptor
from workbench.types import Beads

KINDS = ("bond", "angle", "dihedral")
STIFFNESS = {"bond": 10_000.0, "angle": 100.0, "dihedral": 0.0}
"""Curvature beyond the grid [kJ/mol/nm^2 or rad^2]; a dihedral's grid is the whole circle."""


def key(types: Sequence[str]) -> tuple[str, ...]:
    """The types along a term, in the one of both directions that comes first."""
    return min(tuple(types), tuple(reversed(types)))


def terms(beads: Beads) -> dict[str, dict[tuple[str, ...], list[tuple[int, ...]]]]:
    """The terms of ``beads`` by kind and by the types along them, both in the order of their first appearance."""
    found: dict[str, dict] = {kind: {} for kind in KINDS}
    for kind, rows in zip(KINDS, (beads.bonds, beads.angles, beads.dihedrals), strict=True):
        for row in map(tuple, rows.tolist()):
            found[kind].setdefault(key([beads.types[bead] for bead in row]), []).append(row)
    return found


class BondedTables(OnDescriptor):
    """u(q) of bonds [nm], angles and dihedrals [rad]: ``coefficients[kind]`` (T, n + 3) of splines on n intervals of ``grids[kind]``.

    ``tables[kind]`` names the types of each table. A dihedral's spline is periodic: its first three coefficients count again at the
    end. Beyond the grid of bonds and angles a parabola of curvature ``STIFFNESS`` goes on.
    """

    def __init__(self, tables: Mapping, grids: Mapping, rows: Mapping):
        """``grids``: start, stop and number of intervals by kind; ``rows``: beads of every term and, last, its table, by kind."""
        terms = {kind: [row[:-1] for row in rows[kind]] for kind in KINDS}
        super().__init__(InternalCoordinates(*(terms[kind] for kind in KINDS)))
        self.tables = {kind: tuple(map(tuple, tables[kind])) for kind in KINDS}
        self.grids = {kind: (float(grids[kind][0]), float(grids[kind][1]), int(grids[kind][2])) for kind in KINDS}
        self.coefficients = torch.nn.ParameterDict()
        for kind in KINDS:
            free = self.grids[kind][2] + (0 if kind == "dihedral" else 3)
            self.coefficients[kind] = torch.nn.Parameter(torch.zeros(len(tables[kind]), free, dtype=torch.float64))
            index = torch.tensor([row[-1] for row in rows[kind]], dtype=torch.int64)
            self.register_buffer(f"{kind}_table", index, persistent=False)

    def knots(self, kind: str) -> np.ndarray:
        """Values of the coordinate [nm or rad] at the knots, (n + 1,)."""
        start, stop, n = self.grids[kind]
        return np.linspace(start, stop, n + 1)

    def values(self, kind: str) -> np.ndarray:
        """Energies [kJ/mol] at the knots, (T, n + 1)."""
        return _spline.at_knots(self._splines(kind).detach().cpu().numpy())

    def with_values(self, values: Mapping[str, np.ndarray]) -> "BondedTables":
        """The tables through the energies ``values[kind]`` (T, n + 1) [kJ/mol] at the knots; kinds not named stay as they are."""
        for kind, wanted in values.items():
            if wanted.shape != self.values(kind).shape or not np.isfinite(wanted).all():
                raise ValueError(f"tabulated: the {kind} tables have {self.values(kind).shape} finite values at knots, not {wanted.shape}.")
        found = {kind: _spline.interpolate(wanted, "periodic" if kind == "dihedral" else "natural") for kind, wanted in values.items()}
        return self.with_coefficients({kind: c[:, :-3] if kind == "dihedral" else c for kind, c in found.items()})

    def with_coefficients(self, coefficients: Mapping[str, np.ndarray]) -> "BondedTables":
        """The tables with other free coefficients by kind [kJ/mol]; kinds not named stay as they are."""
        made = BondedTables(**self.recipe()).to(self.coefficients["bond"])
        with torch.no_grad():
            for kind in KINDS:
                made.coefficients[kind].copy_(torch.as_tensor(coefficients.get(kind, self.coefficients[kind])))
        return made

    def curve(self, kind: str, table: int, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy [kJ/mol] and its slope [kJ/mol/nm or rad] of one table at ``q`` [nm or rad]."""
        at = torch.tensor(q, dtype=torch.float64)
        with torch.no_grad():
            energy, slope = self._at(kind, at, torch.full(at.shape, table))
        return energy.numpy(), slope.numpy()

    def energy(self, q: Tensor) -> Tensor:
        total = torch.zeros(len(q), dtype=q.dtype, device=q.device)
        for kind, at in zip(KINDS, self._coordinates(q), strict=True):
            if at.shape[1]:
                total = total + self._at(kind, at, getattr(self, f"{kind}_table").expand(at.shape))[0].sum(1).to(q.dtype)
        return total

    def energy_and_slope(self, q: Tensor) -> tuple[Tensor, Tensor]:
        energy = torch.zeros(len(q), dtype=torch.float64, device=q.device)
        slopes = []
        for kind, at in zip(KINDS, self._coordinates(q), strict=True):
            if q.is_cuda:
                u, du = self._at(kind, at, getattr(self, f"{kind}_table").expand(at.shape))
                energy, slope = energy + u.sum(1), du.to(q.dtype)
            else:
                slope = torch.empty_like(at)
                start, stop, n = self.grids[kind]
                polynomial = _spline.polynomials(self._splines(kind).detach()).numpy()
                table = getattr(self, f"{kind}_table").numpy()
                kernels.curves(
                    at.contiguous().numpy(), table, polynomial, start, n / (stop - start), STIFFNESS[kind], energy.numpy(), slope.numpy()
                )
            slopes.append(slope)
        n_d = slopes[2].shape[1]
        cosine, sine = q[:, q.shape[1] - 2 * n_d : q.shape[1] - n_d], q[:, q.shape[1] - n_d :]
        over = slopes[2] / (cosine * cosine + sine * sine)
        return energy.to(q.dtype), torch.cat([slopes[0], slopes[1], -sine * over, cosine * over], 1)

    def bind(self, beads: Beads) -> "BondedTables":
        """The same tables for the terms of ``beads``. Raises ``ValueError`` for a term whose types have none."""
        bound = BondedTables(**{**self.recipe(), "rows": table_rows(self.tables, beads)})
        bound.coefficients = self.coefficients
        return bound.to(self.coefficients["bond"].device)

    def recipe(self) -> dict:
        named = {"bond": self.descriptor.pairs, "angle": self.descriptor.triples, "dihedral": self.descriptor.quadruples}
        rows = {
            kind: [[*row, int(k)] for row, k in zip(named[kind].tolist(), getattr(self, f"{kind}_table").tolist(), strict=True)]
            for kind in KINDS
        }
        return {
            "tables": {kind: [list(types) for types in self.tables[kind]] for kind in KINDS},
            "grids": {kind: list(self.grids[kind]) for kind in KINDS},
            "rows": rows,
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        """One force for every table that has terms; OpenMM's spline has the same knots."""
        forces = []
        for kind, rows in self.recipe()["rows"].items():
            for table in range(len(self.tables[kind])):
                mine = [row[:-1] for row in rows if row[-1] == table]
                if mine:
                    forces.append(self._native(kind, table, mine, periodic))
        return forces

    def _native(self, kind: str, table: int, rows: list, periodic: bool) -> openmm.Force:
        start, stop, n = self.grids[kind]
        name = {"bond": "distance(p1,p2)", "angle": "angle(p1,p2,p3)", "dihedral": "dihedral(p1,p2,p3,p4)"}[kind]
        low, high = (float(self.curve(kind, table, np.array([q]))[1][0]) for q in (start, stop))
        beyond = f"step({start!r}-q)*{low!r}*(q-{start!r})+step(q-{stop!r})*{high!r}*(q-{stop!r})+{0.5 * STIFFNESS[kind]!r}*(q-inside)^2"
        bounded = f"table(inside)+{beyond};inside=min(max(q,{start!r}),{stop!r});q={name}"
        force = openmm.CustomCompoundBondForce(len(rows[0]), f"table({name})" if kind == "dihedral" else bounded)
        points = self.curve(kind, table, np.linspace(start, stop, n + 1))[0]
        if kind == "dihedral":
            points[-1] = points[0]
        force.addTabulatedFunction("table", openmm.Continuous1DFunction(points, start, stop, kind == "dihedral"))
        for row in rows:
            force.addBond(row, [])
        force.setUsesPeriodicBoundaryConditions(periodic)
        return force

    def _splines(self, kind: str) -> Tensor:
        """All coefficients (T, n + 3)."""
        free = self.coefficients[kind]
        return torch.cat([free, free[:, :3]], 1) if kind == "dihedral" else free

    def coordinates(self, q: Tensor) -> dict[str, np.ndarray]:
        """Bond lengths [nm], angles and dihedrals [rad] of every frame by kind, (F, t), from the columns of the descriptor (F, D)."""
        return {kind: at.numpy() for kind, at in zip(KINDS, self._coordinates(q), strict=True)}

    def _coordinates(self, q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bond lengths, angles and dihedrals in the columns of the descriptor."""
        n_b, n_a, n_d = (len(getattr(self, f"{kind}_table")) for kind in KINDS)
        cosine, sine = q[:, n_b + n_a : n_b + n_a + n_d], q[:, n_b + n_a + n_d :]
        return q[:, :n_b], q[:, n_b : n_b + n_a], torch.atan2(sine, cosine)

    def _at(self, kind: str, q: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """u and du/dq of terms at ``q`` of tables ``table``, same shape."""
        start, stop, n = self.grids[kind]
        spacing = (stop - start) / n
        inside = q.clamp(start, stop)
        energy, slope = _spline.evaluate(_spline.polynomials(self._splines(kind)), table, (inside - start) / spacing)
        beyond, stiffness = q - inside, STIFFNESS[kind]
        return energy + beyond * (slope / spacing + 0.5 * stiffness * beyond), slope / spacing + stiffness * beyond


def table_rows(tables: Mapping, beads: Beads) -> dict[str, list]:
    """Beads of every term of ``beads`` and, last, its table, by kind; a kind without any table has no terms.

    Raises ``ValueError`` for types without a table.
    """
    rows: dict[str, list] = {kind: [] for kind in KINDS}
    for kind, by_types in terms(beads).items():
        if not tables[kind]:
            continue
        place = {tuple(types): k for k, types in enumerate(tables[kind])}
        missing = ["-".join(types) for types in by_types if types not in place]
        if missing:
            raise ValueError(f"tabulated: there is no {kind} table for {', '.join(missing)}.")
        rows[kind] = sorted([*row, place[types]] for types, found in by_types.items() for row in found)
    return rows
