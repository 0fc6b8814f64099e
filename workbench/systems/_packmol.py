"""Molecules placed in a periodic box without overlap by Packmol: Martinez et al., J. Comput. Chem. 30, 2157 (2009)."""

import pathlib
import subprocess
import tempfile
from collections.abc import Sequence

import numpy as np
from packmol import cli

from workbench import units

TOLERANCES = (2.0, 1.7)
"""Least distances between atoms of different molecules that are tried, one after the other [angstrom]."""
LOOPS = 30
"""Most optimisation loops of a try; dense liquids need a few."""
TIME_LIMIT = 300
"""Seconds after which a try is given up."""


def pack(molecules: Sequence[tuple[np.ndarray, int]], edge: float, seed: int) -> list[np.ndarray]:
    """Copies of every molecule (positions (n, 3) [nm], count) in a cubic box of side ``edge`` [nm]: arrays (count, n, 3).

    The same arguments give the same positions. Raises ``ValueError`` where the molecules cannot be placed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for index, (positions, _) in enumerate(molecules):
            _write(folder / f"{index}.xyz", positions)
        for tolerance in TOLERANCES:
            if _run(folder, molecules, edge, seed, tolerance):
                return _read(folder / "packed.xyz", molecules)
    count = sum(count for _, count in molecules)
    raise ValueError(
        f"{count} molecules cannot be packed into a box of {edge:.3f} nm: choose a lower density (pressure then compresses it)."
    )


def _write(path: pathlib.Path, positions: np.ndarray) -> None:
    rows = [f"X {x:.6f} {y:.6f} {z:.6f}" for x, y, z in positions / units.ANGSTROM]
    path.write_text("\n".join([str(len(rows)), "", *rows, ""]))


def _run(folder: pathlib.Path, molecules: Sequence[tuple[np.ndarray, int]], edge: float, seed: int, tolerance: float) -> bool:
    """Whether Packmol found a solution."""
    side = edge / units.ANGSTROM
    lines = [
        f"tolerance {tolerance}",
        "filetype xyz",
        "output packed.xyz",
        f"seed {seed + 1}",
        f"nloop {LOOPS}",
        f"pbc {side:.6f} {side:.6f} {side:.6f}",
    ]
    for index, (_, count) in enumerate(molecules):
        lines += [f"structure {index}.xyz", f"  number {count}", "end structure"]
    (folder / "input").write_text("\n".join([*lines, ""]))
    with open(folder / "input") as given:  # a file: Packmol reads its input twice, which a pipe does not allow
        try:
            done = subprocess.run([str(cli.get_binary_path())], stdin=given, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0 and "Success!" in done.stdout


def _read(path: pathlib.Path, molecules: Sequence[tuple[np.ndarray, int]]) -> list[np.ndarray]:
    rows = np.array([line.split()[1:4] for line in path.read_text().splitlines()[2:]], float) * units.ANGSTROM
    packed, first = [], 0
    for positions, count in molecules:
        last = first + count * len(positions)
        packed.append(rows[first:last].reshape(count, -1, 3))
        first = last
    return packed
