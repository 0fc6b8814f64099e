"""Files of GROMACS: topology, coordinates and tables, in nm, kJ/mol and degrees.

Layouts: GROMACS reference manual, 'Topology file', 'File formats' and 'Tabulated interaction functions'.
"""

import re

import numpy as np

from workbench.export._base import Model, Term, innermost, pair_curve, table_text
from workbench.types import Beads

PAIR_SPACING, BOND_SPACING, ANGLE_SPACING = 0.0005, 0.0001, 0.05
"""Of tables of pairs and bonds [nm], and of angles and dihedrals [degree]."""
EXTENSION = 1.0
"""Room of a table beyond the cut-off or beyond the grid of a bond [nm]."""
LETTER = {"bond": "b", "angle": "a", "dihedral": "d"}
TABLE, HARMONIC = 8, 1
"""Numbers of the functions."""


def labels(beads: Beads) -> dict[str, str]:
    """Names for the bead types that the formats can hold."""
    return {name: f"T{number}" for number, name in enumerate(sorted(set(beads.types)), 1)}


def numbered(model: Model) -> list[tuple[Term, int | None]]:
    """The terms, each with the number of its table, if it has one."""
    count, found = dict.fromkeys(LETTER, 0), []
    for term in model.terms:
        found.append((term, None if term.harmonic else count[term.kind]))
        count[term.kind] += not term.harmonic
    return found


def topology(model: Model, c6: float, c12: float) -> str:
    """The topology: atom types of one pair of coefficients, a molecule of every kind, and how many of it follow each other."""
    lines = ["[ defaults ]", "1 1 no 1.0 1.0", "", "[ atomtypes ]"]
    lines += [f"{short} 1.0 0.0 A {c6!r} {c12!r} ; {name}" for name, short in labels(model.beads).items()]
    known: dict[tuple, str] = {}
    sequence: list[list] = []
    for molecule in _molecules(model):
        if molecule not in known:
            known[molecule] = f"M{len(known) + 1}"
            lines += _molecule(model, known[molecule], molecule)
        if not sequence or sequence[-1][0] != known[molecule]:
            sequence.append([known[molecule], 0])
        sequence[-1][1] += 1
    lines += ["", "[ system ]", "beads", "", "[ molecules ]", *(f"{name} {count}" for name, count in sequence)]
    return "\n".join(lines) + "\n"


def coordinates(model: Model, velocities: np.ndarray | None) -> str:
    """A g96 file with as many decimals as its columns hold."""

    def block(title: str, values: np.ndarray, rows: list[str]) -> str:
        decimals = 13 - len(str(int(np.abs(values).max())))
        numbers = ["".join(f"{v:15.{decimals}f}" for v in row) for row in values.tolist()]
        return "\n".join([title, *map("".join, zip(rows, numbers, strict=True)), "END"]) + "\n"

    named = zip(model.beads.molecule.tolist(), model.beads.names, strict=True)
    names = [f"{(m + 1) % 100000:5d} {'M':<5s} {_short(name):<5s}{(k + 1) % 10000000:7d}" for k, (m, name) in enumerate(named)]
    text = "TITLE\nbeads\nEND\n" + block("POSITION", model.positions, names)
    text += "" if velocities is None else block("VELOCITY", velocities, names)
    return text + block("BOX", model.box[None], [""])


def bonded_table(term: Term) -> str:
    """A table of a bond [nm] from 0 on, of an angle or a dihedral [degree] over its whole range: coordinate, energy, force."""
    if term.kind == "bond":
        n = int(np.ceil((term.grid[1] + EXTENSION) / BOND_SPACING))
        at, scale = BOND_SPACING * np.arange(n + 1), 1.0
    else:
        n, scale = round(180 / ANGLE_SPACING), np.pi / 180
        at = ANGLE_SPACING * np.arange(0 if term.kind == "angle" else -n, n + 1)
    energy, slope = term.curve(at * scale)
    return table_text([at, energy, -slope * scale])


def pair_table(model: Model, types: tuple[str, str]) -> str:
    """A non-bonded table: distance, then energy and force of the terms in 1, C6 and C12; the potential is the last, with C12 = 1.

    Nearer than two beads ever come the force is constant.
    """
    r = PAIR_SPACING * np.arange(round((model.cutoff + EXTENSION) / PAIR_SPACING) + 1)
    inner = innermost(model, types)
    energy, slope = pair_curve(model, types, np.maximum(r, inner))
    energy = energy + np.minimum(r - inner, 0.0) * slope
    zero = np.zeros_like(r)
    return table_text([r, zero, zero, zero, zero, energy, -slope])


def groups(beads: Beads) -> str:
    """An index file with the beads of each type as a group."""
    text = ""
    for name, short in labels(beads).items():
        text += f"[ {short} ]\n" + "\n".join(str(k) for k, other in enumerate(beads.types, 1) if other == name) + "\n"
    return text


def _molecules(model: Model) -> list[tuple]:
    """What every molecule holds: names, types, masses, and rows of terms and exclusions, counted from its first bead.

    All beads are one molecule where some interlace.
    """
    beads = model.beads
    rows = [(number, row) for number, term in enumerate(model.terms) for row in term.rows.tolist()]
    rows += [(len(model.terms), row) for row in beads.exclusions.tolist()]
    first = np.flatnonzero(np.diff(beads.molecule, prepend=beads.molecule[0] - 1))
    home = np.searchsorted(first, np.arange(beads.n_beads), side="right") - 1
    if len(first) != len(set(beads.molecule.tolist())) or any(len(set(home[row].tolist())) > 1 for _, row in rows):
        first, home = np.zeros(1, np.int64), np.zeros(beads.n_beads, np.int64)
    inside: list[list] = [[] for _ in first]
    for number, row in rows:
        molecule = home[row[0]]
        inside[molecule].append((number, tuple(bead - int(first[molecule]) for bead in row)))
    ends = [*first[1:].tolist(), beads.n_beads]
    return [
        (beads.names[a:b], beads.types[a:b], tuple(beads.masses[a:b].tolist()), tuple(mine))
        for a, b, mine in zip(first.tolist(), ends, inside, strict=True)
    ]


def _molecule(model: Model, name: str, molecule: tuple) -> list[str]:
    """A moleculetype; every exclusion is listed."""
    label, (names, types, masses, rows) = labels(model.beads), molecule
    lines = ["", "[ moleculetype ]", f"{name} 0", "", "[ atoms ]"]
    lines += [
        f"{k} {label[kind]} 1 {name} {_short(bead)} {k} 0.0 {mass!r}"
        for k, (bead, kind, mass) in enumerate(zip(names, types, masses, strict=True), 1)
    ]
    found = numbered(model)
    for kind in LETTER:
        section = [
            " ".join([*(str(bead + 1) for bead in row), _function(*found[number])])
            for number, row in rows
            if number < len(found) and found[number][0].kind == kind
        ]
        lines += ["", f"[ {kind}s ]", *section] if section else []
    excluded = [f"{i + 1} {j + 1}" for number, (i, j, *_) in rows if number == len(found)]
    return lines + (["", "[ exclusions ]", *excluded] if excluded else [])


def _short(name: str) -> str:
    """A bead name that fits the columns."""
    return re.sub(r"\W", "", name)[:5] or "B"


def _function(term: Term, table: int | None) -> str:
    """Number and parameters of a term's function."""
    if term.harmonic is None:
        return f"{TABLE} {table} 1.0"
    center, constant = term.harmonic
    return f"{HARMONIC} {center if term.kind == 'bond' else np.degrees(center):.15g} {constant!r}"
