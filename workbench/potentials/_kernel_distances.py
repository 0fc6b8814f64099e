"""Kernels of pairs and of triplets: q = r_ij, and q = (r_ij, r_ik, r_jk) around a centre i, alike in its two ends.

Legs shorter than the cut-off make a triplet; its energy is switched off with each leg. Representative triplets are kept sorted,
r_ij <= r_ik; the kernel is summed over both orders, so that the energy is smooth where the two legs are equally long.
"""

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _kernel_expansion, _pair, _triplets
from workbench.potentials._kernel_expansion import KernelExpansion


class _Switched(KernelExpansion):
    """What pairs and triplets share: a leg is switched off from ``switch_from`` [nm] to the cut-off."""

    def __init__(self, n_points: int, widths: list[float], cutoff: float, switch_from: float, exclusions: list):
        super().__init__(n_points, widths, cutoff, exclusions)
        self.switch_from = switch_from

    def recipe(self) -> dict:
        return {**super().recipe(), "switch_from": self.switch_from}


class PairKernel(_Switched):
    """U = sum over pairs of w(r) sum_m c_m k(r, r_m)."""

    orders = ((0,),)

    def coordinates(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None) -> tuple[Tensor, Tensor]:
        vector, frame, _ = _pair.vectors(positions, box, pairs, self.cutoff, self.exclusions)
        return torch.linalg.vector_norm(vector, dim=-1)[:, None], frame

    def derivatives(self, positions: Tensor, box: Tensor | None) -> tuple[Tensor, scipy.sparse.csr_array]:
        vector, _, pairs = _pair.vectors(positions, box, None, self.cutoff, self.exclusions)
        q = torch.linalg.vector_norm(vector, dim=-1)[:, None]
        return q, _kernel_expansion.spread(pairs.first, pairs.second, vector, positions.shape[1])

    def weight(self, q: Tensor) -> Tensor:
        return _pair.switch(q[:, 0], self.switch_from, self.cutoff)

    def curve(self, r: np.ndarray) -> np.ndarray:
        """u(r) [kJ/mol] at distances ``r`` [nm]."""
        with torch.no_grad():
            return self.energy_of(torch.as_tensor(r, dtype=torch.float64)[:, None]).numpy()


class TripletKernel(_Switched):
    """U = sum_i sum_{j<k} w(r_ij) w(r_ik) sum_m c_m k((r_ij, r_ik, r_jk), q_m)."""

    orders = ((0, 1, 2), (1, 0, 2))

    def coordinates(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None) -> tuple[Tensor, Tensor]:
        found = _triplets.find(positions, box, pairs, self.cutoff, self.exclusions)
        return sides(found), torch.div(found.centre, positions.shape[1], rounding_mode="floor")

    def derivatives(self, positions: Tensor, box: Tensor | None) -> tuple[Tensor, scipy.sparse.csr_array]:
        found = _triplets.find(positions, box, None, self.cutoff, self.exclusions)
        return sides(found), lengths_by_position(found, positions.shape[1])

    def weight(self, q: Tensor) -> Tensor:
        return _pair.switch(q[:, 0], self.switch_from, self.cutoff) * _pair.switch(q[:, 1], self.switch_from, self.cutoff)

    def surface(self, left: np.ndarray, right: np.ndarray, cosine: np.ndarray) -> np.ndarray:
        """Energy [kJ/mol] for legs ``left`` and ``right`` [nm] and the cosine of their angle, arrays of one shape."""
        across = np.sqrt(np.maximum(left * left + right * right - 2 * left * right * cosine, 0))
        q = torch.from_numpy(np.stack([left.ravel(), right.ravel(), across.ravel()], 1))
        with torch.no_grad():
            energy = [self.energy_of(part) for part in q.split(20_000)]
        return torch.cat(energy).numpy().reshape(left.shape)


def sides(found: _triplets.Triplets) -> Tensor:
    """(r_ij, r_ik, r_jk) of triplets, (T, 3) [nm]."""
    sides = found.to_left, found.to_right, found.to_right - found.to_left
    return torch.stack([torch.linalg.vector_norm(side, dim=-1) for side in sides], 1)


def lengths_by_position(found: _triplets.Triplets, n_beads: int) -> scipy.sparse.csr_array:
    """Derivatives of the three lengths of every triplet by the positions, (3 n_beads, 3 T): r_ij of all triplets, then r_ik, then r_jk."""
    sides = (
        (found.centre, found.left, found.to_left),
        (found.centre, found.right, found.to_right),
        (found.left, found.right, found.to_right - found.to_left),
    )
    return scipy.sparse.hstack([_kernel_expansion.spread(*side, n_beads) for side in sides], format="csr")


def ordered(q: Tensor) -> Tensor:
    """Triplets (T, 3) with the shorter leg first."""
    return torch.cat([torch.sort(q[:, :2], dim=1).values, q[:, 2:]], 1)
