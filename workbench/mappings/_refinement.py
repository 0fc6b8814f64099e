"""Colour refinement: which vertices of a graph look alike from everywhere in it (1-dimensional Weisfeiler-Leman).

Two vertices of one colour have the same key and, colour by colour, as many neighbours: the coarsest equitable partition, found by
splitting cells until none splits another (McKay, Congr. Numer. 30, 45 (1981); Paige and Tarjan, SIAM J. Comput. 16, 973 (1987)).
Colours are numbered by keys and counts alone, so they do not depend on how the vertices are written. Vertices that a symmetry of
the graph exchanges always share a colour; the converse fails for a few regular graphs that no usual molecule has.
"""

import collections
from collections.abc import Iterable, Sequence

import numpy as np


def refine(neighbours: Sequence[Iterable[int]], keys: Sequence) -> np.ndarray:
    """Colour of every vertex, (n,): equal where nothing tells two apart. ``keys`` are sortable, one a vertex; O(m log n)."""
    colour, cells = _by_key(keys)
    _split(neighbours, colour, cells, sorted(cells))
    return np.array(colour, np.int64)


def rank(neighbours: Sequence[Iterable[int]], keys: Sequence) -> np.ndarray:
    """A place 0..n-1 for every vertex, (n,), that does not depend on how they are written, up to the symmetry of the graph.

    While vertices share a colour, one of the first such cell is singled out and the rest refined again.
    """
    colour, cells = _by_key(keys)
    _split(neighbours, colour, cells, sorted(cells))
    for place in range(len(colour)):
        if len(cells[place]) > 1:
            chosen = min(cells[place])
            cells[place + 1] = cells[place] - {chosen}
            cells[place] = {chosen}
            for vertex in cells[place + 1]:
                colour[vertex] = place + 1
            _split(neighbours, colour, cells, [place])
    return np.array(colour, np.int64)


def _by_key(keys: Sequence) -> tuple[list[int], dict[int, set[int]]]:
    """Colours by key and their cells; a cell is called by its place, the number of vertices in the cells before it."""
    cells, colour = {}, [0] * len(keys)
    members = collections.defaultdict(set)
    for vertex, key in enumerate(keys):
        members[key].add(vertex)
    place = 0
    for key in sorted(members):
        cells[place] = members[key]
        for vertex in members[key]:
            colour[vertex] = place
        place += len(members[key])
    return colour, cells


def _split(neighbours: Sequence[Iterable[int]], colour: list[int], cells: dict[int, set[int]], places: Iterable[int]) -> None:
    """Split cells by how many neighbours their vertices have in each waiting cell, in place, until nothing splits."""
    waiting = collections.deque(places)
    listed = set(waiting)
    while waiting:
        splitter = waiting.popleft()
        listed.discard(splitter)
        counts = collections.Counter(other for vertex in cells[splitter] for other in neighbours[vertex])
        touched = collections.defaultdict(lambda: collections.defaultdict(set))
        for vertex, count in counts.items():
            touched[colour[vertex]][count].add(vertex)
        for place in sorted(touched):
            parts = [touched[place][count] for count in sorted(touched[place])]
            untouched = len(cells[place]) - sum(map(len, parts))
            if untouched:
                for part in parts:
                    cells[place] -= part
                parts.insert(0, cells[place])
            if len(parts) == 1:
                continue
            starts = np.cumsum([place] + [len(part) for part in parts[:-1]]).tolist()
            for start, part in zip(starts, parts, strict=True):
                cells[start] = part
                if start != place:
                    for vertex in part:
                        colour[vertex] = start
            spared = None if place in listed else starts[max(range(len(parts)), key=lambda i: len(parts[i]))]  # the rest tells all
            for start in starts:
                if start not in listed and start != spared:
                    waiting.append(start)
                    listed.add(start)
