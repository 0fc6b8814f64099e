"""What the energy of tables is linear in: U = sum_k c_k S_k, S_k the sum of B-spline k over the pairs or terms of a frame.

c are the free coefficients, so that what a table demands at its ends (``_design.fold``) is within the sums. The wall below the first knot
of the pairs is left out: there a pair counts as at the knot.
"""

import numpy as np

from workbench.fitting import _design, _histograms
from workbench.fitting import _histogram_kernels as kernels
from workbench.potentials import _spline
from workbench.potentials._base import Potential
from workbench.potentials._bonded_tables import STIFFNESS
from workbench.potentials.tabulated import BondedTables, PairTables, parts
from workbench.types import Trajectory


def of(potential: Potential, trajectory: Trajectory) -> dict[str, np.ndarray]:
    """Sums of every frame (F, T, free) by name: 'pair' and the kinds of bonded terms."""
    pairs, bonded = parts(potential)
    found = {} if pairs is None else {"pair": pair_sums(trajectory, pairs)}
    return found if bonded is None else found | bonded_sums(trajectory, bonded)[0]


def pair_sums(trajectory: Trajectory, tables: PairTables) -> np.ndarray:
    """Sums over the pairs of every frame that are not excluded, (F, T, n + 1)."""
    sums = np.zeros((len(trajectory), len(tables.pairs), tables.n_intervals + 3))
    for frames, x, boxes, found in _histograms.neighborhoods(trajectory, tables, tables.cutoff):
        near = found.starts.numpy(), found.second.numpy()
        types = tables.bead_types.numpy(), tables.table.numpy()
        kernels.splines(x, boxes, trajectory.n_particles, *near, *types, tables.start, 1 / tables.spacing, sums[frames])
    return sums @ _design.fold("pair", tables.n_intervals)


def bonded_sums(trajectory: Trajectory, tables: BondedTables) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sums over the terms of every frame, kind -> (F, T, free), and the energies (F,) [kJ/mol] of the parabolas beyond the grids."""
    full = {kind: np.zeros((len(trajectory), len(tables.tables[kind]), grid[2] + 3)) for kind, grid in tables.grids.items()}
    beyond = np.zeros(len(trajectory))
    for frames, by_kind in _histograms.coordinates(trajectory, tables):
        for kind, q in by_kind.items():
            if not q.shape[1]:
                continue
            start, stop, n = tables.grids[kind]
            outside = q - q.clip(start, stop)
            k, weight, slope = _spline.basis((q - outside - start) * (n / (stop - start)), n)
            weight += slope * (outside * (n / (stop - start)))[..., None]
            table = getattr(tables, f"{kind}_table").numpy()
            n_tables = len(tables.tables[kind])
            index = (np.arange(len(q))[:, None] * n_tables + table) * (n + 3) + k
            index = index[..., None] + np.arange(4)
            summed = np.bincount(index.ravel(), weight.ravel(), minlength=len(q) * n_tables * (n + 3))
            full[kind][frames] = summed.reshape(len(q), n_tables, n + 3)
            beyond[frames] += 0.5 * STIFFNESS[kind] * (outside**2).sum(1)
    return {kind: sums @ _design.fold(kind, tables.grids[kind][2]) for kind, sums in full.items()}, beyond


def flat(by_name: dict[str, np.ndarray], axes: int = 0) -> np.ndarray:
    """One row of all arrays of ``by_name``; the first ``axes`` of their axes stay."""
    return np.concatenate([array.reshape(*array.shape[:axes], -1) for array in by_name.values()], axes)


def split(row: np.ndarray, like: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that ``flat`` made ``row`` (K,) of, shaped ``like`` these."""
    ends = np.cumsum([array.size for array in like.values()])
    return {name: piece.reshape(like[name].shape) for name, piece in zip(like, np.split(row, ends[:-1]), strict=True)}
