"""What the graph mappings share: the heavy atoms of a molecule as a graph, and beads made of groups of them.

Vertices are atoms as counted within the molecule; hydrogens belong to their heavy atom; sites without mass belong to none.
"""

import collections
import math
from collections.abc import Iterable, Iterator, Sequence

import networkx
import numpy as np

from workbench.mappings import _refinement
from workbench.types import Mapping, System, Template

LIGHT = 3.5  # amu; what weighs no more is folded into its neighbour (Webb et al. 2019)
Groups = list[tuple[int, ...]]

TYPES_HELP = "Which beads share a type: those the molecule's symmetry makes equivalent, or all of the same atoms and inner bonds."
MOLECULES_HELP = "Only molecules like these, counted from 0 in the system; empty for every kind."


def kinds(system: System, molecules: Sequence[int] = ()) -> Iterator[tuple[str, np.ndarray, networkx.Graph]]:
    """Topology, atoms (n,) of the first copy and graph of every kind of molecule, or of those that ``molecules`` (numbers) are of.

    Raises ``ValueError`` for a molecule that is not there and, from :func:`heavy_atoms`, for one in pieces.
    """
    n_molecules = int(system.molecule[-1]) + 1
    for molecule in molecules:
        if molecule >= n_molecules:
            raise ValueError(f"there is no molecule {molecule} in '{system.name}': it has {n_molecules}, counted from 0.")
    for topology, copies in system.kinds().items():
        if not molecules or np.isin(molecules, system.molecule[copies[:, 0]]).any():
            yield topology, copies[0], heavy_atoms(system, copies[0])


def heavy_atoms(system: System, atoms: np.ndarray) -> networkx.Graph:
    """Graph of the heavy atoms of the molecule ``atoms`` (n,), in their order; edges are bonds.

    Vertices carry ``element``, ``members`` (the atom and its hydrogens) and ``mass`` [amu] of all of them. A hydrogen of several
    heavy atoms belongs to the best-connected, then the lightest; one of none is a vertex itself.
    Raises ``ValueError`` where bonds do not join the atoms to one piece.
    """
    first, last = int(atoms[0]), int(atoms[-1])
    masses = np.round(system.masses[atoms], 6)
    inside = (system.bonds >= first).all(1) & (system.bonds <= last).all(1)
    whole = networkx.Graph()
    whole.add_nodes_from(np.flatnonzero(masses > 0).tolist())
    whole.add_edges_from((i, j) for i, j in (system.bonds[inside] - first).tolist() if i != j and masses[i] > 0 and masses[j] > 0)
    pieces = networkx.number_connected_components(whole)
    if pieces != 1:
        what = f"falls into {pieces} pieces that no bond joins: add the bonds, or make each piece a molecule" if pieces else "has no mass"
        raise ValueError(f"the molecule of atoms {first} to {last} of '{system.name}' {what}.")
    light = {a for a in whole if masses[a] <= LIGHT or system.elements[first + a] in ("H", "D", "T")}
    members = {a: [a] for a in whole}
    for atom in sorted(light):
        hosts = [other for other in whole[atom] if other not in light]
        if hosts:
            members[min(hosts, key=lambda other: (-whole.degree(other), masses[other], other))] += members.pop(atom)
    graph = networkx.Graph(name=system.name)
    for atom, held in members.items():
        graph.add_node(atom, element=system.elements[first + atom], members=tuple(held), mass=math.fsum(masses[held]))
    graph.add_edges_from((i, j) for i, j in whole.edges if i in members and j in members)
    if graph.number_of_nodes() > 1 and not networkx.is_connected(graph):
        raise ValueError(f"in '{system.name}' heavy atoms are joined by hydrogen alone: bonds between them are missing.")
    return graph


def adjacency(graph: networkx.Graph) -> list[list[int]]:
    """Neighbours of every vertex, both by their place in the order of the graph."""
    place = {vertex: i for i, vertex in enumerate(graph)}
    return [[place[other] for other in graph[vertex]] for vertex in graph]


def keys(graph: networkx.Graph) -> list[tuple]:
    """What tells a vertex from another before its neighbours are looked at: element, hydrogens, mass."""
    return [(d["element"], len(d["members"]), d["mass"]) for _, d in graph.nodes(data=True)]


def ranks(graph: networkx.Graph) -> dict[int, int]:
    """A place for every vertex that does not depend on the order of the atoms, up to the molecule's symmetry."""
    return dict(zip(graph, _refinement.rank(adjacency(graph), keys(graph)).tolist(), strict=True))


def join_leftovers(graph: networkx.Graph, groups: Groups, rank: dict[int, int]) -> Groups:
    """``groups``, each with the vertices of no group that are fewest bonds from it (of several groups, from that of lowest ``rank``)."""
    first = [min(rank[atom] for atom in group) for group in groups]
    owner = {atom: number for number, group in enumerate(groups) for atom in group}
    edge = list(owner)
    while edge:
        reached: dict[int, int] = {}
        for atom in edge:
            for other in graph[atom]:
                if other not in owner:
                    reached[other] = min(reached.get(other, owner[atom]), owner[atom], key=first.__getitem__)
        owner |= reached
        edge = list(reached)
    joined: list[list[int]] = [[] for _ in groups]
    for atom in sorted(owner):
        joined[owner[atom]].append(atom)
    return [tuple(group) for group in joined]


def backbone(graph: networkx.Graph, rank: dict[int, int]) -> list[int]:
    """A shortest path between two vertices that lie far apart (the farthest, in a tree); ``rank`` decides between equals."""

    def reach(start: int) -> tuple[int, dict[int, int]]:
        distance = networkx.single_source_shortest_path_length(graph, start)
        return max(distance, key=lambda atom: (distance[atom], -rank[atom])), distance

    one, _ = reach(min(graph, key=rank.__getitem__))
    other, distance = reach(one)
    path = [other]
    while path[-1] != one:
        path.append(min((a for a in graph[path[-1]] if distance[a] < distance[path[-1]]), key=rank.__getitem__))
    return path


def assemble(system: System, parts: Iterable[tuple[str, np.ndarray, networkx.Graph, Groups, Sequence[str] | None]], types: str) -> Mapping:
    """The mapping of groups of heavy atoms: per kind of molecule topology, atoms (n,), graph, groups and labels of the groups.

    A bead stands at the centre of mass of its heavy atoms and their hydrogens; beads come in the order of their first atoms. Its type
    is its label, its formula where there are none, with a number where beads that differ have the same; ``types`` is 'symmetry' or
    'composition'. Kinds are compared together, so beads that correspond share a type in all of them. A label names beads too.
    """
    kept, labels, atoms_before = [], [], 0
    union = networkx.Graph()
    for topology, atoms, graph, groups, names in parts:
        order = sorted(range(len(groups)), key=lambda i: min(groups[i]))
        groups = [tuple(sorted(groups[i])) for i in order]
        texts = [formula(system, atoms, graph, group) for group in groups] if names is None else [names[i] for i in order]
        kept.append((topology, atoms, graph, groups, texts, names is not None))
        labels += texts
        for number, group in enumerate(groups, start=union.graph.get("beads", 0)):
            union.add_nodes_from((atoms_before + a, graph.nodes[a] | {"bead": number}) for a in group)
        union.graph["beads"] = len(labels)
        union.add_edges_from((atoms_before + i, atoms_before + j) for i, j in graph.edges)
        atoms_before += len(atoms)
    kinds_of_bead = iter(_numbered(labels, _colours(union, len(labels), types)))
    templates = []
    for topology, atoms, graph, groups, texts, named in kept:
        weights = np.zeros((len(groups), len(atoms)))
        for row, group in zip(weights, groups, strict=True):
            held = [member for a in group for member in graph.nodes[a]["members"]]
            row[held] = system.masses[atoms[held]] / system.masses[atoms[held]].sum()
        names = [(t if texts.count(t) == 1 else f"{t}{i}") if named else f"B{i}" for i, t in enumerate(texts, start=1)]
        templates.append(Template(topology=topology, names=tuple(names), types=tuple(next(kinds_of_bead) for _ in groups), weights=weights))
    return Mapping(templates=tuple(templates))


def formula(system: System, atoms: np.ndarray, graph: networkx.Graph, group: Iterable[int]) -> str:
    """Atoms of a bead as a formula: carbon, hydrogen, then the others by name (Hill)."""
    found = collections.Counter(system.elements[atoms[member]] for a in group for member in graph.nodes[a]["members"])
    order = sorted(found, key=lambda e: (e != "C", e != "H", e))
    return "".join(e + (str(found[e]) if found[e] > 1 else "") for e in order)


def _colours(graph: networkx.Graph, n_beads: int, types: str) -> np.ndarray:
    """Colour of every bead, (b,), of the vertices that carry its number as ``bead``."""
    bead = networkx.get_node_attributes(graph, "bead")
    across = [(i, j) for i, j in graph.edges if bead[i] != bead[j]]
    if types == "composition":
        graph = graph.copy()
        graph.remove_edges_from(across)
    inside: list[list[int]] = [[] for _ in range(n_beads)]
    for atom, colour in zip(graph, _refinement.refine(adjacency(graph), keys(graph)).tolist(), strict=True):
        inside[bead[atom]].append(colour)
    neighbours: list[set[int]] = [set() for _ in range(n_beads)]
    for i, j in across if types == "symmetry" else ():
        neighbours[bead[i]].add(bead[j])
        neighbours[bead[j]].add(bead[i])
    return _refinement.refine(neighbours, [tuple(sorted(colours)) for colours in inside])


def _numbered(labels: Sequence[str], colours: np.ndarray) -> list[str]:
    """``labels``, with _2, _3, ... for the second and later colours of one label."""
    seen: dict[str, list[int]] = collections.defaultdict(list)
    for label, colour in sorted(set(zip(labels, colours.tolist(), strict=True))):
        seen[label].append(colour)
    places = [seen[label].index(colour) + 1 for label, colour in zip(labels, colours.tolist(), strict=True)]
    return [label if place == 1 else f"{label}_{place}" for label, place in zip(labels, places, strict=True)]
