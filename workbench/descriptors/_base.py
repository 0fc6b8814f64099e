"""What every descriptor is: a torch module ``descriptor(positions (F, B, 3) [nm], box (F, 3) [nm] | None) -> q (F, D)``."""

import abc

import torch
from torch import Tensor


class Descriptor(torch.nn.Module, abc.ABC):
    """Features q (F, D) of beads; ``values`` and ``pullback`` give them and their derivatives without a graph."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """D."""

    @property
    @abc.abstractmethod
    def n_beads(self) -> int:
        """Number of beads that it describes."""

    @abc.abstractmethod
    def forward(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        """q (F, D), differentiable."""

    @abc.abstractmethod
    def values(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        """q (F, D), without a graph."""

    @abc.abstractmethod
    def pullback(self, positions: Tensor, box: Tensor | None, weight: Tensor, strain: bool = False) -> tuple[Tensor, Tensor | None]:
        """``weight (F, D) . dq/dx`` (F, B, 3) and, where asked for, ``weight . dq/d(strain)`` (F, 3, 3)."""

    @abc.abstractmethod
    def recipe(self) -> dict[str, list]:
        """The keyword arguments of the constructor, as JSON values."""

    def jacobian(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        """dq/dx (F, D, B, 3)."""
        rows = []
        for d in range(self.size):
            weight = torch.zeros(len(positions), self.size, dtype=positions.dtype, device=positions.device)
            weight[:, d] = 1.0
            rows.append(self.pullback(positions, box, weight)[0])
        return torch.stack(rows, dim=1)
