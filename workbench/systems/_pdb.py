"""A system as PDB text (format 3.3, wwPDB), with a CONECT record for every bond so that viewers draw those and no others."""

from collections.abc import Iterable

from workbench import units
from workbench.types import System

MOST_ATOMS = 99_999


def pdb_text(system: System, atoms: Iterable[int] | None = None) -> str:
    """PDB text of ``system`` or of some of its ``atoms`` (in the order given), at its starting configuration.

    Raises ``ValueError`` for an atom that is not there and for more atoms than the format can number.
    """
    chosen = list(range(system.n_atoms)) if atoms is None else [int(a) for a in atoms]
    if len(chosen) > MOST_ATOMS:
        raise ValueError(f"a PDB file numbers at most {MOST_ATOMS} atoms, not {len(chosen)}: choose some of the atoms.")
    wrong = [a for a in chosen if not 0 <= a < system.n_atoms]
    if wrong:
        raise ValueError(f"atom {wrong[0]} is not in '{system.name}', which has {system.n_atoms} atoms, counted from 0.")
    lines = []
    if system.box is not None:
        a, b, c = system.box / units.ANGSTROM
        lines.append(f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}  90.00  90.00  90.00 P 1           1")
    serial = {atom: number for number, atom in enumerate(chosen, start=1)}
    for atom in chosen:
        x, y, z = system.positions[atom] / units.ANGSTROM
        element, name = system.elements[atom], system.atom_names[atom]
        shown = f" {name:<3}" if len(name) < 4 and len(element) < 2 else f"{name:<4}"
        residue = int(system.residue[atom]) % 9999 + 1
        lines.append(
            f"HETATM{serial[atom]:5d} {shown:.4} {system.residue_names[atom]:>3.3} A{residue:4d}    "
            f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {element.upper():>2}"
        )
    partners: dict[int, list[int]] = {atom: [] for atom in chosen}
    for i, j in system.bonds:
        if int(i) in serial and int(j) in serial:
            partners[int(i)].append(serial[int(j)])
            partners[int(j)].append(serial[int(i)])
    for atom in chosen:
        for start in range(0, len(partners[atom]), 4):
            lines.append(f"CONECT{serial[atom]:5d}" + "".join(f"{other:5d}" for other in sorted(partners[atom])[start : start + 4]))
    return "\n".join([*lines, "END", ""])
