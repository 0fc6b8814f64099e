"""Graph-based coarse-graining: beads by spectral grouping, level by level.

Webb, Delannoy and de Pablo, J. Chem. Theory Comput. 15, 1199 (2019). Hydrogens are folded into their heavy atoms. Every round ranks the
groups by the eigenvector x of the largest eigenvalue of A + D: A_ij = 1 for bonded groups, D_ii = 0 ('none'), m_i / max m ('mass') or
(m_i - min m) / mean m ('diff'). Groups are visited in ascending x; a visited one merges with all its open neighbours of the smallest
x_j >= x_i, and what merged closes when x moves on. The merged groups are the graph of the next round, until one is left.

Nothing depends on the order of the atoms: groups that colour refinement cannot tell apart have exactly one weight, because x is solved
for on the colours (the quotient of an equitable partition), in an order of theirs; beyond that weights tie within a relative 1e-10, and
groups of one weight that are neighbours all merge. x is found by Noda's iteration (Numer. Math. 17, 382 (1971)), then by elimination
in logarithms, without cancellation: it may fall over any number of decades along a polymer.
"""

import itertools
import math

import networkx
import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from workbench.mappings import _graph, _refinement
from workbench.settings import field, settings
from workbench.types import Mapping, System, Trajectory

TIE = 1e-10  # relative difference up to which weights count as equal
SYMMETRIC = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}


@settings
class Settings:
    """How groups are weighed, and which level makes the beads."""

    weights: str = field("diff", "Diagonal of the matrix: none, or by the groups' masses.", choices=("none", "mass", "diff"))
    level: int = field(1, "How often the groups merge; 0 is single heavy atoms; a smaller molecule stops at one bead.", bounds=(0, None))
    mass_cap: float | None = field(None, "No merge makes a bead heavier than this; None for any.", unit="amu", bounds=(0.0, None))
    types: str = field("symmetry", _graph.TYPES_HELP, choices=("symmetry", "composition"))
    molecules: tuple[int, ...] = field((), _graph.MOLECULES_HELP, bounds=(0, None))


def build(system: System, trajectory: Trajectory | None, settings: Settings) -> Mapping:
    """The mapping of one level, centres of mass, for every kind of molecule; ``trajectory`` is not used and may be None.

    Raises ``ValueError`` for a level that no molecule reaches, a molecule in pieces and a molecule number that is not there.
    """
    parts, reached = [], 0
    for topology, atoms, graph in _graph.kinds(system, settings.molecules):
        found = list(itertools.islice(_rounds(graph, settings), settings.level + 1))
        reached = max(reached, len(found) - 1)
        parts.append((topology, atoms, graph, found[-1], None))
    if settings.level > reached:
        raise ValueError(f"level = {settings.level}: nothing merges in '{system.name}' after level {reached}: choose 0 to {reached}.")
    return _graph.assemble(system, parts, settings.types)


def levels(system: System, settings: Settings) -> list[_graph.Groups]:
    """Every level of the first molecule that ``settings`` keeps; its ``level`` is not used.

    Level 0 is the single heavy atoms. A level is a list of groups, a group a tuple of heavy atoms, counted from 0 within the molecule;
    both ascend.
    """
    _, _, graph = next(_graph.kinds(system, settings.molecules))
    return list(_rounds(graph, settings))


def weights(graph: networkx.Graph, settings: Settings) -> dict[int, float]:
    """Logarithm of the weight of every vertex of a graph of atoms or groups with ``mass`` [amu]; the largest weight is 1."""
    masses = [mass for _, mass in graph.nodes(data="mass")]
    return dict(zip(graph, _log_weights(_graph.adjacency(graph), _diagonal(masses, settings.weights)).tolist(), strict=True))


def _rounds(graph: networkx.Graph, settings: Settings):
    """Groups of level 0, 1, ... until nothing merges."""
    colour = dict(zip(graph, _refinement.refine(_graph.adjacency(graph), _graph.keys(graph)).tolist(), strict=True))
    neighbours, groups = _graph.adjacency(graph), [(atom,) for atom in graph]
    while True:
        yield groups
        masses = [math.fsum(graph.nodes[atom]["mass"] for atom in group) for group in groups]
        place = _classes(_log_weights(neighbours, _diagonal(masses, settings.weights)))
        order = range(len(groups))
        if settings.mass_cap is not None:
            keys = [tuple(sorted(colour[atom] for atom in group)) for group in groups]
            order = np.argsort(_refinement.rank(neighbours, keys)).tolist()
        owner = _merge(neighbours, place, order, masses, math.inf if settings.mass_cap is None else settings.mass_cap)
        if len(set(owner)) == len(groups):
            return
        neighbours, groups = _contract(neighbours, groups, owner)


def _diagonal(masses: list[float], weights: str) -> list[float]:
    if weights == "none":
        return [0.0] * len(masses)
    low, high, mean = min(masses), max(masses), math.fsum(masses) / len(masses)
    return [mass / high if weights == "mass" else (mass - low) / mean for mass in masses]


def _log_weights(neighbours: list, diagonal: list[float]) -> np.ndarray:
    """log x of every group, (n,), the largest 0, for A + D; exactly equal within a colour of the graph with keys D."""
    _, example, cell, size = np.unique(_refinement.refine(neighbours, diagonal), return_index=True, return_inverse=True, return_counts=True)
    row = np.repeat(cell, [len(n) for n in neighbours])
    column = cell[[other for n in neighbours for other in n]] if len(row) else row
    counts = scipy.sparse.csc_array((np.ones(len(row)), (row, column)), shape=(len(size), len(size)))
    scale = scipy.sparse.diags_array(1 / np.sqrt(size))
    quotient = scale @ counts @ scale + scipy.sparse.diags_array(np.array(diagonal)[example])  # eigenvector: sqrt(size) x
    log_x = _log_eigenvector(scipy.sparse.csc_array(quotient)) - np.log(size) / 2
    return (log_x - log_x.max())[cell]


def _log_eigenvector(matrix: scipy.sparse.csc_array) -> np.ndarray:
    """log of the positive eigenvector of a symmetric, irreducible matrix >= 0, each entry to a relative error of its own."""
    value, vector = _noda(matrix)
    root = int(vector.argmax())
    rest = np.delete(np.arange(len(vector)), root)
    log_x = np.zeros(len(vector))
    if len(rest):  # (value - matrix) without its root is an M-matrix: its factors have one sign, so substitution only adds
        identity = scipy.sparse.eye_array(len(rest), format="csc")
        inner, edge = matrix[rest][:, rest], matrix[rest][:, [root]].toarray()[:, 0]
        while True:
            factors = scipy.sparse.linalg.splu(scipy.sparse.csc_array(value * identity - inner), **SYMMETRIC)
            if factors.U.diagonal().min() > 0:
                break
            value *= 1 + 4 * np.finfo(float).eps  # only where two ends are alike to the last bit
        with np.errstate(divide="ignore"):
            log_b = np.empty(len(rest))
            log_b[factors.perm_r] = np.log(edge)
        log_x[rest] = _substitute(factors.U, _substitute(factors.L, log_b, range(len(rest))), range(len(rest) - 1, -1, -1))[factors.perm_c]
    return log_x


def _noda(matrix: scipy.sparse.csc_array) -> tuple[float, np.ndarray]:
    """Largest eigenvalue and a positive vector near its eigenvector: x <- (s - A)^-1 x with the bound s = max (Ax)_i / x_i."""
    x, bound = np.ones(matrix.shape[0]), math.inf
    identity = scipy.sparse.eye_array(len(x), format="csc")
    while True:
        image = matrix @ x
        lower, upper = float(x @ image / (x @ x)), float((image / x).max())
        if not upper < bound or upper - lower <= 4 * np.finfo(float).eps * upper:
            return lower, x
        bound = upper
        try:
            x = scipy.sparse.linalg.splu(scipy.sparse.csc_array(bound * identity - matrix), **SYMMETRIC).solve(x)
        except RuntimeError:  # singular: the bound is the eigenvalue
            return lower, x
        x = np.maximum(np.abs(x) / np.abs(x).max(), np.finfo(float).tiny)


def _substitute(factor: scipy.sparse.csc_array, log_b: np.ndarray, order: range) -> np.ndarray:
    """log of the solution of a triangular system with positive diagonal and no positive entry beside it."""
    rows = scipy.sparse.csr_array(factor)
    start, column, value = rows.indptr.tolist(), rows.indices, rows.data
    with np.errstate(divide="ignore"):
        log_value = np.log(np.abs(value))
    log_x = log_b.copy()
    for i in order:
        row, entries = column[start[i] : start[i + 1]], log_value[start[i] : start[i + 1]]
        beside = row != i
        log_x[i] = np.logaddexp.reduce(entries[beside] + log_x[row[beside]], initial=log_x[i]) - entries[~beside][0]
    return log_x


def _classes(log_weights: np.ndarray) -> list[int]:
    """Place of every group in ascending weight, counted in weights that differ by more than ``TIE``."""
    order = np.argsort(log_weights, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.r_[0, np.cumsum(np.diff(log_weights[order]) > TIE)]
    return place.tolist()


def _merge(neighbours: list, place: list[int], order, masses: list[float], cap: float) -> list[int]:
    """One round: the group that every group becomes part of. ``order`` only matters where the mass cap refuses a merge."""
    owner, mass = list(range(len(masses))), list(masses)
    merged, closed = [False] * len(masses), [False] * len(masses)

    def find(group: int) -> int:
        while owner[group] != group:
            owner[group] = owner[owner[group]]
            group = owner[group]
        return group

    def join(one: int, other: int) -> bool:
        one, other = find(one), find(other)
        if one != other:
            if mass[one] + mass[other] > cap * (1 + 1e-9):
                return False
            owner[one] = other
            mass[other] += mass[one]
        return True

    for weight, visited in itertools.groupby(sorted(order, key=place.__getitem__), key=place.__getitem__):
        joined = []
        for group in (g for g in visited if not closed[g]):
            options = sorted((place[n], i) for i, n in enumerate(neighbours[group]) if place[n] >= weight and not closed[n])
            for level, others in itertools.groupby(options, key=lambda option: option[0]):
                if merged[group] and level > weight:
                    break
                partners = [neighbours[group][i] for _, i in others]
                partners = [other for other in partners if join(group, other)]
                if partners:
                    joined += [group, *partners]
                    for one in (group, *partners):
                        merged[one] = True
                    break
        for group in joined:
            closed[group] = True
    return [find(group) for group in range(len(masses))]


def _contract(neighbours: list, groups: _graph.Groups, owner: list[int]) -> tuple[list, _graph.Groups]:
    """Neighbours and atoms of the merged groups, by their first atoms."""
    inside: dict[int, list[int]] = {}
    for group, kept in enumerate(owner):
        inside.setdefault(kept, []).extend(groups[group])
    merged = sorted(tuple(sorted(atoms)) for atoms in inside.values())
    place = {kept: i for i, kept in enumerate(sorted(inside, key=lambda kept: min(inside[kept])))}
    linked: list[set[int]] = [set() for _ in merged]
    for group, others in enumerate(neighbours):
        linked[place[owner[group]]] |= {place[owner[other]] for other in others} - {place[owner[group]]}
    return [sorted(others) for others in linked], merged
