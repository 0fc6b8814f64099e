"""A plain list, one bead a line: ``name type: atoms | weights``, for people.

``CH3 C: 0,4-6`` is a bead called CH3 of type C with atoms 0, 4, 5 and 6, counted from 0 within the molecule. The type may be left out
(it is the name then) or stand in brackets; weights are mass, geometric or a number for every atom, and may be left out. ``#`` begins
a comment. ``molecule 3`` says that the beads below it are those of molecule 3 of the system, counted from 0, and of all like it.
"""

import re

from workbench.mapping_files._beads import Bead, from_template, the_template, to_template, weights_of, weights_text
from workbench.types import Mapping, System

LINE = re.compile(r"(?P<name>[^\s:|\[\]]+)(?:\s+\[?(?P<type>[^\s:|\[\]]+)\]?)?\s*:(?P<atoms>[^|:]*)(?:\|(?P<weights>[^|:]*))?")
MOLECULE = re.compile(r"molecule\s+(\d+)")


def dumps(mapping: Mapping, system: System, molecule: int | None) -> str:
    """The text of all kinds of molecule, or of that of ``molecule``. Raises ``ValueError`` for a name or type that is not one word."""
    kinds = system.kinds()
    first = [int(system.molecule[kinds[t.topology][0, 0]]) for t in mapping.templates]
    lines = ["# name type: atoms, counted from 0 within the molecule | weights"]
    for number in sorted(first) if molecule is None else [molecule]:
        number, atoms, template = the_template(mapping, system, number, "a bead list")
        lines += [f"molecule {number}"] if number or len(first) > 1 else []
        for bead in from_template(template, system.masses[atoms]):
            for text in (bead.name, bead.type):
                if not re.fullmatch(r"[^\s:|#\[\]]+", text):
                    raise ValueError(f"a bead list cannot hold '{text}': names and types are words without spaces, brackets or : | #.")
            end = "" if bead.weights == "mass" else f" | {weights_text(bead.weights)}"
            lines.append(f"{bead.name} {bead.type}: {_ranges(bead.atoms)}{end}")
    return "\n".join(lines) + "\n"


def loads(text: str, system: System, molecule: int | None, weights: str, where: str) -> Mapping:
    """The mapping. Raises ``ValueError`` that names the line that is wrong."""
    number, found = molecule or 0, {}
    for count, line in enumerate(text.splitlines(), start=1):
        line, here = line.partition("#")[0].strip(), f"{where}, line {count}"
        if not line:
            continue
        if header := MOLECULE.fullmatch(line):
            number = int(header[1])
            continue
        parts = LINE.fullmatch(line)
        if parts is None:
            raise ValueError(f"{here}: '{line}' is not a bead: write 'name type: atoms', as in 'B1 CH3: 0,4-6'.")
        share = weights if parts["weights"] is None else weights_of(parts["weights"].strip().replace(" ", ""), parts["name"], here)
        bead = Bead(name=parts["name"], type=parts["type"] or parts["name"], atoms=_atoms(parts["atoms"], here), weights=share)
        found.setdefault(number, []).append(bead)
    if not found:
        raise ValueError(f"{where} holds no beads: write one a line, as in 'B1 CH3: 0,4-6'.")
    return Mapping(templates=tuple(to_template(system, number, beads, where) for number, beads in found.items()))


def _ranges(atoms: tuple[int, ...]) -> str:
    """1,2,5-8 for ascending atoms."""
    runs: list[list[int]] = []
    for atom in atoms:
        if runs and atom == runs[-1][-1] + 1:
            runs[-1].append(atom)
        else:
            runs.append([atom])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


def _atoms(text: str, here: str) -> tuple[int, ...]:
    atoms: list[int] = []
    for part in re.split(r"[\s,]+", text.strip().strip(",")):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if span is None or (span[2] is not None and not int(span[1]) <= int(span[2]) < int(span[1]) + 1_000_000):
            raise ValueError(f"{here}: '{part}' is no atom: write numbers and ranges, counted from 0, as in 1,2,5-8.")
        atoms += range(int(span[1]), int(span[2] or span[1]) + 1)
    return tuple(atoms)
