"""Neighbours of every bead in its own frame, as DeePCG sees them: {1/r}, and {x/r^2, y/r^2, z/r^2} of the nearest, sorted by distance.

Source: Zhang et al., J. Chem. Phys. 149, 034101 (2018), section II; frames as in Zhang et al., Phys. Rev. Lett. 120, 143001 (2018).
e_1 points from the bead to its nearest neighbour, e_2 to the second nearest less its part along e_1, e_3 = e_1 x e_2; x, y, z are the
components of a neighbour's vector. Places without a neighbour hold zeros. The descriptor jumps where a neighbour crosses the cut-off, and
where the nearest ones change rank: that is the published method; ``potentials/deepcg_smooth.py`` has no such jump.
"""

import numpy as np
import torch
from torch import Tensor

from workbench import neighbors
from workbench.descriptors import _environment
from workbench.descriptors import _local_frame_kernels as kernels
from workbench.settings import field, settings
from workbench.types import ReferenceData


@settings
class Settings:
    """How far every bead sees, and what of it."""

    cutoff: float = field(0.6, "Distance up to which beads are neighbours.", unit="nm", bounds=(1e-3, None))
    n_full: int = field(16, "Nearest neighbours seen with their direction; those beyond are seen by their distance only.", bounds=(0, None))
    spare: int = field(
        4, "Places beyond the largest number of neighbours in the data; a neighbour without a place is not seen.", bounds=(0, None)
    )


class LocalFrame(torch.nn.Module):
    """Descriptors (F, B, D), D = ``n_slots`` + 3 ``n_full``: 1/r [1/nm] of all, then x/r^2, y/r^2, z/r^2 [1/nm] of the nearest."""

    def __init__(self, cutoff: float, n_full: int, n_slots: int):
        super().__init__()
        self.cutoff, self.n_full, self.n_slots = cutoff, n_full, n_slots

    @property
    def size(self) -> int:
        """D."""
        return self.n_slots + 3 * self.n_full

    def forward(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        """q (F, B, D), differentiable. Raises ``ValueError`` for a bead with fewer than two neighbours."""
        pairs = neighbors.search(positions, box, self.cutoff, torch.zeros(0, 2, dtype=torch.int64))
        found = _environment.differentiable(positions, box, pairs, self.cutoff)
        self.check(found.vectors, positions.shape[1])
        return self.of_vectors(found.vectors).reshape(*positions.shape[:2], self.size)

    def of_vectors(self, vectors: Tensor) -> Tensor:
        """q (N, D) of vectors (N, K, 3) to the neighbours, nearest first, differentiable."""
        seen = vectors[:, : self.n_slots]
        square = (seen * seen).sum(-1)
        there = square > 0
        inverse = torch.where(there, square, 1.0).reciprocal() * there
        e1 = torch.nn.functional.normalize(vectors[:, 0], dim=-1, eps=0.0)
        e2 = torch.nn.functional.normalize(vectors[:, 1] - (vectors[:, 1] * e1).sum(-1, keepdim=True) * e1, dim=-1, eps=0.0)
        axes = torch.stack([e1, e2, torch.linalg.cross(e1, e2)], 1)  # (N, 3, 3)
        near = (seen @ axes.transpose(1, 2) * inverse[..., None])[:, : self.n_full].flatten(1)
        radial = torch.where(there, torch.where(there, square, 1.0).rsqrt(), 0.0)
        pad = torch.nn.functional.pad
        return torch.cat([pad(radial, (0, self.n_slots - radial.shape[1])), pad(near, (0, 3 * self.n_full - near.shape[1]))], 1)

    def values(self, vectors: Tensor) -> Tensor:
        """The same without a graph."""
        with torch.no_grad():
            if vectors.is_cuda:
                return self.of_vectors(vectors)
            q = vectors.new_empty(len(vectors), self.size)
            kernels.values(vectors.numpy(), self.n_full, q.numpy())
            return q

    def pullback(self, vectors: Tensor, weight: Tensor) -> Tensor:
        """``weight`` (N, D) . dq/d(vectors) (N, K, 3); differentiable in ``weight``."""
        if not vectors.is_cuda:
            return _Pullback.apply(weight, vectors, self.n_full)
        with torch.enable_grad():
            moved = vectors.detach().requires_grad_(True)
            return torch.autograd.grad(self.of_vectors(moved), moved, weight, create_graph=weight.requires_grad)[0]

    def check(self, vectors: Tensor, n_beads: int) -> None:
        """Raises ``ValueError`` where one of the beads, ``n_beads`` in a frame, has no second neighbour to make a frame of."""
        number = (vectors != 0).any(-1).sum(1)
        if vectors.shape[1] < 2 or int(number.min()) < 2:
            worst = int(number.argmin())
            raise ValueError(
                f"local_frame: bead {worst % n_beads} of frame {worst // n_beads} has {int(number[worst])} neighbours within "
                f"{self.cutoff} nm and its frame needs two: give a longer cut-off, or look whether the liquid came apart."
            )

    def recipe(self) -> dict:
        """The keyword arguments of the constructor, as JSON values."""
        return {"cutoff": self.cutoff, "n_full": self.n_full, "n_slots": self.n_slots}


class _Pullback(torch.autograd.Function):
    """The compiled transpose, whose own transpose is the tangent."""

    @staticmethod
    def forward(ctx, weight: Tensor, vectors: Tensor, n_full: int) -> Tensor:
        ctx.save_for_backward(vectors)
        ctx.n_full, ctx.size = n_full, weight.shape[1]
        out = torch.empty_like(vectors)
        kernels.pullback(vectors.numpy(), n_full, weight.detach().contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, moves: Tensor) -> tuple:
        (vectors,) = ctx.saved_tensors
        out = vectors.new_empty(len(vectors), ctx.size)
        kernels.pushforward(vectors.numpy(), ctx.n_full, moves.contiguous().numpy(), out.numpy())
        return out, None, None


def build(data: ReferenceData, settings: Settings) -> LocalFrame:
    """The descriptor with places for the neighbours of the beads of ``data``.

    Raises ``ValueError`` for fewer than three beads, a cut-off beyond half the box, and a bead with fewer than two neighbours.
    """
    if data.beads.n_beads < 3:
        raise ValueError(f"local_frame: a frame is made of a bead and its two nearest; these are {data.beads.n_beads} beads: give three.")
    number = _environment.numbers(data, settings.cutoff)
    if number.min() < 2:
        frame, bead = np.unravel_index(number.argmin(), number.shape)
        raise ValueError(
            f"local_frame: bead {bead} of frame {frame} has {number.min()} neighbours within {settings.cutoff} nm and its frame needs two: "
            "give a longer cut-off."
        )
    n_slots = int(number.max()) + settings.spare
    return LocalFrame(settings.cutoff, min(settings.n_full, n_slots), n_slots)
