"""What the formats share: the beads of one molecule as names, types, atoms and a word for their weights."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from workbench.types import Mapping, System, Template

WEIGHTS = ("mass", "geometric")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bead:
    """One bead as a file states it."""

    name: str
    """Its name."""
    type: str
    """Its type."""
    atoms: tuple[int, ...]
    """Its atoms, counted from 0 within the molecule."""
    weights: str | tuple[float, ...] = "mass"
    """Centre of mass, geometric centre, or a weight for every atom in the order of ``atoms``."""


def molecule_atoms(system: System, molecule: int) -> tuple[str, np.ndarray]:
    """Topology and atoms (n,) of a molecule counted from 0. Raises ``ValueError`` for one that is not there."""
    n_molecules = int(system.molecule[-1]) + 1
    if not 0 <= molecule < n_molecules:
        raise ValueError(f"there is no molecule {molecule} in '{system.name}': it has {n_molecules}, counted from 0.")
    for topology, copies in system.kinds().items():
        place = np.flatnonzero(system.molecule[copies[:, 0]] == molecule)
        if place.size:
            return topology, copies[place[0]]
    raise AssertionError("a molecule of no kind")


def to_template(system: System, molecule: int, beads: Sequence[Bead], where: str) -> Template:
    """The beads of one molecule as a template. Raises ``ValueError`` for atoms that are not there or listed twice, and for weights
    that do not fit."""
    topology, atoms = molecule_atoms(system, molecule)
    weights = np.zeros((len(beads), len(atoms)))
    for row, bead in zip(weights, beads, strict=True):
        if not bead.atoms:
            raise ValueError(f"{where}: bead '{bead.name}' is empty: give it at least one atom.")
        for atom in bead.atoms:
            if not 0 <= atom < len(atoms):
                raise ValueError(f"{where}: bead '{bead.name}' names atom {atom} of a molecule that has {len(atoms)}, counted from 0.")
        if len(set(bead.atoms)) < len(bead.atoms):
            raise ValueError(f"{where}: bead '{bead.name}' holds an atom twice: list every atom once.")
        share = _shares(bead, system.masses[atoms])
        if not abs(share.sum()) > 0:
            raise ValueError(f"{where}: the weights of bead '{bead.name}' sum to {share.sum():g}: give it an atom with mass, or weights.")
        row[list(bead.atoms)] = share if abs(share.sum() - 1) < 1e-9 else share / share.sum()
    return Template(topology=topology, names=tuple(b.name for b in beads), types=tuple(b.type for b in beads), weights=weights)


def from_template(template: Template, masses: np.ndarray) -> list[Bead]:
    """The beads of a template; ``masses`` (n,) [amu] tell which stand at a centre of mass."""
    beads = []
    for bead, (name, kind) in enumerate(zip(template.names, template.types, strict=True)):
        atoms = template.atoms(bead)
        share = template.weights[bead, atoms]
        words = {"mass": masses[atoms], "geometric": np.ones(len(atoms))}
        word = next((w for w, s in words.items() if s.sum() > 0 and np.allclose(share, s / s.sum(), rtol=1e-12, atol=0)), None)
        beads.append(Bead(name=name, type=kind, atoms=tuple(atoms.tolist()), weights=word or tuple(share.tolist())))
    return beads


def the_template(mapping: Mapping, system: System, molecule: int | None, what: str) -> tuple[int, np.ndarray, Template]:
    """Number, atoms (n,) and template of the one kind of molecule that a file of ``what`` holds.

    Raises ``ValueError`` where ``mapping`` has several kinds and ``molecule`` does not choose, or has none for the chosen one.
    """
    kinds = system.kinds()
    mapping.expand(system)
    known = {template.topology: template for template in mapping.templates}
    if molecule is None:
        if len(known) > 1:
            raise ValueError(f"{what} holds one kind of molecule and this mapping has {len(known)}: write each by molecule=0, 1, ...")
        (topology,) = known
        atoms = kinds[topology][0]
    else:
        topology, atoms = molecule_atoms(system, molecule)
        if topology not in known:
            raise ValueError(f"molecule {molecule} of '{system.name}' has no beads in this mapping: choose another, or none.")
    return int(system.molecule[atoms[0]]), atoms, known[topology]


def weights_text(weights: str | tuple[float, ...]) -> str:
    """'mass', 'geometric', or numbers that are read back to the last bit."""
    return weights if isinstance(weights, str) else ",".join(repr(float(w)) for w in weights)


def weights_of(text: str, bead: str, where: str) -> str | tuple[float, ...]:
    """What :func:`weights_text` wrote. Raises ``ValueError`` for anything else."""
    if text in WEIGHTS:
        return text
    try:
        return tuple(float(w) for w in text.split(","))
    except ValueError:
        raise ValueError(f"{where}: bead '{bead}' has the weights '{text}': write mass, geometric, or numbers as in 0.5,0.5.") from None


def _shares(bead: Bead, masses: np.ndarray) -> np.ndarray:
    if bead.weights == "mass":
        return masses[list(bead.atoms)]
    if bead.weights == "geometric":
        return np.ones(len(bead.atoms))
    if len(bead.weights) != len(bead.atoms):
        raise ValueError(f"bead '{bead.name}' has {len(bead.atoms)} atoms but {len(bead.weights)} weights: give one each.")
    return np.array(bead.weights)
