"""What structure-based fits count: pairs and bonded coordinates in bins centred at the knots of the tables, frame by frame.

g_ab(r) = V <n_ab(r)> / (n_pairs v(r)) over all pairs of types a, b that are not excluded, v(r) the volume of the shell; p(q) is a
density. Both are what a table at the same knots acts on.
"""

from collections.abc import Iterator

import numpy as np
import torch

from workbench import neighbors
from workbench.fitting import _histogram_kernels as kernels
from workbench.potentials.tabulated import BondedTables, PairTables
from workbench.types import ReferenceData, Trajectory

PAIRS_AT_ONCE = 4_000_000
"""Pairs within reach in a chunk of frames, about."""


def edges(tables: PairTables) -> np.ndarray:
    """Edges of the bins of the pairs [nm], (n + 2,)."""
    return tables.start + tables.spacing * (np.arange(tables.n_intervals + 2) - 0.5)


def pair_counts(trajectory: Trajectory, tables: PairTables) -> np.ndarray:
    """Pairs that are not excluded in every frame (F, T, n + 1), by table and bin; the last bin ends where half of the box does."""
    counts = np.zeros((len(trajectory), len(tables.pairs), tables.n_intervals + 1), np.int32)
    first, reach = float(edges(tables)[0]), float(edges(tables)[-1])
    for frames, x, boxes, found in neighborhoods(trajectory, tables, reach):
        near = found.starts.numpy(), found.second.numpy()
        types = tables.bead_types.numpy(), tables.table.numpy()
        kernels.pairs(x, boxes, trajectory.n_particles, *near, *types, first, 1 / tables.spacing, counts[frames])
    return counts


def neighborhoods(
    trajectory: Trajectory, tables: PairTables, reach: float
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, neighbors.Pairs]]:
    """Chunks of frames: positions (f * B, 3), boxes (f, 3) or (0, 3), and pairs within ``reach`` [nm], at most half of the box."""
    n = trajectory.n_particles
    around = n * n / 2
    if trajectory.box is not None:
        around *= min(1.0, 4.2 * reach**3 / float(np.prod(trajectory.box[0])))
    size = max(1, int(PAIRS_AT_ONCE / around))
    for start in range(0, len(trajectory), size):
        frames = slice(start, min(start + size, len(trajectory)))
        x = torch.tensor(np.ascontiguousarray(trajectory.positions[frames]))
        box = None if trajectory.box is None else torch.tensor(np.array(trajectory.box[frames]), dtype=x.dtype)
        within = reach if box is None else min(reach, 0.5 * float(box.min()))
        found = neighbors.search(x, box, within, tables.exclusions)
        yield frames, x.reshape(-1, 3).numpy(), np.zeros((0, 3), x.numpy().dtype) if box is None else box.numpy(), found


def n_pairs(tables: PairTables) -> np.ndarray:
    """Number of pairs of each table that are not excluded, (T,)."""
    bead, table = tables.bead_types.numpy(), tables.table.numpy()
    number = np.bincount(bead, minlength=len(tables.types))
    index = [(tables.types.index(a), tables.types.index(b)) for a, b in tables.pairs]
    total = np.array([number[a] * (number[a] - 1) // 2 if a == b else number[a] * number[b] for a, b in index])
    left_out = tables.exclusions.numpy()
    return total - np.bincount(table[bead[left_out[:, 0]], bead[left_out[:, 1]]], minlength=len(total))


def ideal(trajectory: Trajectory, tables: PairTables) -> np.ndarray:
    """Pairs in every bin of an ideal gas, mean over the frames, (T, n + 1). Raises ``ValueError`` without a box."""
    if trajectory.box is None:
        raise ValueError("a radial distribution needs a periodic box; these frames have none: fit bonded tables alone (pairs=False).")
    shell = 4 / 3 * np.pi * np.diff(edges(tables).clip(0) ** 3)
    density = np.mean(1 / np.prod(np.asarray(trajectory.box, np.float64), 1))
    return n_pairs(tables)[:, None] * density * shell


def rdf(counts: np.ndarray, trajectory: Trajectory, tables: PairTables) -> np.ndarray:
    """g(r) at the knots, (T, n + 1), from :func:`pair_counts`; 0 for a table without pairs."""
    expected = ideal(trajectory, tables)
    return np.divide(counts.mean(0), expected, out=np.zeros_like(expected), where=expected > 0)


def bonded_counts(trajectory: Trajectory, tables: BondedTables) -> dict[str, np.ndarray]:
    """Terms of every frame by table and bin, kind -> (F, T, n + 1); a dihedral's last bin is its first."""
    counts = {kind: np.zeros((len(trajectory), len(tables.tables[kind]), tables.grids[kind][2] + 1), np.int32) for kind in tables.tables}
    for frames, by_kind in coordinates(trajectory, tables):
        for kind, q in by_kind.items():
            if not q.shape[1]:
                continue
            start, stop, n = tables.grids[kind]
            k = np.rint((q - start) * (n / (stop - start))).astype(np.int64)  # (f, t)
            inside = (k >= 0) & (k <= n)
            if kind == "dihedral":
                k %= n
            n_tables = len(tables.tables[kind])
            table = getattr(tables, f"{kind}_table").numpy()
            index = (np.arange(len(q))[:, None] * n_tables + table) * (n + 1) + k
            found = np.bincount(index[inside], minlength=len(q) * n_tables * (n + 1)).reshape(len(q), n_tables, n + 1)
            if kind == "dihedral":
                found[:, :, -1] = found[:, :, 0]
            counts[kind][frames] = found
    return counts


def coordinates(trajectory: Trajectory, tables: BondedTables) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Chunks of frames and their bond lengths [nm], angles and dihedrals [rad] by kind, (f, t)."""
    size = max(1, 1_000_000 // max(1, tables.descriptor.size))
    for start in range(0, len(trajectory), size):
        frames = slice(start, min(start + size, len(trajectory)))
        x = torch.tensor(np.array(trajectory.positions[frames]), dtype=torch.float64)
        box = None if trajectory.box is None else torch.tensor(np.array(trajectory.box[frames]), dtype=torch.float64)
        yield frames, tables.coordinates(tables.descriptor.values(x, box))


def densities(counts: dict[str, np.ndarray], tables: BondedTables) -> dict[str, np.ndarray]:
    """p(q) at the knots [1/nm or 1/rad], kind -> (T, n + 1), from :func:`bonded_counts`; half bins at the ends of an angle count double."""
    found = {}
    for kind, by_frame in counts.items():
        start, stop, n = tables.grids[kind]
        number = np.bincount(getattr(tables, f"{kind}_table").numpy(), minlength=len(tables.tables[kind]))
        density = by_frame.mean(0) / np.maximum(number, 1)[:, None] * (n / (stop - start))
        if kind == "angle" and len(density):
            density[:, [0, -1]] *= 2
        found[kind] = density
    return found


def bin_jacobian(kind: str, q: np.ndarray) -> np.ndarray:
    """What a coordinate without energy would be distributed by, q^2, sin q, 1: means over the bins centred at ``q`` (n + 1,)."""
    half = (q[1] - q[0]) / 2
    if kind == "dihedral":
        return np.ones_like(q)
    low, high = np.maximum(q - half, 0), q + half
    if kind == "bond":
        return (high**3 - low**3) / (3 * (high - low))
    high = np.minimum(high, np.pi)
    return (np.cos(low) - np.cos(high)) / (high - low)


def check(trajectory: ReferenceData, tables: PairTables, g: np.ndarray) -> None:
    """Raise ``ValueError`` for a target g (T, n + 1) that no potential can be told from."""
    if trajectory.box is not None and tables.cutoff > 0.5 * float(np.min(trajectory.box)):
        raise ValueError(
            f"the cut-off of {tables.cutoff:.3f} nm needs a box of twice that: the smallest is {float(np.min(trajectory.box)):.3f} nm."
        )
    for pair, curve, number in zip(tables.pairs, g, n_pairs(tables), strict=True):
        name = f"the target g(r) of {pair[0]}-{pair[1]}"
        if not np.isfinite(curve).all() or (curve < 0).any():
            raise ValueError(f"{name} has values that are negative or not finite.")
        if number == 0:
            continue
        seen = np.flatnonzero(curve[:-1] > 0)
        if len(seen) < 4:
            raise ValueError(f"{name} is zero up to the cut-off of {tables.cutoff:.3f} nm: more frames, or a longer cut-off.")
        if np.any(curve[seen[0] : -1] == 0):
            gap = tables.knots()[seen[0] + int(np.argmin(curve[seen[0] : -1] > 0))]
            raise ValueError(f"{name} has a gap at {gap:.3f} nm: take wider spacing or more frames.")
        if curve[0] > 0.1 * curve.max():
            raise ValueError(f"{name} is {curve[0]:.2f} at the first knot, {tables.start:.3f} nm: begin the tables at smaller distances.")


def check_bonded(tables: BondedTables, densities: dict[str, np.ndarray]) -> None:
    """Raise ``ValueError`` for a table whose terms all lie outside of its grid."""
    for kind, curves in densities.items():
        present = np.bincount(getattr(tables, f"{kind}_table").numpy(), minlength=len(curves))
        for types, curve, number in zip(tables.tables[kind], curves, present, strict=True):
            if number and not curve.any():
                start, stop, _ = tables.grids[kind]
                raise ValueError(
                    f"no {kind} {'-'.join(types)} of the data lies between {start:.3f} and {stop:.3f}: build the tables from them."
                )
