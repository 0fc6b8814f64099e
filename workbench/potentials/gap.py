"""Gaussian approximation potential: U = sum_i sum_m c_m k(G_i, G_m), k a Gaussian of the whole surroundings of a bead.

    G_a = sum_j w(r_ij) exp(-(r_ij - R_a)^2 / (2 s^2)),
    G_zl = 2^(1-z) sum_{j<k} w(r_ij) w(r_ik) (1 + l cos theta_jik)^z,   l = 1, -1

are the radial and angular functions of Behler, J. Chem. Phys. 134, 074106 (2011), smooth at the cut-off, in units of their spread
over the data. A many-body kernel, where ``kernel`` has pairs and triplets. Source: John and Csányi, J. Phys. Chem. B 121, 10934 (2017),
who give coarse-grained forces to a sparse Gaussian process (with another descriptor); ``fitting.kernel_regression`` solves it.
"""

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _kernel_distances, _kernel_expansion, _pair, _triplets
from workbench.potentials._kernel_expansion import KernelExpansion
from workbench.settings import field, settings
from workbench.types import ReferenceData

LEAST_SPREAD = 1e-3
"""Least standard deviation of a function by the largest: one that hardly changes is not blown up."""


@settings
class Settings:
    """The functions, the kernel and the number of points."""

    cutoff: float = field(0.45, "Distance from which a bead is no neighbour.", unit="nm", bounds=(1e-3, None))
    start: float = field(0.24, "Centre of the first radial function.", unit="nm", bounds=(1e-3, None))
    n_radial: int = field(8, "Radial functions, their centres evenly up to the cut-off.", bounds=(2, 100))
    zetas: tuple[float, ...] = field((1.0, 4.0), "Exponents of the angular functions; each has both signs.", bounds=(1.0, 64.0))
    width: float = field(3.0, "Width of the kernel in standard deviations of the functions.", bounds=(1e-2, None))
    n_points: int = field(200, "Representative surroundings, at most.", bounds=(1, 20_000))
    n_frames: int = field(20, "Frames from which they are chosen.", bounds=(1, None))
    seed: int = field(0, "Seed of the draw of those that can be chosen.", bounds=(0, None))


class Gap(KernelExpansion):
    """Kernels of the surroundings of every bead; ``widths`` are in the units of the functions, which have no unit."""

    def __init__(
        self, n_points: int, widths: list[float], cutoff: float, start: float, n_radial: int, zetas: list[float], exclusions: list
    ):
        super().__init__(n_points, widths, cutoff, exclusions)
        self.start, self.n_radial, self.zetas = start, n_radial, tuple(zetas)
        self.orders = (tuple(range(len(widths))),)

    def coordinates(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None) -> tuple[Tensor, Tensor]:
        if pairs is None:
            lengths = box if box is None or box.dim() == 2 else torch.diagonal(box, dim1=1, dim2=2)
            pairs = neighbors.search(positions, lengths, self.cutoff, self.exclusions)
        vector, _, _ = _pair.vectors(positions, box, pairs, self.cutoff, self.exclusions)
        found = _triplets.find(positions, box, pairs, self.cutoff, self.exclusions)
        frames, beads, _ = positions.shape
        radial = self._radial(torch.linalg.vector_norm(vector, dim=-1))
        angular = self._angular(_kernel_distances.sides(found))
        total = radial.new_zeros(frames * beads, self.n_radial)
        total = total.index_add(0, pairs.first, radial).index_add(0, pairs.second, radial)
        turned = angular.new_zeros(frames * beads, 2 * len(self.zetas)).index_add(0, found.centre, angular)
        return torch.cat([total, turned], 1), torch.arange(frames, device=positions.device).repeat_interleave(beads)

    def derivatives(self, positions: Tensor, box: Tensor | None) -> tuple[Tensor, scipy.sparse.csr_array]:
        beads = positions.shape[1]
        vector, _, pairs = _pair.vectors(positions, box, None, self.cutoff, self.exclusions)
        found = _triplets.find(positions, box, pairs, self.cutoff, self.exclusions)
        r, sides = torch.linalg.vector_norm(vector, dim=-1), _kernel_distances.sides(found)
        by_pair = _kernel_expansion.spread(pairs.first, pairs.second, vector, beads)
        by_side = _kernel_distances.lengths_by_position(found, beads)
        columns = []
        for slope in _slopes(self._radial, r):  # (P,)
            rows, both = np.tile(np.arange(len(r)), 2), torch.cat([pairs.first, pairs.second]).numpy()
            columns.append(by_pair @ scipy.sparse.csr_array((np.tile(slope.numpy(), 2), (rows, both)), shape=(len(r), beads)))
        for slope in _slopes(self._angular, sides):  # (T, 3)
            at = np.tile(found.centre.numpy(), 3)
            values = slope.T.reshape(-1).numpy(), (np.arange(3 * len(slope)), at)
            columns.append(by_side @ scipy.sparse.csr_array(values, shape=(3 * len(slope), beads)))
        return self.coordinates(positions, box, None)[0], scipy.sparse.hstack(columns, format="csr")

    def weight(self, q: Tensor) -> Tensor:
        return 1 + 0 * q[:, 0]  # the functions vanish at the cut-off by themselves

    def recipe(self) -> dict:
        own = {"start": self.start, "n_radial": self.n_radial, "zetas": list(self.zetas)}
        return {**super().recipe(), **own}

    def _radial(self, r: Tensor) -> Tensor:
        """Radial functions of one neighbour, (P, n), at distances ``r`` (P,)."""
        centres = torch.linspace(self.start, self.cutoff, self.n_radial + 1, dtype=r.dtype, device=r.device)[:-1]
        step = (self.cutoff - self.start) / self.n_radial
        return _pair.switch(r, self.start, self.cutoff)[:, None] * torch.exp(-0.5 * ((r[:, None] - centres) / step) ** 2)

    def _angular(self, sides: Tensor) -> Tensor:
        """Angular functions of one pair of neighbours, (T, 2 zetas), of triangles ``sides`` (T, 3)."""
        a, b, c = sides.unbind(1)
        cosine = (a * a + b * b - c * c) / (2 * a * b)
        fade = _pair.switch(a, self.start, self.cutoff) * _pair.switch(b, self.start, self.cutoff)
        found = [2 ** (1 - z) * fade * (1 + sign * cosine).clamp(min=0) ** z for z in self.zetas for sign in (1.0, -1.0)]
        return torch.stack(found, 1)


def build(data: ReferenceData, settings: Settings) -> Gap:
    """Kernels without energy at representative surroundings of ``data``.

    Raises ``ValueError`` without data, for beads of several types, a cut-off beyond half of the box or below the first centre, and
    where no bead has a neighbour.
    """
    s = settings
    _kernel_expansion.check("gap", data, s.cutoff)
    if s.start >= s.cutoff:
        raise ValueError(f"gap: the first radial function at {s.start} nm must come before the cut-off of {s.cutoff} nm.")
    exclusions, n = _pair.exclusion_list(data.beads), s.n_radial + 2 * len(s.zetas)
    empty = Gap(0, [1.0] * n, s.cutoff, s.start, s.n_radial, list(s.zetas), exclusions)
    q = _kernel_expansion.seen(empty, data, s.n_frames, s.seed)
    if not q.any():
        raise ValueError(f"gap: no bead has neighbours within the cut-off of {s.cutoff} nm: raise it.")
    spread = q.std(0, correction=0)
    widths = (s.width * spread.clamp(min=LEAST_SPREAD * float(spread.max()))).tolist()
    empty = Gap(0, widths, s.cutoff, s.start, s.n_radial, list(s.zetas), exclusions)
    return empty.with_points(_kernel_expansion.farthest(q, s.n_points, widths, empty.orders))


def _slopes(functions, q: Tensor) -> list[Tensor]:
    """Gradient of every function of each row by ``q``, all of the shape of ``q``."""
    with torch.enable_grad():
        q = q.detach().requires_grad_(True)
        values = functions(q)
        return [torch.autograd.grad(values[:, a].sum(), q, retain_graph=True)[0] for a in range(values.shape[1])]
