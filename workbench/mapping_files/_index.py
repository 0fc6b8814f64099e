"""GROMACS index files: ``[ name ]``, then the numbers of atoms, counted from 1.

A group is a bead, its atoms counted in the system (GROMACS selects by them) or, read with ``molecule``, in the molecule. Beads of the
first molecule of a kind are those of all like it. Beads of several molecules with one name are called ``name@3`` in the third one.
Types and weights stand in comments (``; type=C weights=mass``), which GROMACS skips; without them types are names.
"""

import re

import numpy as np

from workbench.mapping_files._beads import Bead, from_template, the_template, to_template, weights_of, weights_text
from workbench.types import Mapping, System

NOTE = re.compile(r";\s*type=(?P<type>\S+)\s+weights=(?P<weights>\S+)\s*")
PER_LINE = 15


def dumps(mapping: Mapping, system: System, molecule: int | None, whole: bool) -> str:
    """The text. Raises ``ValueError`` for a name or type that is not one word."""
    kinds = system.kinds()
    parts = [(t, copies) for t in mapping.templates for copies in (kinds[t.topology] if whole else kinds[t.topology][:1])]
    if molecule is not None:
        _, atoms, template = the_template(mapping, system, molecule, "an index")
        parts = [(template, atoms)]
    names = [name for template, _ in parts for name in template.names]
    lines = []
    for template, atoms in sorted(parts, key=lambda part: part[1][0]):
        for bead in from_template(template, system.masses[atoms]):
            for text in (bead.name, bead.type):
                if re.search(r"[\s\[\];]", text) or not text:
                    raise ValueError(f"a GROMACS index cannot hold '{text}': names and types are words without spaces, brackets or ';'.")
            name = f"{bead.name}@{system.molecule[atoms[0]] + 1}" if whole or names.count(bead.name) > 1 else bead.name
            numbers = [str(n) for n in (atoms[list(bead.atoms)] + 1 if molecule is None else np.array(bead.atoms) + 1)]
            lines += [f"[ {name} ]", f"; type={bead.type} weights={weights_text(bead.weights)}"]
            lines += [" ".join(numbers[i : i + PER_LINE]) for i in range(0, len(numbers), PER_LINE)]
    return "\n".join(lines) + "\n"


def loads(text: str, system: System, molecule: int | None, weights: str, where: str) -> Mapping:
    """The mapping. Raises ``ValueError`` for atoms of several molecules in a bead and for copies with other beads than the first."""
    per_molecule: dict[int, list[Bead]] = {}
    for name, (numbers, kind, share) in _groups(text, where).items():
        if not numbers:
            raise ValueError(f"{where}: group '{name}' is empty: give it at least one atom, or delete it.")
        atoms = np.array(numbers) - 1
        if molecule is not None:
            number, start = molecule, 0
        else:
            if atoms.min() < 0 or atoms.max() >= system.n_atoms:
                raise ValueError(f"{where}: group '{name}' names atom {atoms.max() + 1}; '{system.name}' has {system.n_atoms}, from 1.")
            numbers_of = np.unique(system.molecule[atoms])
            if len(numbers_of) > 1:
                raise ValueError(f"{where}: group '{name}' holds atoms of {len(numbers_of)} molecules: a bead belongs to one.")
            number = int(numbers_of[0])
            start = int(np.searchsorted(system.molecule, number))
        name = name.removesuffix(f"@{number + 1}")
        bead = Bead(name=name, type=kind or name, atoms=tuple((atoms - start).tolist()), weights=share or weights)
        per_molecule.setdefault(number, []).append(bead)
    kind_of = {int(system.molecule[atoms[0]]): topology for topology, copies in system.kinds().items() for atoms in copies}
    first: dict[str, int] = {}
    for number, beads in per_molecule.items():
        known = first.setdefault(kind_of.get(number, ""), number)
        if beads != per_molecule[known]:
            raise ValueError(f"{where}: molecule {number + 1} has other beads than the first of its kind: like molecules have like beads.")
    return Mapping(templates=tuple(to_template(system, number, per_molecule[number], where) for number in first.values()))


def _groups(text: str, where: str) -> dict[str, tuple[list[int], str | None, str | tuple | None]]:
    groups: dict[str, tuple] = {}
    numbers: list[int] | None = None
    name = ""
    for count, line in enumerate(text.splitlines(), start=1):
        if numbers is not None and (note := NOTE.fullmatch(line.strip())):
            groups[name] = (numbers, note["type"], weights_of(note["weights"], name, where))
            continue
        line = line.partition(";")[0].strip()
        if header := re.fullmatch(r"\[\s*(.*?)\s*\]", line):
            name, numbers = header[1], []
            if name in groups:
                raise ValueError(f"{where}: group '{name}' stands there twice: every bead needs a name of its own.")
            groups[name] = (numbers, None, None)
        elif line:
            if numbers is None or not re.fullmatch(r"[\d\s]+", line):
                raise ValueError(f"{where}, line {count}: '{line}' is neither '[ group ]' nor atom numbers: is it a GROMACS index?")
            numbers += map(int, line.split())
    if not groups:
        raise ValueError(f"{where} holds no groups: a GROMACS index has '[ name ]' lines, each followed by atom numbers.")
    return groups
