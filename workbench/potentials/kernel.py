"""Kernels of pair distances and of triplets at representative points of the data, for ``fitting.kernel_regression``.

    U = sum_{i<j} w(r_ij) sum_m a_m k(r_ij, r_m) + sum_i sum_{j<k} w(r_ij) w(r_ik) sum_m b_m k((r_ij, r_ik, r_jk), q_m)

k is a Gaussian in the distances, w the switching function at the cut-off: the two-body and three-body Hessian kernels of Scherer, Scheid,
Andrienko and Bereau, J. Chem. Theory Comput. 16, 3194 (2020), integrated to an energy. Representative points are the farthest from
each other. Evaluating the kernels costs as much as there are points: ``tabulate`` puts what was learned onto grids ("covariant
meshing" there), ``tabulated`` for pairs and ``three_body_table`` for triplets, with interpolation.
"""

import math

import numpy as np

from workbench.potentials import _kernel_expansion, _pair, tabulated, three_body_table
from workbench.potentials._base import Potential, Sum
from workbench.potentials._kernel_distances import PairKernel, TripletKernel, ordered
from workbench.settings import field, settings
from workbench.types import ReferenceData

__all__ = ["PairKernel", "Settings", "TripletKernel", "build", "tabulate"]


@settings
class Settings:
    """Ranges, widths and numbers of points."""

    pairs: bool = field(True, "Kernels of pairs.")
    triplets: bool = field(True, "Kernels of triplets.")
    pair_cutoff: float = field(0.6, "Distance from which pairs have no energy.", unit="nm", bounds=(1e-3, None))
    cutoff: float = field(0.4, "Distance from the centre at which a bead is no end of a triplet.", unit="nm", bounds=(1e-3, None))
    switch_width: float = field(0.05, "Range before a cut-off over which the energy is switched off.", unit="nm", bounds=(1e-6, None))
    pair_width: float = field(0.03, "Width of a pair's Gaussian.", unit="nm", bounds=(1e-4, None))
    leg_width: float = field(0.05, "Width of a triplet's Gaussian in both legs.", unit="nm", bounds=(1e-4, None))
    end_width: float = field(0.08, "Width of a triplet's Gaussian in the distance of its ends.", unit="nm", bounds=(1e-4, None))
    n_pairs: int = field(50, "Representative pair distances, at most.", bounds=(1, 5_000))
    n_triplets: int = field(200, "Representative triplets, at most.", bounds=(1, 20_000))
    n_frames: int = field(20, "Frames from which they are chosen.", bounds=(1, None))
    seed: int = field(0, "Seed of the draw of those that can be chosen.", bounds=(0, None))


def build(data: ReferenceData, settings: Settings) -> Potential:
    """Kernels without energy at representative points of ``data``: of pairs, of triplets, or the sum of both.

    Raises ``ValueError`` without data, for beads of several types, for a cut-off beyond half of the box, where no bead has a neighbour,
    and where the settings leave nothing.
    """
    s, found = settings, []
    if s.pairs:
        found.append((PairKernel, s.n_pairs, [s.pair_width], s.pair_cutoff))
    if s.triplets:
        found.append((TripletKernel, s.n_triplets, [s.leg_width, s.leg_width, s.end_width], s.cutoff))
    if not found:
        raise ValueError("kernel: the settings leave neither pairs nor triplets: turn one of them on.")
    parts = []
    for kind, n, widths, cutoff in found:
        _kernel_expansion.check("kernel", data, cutoff)
        empty = kind(0, widths, cutoff, max(0.0, cutoff - s.switch_width), _pair.exclusion_list(data.beads))
        q = _kernel_expansion.seen(empty, data, s.n_frames, s.seed)
        q = ordered(q) if kind is TripletKernel else q
        parts.append(empty.with_points(_kernel_expansion.farthest(q, n, widths, kind.orders)))
    return parts[0] if len(parts) == 1 else Sum(parts)


def tabulate(
    potential: Potential, data: ReferenceData, *, start: float | None = None, spacing: float = 0.01, mesh: three_body_table.Settings
) -> Potential:
    """``potential`` with its kernels on grids: pairs from ``start`` [nm] in steps of about ``spacing`` [nm], triplets on ``mesh``.

    Below ``start``, the shortest of the representative distances unless it is given, a wall goes on. The triplets keep their own
    cut-off. Parts that are no kernels of distances stay. Raises ``ValueError`` for a first knot at the cut-off.
    """
    inside = zip(potential.parts, potential.weights, strict=True) if isinstance(potential, Sum) else [(potential, 1.0)]
    parts, weights = [], []
    for part, weight in inside:
        if isinstance(part, PairKernel):
            first = float(part.points.min()) if start is None else start
            if first >= part.cutoff:
                raise ValueError(f"kernel: the first knot at {first} nm must come before the cut-off of {part.cutoff} nm: lower `start`.")
            n = max(4, math.ceil((part.cutoff - first) / spacing))
            grid = tabulated.Settings(
                start=first, cutoff=part.cutoff, spacing=(part.cutoff - first) / n, bonds=False, angles=False, dihedrals=False
            )
            empty = tabulated.build(data, grid)
            part = empty.with_values(part.curve(np.array(empty.knots()))[None])
        elif isinstance(part, TripletKernel):
            part = three_body_table.of_kernel(part, data.beads, mesh)
        parts.append(part)
        weights.append(weight)
    return parts[0] if len(parts) == 1 and weights == [1.0] else Sum(parts, weights)
