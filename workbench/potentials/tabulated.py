"""Tables: U = sum over pairs u_ab(r) + sum over bonds, angles, dihedrals u(q), every u a cubic B-spline on a uniform grid.

What iterative Boltzmann inversion, inverse Monte Carlo, relative entropy and force matching solve for. Tables are told apart by bead
types; forces are the exact gradient of the splines. Pairs that are excluded (``Beads.exclusions``) have none.
Source of the use of splines: Rühle et al., J. Chem. Theory Comput. 5, 3211 (2009), section 2.
"""

import math

import numpy as np

from workbench.observables import _base as observed
from workbench.potentials import _pair
from workbench.potentials._base import Potential, Sum
from workbench.potentials._bonded_tables import KINDS, BondedTables, table_rows, terms
from workbench.potentials._pair_tables import PairTables, type_index
from workbench.settings import field, settings
from workbench.types import ReferenceData

__all__ = ["BondedTables", "PairTables", "Settings", "build", "parts"]
MARGIN = 0.25
"""Room of the grid of bonds on either side of the data, in units of their range."""


@settings
class Settings:
    """Ranges and spacings of the grids."""

    pairs: bool = field(True, "A table for every pair of bead types.")
    start: float = field(0.24, "First knot of the pairs; below it a wall goes on.", unit="nm", bounds=(1e-3, None))
    cutoff: float = field(0.9, "Distance from which pairs have no energy.", unit="nm", bounds=(1e-3, None))
    spacing: float = field(0.01, "Distance of the knots of the pairs.", unit="nm", bounds=(1e-4, None))
    bonds: bool = field(True, "A table for every kind of bond.")
    angles: bool = field(True, "A table for every kind of angle.")
    dihedrals: bool = field(True, "A table for every kind of dihedral; none where beads line up: its force has no bound there.")
    bond_spacing: float = field(0.005, "Distance of the knots of the bonds.", unit="nm", bounds=(1e-5, None))
    n_angle: int = field(60, "Intervals of an angle's grid, from 0 to pi.", bounds=(4, None))
    n_dihedral: int = field(72, "Intervals of a dihedral's grid, from -pi to pi.", bounds=(4, None))


def build(data: ReferenceData, settings: Settings) -> Potential:
    """Tables without energy for the beads of ``data``: pairs, bonded terms, or the sum of both.

    Raises ``ValueError`` without data, for a grid that does not fit its spacing or a cut-off beyond half of the box, and where the
    settings leave nothing.
    """
    if data is None:
        raise ValueError("tabulated: the tables are made for the bead types of data: give the projected frames.")
    found: list[Potential] = []
    if settings.pairs:
        found.append(_pairs(data, settings))
    wanted = {kind for kind, on in zip(KINDS, (settings.bonds, settings.angles, settings.dihedrals), strict=True) if on}
    by_kind = {kind: by_types if kind in wanted else {} for kind, by_types in terms(data.beads).items()}
    if any(by_kind.values()):
        found.append(_bonded(data, by_kind, settings))
    if not found:
        raise ValueError("tabulated: the settings leave no table: the beads have no bond, angle or dihedral of the kinds asked for.")
    return found[0] if len(found) == 1 else Sum(found)


def parts(potential: Potential) -> tuple[PairTables | None, BondedTables | None]:
    """The tables within ``potential``, which may be a sum of them and of others. Raises ``ValueError`` where there is none, or two."""
    inside = list(potential.parts) if isinstance(potential, Sum) else [potential]
    pairs = [part for part in inside if isinstance(part, PairTables)]
    bonded = [part for part in inside if isinstance(part, BondedTables)]
    if len(pairs) > 1 or len(bonded) > 1 or not pairs + bonded:
        raise ValueError(
            f"this fit wants one set of tables (potentials.tabulated.build), not {len(pairs)} of pairs and {len(bonded)} of bonded terms."
        )
    return (pairs or [None])[0], (bonded or [None])[0]


def _pairs(data: ReferenceData, settings: Settings) -> PairTables:
    n = round((settings.cutoff - settings.start) / settings.spacing)
    if n < 4 or not math.isclose(settings.start + n * settings.spacing, settings.cutoff, abs_tol=1e-6):
        raise ValueError(
            f"tabulated: steps of {settings.spacing} nm do not lead from {settings.start} nm to the cut-off, {settings.cutoff} nm."
        )
    if data.box is not None and settings.cutoff > np.min(data.box) / 2:
        raise ValueError(f"tabulated: the cut-off of {settings.cutoff} nm exceeds half of the box of {float(np.min(data.box)):.3f} nm.")
    types = sorted(set(data.beads.types))
    exclusions = _pair.exclusion_list(data.beads)
    return PairTables(types, type_index(types, data.beads), settings.start, settings.cutoff, n, exclusions)


def _bonded(data: ReferenceData, by_kind: dict, settings: Settings) -> BondedTables:
    tables = {kind: list(by_types) for kind, by_types in by_kind.items()}
    bonds = tuple(row for rows in by_kind["bond"].values() for row in rows)
    start, stop, n = 0.0, 1.0, 4
    if bonds:
        low, high = math.inf, 0.0
        for _, values in observed.measure(data, bonds):
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        room = MARGIN * (high - low) + 4 * settings.bond_spacing
        start = max(0.0, math.floor((low - room) / settings.bond_spacing) * settings.bond_spacing)
        n = math.ceil((high + room - start) / settings.bond_spacing)
        stop = start + n * settings.bond_spacing
    grids = {"bond": (start, stop, n), "angle": (0.0, math.pi, settings.n_angle), "dihedral": (-math.pi, math.pi, settings.n_dihedral)}
    return BondedTables(tables, grids, table_rows(tables, data.beads))
