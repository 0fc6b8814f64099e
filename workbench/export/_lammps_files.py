"""Files of LAMMPS: the data file and the tables. Lengths in angstrom, energies in kcal/mol (``units real``), angles in degrees.

Layouts: LAMMPS manual, 'read_data', 'pair_style table', 'bond_style table', 'angle_style table', 'dihedral_style table'.
"""

import itertools

import numpy as np

from workbench import units
from workbench.export._base import Curve, Model, Term, innermost, pair_curve, table_text
from workbench.potentials import bond_order as bond_order_form
from workbench.potentials import stillinger_weber as stillinger_weber_form
from workbench.potentials.bond_order import BondOrder
from workbench.potentials.stillinger_weber import StillingerWeber
from workbench.potentials.three_body_spline import ThreeBodySpline

SECTIONS = {"bond": "Bonds", "angle": "Angles", "dihedral": "Dihedrals"}
LENGTH = units.ANGSTROM
DEGREE = np.pi / 180
REACH = 1.0
"""Room for a bond beyond its grid [nm]."""
MARGIN = 1.0
"""Room around a molecule without a box [nm]."""


def kinds(model: Model) -> list[tuple[str, float]]:
    """Atom types: bead types with their masses [amu], sorted."""
    return sorted(set(zip(model.beads.types, model.beads.masses.tolist(), strict=True)))


def untouched(model: Model) -> np.ndarray:
    """Bonds without energy (any, 2), which count for exclusions only."""
    known = {tuple(sorted(row)) for term in model.terms if term.kind == "bond" for row in term.rows.tolist()}
    return np.array([row for row in model.beads.bonds.tolist() if tuple(sorted(row)) not in known], np.int64).reshape(-1, 2)


def data(model: Model, velocities: np.ndarray | None) -> str:
    """The data file: types with masses, box, beads in it with the images that they came from, ``velocities`` (B, 3) and bonded terms."""
    place = {kind: number for number, kind in enumerate(kinds(model), 1)}
    rows = {kind: [term.rows for term in model.terms if term.kind == kind] for kind in SECTIONS}
    rows["bond"] += [bonds for bonds in [untouched(model)] if len(bonds)]
    head = ["one potential and its start; units real", "", f"{model.beads.n_beads} atoms", f"{len(place)} atom types"]
    for kind, parts in rows.items():
        head += [f"{sum(map(len, parts))} {kind}s", f"{len(parts)} {kind} types"] if parts else []
    low, high = (np.zeros(3), model.box) if model.box is not None else (model.positions.min(0) - MARGIN, model.positions.max(0) + MARGIN)
    head += [
        "",
        *(f"{a / LENGTH!r} {b / LENGTH!r} {axis}lo {axis}hi" for axis, a, b in zip("xyz", low.tolist(), high.tolist(), strict=True)),
    ]
    head += ["", "Masses", "", *(f"{number} {mass!r} # {name}" for (name, mass), number in place.items()), "", "Atoms # molecular", ""]
    image = np.zeros((model.beads.n_beads, 3)) if model.box is None else np.floor(model.positions / model.box)
    inside = (model.positions - (0 if model.box is None else image * model.box)) / LENGTH
    number = np.array([place[kind] for kind in zip(model.beads.types, model.beads.masses.tolist(), strict=True)])
    text = "\n".join(head) + "\n" + table_text([model.beads.molecule + 1, number, *inside.T, *image.T], numbered=True)
    if velocities is not None:
        text += "\nVelocities\n\n" + table_text(list(velocities.T * units.FEMTOSECOND / LENGTH), numbered=True)
    for kind, parts in rows.items():
        if parts:
            types = np.repeat(np.arange(1, len(parts) + 1), [len(part) for part in parts])
            text += f"\n{SECTIONS[kind]}\n\n" + table_text([types, *(np.concatenate(parts).T + 1)], numbered=True)
    return text


def pair_table(model: Model, types: tuple[str, str], keyword: str, n: int) -> str:
    """A section of ``n`` distances, as many of them as the engine's own table has, equally spaced in r^2 as there."""
    low, high = innermost(model, types) / LENGTH, model.cutoff / LENGTH
    r = np.sqrt(low**2 + (high**2 - low**2) * np.arange(n) / (n - 1))
    energy, slope = pair_curve(model, types, r * LENGTH)
    return f"# {types[0]} {types[1]}\n{keyword}\nN {n} RSQ {low!r} {high!r}\n\n" + table_text(
        [r, energy / units.KCAL, -slope / units.KCAL_PER_ANGSTROM], numbered=True
    )


def bonded_table(term: Term, keyword: str, n: int) -> str:
    """A section of ``n`` values of a bond [angstrom], an angle or a dihedral [degree]."""
    if term.kind == "bond":
        q = np.linspace(0.0, term.grid[1] + REACH, n)
        scale, head = LENGTH, f"N {n}"
    elif term.kind == "angle":
        q, scale, head = np.linspace(0.0, np.pi, n), DEGREE, f"N {n}"
    else:
        q, scale, head = np.linspace(-np.pi, np.pi, n, endpoint=False), DEGREE, f"N {n} DEGREES"
    energy, slope = term.curve(q)
    return f"{keyword}\n{head}\n\n" + table_text([q / scale, energy / units.KCAL, -slope * scale / units.KCAL], numbered=True)


def stillinger_weber(weight: float, part: StillingerWeber) -> str:
    """The parameters of ``pair_style sw``, for one element W."""
    v = dict(zip(stillinger_weber_form.NAMES, part.values[0].tolist(), strict=True))
    leading = weight * v["eps"] / units.KCAL, v["sigma"] / LENGTH, v["a"], v["lam"], v["gamma"], v["cos0"], v["A"], v["B"], v["p"], v["q"]
    return f"# UNITS: real\nW W W {' '.join(map(repr, leading))} 0.0\n"


def bond_order(weight: float, part: BondOrder) -> str:
    """The parameters of ``pair_style tersoff``, for one element W."""
    v = dict(zip(bond_order_form.NAMES, part.values[0].tolist(), strict=True))
    angles = 1, 1.0, 0.0, v["c"], v["d"], v["cos0"], v["n"], v["beta"]
    attraction = v["lam2"] * LENGTH, weight * v["B"] / units.KCAL
    rest = v["R"] / LENGTH, v["D"] / LENGTH, v["lam1"] * LENGTH, weight * v["A"] / units.KCAL
    return f"# UNITS: real\nW W W {' '.join(map(repr, (*angles, *attraction, *rest)))}\n"


def three_body(part: ThreeBodySpline, n: int) -> str:
    """The parameters of ``pair_style sw/angle/table`` without its pairs: an entry for every centre and two others, of types T1, T2 ..."""
    legs = f"1.0 1.0 {part.cutoff / LENGTH!r} 1.0 {part.gamma / LENGTH!r} 0.0 0.0 0.0 0.0 0.0 0.0"
    text = "# UNITS: real\n"
    for triple, number in zip(itertools.product(range(1, len(part.types) + 1), repeat=3), part.table.flatten().tolist(), strict=True):
        text += " ".join([*(f"T{place}" for place in triple), legs, "three_body.table", f"triple_{number + 1}", "spline", str(n)]) + "\n"
    return text


def three_body_tables(weight: float, part: ThreeBodySpline, n: int) -> str:
    """The curves f(theta) of :func:`three_body`."""

    def curve(table: int) -> Curve:
        return lambda q: tuple(weight * values for values in part.curve(table, q))

    none = np.zeros((0, 3), np.int64)
    terms = [Term(kind="angle", rows=none, curve=curve(table)) for table in range(len(part.triples))]
    return "# UNITS: real\n" + "\n".join(bonded_table(term, f"triple_{number}", n) for number, term in enumerate(terms, 1))
