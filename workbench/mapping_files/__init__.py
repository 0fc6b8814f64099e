"""Mappings in files that other programs read and write.

| kind | ending | read by | holds | is lost |
|---|---|---|---|---|
| json | json | this workbench (``store``) | everything | nothing |
| index | ndx | GROMACS | a group of atoms a bead, counted from 1 | types, weights: kept in comments, which GROMACS skips |
| votca | xml | VOTCA | names, types, atoms by name, weights, of one kind of molecule | nothing but the decoder |
| cgsmiles | cgsmiles | CGsmiles, polyply | bead graph and SMILES of every bead, one molecule a line | weights: centres of mass only |
| beads | beads, txt | people | ``name type: atoms``, counted from 0 | nothing but the decoder |

GROMACS manual, file formats, index file; VOTCA manual, mapping files (Rühle et al., J. Chem. Theory Comput. 5, 3211 (2009)); Grünewald
et al., CGsmiles, J. Chem. Inf. Model. 65, 3405 (2025). A file that holds one kind of molecule gives a mapping of that kind.
"""

import pathlib
from typing import Any

from workbench import store
from workbench.mapping_files import _beads
from workbench.types import Mapping, System

__all__ = ["ENDINGS", "KINDS", "read", "write"]

ENDINGS = {"json": "json", "ndx": "index", "xml": "votca", "cgsmiles": "cgsmiles", "beads": "beads", "txt": "beads"}
KINDS = tuple(dict.fromkeys(ENDINGS.values()))


def write(
    mapping: Mapping, system: System, path: Any, *, kind: str | None = None, molecule: int | None = None, whole: bool = False
) -> None:
    """Write ``mapping`` of ``system`` into the file ``path``; its ending tells the kind (see the table) where ``kind`` does not.

    ``molecule`` (counted from 0) chooses the kind of molecule where a file holds one and the mapping several. ``whole`` writes a GROMACS
    index with the beads of all molecules, not those of the first of every kind.

    Raises ``ValueError`` for an unknown ending, a mapping of another system, and what the format cannot hold.
    """
    path = pathlib.Path(path)
    kind = _kind(path, kind)
    if kind == "json":
        store.save(mapping, path)
        return
    if whole and kind != "index":
        raise ValueError(f"whole=True is for a GROMACS index; {path.name} holds the beads of a molecule: leave it out.")
    mapping.expand(system)
    if kind == "index":
        from workbench.mapping_files import _index

        text = _index.dumps(mapping, system, molecule, whole)
    elif kind == "votca":
        from workbench.mapping_files import _votca

        text = _votca.dumps(mapping, system, molecule)
    elif kind == "cgsmiles":
        from workbench.mapping_files import _cgsmiles

        text = _cgsmiles.dumps(mapping, system, molecule)
    else:
        from workbench.mapping_files import _bead_list

        text = _bead_list.dumps(mapping, system, molecule)
    store.write_bytes(path, text.encode())


def read(path: Any, system: System, *, kind: str | None = None, molecule: int | None = None, weights: str = "mass") -> Mapping:
    """The mapping of ``system`` that the file ``path`` holds.

    ``molecule`` (counted from 0) says which molecule a file without molecule numbers is for; a GROMACS index, which counts atoms of the
    system, then counts those of the molecule. ``weights`` is mass or geometric: where beads stand whose file does not say.

    Raises ``ValueError`` of one sentence for a missing file, an unknown ending, a file that is something else, and beads whose atoms
    ``system`` does not have.
    """
    path = pathlib.Path(path)
    kind = _kind(path, kind)
    if weights not in _beads.WEIGHTS:
        raise ValueError(f"mapping_files.read: weights = '{weights}': choose mass or geometric.")
    if not path.is_file():
        raise ValueError(f"there is no mapping file {path}: check the path.")
    if kind == "json":
        mapping = store.load(path)
        mapping.expand(system)
        return mapping
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not a text file: mapping files are text.") from None
    if kind == "index":
        from workbench.mapping_files import _index

        return _index.loads(text, system, molecule, weights, path.name)
    if kind == "votca":
        from workbench.mapping_files import _votca

        return _votca.loads(text, system, molecule, path.name)
    if kind == "cgsmiles":
        from workbench.mapping_files import _cgsmiles

        return _cgsmiles.loads(text, system, molecule, path.name)
    from workbench.mapping_files import _bead_list

    return _bead_list.loads(text, system, molecule, weights, path.name)


def _kind(path: pathlib.Path, kind: str | None) -> str:
    if kind is None:
        kind = ENDINGS.get(path.suffix.lower().removeprefix("."))
        if kind is None:
            raise ValueError(f"{path.name}: mapping files end in {', '.join(ENDINGS)}, not in '{path.suffix}': rename it, or give kind=.")
    elif kind not in KINDS:
        raise ValueError(f"mapping_files: kind = '{kind}': choose one of {', '.join(KINDS)}.")
    return kind
