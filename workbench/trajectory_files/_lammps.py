"""LAMMPS text dumps (``dump custom`` with id and x y z, xu yu zu, xs ys zs or xsu ysu zsu; vx vy vz and fx fy fz where written).

Layout: LAMMPS manual, 'dump command'. A dump holds bare numbers: their unit style is that of the run, real or metal. Atoms are put
in the order of their ids, which must be that of the topology. Box and coordinates are measured from the box's lower corner.
"""

import itertools
import pathlib
from collections.abc import Iterator
from typing import IO

import numpy as np

from workbench import units
from workbench.trajectory_files._source import Source, damaged, skewed

STYLES = {
    "real": {"forces": units.KCAL_PER_ANGSTROM, "velocities": units.ANGSTROM / units.FEMTOSECOND, "time": units.FEMTOSECOND},
    "metal": {"forces": units.ELECTRONVOLT_PER_ANGSTROM, "velocities": units.ANGSTROM, "time": 1.0},
}
COORDINATES = ("x", "xu", "xs", "xsu")


def source(path: pathlib.Path, style: str | None) -> Source:
    """The dump's frames. Raises ``ValueError`` for a unit style that is missing or not known, and columns that are missing."""
    with open(path, errors="replace") as file:
        try:
            head = _head(file)
        except (ValueError, IndexError) as error:
            raise damaged(path.name, error) from None
    if head is None:
        return Source(n_atoms=0, n_frames=0, names=frozenset({"positions", "box"}), pieces=lambda n: iter(()), cut=path.stat().st_size > 0)
    style = _style(path, style, head.get("UNITS"))
    if head["skewed"]:
        raise skewed(path.name)
    columns = head["columns"]
    if "id" not in columns or not any(c in columns for c in COORDINATES):
        raise ValueError(f"{path.name} has the columns {' '.join(columns)}: dump at least id x y z (and vx vy vz, fx fy fz).")
    names = {"positions"}
    names |= {name for name, first in (("velocities", "vx"), ("forces", "fx")) if first in columns}
    names |= {"box"} if head["periodic"] else set()
    names |= {"time"} if "TIME" in head else set()
    count, cut = _count(path, head["atoms"])
    return Source(
        n_atoms=head["atoms"],
        n_frames=count,
        names=frozenset(names),
        pieces=lambda n: _pieces(path, style, names, (count, head["atoms"]), n),
        cut=cut,
        unit=f"units {style}",
    )


def _style(path: pathlib.Path, given: str | None, stated: str | None) -> str:
    if given is not None and stated is not None and given != stated:
        raise ValueError(f"lammps_units = '{given}' but {path.name} says that it is in units {stated}: leave lammps_units out.")
    style = given or stated
    if style is None:
        raise ValueError(f"{path.name} does not state its units: give lammps_units='real' or 'metal', as in the run's input file.")
    if style not in STYLES:
        raise ValueError(f"{path.name}: units {style} cannot be converted to nm, ps and kJ/mol: real and metal can.")
    return style


def _head(file: IO[str]) -> dict | None:
    """Everything before the rows of one frame; None where the file ends."""
    head: dict = {}
    while line := file.readline():
        item = line.removeprefix("ITEM: ").split()
        if not line.startswith("ITEM: ") or not line.endswith("\n"):
            raise ValueError(f"'{line.strip()[:40]}' stands where an ITEM line should")
        if item[0] == "ATOMS":
            return head | {"columns": item[1:]}
        if item[:2] == ["BOX", "BOUNDS"]:
            rows = [[float(v) for v in file.readline().split()] for _ in range(3)]
            head["skewed"] = len(item) > 5 or any(len(row) != 2 for row in rows)
            head["low"] = np.array([row[0] for row in rows])
            head["box"], head["periodic"] = np.array([row[1] for row in rows]) - head["low"], item[2:] == ["pp"] * 3
        elif item[:3] == ["NUMBER", "OF", "ATOMS"]:
            head["atoms"] = int(file.readline())
        else:
            head[item[0]] = file.readline().strip()
    return None


def _count(path: pathlib.Path, n_atoms: int) -> tuple[int, bool]:
    """Whole frames, and whether the file goes on after the last of them."""
    count, rows, inside, line = 0, 0, False, "\n"
    with open(path, errors="replace") as file:
        for line in file:
            if line.startswith("ITEM: ATOMS"):
                inside, rows = True, 0
            elif line.startswith("ITEM: ") or not inside:
                inside = False
                rows = -1
            else:
                rows += 1
                if rows == n_atoms and line.endswith("\n"):
                    count += 1
    return count, rows != n_atoms or not line.endswith("\n")


def _pieces(path: pathlib.Path, style: str, names: set[str], shape: tuple[int, int], size: int) -> Iterator[dict[str, np.ndarray]]:
    factors = STYLES[style]
    with open(path, errors="replace") as file:
        for start in range(0, shape[0], size):
            piece: dict[str, list] = {name: [] for name in names}
            for number in range(start, min(start + size, shape[0])):
                for name, values in _frame(file, f"{path.name}, frame {number},", shape[1], names).items():
                    piece[name].append(values)
            arrays = {name: np.array(values, np.float64) for name, values in piece.items()}
            yield {name: values * factors.get(name, units.ANGSTROM) for name, values in arrays.items()}


def _frame(file: IO[str], where: str, n_atoms: int, names: set[str]) -> dict[str, np.ndarray]:
    """One frame in the units of the run, its atoms by ascending id, positions counted from the lower corner of the box."""
    try:
        head = _head(file)
        columns = head["columns"]
        first = next(c for c in COORDINATES if c in columns)
        triples = {"positions": first, "velocities": "vx", "forces": "fx"}
        wanted = ["id"] + [c.replace("x", axis, 1) for name, c in triples.items() if name in names for axis in "xyz"]
        used = [columns.index(c) for c in wanted]
        rows = np.loadtxt(itertools.islice(file, head["atoms"]), usecols=used, ndmin=2)
    except (ValueError, IndexError, KeyError, StopIteration) as error:
        raise damaged(where, error) from None
    order = np.argsort(rows[:, 0])
    if len(rows) != n_atoms or np.any(np.diff(rows[order, 0]) == 0):
        raise ValueError(f"{where} holds other atoms than the first, or one of them twice: dump the same atoms in every frame.")
    if head["skewed"]:
        raise skewed(where)
    values = iter(np.split(rows[order, 1:], (len(wanted) - 1) // 3, axis=1))
    frame = {name: next(values) for name in triples if name in names}
    scaled = "s" in first
    frame["positions"] = frame["positions"] * head["box"] if scaled else frame["positions"] - head["low"]
    if "box" in names:
        frame["box"] = head["box"]
    if "time" in names:
        frame["time"] = np.float64(head["TIME"])
    return frame
