"""Which atoms make a bead."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from workbench.types._fields import check_array, noun
from workbench.types.beads import Beads
from workbench.types.system import System


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
        weights = check_array(self, "weights", (b, None))
        for name, row in zip(self.names, weights, strict=True):
            if not np.any(row != 0):
                raise ValueError(f"bead '{name}' is empty: give it at least one atom.")
            if abs(row.sum() - 1) > 1e-6:
                raise ValueError(f"the weights of bead '{name}' sum to {row.sum():.6g}, not 1.")

    def atoms(self, bead: int) -> np.ndarray:
        """Atoms of one bead, counted within the molecule, ascending."""
        return np.flatnonzero(self.weights[bead])


@noun
class Decoder:
    """From the beads of a molecule back to its atoms: linear once the beads are superposed on ``reference``.

    With the beads at X, c their centre and R the rotation that brings ``reference`` closest to X - c, the atoms are expected at
    c + R (atoms + response (R^T (X - c) - reference)).
    """

    reference: np.ndarray
    """Beads [nm], centred, (b, 3)."""
    atoms: np.ndarray
    """Where the atoms are when the beads are there [nm], (n, 3)."""
    response: np.ndarray
    """How atoms follow beads, (n, 3, b, 3)."""
    spread: np.ndarray
    """Root-mean-square distance of every atom from where it is expected [nm], (n,)."""

    def __post_init__(self):
        n, b = len(np.atleast_1d(self.atoms)), len(np.atleast_1d(self.reference))
        for name, shape in (("reference", (b, 3)), ("atoms", (n, 3)), ("response", (n, 3, b, 3)), ("spread", (n,))):
            check_array(self, name, shape)


@noun
class Mapping:
    """Which atoms make a bead: positions of beads are linear in those of atoms."""

    templates: tuple[Template, ...]
    """One for every kind of molecule that is kept; a kind without one (a solvent) is left out of the model."""
    decoder: np.ndarray | tuple[Decoder | None, ...] | None = None
    """From beads back to atoms: a linear map for the one (or first) kind of molecule, (n, b), or a :class:`Decoder` for each, or None."""

    def __post_init__(self):
        if not self.templates:
            raise ValueError("a mapping needs at least one bead.")
        if isinstance(self.decoder, (tuple, list)) and all(d is None or isinstance(d, Decoder) for d in self.decoder):
            object.__setattr__(self, "decoder", tuple(self.decoder))
            if len(self.decoder) != len(self.templates):
                raise ValueError(f"Mapping.decoder has {len(self.decoder)} entries for {len(self.templates)} kinds of molecule.")
            for template, decoder in zip(self.templates, self.decoder, strict=True):
                b, n = template.weights.shape
                if decoder is not None and (len(decoder.reference), len(decoder.atoms)) != (b, n):
                    has = f"{len(decoder.reference)} beads and {len(decoder.atoms)} atoms"
                    raise ValueError(f"a decoder of the mapping has {has}; the molecule has {b} and {n}.")
        elif self.decoder is not None:
            check_array(self, "decoder", self.templates[0].weights.shape[::-1])

    def expand(self, system: System) -> scipy.sparse.csr_array:
        """The matrix of the whole system, (B, N). Raises ``ValueError`` where no molecule of ``system`` fits."""
        rows, columns, values, first = [], [], [], 0
        for template, atoms in self.copies(system):
            bead, atom = np.nonzero(template.weights)
            rows.append(first + bead)
            columns.append(atoms[atom])
            values.append(template.weights[bead, atom])
            first += len(template.names)
        triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return scipy.sparse.csr_array(triplets, shape=(first, system.n_atoms))

    def beads(self, system: System) -> Beads:
        """Bead topology: two beads are bonded where atoms nearest to them (along bonds) are bonded to each other."""
        names, types, masses, charges, molecule, bonds = [], [], [], [], [], []
        neighbours, partial = neighbours_of(system), system.partial_charges()
        for template, atoms in self.copies(system):
            first = len(names)
            owner = nearest_bead(template, atoms, neighbours)
            names += template.names
            types += template.types
            molecule += [int(system.molecule[atoms[0]])] * len(template.names)
            for bead in range(len(template.names)):
                inside = atoms[template.atoms(bead)]
                masses.append(system.masses[inside].sum())
                charges.append(partial[inside].sum())
            pairs = {
                tuple(sorted((first + owner[i], first + owner[j])))
                for i in owner
                for j in neighbours[i]
                if owner.get(j, owner[i]) != owner[i]
            }
            bonds += sorted(pairs)
        _, dense = np.unique(molecule, return_inverse=True)
        return Beads.from_bonds(names=names, types=types, masses=masses, charges=charges, molecule=dense, bonds=bonds)

    def copies(self, system: System) -> Iterator[tuple[Template, np.ndarray]]:
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


def neighbours_of(system: System) -> list[list[int]]:
    """Bonded atoms of every atom."""
    neighbours: list[list[int]] = [[] for _ in range(system.n_atoms)]
    for i, j in system.bonds:
        neighbours[i].append(int(j))
        neighbours[j].append(int(i))
    return neighbours


def nearest_bead(template: Template, atoms: np.ndarray, neighbours: list[list[int]]) -> dict[int, int]:
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
