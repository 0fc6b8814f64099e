"""The nouns: frozen values that every verb takes and gives. NumPy at rest; torch in motion.

Axes: F frames, N atoms, B beads, K replicas, b beads of one molecule, n atoms of one molecule. Units: nm, ps, amu, kJ/mol, K,
elementary charge. Boxes are orthorhombic, given as three lengths.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse

noun = dataclasses.dataclass(frozen=True, eq=False, kw_only=True)


def _array(owner: Any, name: str, shape: tuple, dtype: Any = np.float64, *, finite: bool = True) -> np.ndarray:
    """Set field ``name`` to a read-only array of ``shape`` (None: any length there), or say what is wrong with it."""
    value = getattr(owner, name)
    array = value if isinstance(value, np.ndarray) and value.dtype.kind == np.dtype(dtype).kind else np.asarray(value, dtype)
    if array.size == 0 and array.ndim == 1 and len(shape) > 1:
        array = array.reshape([0 if s is None else s for s in shape])
    what = f"{type(owner).__name__}.{name}"
    if array.ndim != len(shape) or any(w is not None and w != s for w, s in zip(shape, array.shape, strict=True)):
        wanted = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
        raise ValueError(f"{what} has shape {array.shape}; wanted {wanted}.")
    if finite and array.dtype.kind == "f":
        for start in range(0, len(array), 65536):
            bad = ~np.isfinite(array[start : start + 65536])
            if bad.any():
                where = start + int(np.argwhere(bad)[0][0])
                raise ValueError(f"{what} holds NaN or infinity, first in row {where}: leave out such rows or make them anew.")
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    object.__setattr__(owner, name, array)
    return array


def _indices(owner: Any, name: str, width: int, size: int) -> None:
    """An integer field (any, width) whose entries lie in 0..size-1."""
    array = _array(owner, name, (None, width), np.int64)
    if array.size and (array.min() < 0 or array.max() >= size):
        raise ValueError(f"{type(owner).__name__}.{name} names particle {int(array.max())}; there are {size}, counted from 0.")


@noun
class State:
    """A thermodynamic state."""

    temperature: float = 300.0
    """Temperature [K]."""
    pressure: float | None = None
    """Pressure [bar], or None at constant volume."""

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"State.temperature = {self.temperature} K: must be above 0.")


@noun
class System:
    """What is simulated at full resolution."""

    name: str
    """A short name, used for labels and folders."""
    elements: tuple[str, ...]
    """Element symbols, N of them; '' for a virtual site."""
    atom_names: tuple[str, ...]
    """Atom names as in a PDB file, N of them."""
    residue_names: tuple[str, ...]
    """Residue name of every atom, N of them."""
    residue: np.ndarray
    """Index of the residue of every atom, (N,)."""
    molecule: np.ndarray
    """Index of the molecule of every atom, (N,); the atoms of a molecule stand together."""
    masses: np.ndarray
    """Masses [amu], (N,); 0 for a virtual site."""
    charges: np.ndarray
    """Partial charges [e], (N,)."""
    bonds: np.ndarray
    """Bonded pairs of atoms, (any, 2)."""
    constraints: np.ndarray
    """Pairs of atoms held at fixed distance, (any, 2)."""
    virtual_sites: np.ndarray
    """Indices of massless sites, (any,)."""
    positions: np.ndarray
    """A starting configuration [nm], (N, 3)."""
    box: np.ndarray | None
    """Box lengths [nm], (3,), or None in vacuum."""
    force_field: Callable[[], str]
    """Makes the force field, an ``openmm.System`` as XML, when first needed."""
    state: State
    """The state that the system is meant for."""
    experimental_density: float | None = None
    """Experimental density [g/cm^3] at ``state``, or None."""
    source: str = ""
    """Where force field and density come from."""

    def __post_init__(self):
        n = len(self.elements)
        if n == 0:
            raise ValueError("System has no atoms.")
        for name in ("atom_names", "residue_names"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"System.{name} has {len(getattr(self, name))} entries; there are {n} atoms.")
        for name, kind in (("residue", np.int64), ("molecule", np.int64), ("masses", np.float64), ("charges", np.float64)):
            _array(self, name, (n,), kind)
        if np.any(np.diff(self.molecule) < 0) or np.any(np.diff(self.molecule) > 1) or self.molecule[0] != 0:
            raise ValueError("System.molecule must count 0, 1, 2 ... with the atoms of a molecule side by side.")
        _indices(self, "bonds", 2, n)
        _indices(self, "constraints", 2, n)
        _array(self, "virtual_sites", (None,), np.int64)
        _array(self, "positions", (n, 3))
        if self.box is not None:
            _array(self, "box", (3,))

    @property
    def n_atoms(self) -> int:
        """N."""
        return len(self.elements)

    def kinds(self) -> dict[str, np.ndarray]:
        """Kinds of molecule: hash of the topology -> atoms of every copy, (copies, n). Order of first appearance."""
        starts = np.flatnonzero(np.r_[True, np.diff(self.molecule) > 0])
        ends = np.r_[starts[1:], self.n_atoms]
        by_molecule: list[list] = [[] for _ in starts]
        for i, j in self.bonds:
            m = self.molecule[i]
            by_molecule[m].append(tuple(sorted((int(i - starts[m]), int(j - starts[m])))))
        copies: dict[str, list] = {}
        for m, (start, end) in enumerate(zip(starts, ends, strict=True)):
            text = repr((self.elements[start:end], sorted(by_molecule[m])))
            key = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
            copies.setdefault(key, []).append(np.arange(start, end))
        return {key: np.array(atoms) for key, atoms in copies.items()}


@noun
class Template:
    """The beads of one kind of molecule."""

    topology: str
    """Hash of the molecule's topology, as in ``System.kinds``."""
    names: tuple[str, ...]
    """Bead names, unique, b of them."""
    types: tuple[str, ...]
    """Bead types, b of them: beads of one type share their interactions."""
    weights: np.ndarray
    """Weight of every atom in every bead, (b, n); each row sums to 1."""

    def __post_init__(self):
        b = len(self.names)
        if b == 0:
            raise ValueError("a mapping needs at least one bead.")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"the bead name '{twice[0]}' is used twice: every bead needs a name of its own.")
        if len(self.types) != b:
            raise ValueError(f"{len(self.types)} bead types for {b} beads.")
        weights = _array(self, "weights", (b, None))
        for name, row in zip(self.names, weights, strict=True):
            if not np.any(row != 0):
                raise ValueError(f"bead '{name}' is empty: give it at least one atom.")
            if abs(row.sum() - 1) > 1e-6:
                raise ValueError(f"the weights of bead '{name}' sum to {row.sum():.6g}, not 1.")

    def atoms(self, bead: int) -> np.ndarray:
        """Atoms of one bead, counted within the molecule, ascending."""
        return np.flatnonzero(self.weights[bead])


@noun
class Mapping:
    """Which atoms make a bead: positions of beads are linear in those of atoms."""

    templates: tuple[Template, ...]
    """One for every kind of molecule that is kept; a kind without one (a solvent) is left out of the model."""
    decoder: np.ndarray | None = None
    """Linear map from the beads of the one kind of molecule back to its atoms, (n, b), or None."""

    def __post_init__(self):
        if not self.templates:
            raise ValueError("a mapping needs at least one bead.")
        if self.decoder is not None:
            _array(self, "decoder", self.templates[0].weights.shape[::-1])

    def expand(self, system: System) -> scipy.sparse.csr_array:
        """The matrix of the whole system, (B, N). Raises ``ValueError`` where no molecule of ``system`` fits."""
        rows, columns, values, first = [], [], [], 0
        for template, atoms in self._copies(system):
            bead, atom = np.nonzero(template.weights)
            rows.append(first + bead)
            columns.append(atoms[atom])
            values.append(template.weights[bead, atom])
            first += len(template.names)
        triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return scipy.sparse.csr_array(triplets, shape=(first, system.n_atoms))

    def beads(self, system: System) -> "Beads":
        """Bead topology: two beads are bonded where atoms nearest to them (along bonds) are bonded to each other."""
        names, types, masses, charges, molecule, bonds = [], [], [], [], [], []
        neighbours = _neighbours(system)
        for template, atoms in self._copies(system):
            first = len(names)
            owner = _nearest_bead(template, atoms, neighbours)
            names += template.names
            types += template.types
            molecule += [int(system.molecule[atoms[0]])] * len(template.names)
            for bead in range(len(template.names)):
                inside = atoms[template.atoms(bead)]
                masses.append(system.masses[inside].sum())
                charges.append(system.charges[inside].sum())
            pairs = {
                tuple(sorted((first + owner[i], first + owner[j])))
                for i in owner
                for j in neighbours[i]
                if owner.get(j, owner[i]) != owner[i]
            }
            bonds += sorted(pairs)
        _, dense = np.unique(molecule, return_inverse=True)
        return Beads.from_bonds(names=names, types=types, masses=masses, charges=charges, molecule=dense, bonds=bonds)

    def _copies(self, system: System) -> Iterator[tuple[Template, np.ndarray]]:
        """Every mapped molecule in the order of the system, with its template and its atoms."""
        kinds = system.kinds()
        known = {t.topology: t for t in self.templates}
        for topology, template in known.items():
            if topology not in kinds:
                raise ValueError(
                    f"this mapping was made for another molecule (topology {topology}): system '{system.name}' has {', '.join(kinds)}."
                )
            if template.weights.shape[1] != kinds[topology].shape[1]:
                raise ValueError(
                    f"this mapping has weights for {template.weights.shape[1]} atoms; the molecule has {kinds[topology].shape[1]}."
                )
        found = [(atoms, known[topology]) for topology, copies in kinds.items() if topology in known for atoms in copies]
        for atoms, template in sorted(found, key=lambda pair: pair[0][0]):
            yield template, atoms


def _neighbours(system: System) -> list[list[int]]:
    neighbours: list[list[int]] = [[] for _ in range(system.n_atoms)]
    for i, j in system.bonds:
        neighbours[i].append(int(j))
        neighbours[j].append(int(i))
    return neighbours


def _nearest_bead(template: Template, atoms: np.ndarray, neighbours: list[list[int]]) -> dict[int, int]:
    """Owner of every atom: the bead it weighs most in, else the one fewest bonds away (lowest bead first)."""
    owner = {int(atoms[a]): int(template.weights[:, a].argmax()) for a in range(len(atoms)) if template.weights[:, a].any()}
    edge = sorted(owner, key=lambda atom: (owner[atom], atom))
    while edge:
        reached = []
        for atom in edge:
            for other in neighbours[atom]:
                if other not in owner:
                    owner[other] = owner[atom]
                    reached.append(other)
        edge = sorted(reached, key=lambda atom: (owner[atom], atom))
    return owner


@noun
class Beads:
    """The topology of a coarse-grained system."""

    names: tuple[str, ...]
    """Bead names, B of them."""
    types: tuple[str, ...]
    """Bead types, B of them."""
    masses: np.ndarray
    """Masses [amu], (B,)."""
    charges: np.ndarray
    """Charges [e], (B,)."""
    molecule: np.ndarray
    """Index of the molecule of every bead, (B,)."""
    bonds: np.ndarray
    """Bonded pairs, (any, 2)."""
    angles: np.ndarray
    """Angles, the middle bead in the middle, (any, 3)."""
    dihedrals: np.ndarray
    """Proper dihedrals along bonds, (any, 4)."""
    exclusions: np.ndarray
    """Pairs without non-bonded interaction, (any, 2)."""

    def __post_init__(self):
        b = len(self.names)
        if b == 0:
            raise ValueError("Beads: there are none.")
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "types", tuple(self.types))
        if len(self.types) != b:
            raise ValueError(f"Beads.types has {len(self.types)} entries; there are {b} beads.")
        for name, kind in (("masses", np.float64), ("charges", np.float64), ("molecule", np.int64)):
            _array(self, name, (b,), kind)
        if np.any(self.masses <= 0):
            raise ValueError("Beads.masses must be above 0.")
        for name, width in (("bonds", 2), ("angles", 3), ("dihedrals", 4), ("exclusions", 2)):
            _indices(self, name, width, b)

    @property
    def n_beads(self) -> int:
        """B."""
        return len(self.names)

    @classmethod
    def from_bonds(cls, *, names, types, masses, molecule, bonds, charges=None, excluded_bonds: int = 2) -> "Beads":
        """Angles, dihedrals and exclusions (beads up to ``excluded_bonds`` bonds apart) follow from the bonds."""
        bonds = sorted({tuple(sorted((int(i), int(j)))) for i, j in bonds})
        around: list[list[int]] = [[] for _ in names]
        for i, j in bonds:
            around[i].append(j)
            around[j].append(i)
        angles = [(i, j, k) for j in range(len(around)) for i in sorted(around[j]) for k in sorted(around[j]) if i < k]
        dihedrals = [(i, j, k, m) for j, k in bonds for i in sorted(around[j]) for m in sorted(around[k]) if i != k and m != j and i != m]
        exclusions = set()
        for start in range(len(around)):
            reached, edge = {start}, {start}
            for _ in range(excluded_bonds):
                edge = {other for bead in edge for other in around[bead]} - reached
                reached |= edge
            exclusions |= {(start, other) for other in reached if other > start}
        return cls(
            names=tuple(names),
            types=tuple(types),
            masses=np.asarray(masses, float),
            charges=np.zeros(len(around)) if charges is None else np.asarray(charges, float),
            molecule=np.asarray(molecule),
            bonds=np.array(bonds, np.int64),
            angles=np.array(angles, np.int64),
            dihedrals=np.array(dihedrals, np.int64),
            exclusions=np.array(sorted(exclusions), np.int64),
        )


@noun
class Trajectory:
    """Frames of particles. The arrays may be memory maps: long ones are read by :meth:`chunks`, never at once."""

    positions: np.ndarray
    """Positions [nm], (F, N, 3)."""
    forces: np.ndarray | None = None
    """Forces [kJ/mol/nm], (F, N, 3), or None."""
    velocities: np.ndarray | None = None
    """Velocities [nm/ps], (F, N, 3), or None."""
    box: np.ndarray | None = None
    """Box lengths [nm], (F, 3), or None."""
    time: np.ndarray | None = None
    """Time of every frame in its replica [ps], (F,), or None."""
    state: np.ndarray | None = None
    """Index into ``states`` for every frame, (F,); None where all frames belong to the first state."""
    replica: np.ndarray | None = None
    """Index of the replica of every frame, (F,); None where there is one."""
    energy: np.ndarray | None = None
    """Potential energy [kJ/mol], (F,), or None."""
    virial: np.ndarray | None = None
    """Virial -dU/d(strain) [kJ/mol], (F, 3, 3), or None."""
    states: tuple[State, ...] = (State(),)
    """The thermodynamic states."""
    parents: tuple[str, ...] = ()
    """Identities of what this was made from, nearest first."""
    system: System | None = None
    """The system whose atoms these are (a projection needs it), or None where it is not known or the particles are beads."""

    def __post_init__(self):
        f, n, _ = _array(self, "positions", (None, None, 3)).shape
        if self.system is not None and self.system.n_atoms != n:
            raise ValueError(f"{type(self).__name__} has {n} particles a frame; its system has {self.system.n_atoms}.")
        shapes = {
            "forces": (f, n, 3),
            "velocities": (f, n, 3),
            "box": (f, 3),
            "time": (f,),
            "state": (f,),
            "replica": (f,),
            "energy": (f,),
            "virial": (f, 3, 3),
        }
        for name, shape in shapes.items():
            if getattr(self, name) is not None:
                _array(self, name, shape, np.int64 if name in ("state", "replica") else np.float64)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def n_particles(self) -> int:
        """N (or B)."""
        return self.positions.shape[1]

    def take(self, frames: Any) -> Any:
        """The same noun with some frames only: a slice, an index array or a mask. Slices of memory maps stay on disk."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        changed = {name: value[frames] for name, value in fields.items() if isinstance(value, np.ndarray)}
        return dataclasses.replace(self, **changed)

    def chunks(self, size: int = 4096) -> Iterator[Any]:
        """Consecutive pieces of at most ``size`` frames."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))


@noun
class ReferenceData(Trajectory):
    """Frames of beads with what belongs to them: what a model is fitted to and judged by."""

    beads: Beads
    """Bead topology."""
    force_kind: str = "basic"
    """How bead forces were made: 'basic' (summed), 'optimal' (least noise) or 'mean' (averaged), or 'none'."""
    force_error: np.ndarray | None = None
    """Standard error of the forces [kJ/mol/nm], (F, B, 3), or None."""

    def __post_init__(self):
        Trajectory.__post_init__(self)
        if self.beads.n_beads != self.n_particles:
            raise ValueError(f"ReferenceData has {self.n_particles} beads a frame; its topology has {self.beads.n_beads}.")
        if self.force_kind not in ("basic", "optimal", "mean", "none"):
            raise ValueError(f"ReferenceData.force_kind = '{self.force_kind}': choose basic, optimal, mean or none.")
        if self.force_error is not None:
            _array(self, "force_error", self.positions.shape)

    def start(self, frames: Iterable[int]) -> "Start":
        """Starting configurations from these frames, one replica each."""
        chosen = np.fromiter(frames, np.int64)
        if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= len(self):
            raise ValueError(f"start: choose frames between 0 and {len(self) - 1}.")
        return Start(positions=self.positions[chosen], box=None if self.box is None else self.box[chosen], beads=self.beads)


@noun
class Start:
    """Where replicas begin."""

    positions: np.ndarray
    """Positions [nm], (K, B, 3)."""
    beads: Beads
    """Bead topology."""
    velocities: np.ndarray | None = None
    """Velocities [nm/ps], (K, B, 3), or None: drawn at the temperature of the run."""
    box: np.ndarray | None = None
    """Box lengths [nm], (K, 3), or None."""

    def __post_init__(self):
        k, _, _ = _array(self, "positions", (None, self.beads.n_beads, 3)).shape
        if k == 0:
            raise ValueError("Start has no replicas.")
        if self.velocities is not None:
            _array(self, "velocities", (k, self.beads.n_beads, 3))
        if self.box is not None:
            _array(self, "box", (k, 3))


@noun
class Target:
    """A value that a model should meet."""

    observable: str
    """Name of a file of ``observables``."""
    settings: Any
    """Its settings."""
    value: np.ndarray
    """The value wanted, in ``unit``."""
    error: np.ndarray
    """Its standard error, same shape."""
    unit: str
    """Unit of value and error."""
    weight: float = 1.0
    """Weight in an objective."""
    state: State = State()
    """Where it was measured."""
    source: str = ""
    """Who measured it."""


@noun
class Observation:
    """A measured quantity with its error."""

    name: str
    """What was measured."""
    x: tuple[np.ndarray, ...]
    """Axes: bin centres, one array per dimension; empty for a single number."""
    value: np.ndarray
    """The values."""
    error: np.ndarray
    """Standard errors, same shape."""
    unit: str
    """Unit of the values."""
    x_unit: str = ""
    """Unit of the axes."""
    n_effective: float
    """Effective number of independent samples."""
    state: State = State()
    """Where it was measured."""

    def __post_init__(self):
        object.__setattr__(self, "x", tuple(np.asarray(axis, float) for axis in self.x))
        value = _array(self, "value", (None,) * np.ndim(self.value), finite=False)
        _array(self, "error", value.shape, finite=False)


@noun
class Fit:
    """A fitted potential and how it came about."""

    potential: Any
    """The potential, which knows nothing of fitting."""
    settings: Any
    """Settings of the fit."""
    history: dict[str, np.ndarray]
    """One array per metric, one entry per record (epoch or iteration)."""
    parents: tuple[str, ...] = ()
    """Identities of the data and of the potential before the fit."""
