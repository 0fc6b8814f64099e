"""Which atoms make a bead, decided by hand: beads of one kind of molecule with undo and redo. Knows no widgets.

Every act returns a note for the person, or '' where there is nothing to say; what cannot be is a ``ValueError`` of one sentence.
"""

import contextlib
import dataclasses
import re

import numpy as np

from workbench import types
from workbench.mappings import by_pick


@dataclasses.dataclass(frozen=True)
class Bead:
    """One bead under construction."""

    name: str
    kind: str
    atoms: tuple[int, ...] = ()
    """Atoms counted from 0 within the molecule, ascending."""


@dataclasses.dataclass(frozen=True, eq=False)
class Loaded:
    """A mapping that was not picked here: it stands as it is while its beads do."""

    mapping: types.Mapping
    beads: tuple[Bead, ...]
    code: str = ""
    """The workbench call that made it, where it is known."""
    title: str = ""
    """What to call it."""


@dataclasses.dataclass(frozen=True)
class Beads:
    """All beads and which one is being edited."""

    beads: tuple[Bead, ...] = (Bead("B1", "B1"),)
    current: int = 0
    weights: str = "mass"
    """Where the beads stand: a choice of ``by_pick.Settings.weights``."""
    loaded: Loaded | None = None
    """What the beads were before they were edited, if anything."""


class BeadEditor:
    """Edits the mapping of the first kind of molecule of ``system``; the others stay unmapped (solvent)."""

    def __init__(self, system: types.System, kind: int = 0):
        self.system = system
        self.topology, self.copies = list(system.kinds().items())[kind]  # copies (molecules, n)
        self.n_atoms = self.copies.shape[1]
        self.state = Beads()
        self._undo: list[Beads] = []
        self._redo: list[Beads] = []

    @property
    def beads(self) -> tuple[Bead, ...]:
        """All beads."""
        return self.state.beads

    @property
    def current(self) -> Bead:
        """The bead that a pick goes to."""
        return self.state.beads[self.state.current]

    @property
    def loaded(self) -> Loaded | None:
        """The mapping that was loaded, where nothing was edited since."""
        loaded = self.state.loaded
        return loaded if loaded is not None and loaded.beads == self.beads else None

    @property
    def title(self) -> str:
        """Where the beads come from, in a few words."""
        loaded = self.state.loaded
        if loaded is None or loaded.title in ("", "by pick"):
            return "by pick"
        return loaded.title if self.loaded else f"{loaded.title}, edited"

    @property
    def can_undo(self) -> bool:
        """Whether there is an act to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether an act was taken back."""
        return bool(self._redo)

    def choose(self, bead: int) -> str:
        """Edit another bead (not an act that undo takes back)."""
        self.state = dataclasses.replace(self.state, current=bead)
        return ""

    def toggle(self, atom: int, *, residue: bool = False) -> str:
        """A pick: put an atom of the system (or its whole ``residue``) into the current bead; free it when it is there already.

        An atom of another bead moves.
        """
        where = np.argwhere(self.copies == atom)
        if not len(where):
            raise ValueError(f"atom {atom} belongs to another kind of molecule, which this mapping leaves out.")
        inside = int(where[0][1])
        residues = self.system.residue[self.copies[0]]
        picked = set(np.flatnonzero(residues == residues[inside]).tolist()) if residue else {inside}
        if picked <= set(self.current.atoms):
            self._set_atoms(set(self.current.atoms) - picked)
            return f"{self._named(sorted(picked))} free again."
        return self._set_atoms({*self.current.atoms, *picked})

    def type_atoms(self, text: str) -> str:
        """Give the current bead the atoms of a text such as ``1,2,5-8`` (counted from 0)."""
        return self._set_atoms(set(parse_atoms(text, self.n_atoms)))

    def new_bead(self) -> str:
        """Add an empty bead and edit it."""
        if not self.current.atoms:
            raise ValueError(f"bead '{self.current.name}' is still empty: give it an atom before you add another.")
        number = len(self.beads) + 1
        while f"B{number}" in {bead.name for bead in self.beads}:
            number += 1
        self._edit((*self.beads, Bead(f"B{number}", f"B{number}")), len(self.beads))
        return ""

    def remove(self, bead: int) -> str:
        """Take a bead away; its atoms are free."""
        name, left = self.beads[bead].name, self.beads[:bead] + self.beads[bead + 1 :]
        self._edit(left or Beads().beads, max(0, min(self.state.current, len(left) - 1)))
        return f"bead '{name}' is gone; undo brings it back."

    def rename(self, name: str, kind: str | None = None) -> str:
        """Give the current bead a name, and a type (default: keep it, or follow the name where both were equal)."""
        name = name.strip()
        if not name:
            raise ValueError("a bead needs a name.")
        if any(bead.name == name for i, bead in enumerate(self.beads) if i != self.state.current):
            raise ValueError(f"the bead name '{name}' is used twice: every bead needs a name of its own.")
        if kind is None:
            kind = name if self.current.kind == self.current.name else self.current.kind
        self._replace({self.state.current: dataclasses.replace(self.current, name=name, kind=kind.strip() or name)})
        return ""

    def clear(self) -> str:
        """Start over with one empty bead; undo brings everything back."""
        self._act(Beads())
        return "all beads cleared; undo brings them back."

    def undo(self) -> str:
        """Take the last act back."""
        self._redo.append(self.state)
        self.state = self._undo.pop()
        return ""

    def redo(self) -> str:
        """Do again what was taken back."""
        self._undo.append(self.state)
        self.state = self._redo.pop()
        return ""

    def weigh(self, weights: str) -> str:
        """Put every bead at the centre of 'mass' or the 'geometric' centre of its atoms, those of a loaded mapping too."""
        if weights != self.state.weights:
            self._act(dataclasses.replace(self.state, weights=weights, loaded=None))
        return ""

    def load(self, mapping: types.Mapping, code: str = "", title: str = "") -> str:
        """Show the beads of a mapping, made by ``code`` and called ``title``. It is kept as it is until a bead is edited.

        Raises ``ValueError`` for another molecule.
        """
        mapping.beads(self.system)
        known = {template.topology: template for template in mapping.templates}
        if self.topology not in known:
            raise ValueError(f"this mapping leaves out the molecule shown here (topology {self.topology}).")
        template = known[self.topology]
        beads = tuple(
            Bead(name, kind, tuple(int(a) for a in template.atoms(i)))
            for i, (name, kind) in enumerate(zip(template.names, template.types, strict=True))
        )
        self._act(Beads(beads, weights=self._weights(template.weights, beads), loaded=Loaded(mapping, beads, code, title)))
        others = " An edit keeps only the beads of the molecule shown." if len(known) > 1 else ""
        return f"{len(beads)} bead{'s' if len(beads) > 1 else ''}: {title or 'loaded'}.{others}"

    def mapping(self) -> types.Mapping:
        """The mapping as it stands. Raises ``ValueError`` where a bead is empty or an atom stands in two beads."""
        if self.loaded:
            return self.loaded.mapping
        return by_pick.build(self.system, None, self.settings())

    def settings(self) -> by_pick.Settings:
        """What :mod:`workbench.mappings.by_pick` needs to build it."""
        return self._settings(self.beads, self.state.weights)

    def _settings(self, beads: tuple[Bead, ...], weights: str) -> by_pick.Settings:
        if empty := [bead.name for bead in beads if not bead.atoms]:
            raise ValueError(f"bead '{empty[0]}' is empty: give it at least one atom.")
        names, kinds = tuple(bead.name for bead in beads), tuple(bead.kind for bead in beads)
        return by_pick.Settings(
            atoms=tuple(bead.atoms for bead in beads),
            names=() if names == tuple(f"B{i + 1}" for i in range(len(names))) else names,
            types=() if kinds == names else kinds,
            molecule=int(self.system.molecule[self.copies[0][0]]),
            weights=weights,
        )

    def _weights(self, held: np.ndarray, beads: tuple[Bead, ...]) -> str:
        """Where beads with the weights ``held`` (b, n) stand; the centre of mass where by_pick has no word for it."""
        for word in ("mass", "geometric"):
            with contextlib.suppress(ValueError):
                if np.allclose(by_pick.build(self.system, None, self._settings(beads, word)).templates[0].weights, held):
                    return word
        return "mass"

    def owner(self, atom: int) -> int | None:
        """The bead that holds an atom of the molecule, or None."""
        return next((i for i, bead in enumerate(self.beads) if atom in bead.atoms), None)

    def free(self) -> list[int]:
        """Atoms of the molecule in no bead."""
        return [atom for atom in range(self.n_atoms) if self.owner(atom) is None]

    def atom_name(self, atom: int) -> str:
        """Name of an atom of the molecule, with its residue where there are several."""
        index = self.copies[0][atom]
        several = len(set(self.system.residue[self.copies[0]].tolist())) > 1
        return f"{self.system.residue_names[index] + ' ' if several else ''}{self.system.atom_names[index]}"

    def _named(self, atoms: list[int]) -> str:
        return f"atom{'s' if len(atoms) > 1 else ''} {', '.join(f'{a} ({self.atom_name(a)})' for a in atoms)}"

    def centres(self, bead: int) -> np.ndarray:
        """Where a bead stands in every like molecule [nm], (molecules, 3)."""
        if self.loaded:
            template = next(t for t in self.loaded.mapping.templates if t.topology == self.topology)
            return np.einsum("n,mnd->md", template.weights[bead], self.system.positions[self.copies])
        atoms = list(self.beads[bead].atoms)
        masses = self.system.masses[self.copies[0][atoms]]
        masses = masses if masses.sum() > 0 and self.state.weights == "mass" else np.ones(len(atoms))
        return np.einsum("n,mnd->md", masses / masses.sum(), self.system.positions[self.copies[:, atoms]])

    def mass(self, bead: int) -> float:
        """Mass of a bead [amu]."""
        return float(self.system.masses[self.copies[0][list(self.beads[bead].atoms)]].sum())

    def _set_atoms(self, atoms: set[int]) -> str:
        notes, changed = [], {}
        for i, bead in enumerate(self.beads):
            taken = sorted(atoms & set(bead.atoms))
            if i != self.state.current and taken:
                changed[i] = dataclasses.replace(bead, atoms=tuple(a for a in bead.atoms if a not in atoms))
                notes.append(f"{self._named(taken)} moved from '{bead.name}' to '{self.current.name}'.")
        self._replace({**changed, self.state.current: dataclasses.replace(self.current, atoms=tuple(sorted(atoms)))})
        return " ".join(notes)

    def _replace(self, changed: dict[int, Bead]) -> None:
        self._edit(tuple(changed.get(i, bead) for i, bead in enumerate(self.beads)), self.state.current)

    def _edit(self, beads: tuple[Bead, ...], current: int) -> None:
        self._act(dataclasses.replace(self.state, beads=beads, current=current))

    def _act(self, state: Beads) -> None:
        if state != self.state:
            self._undo.append(self.state)
            self._redo.clear()
            self.state = state


def parse_atoms(text: str, n_atoms: int) -> list[int]:
    """``"1,2,5-8"`` -> [1, 2, 5, 6, 7, 8]. Raises ``ValueError`` for anything else and for atoms that the molecule lacks."""
    found: list[int] = []
    for part in filter(None, re.split(r"[,;\s]+", re.sub(r"\s*-\s*", "-", text.strip()))):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise ValueError(f"'{part}' is neither an atom nor a range: write atoms as 1,2,5-8, counted from 0.")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ValueError(f"the range '{part}' runs backwards: write {last}-{first}.")
        if last >= n_atoms:
            raise ValueError(f"there is no atom {last}: the molecule has atoms 0 to {n_atoms - 1}.")
        found += range(first, last + 1)
    twice = sorted({atom for atom in found if found.count(atom) > 1})
    if twice:
        raise ValueError(f"atom {twice[0]} is named twice in '{text.strip()}'.")
    return found


def write_atoms(atoms: tuple[int, ...]) -> str:
    """The text that :func:`parse_atoms` reads: ``(1, 2, 5, 6, 7, 8)`` -> ``"1-2,5-8"``."""
    parts: list[list[int]] = []
    for atom in atoms:
        if parts and atom == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], atom]
        else:
            parts.append([atom])
    return ",".join("-".join(map(str, part)) for part in parts)
