r"""Noise meter: which share of the variance of bead forces is noise, bracketed before any model is trained.

A mapped force is the mean force plus noise that averages to zero at every R, so <F^2> = <F_mean^2> + noise. All force maps of
one mapping have the same mean force (see ``force_maps``), and no function g of the beads misses more than it explains:

    <F_opt^2> - <(F_opt - g)^2>   <=   <F_mean^2>   <=   <F_opt^2>,

Krämer et al., J. Phys. Chem. Lett. 14, 3970 (2023). Taken from <F_basic^2>, the right side gives the least, the left side the most
noise in the basic forces; what g leaves of F_opt is the most noise in the optimal ones. Here g is a quick model linear in its
coefficients: pair forces along the lines between beads, piecewise linear in their distance, one function for every pair of types
one, two or three bonds apart and one for all other pairs within a cut-off. Map and model are made from the first frames and judged
on the last ones, which they have not seen. The bracket closes as the model improves; a wide one asks for a better model, not data.
"""

import dataclasses

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.csgraph

from workbench import force_maps, projection
from workbench.settings import field, settings
from workbench.types import Beads, Mapping, System, Trajectory, noun

CHUNK_BYTES = 32 << 20
N_BLOCKS = 8
"""Blocks of held-out frames for the standard errors."""
SILENT = 1e-10
"""A bead whose mean squared force is below this share of the atoms' own has round-off only."""
RIDGE = 1e-9
"""Weight of the squared coefficients relative to the mean diagonal of the normal equations."""


@settings
class Settings:
    """Frames and quick model of the meter."""

    n_frames: int = field(5000, "Most frames that are used; more are thinned evenly.", bounds=(4 * N_BLOCKS, None))
    held_out: float = field(0.25, "Share of the frames, the last ones, that the bounds are measured on.", bounds=(0.05, 0.9))
    n_knots: int = field(20, "Knots of every pair force.", bounds=(2, 200))
    cutoff_nm: float = field(0.8, "Cut-off of pairs that are not within three bonds.", unit="nm", bounds=(0.1, None))


@noun
class Noise:
    """The bracket, one entry per bead of every kind of molecule (averaged over its copies and over x, y, z)."""

    names: tuple[str, ...]
    """Bead names, b of them."""
    basic: np.ndarray
    """Variance of the basic forces [(kJ/mol/nm)^2], (b,)."""
    optimal: np.ndarray
    """Variance of the optimal forces [(kJ/mol/nm)^2], (b,)."""
    unexplained: np.ndarray
    """Variance of the optimal forces that the quick model does not explain [(kJ/mol/nm)^2], (b,); at most ``optimal``."""
    least: np.ndarray
    """Least share of the variance of the basic forces that is noise, (b,)."""
    least_error: np.ndarray
    """Its standard error, (b,)."""
    most: np.ndarray
    """Most share of the variance of the basic forces that is noise, (b,)."""
    most_error: np.ndarray
    """Its standard error, (b,)."""
    most_optimal: np.ndarray
    """Most share of the variance of the optimal forces that is noise, (b,); the least is 0."""


def measure(all_atom: Trajectory, mapping: Mapping, settings: Settings = Settings()) -> Noise:  # noqa: B008 (frozen)
    """The noise bracket of the forces of ``all_atom`` (F, N, 3) seen through ``mapping``.

    Raises ``ValueError`` for a trajectory without forces, system or enough frames, and where the basic or optimal map does not exist or
    a bead feels no force (the sum over a molecule that is alone).
    """
    system = all_atom.system
    if all_atom.forces is None:
        raise ValueError("noise.measure: this trajectory has no forces: sample or read it with forces.")
    if system is None:
        raise ValueError(
            "noise.measure: this trajectory does not know its system: give it one by dataclasses.replace(trajectory, system=...)."
        )
    thin = all_atom.take(slice(None, None, -(-len(all_atom) // settings.n_frames)))
    n_test = round(settings.held_out * len(thin))
    if min(n_test, len(thin) - n_test) < N_BLOCKS:
        raise ValueError(
            f"noise.measure: {len(all_atom)} frames leave {n_test} to judge and {len(thin) - n_test} to learn from; {N_BLOCKS} of each are "
            "the least: give it more frames or another held_out."
        )
    thin = dataclasses.replace(thin, velocities=None, virial=None)
    learned, judged = thin.take(slice(0, len(thin) - n_test)), thin.take(slice(len(thin) - n_test, None))
    maps = [force_maps.matrix(name, learned, mapping) for name in ("basic", "optimal")]
    model = _PairForces(_positions(learned, mapping), learned.box, mapping.beads(system), settings)
    coefficients = model.fit(_positions(learned, mapping), learned.box, _mapped(maps[1], learned))
    positions, names, slot = _positions(judged, mapping), *_slots(mapping, system)
    basic, optimal = (_mapped(matrix, judged) for matrix in maps)
    left = optimal - model.predict(coefficients, positions, judged.box)
    squares = np.stack([(forces**2).mean(2) for forces in (basic, optimal, left)])  # (3, F, B)
    belongs = (slot[:, None] == np.arange(len(names))) / np.bincount(slot)
    blocks = np.stack([part.mean(1) @ belongs for part in np.array_split(squares, N_BLOCKS, axis=1)])  # (blocks, 3, b)
    variances = blocks.mean(0)
    silent = np.flatnonzero(variances[0] <= SILENT * np.mean(np.square(judged.forces, dtype=np.float64)))
    if silent.size:
        raise ValueError(f"noise.measure: bead '{names[silent[0]]}' feels no force, so that no share of it is noise: leave it out.")
    variances[2] = np.minimum(variances[2], variances[1])  # the model that predicts no force is a model, too
    least, most = _shares(variances)
    error = _jackknife(blocks)
    return Noise(
        names=names,
        basic=variances[0],
        optimal=variances[1],
        unexplained=variances[2],
        least=least,
        least_error=error[0],
        most=most,
        most_error=error[1],
        most_optimal=variances[2] / variances[1],
    )


def _shares(variances: np.ndarray) -> np.ndarray:
    """Least and most share of noise (2, b) from the variances (3, b) of basic, optimal and unexplained forces."""
    basic, optimal, left = variances
    return np.stack([1 - optimal / basic, 1 - (optimal - np.minimum(left, optimal)) / basic])


def _jackknife(blocks: np.ndarray) -> np.ndarray:
    """Standard errors (2, b) of the shares from variances by block (blocks, 3, b)."""
    n = len(blocks)
    without = np.stack([_shares((blocks.sum(0) - block) / (n - 1)) for block in blocks])
    return np.sqrt((n - 1) * without.var(0))


def _positions(frames: Trajectory, mapping: Mapping) -> np.ndarray:
    return projection.project(dataclasses.replace(frames, forces=None), mapping).positions


def _mapped(matrix: scipy.sparse.csr_array, frames: Trajectory) -> np.ndarray:
    """Bead forces (F, B, 3) by a force map (B, N)."""
    result = np.empty((len(frames), matrix.shape[0], 3))
    size = max(1, CHUNK_BYTES // (24 * matrix.shape[1]))
    for start in range(0, len(frames), size):
        columns = frames.forces[start : start + size].astype(np.float64).transpose(1, 0, 2).reshape(matrix.shape[1], -1)
        result[start : start + size] = (matrix @ columns).reshape(matrix.shape[0], -1, 3).transpose(1, 0, 2)
    return result


def _slots(mapping: Mapping, system: System) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the beads of all templates, and for every bead of the system which of them it is (B,)."""
    kinds = system.kinds()
    bead, atom = mapping.expand(system).nonzero()
    molecule = np.zeros(bead.max() + 1, np.int64)
    molecule[bead] = system.molecule[atom]
    offset = np.zeros(system.molecule[-1] + 1, np.int64)
    names: tuple[str, ...] = ()
    for template in mapping.templates:
        offset[system.molecule[kinds[template.topology][:, 0]]] = len(names)
        names += template.names
    return names, offset[molecule] + np.arange(len(molecule)) - np.searchsorted(molecule, molecule)


class _PairForces:
    """Piecewise linear forces between beads: classes of pairs with their knots, fixed by the frames they are made from."""

    def __init__(self, positions: np.ndarray, box: np.ndarray | None, beads: Beads, settings: Settings):
        self.pairs = np.stack(np.triu_indices(beads.n_beads, 1), 1)
        links = scipy.sparse.coo_array((np.ones(len(beads.bonds)), tuple(beads.bonds.T)), shape=(beads.n_beads,) * 2)
        apart = scipy.sparse.csgraph.dijkstra(links, directed=False, unweighted=True, limit=3)[tuple(self.pairs.T)]
        near = np.isfinite(apart)
        types = np.sort(np.unique(beads.types, return_inverse=True)[1][self.pairs], axis=1)
        keys = np.column_stack([np.where(near, apart, 0).astype(np.int64), types])
        found, self.kind = np.unique(keys, axis=0, return_inverse=True)
        self.kind = self.kind.ravel()
        self.low, self.high = np.full(len(found), np.inf), np.zeros(len(found))
        self.near, self.settings, self.n_beads = near, settings, beads.n_beads
        for frames in self._pieces(len(positions)):
            r = np.linalg.norm(self._vectors(positions[frames], None if box is None else box[frames]), axis=-1)
            np.minimum.at(self.low, self.kind, r.min(0))
            np.maximum.at(self.high, self.kind, r.max(0))
        limited = found[:, 0] == 0
        self.high[limited] = np.minimum(self.high[limited], settings.cutoff_nm if box is None else min(settings.cutoff_nm, box.min() / 2))
        self.width = np.maximum(self.high - self.low, 1e-6) / (settings.n_knots - 1)

    def fit(self, positions: np.ndarray, box: np.ndarray | None, forces: np.ndarray) -> np.ndarray:
        """Coefficients (K,) of least squares to ``forces`` (F, B, 3)."""
        size = len(self.low) * self.settings.n_knots
        normal, right = np.zeros((size, size)), np.zeros(size)
        for frames in self._pieces(len(positions)):
            basis = self._basis(positions[frames], None if box is None else box[frames])
            normal += (basis.T @ basis).toarray()
            right += basis.T @ forces[frames].ravel()
        if not normal.any():
            return right
        normal[np.diag_indices(size)] += RIDGE * np.trace(normal) / size
        return scipy.linalg.solve(normal, right, assume_a="pos")

    def predict(self, coefficients: np.ndarray, positions: np.ndarray, box: np.ndarray | None) -> np.ndarray:
        """Forces (F, B, 3)."""
        result = np.empty(positions.shape)
        for frames in self._pieces(len(positions)):
            basis = self._basis(positions[frames], None if box is None else box[frames])
            result[frames] = (basis @ coefficients).reshape(-1, self.n_beads, 3)
        return result

    def _pieces(self, n_frames: int) -> list[slice]:
        size = max(1, CHUNK_BYTES // (96 * max(1, len(self.pairs))))
        return [slice(start, start + size) for start in range(0, n_frames, size)]

    def _vectors(self, positions: np.ndarray, box: np.ndarray | None) -> np.ndarray:
        """From the first to the second bead of every pair, (F, P, 3) [nm]."""
        x = positions.astype(np.float64)
        vectors = x[:, self.pairs[:, 1]] - x[:, self.pairs[:, 0]]
        return vectors if box is None else vectors - np.round(vectors / box[:, None]) * box[:, None]

    def _basis(self, positions: np.ndarray, box: np.ndarray | None) -> scipy.sparse.csr_array:
        """Forces of every basis function, (F B 3, K): hats over the knots, along the line of the pair."""
        vectors = self._vectors(positions, box)
        r = np.linalg.norm(vectors, axis=-1)
        frame, pair = np.nonzero(self.near | (r < self.high[self.kind]))
        kind, r, vectors = self.kind[pair], r[frame, pair], vectors[frame, pair]
        last = self.settings.n_knots - 1
        place = np.clip((r - self.low[kind]) / self.width[kind], 0, last)
        knot = np.minimum(place.astype(np.int64), last - 1)
        upper = place - knot
        rows, columns, values = [], [], []
        for share, side in ((1 - upper, knot), (upper, knot + 1)):
            for bead, sign in ((self.pairs[pair, 0], -1.0), (self.pairs[pair, 1], 1.0)):
                rows.append(((frame * self.n_beads + bead)[:, None] * 3 + np.arange(3)).ravel())
                columns.append(np.repeat(kind * self.settings.n_knots + side, 3))
                values.append((sign * (share / r)[:, None] * vectors).ravel())
        triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return scipy.sparse.csr_array(triplets, shape=(positions.size, len(self.low) * self.settings.n_knots))
