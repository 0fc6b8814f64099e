"""Atom-centred symmetry functions: what a bead sees of its neighbours, whatever their order and however the whole is turned.

    G2 = sum_j exp(-eta (r_ij - r_s)^2) f(r_ij),   f(r) = (cos(pi r / r_c) + 1) / 2
    G5 = 2^(1 - zeta) sum_{j<k} (1 + lambda cos theta_jik)^zeta exp(-eta (r_ij^2 + r_ik^2)) f(r_ij) f(r_ik)

G4 has r_jk^2 in the exponent and f(r_jk) as well: only neighbours of each other count. One G2 for every type of neighbour, one G5 for
every pair of types; columns are G2 type by type, then the angular ones. Source: Behler, J. Chem. Phys. 134, 074106 (2011), equations 4-10;
the G2 stand evenly from ``start`` to the cut-off, as wide as they are apart (Gastegger et al., J. Chem. Phys. 148, 241709 (2018)).
"""

import itertools

import numpy as np
import torch
from torch import Tensor

from workbench.descriptors import _environment
from workbench.descriptors import _symmetry_kernels as kernels
from workbench.settings import field, settings
from workbench.types import ReferenceData


@settings
class Settings:
    """How far a bead sees, and by how many functions."""

    cutoff: float = field(0.6, "Cut-off of the radial functions.", unit="nm", bounds=(1e-3, None))
    start: float = field(0.25, "Centre of the first radial function.", unit="nm", bounds=(0.0, None))
    n_radial: int = field(8, "Radial functions of every type of neighbour.", bounds=(1, 256))
    angular_cutoff: float = field(
        0.45, "Cut-off of the angular functions, at most that of the radial ones.", unit="nm", bounds=(1e-3, None)
    )
    zetas: tuple[int, ...] = field((1, 2, 4, 8), "Sharpness of the angle; each with lambda = 1 and -1; none: no angle.", bounds=(1, 64))
    etas: tuple[float, ...] = field((0.0,), "Decay of the angular functions with distance.", unit="1/nm^2", bounds=(0.0, None))
    angular: str = field(
        "wide", "G5 (wide), or G4 (narrow), which leaves out pairs that are no neighbours of each other.", choices=("wide", "narrow")
    )


class SymmetryFunctions(torch.nn.Module):
    """q (N, D) of vectors (N, K, 3) to neighbours, nearest first, of types ``kinds`` (N, K); an empty place has a vector of zeros."""

    def __init__(self, n_types: int, cutoff: float, radial: list, angular_cutoff: float, angular: list, narrow: bool):
        super().__init__()
        self.n_types, self.cutoff, self.angular_cutoff, self.narrow = n_types, cutoff, angular_cutoff, narrow
        self.radial = [tuple(row) for row in radial]
        """eta [1/nm^2] and r_s [nm]."""
        self.angular = [tuple(row) for row in angular]
        """eta [1/nm^2], lambda and zeta."""

    @property
    def size(self) -> int:
        """D."""
        return self.n_types * len(self.radial) + self.n_types * (self.n_types + 1) // 2 * len(self.angular)

    def of_vectors(self, vectors: Tensor, kinds: Tensor) -> Tensor:
        """q (N, D), differentiable."""
        there = (vectors != 0).any(-1)
        r = torch.linalg.vector_norm(torch.where(there[..., None], vectors, vectors.new_tensor([self.cutoff, 0.0, 0.0])), dim=-1)
        faded, columns = self._fade(r, self.cutoff) * there, []
        for kind in range(self.n_types):
            own = faded * (kinds == kind)
            columns += [(torch.exp(-eta * (r - centre) ** 2) * own).sum(1) for eta, centre in self.radial]
        if not self.angular:
            return torch.stack(columns, 1)
        j, k = torch.triu_indices(r.shape[1], r.shape[1], 1, device=r.device)
        legs = self._fade(r, self.angular_cutoff) * there
        both = legs[:, j] * legs[:, k]
        cosine = (vectors[:, j] * vectors[:, k]).sum(-1) / (r[:, j] * r[:, k])
        square = r[:, j] ** 2 + r[:, k] ** 2
        if self.narrow:
            apart = vectors[:, j] - vectors[:, k]
            apart = torch.linalg.vector_norm(torch.where((both > 0)[..., None], apart, apart.new_tensor([1.0, 0.0, 0.0])), dim=-1)
            both, square = both * self._fade(apart, self.angular_cutoff), square + apart**2
        for high, low in ((b, a) for b in range(self.n_types) for a in range(b + 1)):
            own = both * (torch.maximum(kinds[:, j], kinds[:, k]) == high) * (torch.minimum(kinds[:, j], kinds[:, k]) == low)
            for eta, sign, zeta in self.angular:
                shape = 2 ** (1 - zeta) * (1 + sign * cosine).clamp(min=0.0) ** zeta
                columns.append((shape * torch.exp(-eta * square) * own).sum(1))
        return torch.stack(columns, 1)

    def values(self, vectors: Tensor, kinds: Tensor) -> Tensor:
        """q (N, D) without a graph."""
        q = vectors.new_empty(len(vectors), self.size)
        kernels.values(vectors.numpy(), kinds.numpy(), *self._arrays(), q.numpy())
        return q

    def jacobian(self, vectors: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """q (N, D) and dq/d(vectors) (N, D, K, 3) without a graph."""
        q, slope = vectors.new_empty(len(vectors), self.size), vectors.new_empty(len(vectors), self.size, *vectors.shape[1:])
        kernels.jacobian(vectors.numpy(), kinds.numpy(), *self._arrays(), q.numpy(), slope.numpy())
        return q, slope

    def pullback(self, vectors: Tensor, kinds: Tensor, weight: Tensor) -> Tensor:
        """``weight`` (N, D) . dq/d(vectors), (N, K, 3), without a graph."""
        out = torch.empty_like(vectors)
        kernels.pullback(
            vectors.numpy(), kinds.numpy(), *self._arrays(), weight.detach().to(vectors.dtype).contiguous().numpy(), out.numpy()
        )
        return out

    def recipe(self) -> dict:
        """The keyword arguments of the constructor, as JSON values."""
        return {
            "n_types": self.n_types,
            "cutoff": self.cutoff,
            "radial": [list(row) for row in self.radial],
            "angular_cutoff": self.angular_cutoff,
            "angular": [list(row) for row in self.angular],
            "narrow": self.narrow,
        }

    def _arrays(self) -> tuple:
        radial, angular = np.array(self.radial, np.float64).reshape(-1, 2), np.array(self.angular, np.float64).reshape(-1, 3)
        zetas = angular[:, 2].astype(np.int64)
        return radial, angular, zetas, np.array([self.cutoff, self.angular_cutoff]), self.n_types, self.narrow

    @staticmethod
    def _fade(r: Tensor, cutoff: float) -> Tensor:
        return torch.where(r < cutoff, 0.5 * (torch.cos(torch.pi * r / cutoff) + 1), 0.0)


def build(data: ReferenceData, settings: Settings) -> SymmetryFunctions:
    """The functions of the settings, for the bead types of ``data``.

    Raises ``ValueError`` without data, for cut-offs that do not fit each other or the box, and where a bead has no neighbour.
    """
    if data is None:
        raise ValueError("symmetry_functions: the functions are made for the bead types of data: give the projected frames.")
    if not settings.start < settings.cutoff or settings.angular_cutoff > settings.cutoff:
        raise ValueError(
            f"symmetry_functions: the radial functions go from {settings.start} to {settings.cutoff} nm and the angular ones to "
            f"{settings.angular_cutoff} nm: the cut-off must be the largest of them."
        )
    number = _environment.numbers(data, settings.cutoff)
    if number.min() < 1:
        frame, bead = np.unravel_index(number.argmin(), number.shape)
        raise ValueError(
            f"symmetry_functions: bead {bead} of frame {frame} has no neighbour within {settings.cutoff} nm: give a longer cut-off."
        )
    spacing = (settings.cutoff - settings.start) / settings.n_radial
    radial = [(0.5 / spacing**2, settings.start + m * spacing) for m in range(settings.n_radial)]
    angular = [(eta, sign, zeta) for eta, zeta, sign in itertools.product(settings.etas, settings.zetas, (1.0, -1.0))]
    n_types = len(set(data.beads.types))
    return SymmetryFunctions(n_types, settings.cutoff, radial, settings.angular_cutoff, angular, settings.angular == "narrow")
