"""CGsmiles: a molecule at two resolutions, ``{[#A][#B]}.{#A=CC[$],#B=[$]CO}``: the graph of its beads and a SMILES of each.

Grünewald et al., J. Chem. Inf. Model. 65, 3405 (2025); https://cgsmiles.readthedocs.io. A file holds one molecule a line. Beads stand at
the centre of mass of their heavy atoms and the hydrogens on them (times the weight ``[C;w=0.5]`` of an atom where one is given), their
type is the name of the fragment. Names, and a type or place that the text cannot show, are annotations: ``[#CH3;name=B1]``.

The notation numbers no atoms: reading matches the molecule's graph of elements and bonds, so beads that its symmetry exchanges may
come back exchanged; of the matches found that which keeps the order of the atoms best is taken.
"""

import itertools
import re
from collections.abc import Iterator

import networkx
import numpy as np
from rdkit import Chem

from workbench.mapping_files import _cgsmiles_text
from workbench.mapping_files._beads import Bead, from_template, molecule_atoms, the_template, to_template
from workbench.mappings import _bond_orders, _graph, _refinement
from workbench.types import Mapping, System, Template

MOST_MATCHES = 2000
WORD = re.compile(r"[^\s;=,|\[\]{}]+")


def dumps(mapping: Mapping, system: System, molecule: int | None) -> str:
    """The text. Raises ``ValueError`` for beads that are not centres of mass of whole groups of heavy atoms that cover the molecule,
    and for names that the notation cannot hold."""
    kinds = system.kinds()
    first = sorted(int(system.molecule[kinds[t.topology][0, 0]]) for t in mapping.templates)
    return "".join(_line(mapping, system, number) + "\n" for number in (first if molecule is None else [molecule]))


def loads(text: str, system: System, molecule: int | None, where: str) -> Mapping:
    """The mapping. Raises ``ValueError`` for text that is not CGsmiles and for a molecule that ``system`` does not have."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not lines:
        raise ValueError(f"{where} is empty: a CGsmiles is written as {{[#A][#B]}}.{{#A=CC[$],#B=[$]CO}}.")
    templates = []
    for line in lines:
        numbers = [int(system.molecule[copies[0, 0]]) for copies in system.kinds().values()] if molecule is None else [molecule]
        template = next((way for number in numbers for way in _matched(line, system, number, where)), None)
        if template is None:
            raise ValueError(f"{where}: no molecule of '{system.name}' is the one drawn in {line[:80]}: check its atoms and bonds.")
        templates.append(template)
    return Mapping(templates=tuple(templates))


def _line(mapping: Mapping, system: System, number: int) -> str:
    number, atoms, template = the_template(mapping, system, number, "CGsmiles")
    graph = _graph.heavy_atoms(system, atoms)
    owner = _owner(template, system, atoms, graph)
    for name in (*template.names, *template.types):
        if not WORD.fullmatch(name):
            raise ValueError(f"CGsmiles cannot hold '{name}': names and types are words without spaces, commas, brackets or ; = |.")
    drawn = Chem.RemoveHs(_bond_orders._molecule(system, atoms[system.masses[atoms] > 0], None), sanitize=False)
    vertices = [int(a) for a in np.flatnonzero(system.masses[atoms] > 0)]
    vertices = [v for v in vertices if v in graph]
    if drawn.GetNumAtoms() != len(vertices):
        raise ValueError(f"CGsmiles cannot draw molecule {number} of '{system.name}': its hydrogens do not each have one heavy atom.")
    for colours in (None, _own_colours(graph, owner, template), {a: a for a in graph}):
        text = _text(drawn, vertices, owner, colours, template)
        if any(np.array_equal(back.weights > 0, template.weights > 0) for back in _matched(text, system, number, "this text")):
            return text
    return text


def _owner(template: Template, system: System, atoms: np.ndarray, graph: networkx.Graph) -> dict[int, int]:
    """The bead of every heavy atom, where beads are centres of mass of all of them and their hydrogens."""
    beads = from_template(template, system.masses[atoms])
    owner = {a: i for i, bead in enumerate(beads) for a in bead.atoms}
    twice = sum(len(bead.atoms) for bead in beads) > len(owner)
    kept = all(len({owner.get(a) for a in held}) == 1 for _, held in graph.nodes(data="members"))
    loose = len(owner) < np.count_nonzero(system.masses[atoms])
    if twice or not kept or loose or any(bead.weights != "mass" for bead in beads):
        raise ValueError(
            "CGsmiles holds beads at the centre of mass of heavy atoms with their hydrogens, every atom in one of them: "
            "this mapping has others; write a bead list (.beads) or JSON."
        )
    pieces = [b for i, b in enumerate(beads) if not networkx.is_connected(graph.subgraph(a for a in graph if owner[a] == i))]
    if pieces:
        raise ValueError(f"CGsmiles draws a bead as one piece: bead '{pieces[0].name}' falls apart; write a bead list (.beads) or JSON.")
    return {a: owner[a] for a in graph}


def _own_colours(graph: networkx.Graph, owner: dict[int, int], template: Template) -> dict[int, int]:
    """Colours of heavy atoms told apart by their own bead alone, so that like beads are drawn alike."""
    inside = networkx.Graph()
    inside.add_nodes_from(graph.nodes(data=True))
    inside.add_edges_from((i, j) for i, j in graph.edges if owner[i] == owner[j])
    crossing = [sum(owner[o] != owner[a] for o in graph[a]) for a in graph]
    keys = [(template.types[owner[a]], n, *key) for a, n, key in zip(graph, crossing, _graph.keys(graph), strict=True)]
    return dict(zip(graph, _refinement.refine(_graph.adjacency(inside), keys).tolist(), strict=True))


def _text(drawn: Chem.Mol, vertices: list[int], owner: dict[int, int], colours: dict[int, int] | None, template: Template) -> str:
    """The line; bonds between beads are told apart by the ``colours`` of their atoms (None: not at all)."""
    operators: dict[int, list[tuple[str, Chem.BondType]]] = {v: [] for v in vertices}
    labels: dict[tuple[int, int], int] = {}
    edges: dict[int, dict[int, int]] = {bead: {} for bead in range(len(template.names))}
    for bond in drawn.GetBonds():
        i, j = vertices[bond.GetBeginAtomIdx()], vertices[bond.GetEndAtomIdx()]
        if owner[i] == owner[j]:
            continue
        label, signs = "", "$$"
        if colours is not None:
            i, j = sorted((i, j), key=colours.__getitem__)
            label = str(labels.setdefault((colours[i], colours[j]), len(labels) + 1))
            signs = "$$" if colours[i] == colours[j] else "><"
        for atom, sign in ((i, signs[0]), (j, signs[1])):
            operators[atom].append((f"[{sign}{label}]", bond.GetBondType()))
        for a, b in ((i, j), (j, i)):
            edges[owner[a]][owner[b]] = edges[owner[a]].get(owner[b], 0) + 1
    fragments: dict[str, str] = {}
    nodes = []
    for bead, (name, kind) in enumerate(zip(template.names, template.types, strict=True)):
        inside = [i for i, v in enumerate(vertices) if owner[v] == bead]
        smiles = _cgsmiles_text.fragment(drawn, inside, [operators[vertices[i]] for i in inside])
        word = re.sub(r"\W", "_", kind)
        free = itertools.chain([word], (f"{word}_{n}" for n in itertools.count(2)))
        label = next(w for w in free if fragments.setdefault(w, smiles) == smiles)
        notes = [f"name={name}"] if name != f"B{bead + 1}" else []
        nodes.append((label, notes + ([f"type={kind}"] if label != kind else [])))
    return _cgsmiles_text.graph(nodes, edges) + ".{" + ",".join(f"#{name}={smiles}" for name, smiles in fragments.items()) + "}"


def _matched(line: str, system: System, number: int, where: str) -> Iterator[Template]:
    """The beads of ``line`` in the molecule ``number``, in every way that its symmetry allows (up to ``MOST_MATCHES``), the one that
    keeps the order of the atoms best first; none where that is another molecule."""
    drawn = _cgsmiles_text.parse(line, where)
    _, atoms = molecule_atoms(system, number)
    graph = _graph.heavy_atoms(system, atoms)
    if sorted(graph.nodes[a]["element"] for a in graph) != sorted(drawn.elements) or graph.number_of_edges() != len(drawn.bonds):
        return
    place = {a: i for i, a in enumerate(graph)}
    host = _bare([graph.nodes[a]["element"] for a in graph], [(place[i], place[j]) for i, j in graph.edges])
    matches = host.GetSubstructMatches(_bare(drawn.elements, drawn.bonds), uniquify=False, maxMatches=MOST_MATCHES)
    ways = sorted({tuple(tuple(sorted(match[v] for v in bead)) for bead, _ in drawn.beads): match for match in matches}.items())
    members = list(graph.nodes(data="members"))
    for _, match in ways:
        beads = []
        for index, (inside, notes) in enumerate(drawn.beads):
            weight = {a: drawn.weights[v] for v in inside for a in members[match[v]][1]}
            held = tuple(sorted(weight))
            share = "mass" if set(weight.values()) == {1.0} else tuple(float(system.masses[atoms[a]] * weight[a]) for a in held)
            name, kind = notes.get("name", f"B{index + 1}"), notes.get("type", notes["fragment"])
            beads.append(Bead(name=name, type=kind, atoms=held, weights=share))
        yield to_template(system, number, beads, where)


def _bare(elements: list[str], bonds: list[tuple[int, int]]) -> Chem.Mol:
    """A graph of elements and bonds of one kind."""
    drawn = Chem.RWMol()
    for element in elements:
        vertex = Chem.Atom(element if element not in ("D", "T") else "H")
        vertex.SetNoImplicit(True)
        drawn.AddAtom(vertex)
    for i, j in bonds:
        drawn.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    molecule = drawn.GetMol()
    molecule.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(molecule)
    return molecule
