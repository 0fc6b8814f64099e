"""Beads of about n heavy atoms each, for any molecule: the simplest map of a chain.

The molecule is read as a tree: breadth first, from one of two ends that lie far apart. From the leaves inwards every branch is cut as
soon as it holds n atoms, so beads are connected, a linear chain is cut into n, n, n ..., and at branch points a bead holds between n/2
and 3n/2 where the branches allow. A remainder under n/2 joins the bead beside it. Which end and which branch come first does not
depend on the order of the atoms, up to the molecule's symmetry.
"""

import networkx

from workbench.mappings import _graph
from workbench.settings import field, settings
from workbench.types import Mapping, System, Trajectory


@settings
class Settings:
    """How many atoms make a bead."""

    n: int = field(4, "Heavy atoms a bead; a smaller molecule is one bead.", bounds=(1, None))
    types: str = field("composition", _graph.TYPES_HELP, choices=("symmetry", "composition"))
    molecules: tuple[int, ...] = field((), _graph.MOLECULES_HELP, bounds=(0, None))


def build(system: System, trajectory: Trajectory | None, settings: Settings) -> Mapping:
    """The mapping, centres of mass with hydrogens; ``trajectory`` is not used and may be None.

    Raises ``ValueError`` for a molecule in pieces and a molecule number that is not there.
    """
    parts = [
        (topology, atoms, graph, _groups(graph, settings.n), None) for topology, atoms, graph in _graph.kinds(system, settings.molecules)
    ]
    return _graph.assemble(system, parts, settings.types)


def _groups(graph: networkx.Graph, n: int) -> _graph.Groups:
    rank = _graph.ranks(graph)
    root = _graph.backbone(graph, rank)[0]
    distance = networkx.single_source_shortest_path_length(graph, root)
    branches: dict[int, list[list[int]]] = {atom: [] for atom in graph}
    groups: _graph.Groups = []
    for atom in sorted(graph, key=lambda atom: (distance[atom], rank[atom]), reverse=True):
        open_branches = sorted(branches.pop(atom), key=lambda branch: (len(branch), rank[branch[0]]))
        while open_branches and 2 * (1 + sum(map(len, open_branches))) > 3 * n and 2 * len(open_branches[-1]) >= n:
            groups.append(tuple(open_branches.pop()))
        held = [atom, *(a for branch in open_branches for a in branch)]
        if len(held) >= n or (atom == root and (2 * len(held) >= n or not groups)):
            groups.append(tuple(held))
        elif atom != root:
            parent = min((a for a in graph[atom] if distance[a] < distance[atom]), key=rank.__getitem__)
            branches[parent].append(held)
    return _graph.join_leftovers(graph, groups, rank)
