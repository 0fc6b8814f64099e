"""VOTCA mapping files: one ``cg_molecule`` with its beads, their atoms by name, bonded terms, and maps of weights.

An atom is ``residue:residue name:atom name``, residues counted from 1 within the molecule. VOTCA scales the weights of a map to a sum
of 1, so masses give a centre of mass. Bonded terms and everything else are written for VOTCA and not read back: bonds between beads
follow from those between atoms. VOTCA manual, https://www.votca.org/csg/input_files.html.
"""

import collections
import re
import xml.etree.ElementTree as ET

import numpy as np

from workbench.mapping_files._beads import Bead, molecule_atoms, the_template, to_template
from workbench.types import Mapping, System


def dumps(mapping: Mapping, system: System, molecule: int | None) -> str:
    """The text. Raises ``ValueError`` for several kinds of molecule, and for atoms of one residue that share a name."""
    number, atoms, template = the_template(mapping, system, molecule, "a VOTCA file")
    labels = _labels(system, atoms)
    twice = [label for label, count in collections.Counter(labels).items() if count > 1]
    if twice:
        raise ValueError(f"VOTCA finds atoms by name, and molecule {number} of '{system.name}' has several {twice[0]}: name them apart.")
    residue = system.residue_names[atoms[0]]
    root = ET.Element("cg_molecule")
    for tag in ("name", "ident"):
        ET.SubElement(root, tag).text = residue
    topology = ET.SubElement(root, "topology")
    beads, maps = ET.SubElement(topology, "cg_beads"), {}
    for bead, (name, kind) in enumerate(zip(template.names, template.types, strict=True)):
        if re.search(r"\s", name + kind):
            raise ValueError(f"VOTCA parts beads by spaces: bead '{name}' of type '{kind}' needs a name and a type without.")
        inside = template.atoms(bead)
        weights = " ".join(repr(float(w)) for w in template.weights[bead, inside])
        values = {"name": name, "type": kind, "mapping": maps.setdefault(weights, f"M{len(maps) + 1}")}
        values["beads"] = " ".join(labels[a] for a in inside)
        entry = ET.SubElement(beads, "cg_bead")
        for tag, text in values.items():
            ET.SubElement(entry, tag).text = text
    terms = _first_molecule(mapping, system, number, len(template.names))
    bonded = ET.SubElement(topology, "cg_bonded") if any(map(len, terms.values())) else None
    for tag, rows in terms.items():
        for count, row in enumerate(rows, start=1):
            entry = ET.SubElement(bonded, tag)
            ET.SubElement(entry, "name").text = f"{tag}{count}"
            ET.SubElement(entry, "beads").text = " ".join(template.names[i] for i in row)
    listed = ET.SubElement(root, "maps")
    for weights, name in maps.items():
        entry = ET.SubElement(listed, "map")
        ET.SubElement(entry, "name").text = name
        ET.SubElement(entry, "weights").text = weights
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def loads(text: str, system: System, molecule: int | None, where: str) -> Mapping:
    """The mapping. Without ``molecule`` it is for the first one whose atoms have the names. Raises ``ValueError`` where none has."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(f"{where} is not XML ({error}): a VOTCA mapping is.") from None
    entries = root.findall("topology/cg_beads/cg_bead")
    if root.tag != "cg_molecule" or not entries:
        raise ValueError(f"{where} is not a VOTCA mapping: it needs <cg_molecule> with <topology>, <cg_beads> and <cg_bead>.")
    maps = {_text(entry, "name", where): _text(entry, "weights", where).split() for entry in root.findall("maps/map")}
    first = [int(system.molecule[copies[0, 0]]) for copies in system.kinds().values()] if molecule is None else [molecule]
    named = [label for entry in entries for label in _text(entry, "beads", where).split()]
    places = {number: {label: i for i, label in enumerate(_labels(system, molecule_atoms(system, number)[1]))} for number in first}
    number = max(places, key=lambda number: sum(label in places[number] for label in named))
    missing = next((label for label in named if label not in places[number]), None)
    if missing is not None:
        some = ", ".join(list(places[number])[:3])
        raise ValueError(f"{where}: no molecule of '{system.name}' has all the atoms, such as {missing}; its atoms are called {some} ...")
    beads = []
    for entry in entries:
        name, chosen = _text(entry, "name", where), _text(entry, "mapping", where)
        if chosen not in maps:
            raise ValueError(f"{where}: bead '{name}' uses the map '{chosen}', which <maps> does not hold.")
        try:
            weights = tuple(float(w) for w in maps[chosen])
        except ValueError:
            raise ValueError(f"{where}: the weights of map '{chosen}' are not all numbers: '{' '.join(maps[chosen])}'.") from None
        atoms = tuple(places[number][label] for label in _text(entry, "beads", where).split())
        beads.append(Bead(name=name, type=_text(entry, "type", where), atoms=atoms, weights=weights))
    return Mapping(templates=(to_template(system, number, beads, where),))


def _labels(system: System, atoms: np.ndarray) -> list[str]:
    residue = system.residue[atoms] - system.residue[atoms[0]] + 1
    return [f"{r}:{system.residue_names[a]}:{system.atom_names[a]}" for r, a in zip(residue.tolist(), atoms, strict=True)]


def _first_molecule(mapping: Mapping, system: System, molecule: int, n_beads: int) -> dict[str, np.ndarray]:
    """Bonded terms of the beads of one molecule, counted within it."""
    beads, matrix = mapping.beads(system), mapping.expand(system)
    first = next(i for i in range(matrix.shape[0]) if system.molecule[matrix[[i]].nonzero()[1][0]] == molecule)
    found = {}
    for tag, rows in (("bond", beads.bonds), ("angle", beads.angles), ("dihedral", beads.dihedrals)):
        found[tag] = rows[(rows >= first).all(1) & (rows < first + n_beads).all(1)] - first
    return found


def _text(entry: ET.Element, tag: str, where: str) -> str:
    text = entry.findtext(tag)
    if text is None or not text.strip():
        raise ValueError(f"{where}: a <{entry.tag}> lacks its <{tag}>.")
    return text.strip()
