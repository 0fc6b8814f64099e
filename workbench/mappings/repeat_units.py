"""Repeat units of a linear polymer as beads.

The backbone is the path between two ends that lie far apart; what hangs on it belongs to its nearest backbone atom. Where nothing else is
given the unit is found: backbone atoms are compared by what hangs on them (colour refinement of the molecule without the bonds of its
backbone), and the longest stretch that repeats itself with the shortest period is cut into units, as few ring bonds through as can be.
Further blocks are looked for beside it. End pieces smaller than a unit join the unit next to them, larger ones are beads.
"""

import itertools

import networkx
import numpy as np

from workbench.mappings import _bond_orders, _graph, _refinement
from workbench.settings import field, settings
from workbench.types import Mapping, System, Trajectory

REPEATS = 3  # so often a unit must stand in a row to be found


@settings
class Settings:
    """What a repeat unit is."""

    smarts: str = field("", "A pattern that matches one unit, such as [CH2][CH2]O; empty to find the unit.")
    backbone_atoms: int = field(0, "Backbone atoms of a unit; 0 to find the unit.", bounds=(0, None))
    charge: int | None = field(None, "Charge of the molecule, where smarts is given; None for its partial charges summed.", unit="e")
    types: str = field("composition", _graph.TYPES_HELP, choices=("symmetry", "composition"))
    molecules: tuple[int, ...] = field((), _graph.MOLECULES_HELP, bounds=(0, None))


def build(system: System, trajectory: Trajectory | None, settings: Settings) -> Mapping:
    """The mapping, centres of mass with hydrogens; ``trajectory`` is not used and may be None. Like units share a type.

    Raises ``ValueError`` for a molecule without a repeat unit, one that ``smarts`` does not match, a unit longer than the backbone, and
    where both ``smarts`` and ``backbone_atoms`` are given.
    """
    if settings.smarts and settings.backbone_atoms:
        raise ValueError(f"smarts = '{settings.smarts}' and backbone_atoms = {settings.backbone_atoms}: give one of them.")
    parts = []
    for topology, atoms, graph in _graph.kinds(system, settings.molecules):
        path = _graph.backbone(graph, _graph.ranks(graph))
        hung = _hung(graph, path)
        where = f"molecule {int(system.molecule[atoms[0]])} of '{system.name}'"
        if settings.smarts:
            matched = _bond_orders.matches(system, atoms, graph, (settings.smarts,), settings.charge)[0]
            groups = _tiled(graph, matched, {atom: i for i, piece in enumerate(hung) for atom in piece})
            if not groups:
                raise ValueError(f"smarts = '{settings.smarts}' matches nothing in {where}: change it, or name in molecules what to keep.")
        else:
            groups = _cut(graph, path, hung, settings.backbone_atoms, where)
        parts.append((topology, atoms, graph, groups, None))
    return _graph.assemble(system, parts, settings.types)


def _hung(graph: networkx.Graph, path: list[int]) -> _graph.Groups:
    """Every backbone atom with what hangs on it."""
    return _graph.join_leftovers(graph, [(atom,) for atom in path], {atom: i for i, atom in enumerate(path)})


def _tiled(graph: networkx.Graph, matches: _graph.Groups, place: dict[int, int]) -> _graph.Groups:
    """Matches from one end of the backbone to the other, none of which share atoms; the rest joins them. ``place`` is along it."""
    groups, taken = [], set()
    for match in sorted(matches, key=lambda match: (max(place[a] for a in match), sorted(place[a] for a in match))):
        if not taken & set(match):
            groups.append(match)
            taken |= set(match)
    return _graph.join_leftovers(graph, groups, place)


def _cut(graph: networkx.Graph, path: list[int], hung: _graph.Groups, size: int, where: str) -> _graph.Groups:
    """Units of ``size`` backbone atoms, or found where 0, each with what hangs on them."""
    if size > len(path):
        raise ValueError(f"backbone_atoms = {size}: the backbone of {where} has {len(path)} atoms.")
    bridges = set(networkx.bridges(graph))
    ring_bonds = {frozenset(edge) for edge in graph.edges if not {edge, edge[::-1]} & bridges}
    in_ring = set().union(*ring_bonds)
    blocks = _blocks(_sequence(graph, path), 0, 1)
    found = 2 * sum(len(piece) for start, stop, _ in blocks for piece in hung[start:stop]) >= len(graph)
    if size:  # from end to end, but not into a ring there
        free = [i for i, atom in enumerate(path) if atom not in in_ring] or [0, len(path) - 1]
        start, stop = (blocks[0][0], blocks[-1][1]) if found else (free[0], free[-1] + 1)
        while start > 0 and path[start - 1] not in in_ring:
            start -= 1
        while stop < len(path) and path[stop] not in in_ring:
            stop += 1
        if stop - start >= size:
            path = path[start:stop]
            hung = _hung(graph, path)
        blocks = [(0, len(path), size)]
    elif not found:
        raise ValueError(
            f"{where} has no repeat unit that makes up half of its {len(graph)} heavy atoms: "
            "give smarts or backbone_atoms, or name in molecules what to keep."
        )
    cuts_ring = [False, *(frozenset(edge) in ring_bonds for edge in itertools.pairwise(path))]  # before every backbone atom
    heavy = np.r_[0, np.cumsum([len(piece) for piece in hung])]  # before every backbone atom
    cuts, units, before = {0}, set(), 0
    for (start, stop, period), after in zip(blocks, [*(block[0] for block in blocks[1:]), len(path)], strict=True):
        shifts = range(min(period, stop - start - period + 1))
        first = start + min(shifts, key=lambda s: _cost(start + s, stop, period, before, after, cuts_ring, heavy))
        begins = range(first, stop - period + 1, period)
        units |= set(begins)
        cuts |= {*begins, begins[-1] + period}
        before = stop
    cuts = sorted(cuts - {len(path)})
    pieces = [tuple(a for atoms in hung[i:j] for a in atoms) for i, j in itertools.pairwise([*cuts, len(path)])]
    return _with_ends(pieces, [cut in units for cut in cuts])


def _cost(first: int, stop: int, period: int, before: int, after: int, cuts_ring: list[bool], heavy: np.ndarray) -> tuple:
    """Of units from ``first`` on: ring bonds cut, units lost, and how far the pieces beside them are from nothing or a whole unit."""
    count = (stop - first) // period
    last = first + count * period
    unit = (heavy[last] - heavy[first]) / count
    ends = (heavy[first] - heavy[before], heavy[after] - heavy[last])
    return sum(cuts_ring[first:stop:period]), -count, sum(min(end, abs(end - unit)) for end in ends), first


def _sequence(graph: networkx.Graph, path: list[int]) -> np.ndarray:
    """A number for every backbone atom, (L,), equal where the same hangs on it."""
    apart = graph.copy()
    apart.remove_edges_from(itertools.pairwise(path))
    colour = dict(zip(graph, _refinement.refine(_graph.adjacency(apart), _graph.keys(apart)).tolist(), strict=True))
    return np.array([colour[atom] for atom in path])


def _blocks(sequence: np.ndarray, offset: int, least: int) -> list[tuple[int, int, int]]:
    """Start, end and period of the longest stretch that repeats itself, and of those to its left and right, in their order."""
    best = (0, 0, 0)
    for period in range(1, len(sequence) // REPEATS + 1):
        same = np.r_[0, sequence[period:] == sequence[:-period], 0].astype(int)
        begins, ends = np.flatnonzero(np.diff(same) == 1), np.flatnonzero(np.diff(same) == -1)
        if len(begins):
            longest = int((ends - begins).argmax())
            start, stop = int(begins[longest]), int(ends[longest]) + period
            if stop - start >= max(REPEATS * period, least) and stop - start > best[1] - best[0]:
                best = (start, stop, period)
    start, stop, period = best
    if not period:
        return []
    least = max(least, REPEATS * period)
    left, right = _blocks(sequence[:start], offset, least), _blocks(sequence[stop:], offset + stop, least)
    return [*left, (offset + start, offset + stop, period), *right]


def _with_ends(pieces: _graph.Groups, is_unit: list[bool]) -> _graph.Groups:
    """Pieces along the backbone, those that are no unit and smaller than the unit beside them joined to it."""
    kept: _graph.Groups = []
    carried: tuple[int, ...] = ()
    for number, (piece, unit) in enumerate(zip(pieces, is_unit, strict=True)):
        beside = (pieces[number + 1 :] or pieces[number - 1 :])[0]
        if unit or len(piece) >= len(beside):
            kept.append(carried + piece)
            carried = ()
        elif kept:
            kept[-1] += piece
        else:
            carried = piece
    return kept
