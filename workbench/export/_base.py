"""What the exports share: a potential taken apart into terms that other engines know, the files in one go, and the proof of parity."""

import copy
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from workbench.potentials._base import Potential, Sum, evaluate
from workbench.potentials._bonded_tables import KINDS, BondedTables
from workbench.potentials._pair import PairPotential
from workbench.potentials._pair_tables import PairTables
from workbench.potentials.bond_order import BondOrder
from workbench.potentials.harmonic import Harmonic
from workbench.potentials.stillinger_weber import StillingerWeber
from workbench.types import Beads, Start, noun

TOLERANCE = 1e-5
WALL = 1e5
"""Energy [kJ/mol] beyond which no pair of beads comes: a table may begin there."""
Curve = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Energy [kJ/mol] and slope [kJ/mol/nm or rad] at values of a coordinate [nm or rad]."""


@noun
class Parity:
    """How far an engine's energy and forces are from those of the potential, on one frame."""

    engine: str
    """Name of the engine."""
    version: str
    """Its version."""
    energy_difference: float
    """Difference of the energies, relative to the potential's own."""
    force_difference: float
    """Largest difference of a force component, relative to the largest one of the potential's own."""
    note: str = ""
    """What the engine did not run itself."""

    @property
    def passed(self) -> bool:
        """Whether both differences are at most ``TOLERANCE``."""
        return bool(self.energy_difference <= TOLERANCE and self.force_difference <= TOLERANCE)


@noun
class Term:
    """Bonds, angles or dihedrals of one curve: ``harmonic``, 1/2 k (q - q0)^2, or else a table."""

    kind: str
    """bond, angle or dihedral."""
    rows: np.ndarray
    """Beads of each, (any, 2 to 4)."""
    curve: Curve
    """Energy and slope."""
    harmonic: tuple[float, float] | None = None
    """q0 [nm or rad] and k [kJ/mol/nm^2 or rad^2]."""
    grid: tuple[float, float, int] | None = None
    """First and last knot [nm or rad] of a table, and its number of intervals."""


@noun
class Model:
    """A potential, bound to the one frame of a start and taken apart."""

    potential: Potential
    """The whole of it, in double precision."""
    beads: Beads
    """Bead topology."""
    positions: np.ndarray
    """Positions [nm], (B, 3)."""
    box: np.ndarray | None
    """Box lengths [nm], (3,), or None."""
    pairs: tuple[tuple[float, Potential], ...]
    """Pair potentials with their weights."""
    many_body: tuple[tuple[float, Potential], ...]
    """Potentials of three beads without a bond, with their weights."""
    terms: tuple[Term, ...]
    """Bonded terms."""

    @property
    def cutoff(self) -> float | None:
        """Range of the pairs [nm]; None where there are none."""
        return max((part.cutoff for _, part in self.pairs), default=None)


def take_apart(potential: Potential, start: Start, engine: str, many_body: tuple[type, ...] = ()) -> Model:
    """The model that ``engine`` is to run, which knows bonded terms, pairs and, at most once each, the classes ``many_body``.

    Raises ``ValueError`` for a start of several frames, a box below twice the cut-off, and a potential that ``engine`` has no form for.
    """
    bound = bind(potential, start, engine)
    pairs, more, terms = [], [], []
    for weight, part in weighted(bound):
        if isinstance(part, (PairTables, PairPotential)):
            pairs.append((weight, part))
        elif isinstance(part, BondedTables):
            terms += _tables(weight, part)
        elif isinstance(part, Harmonic):
            terms += _harmonics(weight, part)
        elif isinstance(part, many_body) and not any(type(part) is type(other) for _, other in more):
            more.append((weight, part))
        else:
            raise ValueError(
                f"{engine} cannot run {type(part).__name__} here, which is no sum over pairs, bonds, angles and dihedrals: "
                "run it with simulation.openmm_engine."
            )
    for _, part in (*pairs, *more):
        if _for_replicas(part):
            raise ValueError(f"{engine} runs one replica: this {type(part).__name__} has parameters for several.")
    return Model(
        potential=bound,
        beads=start.beads,
        positions=start.positions[0],
        box=None if start.box is None else start.box[0],
        pairs=tuple(pairs),
        many_body=tuple(more),
        terms=tuple(terms),
    )


def bind(potential: Potential, start: Start, engine: str) -> Potential:
    """A copy of ``potential`` for the beads of ``start``, in double precision. Raises ``ValueError`` as :func:`take_apart` does."""
    if len(start.positions) != 1:
        raise ValueError(f"{engine} runs one replica, not {len(start.positions)}: give a start of one frame.")
    if start.box is not None and potential.cutoff is not None and potential.cutoff > 0.5 * start.box.min():
        raise ValueError(
            f"the cut-off of {potential.cutoff:.3f} nm exceeds half of the box of {start.box.min():.3f} nm: export a larger system."
        )
    return copy.deepcopy(potential).to("cpu", torch.float64).bind(start.beads)


def weighted(potential: Potential, weight: float = 1.0) -> Iterator[tuple[float, Potential]]:
    """The parts of a sum, of sums within it too, with their weights."""
    if not isinstance(potential, Sum):
        yield weight, potential
        return
    for factor, part in zip(potential.weights, potential.parts, strict=True):
        yield from weighted(part, weight * factor)


def pair_curve(model: Model, types: tuple[str, str], r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy [kJ/mol] and slope [kJ/mol/nm] of two beads of ``types`` at distances ``r`` (n,) [nm]."""
    two = Beads.from_bonds(names=types, types=types, masses=(1.0, 1.0), molecule=(0, 1), bonds=())
    x = torch.zeros(len(r), 2, 3, dtype=torch.float64)
    x[:, 1, 0] = torch.as_tensor(r)
    found = [(weight, evaluate(part.bind(two), x)) for weight, part in model.pairs]
    return (
        sum(weight * each.energy for weight, each in found).numpy(),
        sum(weight * each.forces[:, 0, 0] for weight, each in found).numpy(),
    )


def innermost(model: Model, types: tuple[str, str]) -> float:
    """Distance [nm] within which every energy is beyond ``WALL``, or a thousandth of the cut-off."""
    r = np.linspace(model.cutoff / 1000, model.cutoff, 1000)
    high = pair_curve(model, types, r)[0] > WALL
    return float(r[max(0, int(np.argmin(high)) - 1)])


def compare(potential: Potential, start: Start, energy: float, forces: np.ndarray, engine: str, version: str, note: str = "") -> Parity:
    """An engine's energy [kJ/mol] and forces (B, 3) [kJ/mol/nm] of the one frame of ``start`` beside those of ``potential``."""
    x, box = (None if values is None else torch.tensor(values, dtype=torch.float64) for values in (start.positions, start.box))
    wanted, least = evaluate(potential, x, box), np.finfo(float).tiny
    u, f = float(wanted.energy), wanted.forces[0].numpy()
    return Parity(
        engine=engine,
        version=version,
        energy_difference=abs(energy - u) / max(abs(u), least),
        force_difference=float(np.abs(forces - f).max() / max(np.abs(f).max(), least)),
        note=note,
    )


def write_files(folder: Any, files: dict[str, str]) -> tuple[pathlib.Path, ...]:
    """Write ``files`` by name into ``folder``, made where it is missing; their paths."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return tuple(folder / name for name in files)


def program(names: Sequence[str], executable: Any, advice: str) -> str:
    """Path of ``executable``, or of the first of ``names``, beside this Python or on the path. ``ValueError`` with ``advice`` without."""
    wanted = names if executable is None else (str(executable),)
    for name in wanted:
        found = shutil.which(name, path=str(pathlib.Path(sys.executable).parent)) or shutil.which(name)
        if found:
            return found
    raise ValueError(f"there is no program {' or '.join(wanted)} here: {advice}")


def call(command: list, folder: pathlib.Path, environment: dict, given: str = "") -> str:
    """What a program prints that runs in ``folder`` and reads ``given``. ``RuntimeError`` with its last lines where it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        reasons = [line for line in done.stdout.splitlines() if "ERROR" in line]
        raise RuntimeError(f"{pathlib.Path(command[0]).name} stopped with code {done.returncode}: {(reasons or [done.stdout[-1000:]])[0]}")
    return done.stdout


def table_text(columns: list[np.ndarray], numbered: bool = False) -> str:
    """Columns of numbers in full precision, after a first one that counts from 1 where ``numbered``."""
    first = [np.arange(1, len(columns[0]) + 1).astype(str)] if numbered else []
    words = [*first, *(np.char.mod("%.15g", column) for column in columns)]
    return "\n".join(map(" ".join, zip(*words, strict=True))) + "\n"


def _for_replicas(part: Potential) -> bool:
    """Whether the parameters have a leading axis, one value for every replica."""
    if isinstance(part, (StillingerWeber, BondOrder)):
        return len(part.values) > 1
    return any(value.dim() > 0 for name, value in part.named_buffers() if name in ("epsilon", "sigma"))


def _tables(weight: float, part: BondedTables) -> list[Term]:
    """One term for every table that has rows."""

    def curve(kind: str, table: int) -> Curve:
        return lambda q: tuple(weight * values for values in part.curve(kind, table, q))

    found = []
    for kind, rows in part.recipe()["rows"].items():
        for table in range(len(part.tables[kind])):
            mine = np.array([row[:-1] for row in rows if row[-1] == table], np.int64)
            if len(mine):
                found.append(Term(kind=kind, rows=mine, curve=curve(kind, table), grid=part.grids[kind]))
    return found


def _harmonics(weight: float, part: Harmonic) -> list[Term]:
    """One term for every pair of centre and constant."""

    def curve(center: float, constant: float) -> Curve:
        return lambda q: (0.5 * constant * (q - center) ** 2, constant * (q - center))

    n_bonds, by_values = len(part.descriptor.pairs), {}
    rows = [*part.descriptor.pairs.tolist(), *part.descriptor.triples.tolist()]
    for k, (row, center, constant) in enumerate(zip(rows, part.center.tolist(), part.constant.tolist(), strict=True)):
        by_values.setdefault((KINDS[k >= n_bonds], center, weight * constant), []).append(row)
    return [
        Term(kind=kind, rows=np.array(rows), curve=curve(center, constant), harmonic=(center, constant))
        for (kind, center, constant), rows in by_values.items()
    ]
