"""Cartesian coordinates of beads, q = x_Ia: what a model system in an external field is described by.

They are not invariant: a potential of them has a place and a direction in space, as a particle on an axis has. Molecules that turn
freely are described by ``internal_coordinates``.
"""

import numpy as np
import torch
from torch import Tensor

from workbench.descriptors._base import Descriptor
from workbench.settings import field, settings
from workbench.types import ReferenceData


@settings
class Settings:
    """Which coordinates to take."""

    axes: tuple[int, ...] = field((0, 1, 2), "Axes x (0), y (1), z (2); those along which a bead never moves are left out.", bounds=(0, 2))


class Cartesian(Descriptor):
    """The coordinates ``columns``, each a bead and an axis, of ``n_beads`` beads."""

    def __init__(self, columns: list, n_beads: int):
        super().__init__()
        self.register_buffer("columns", torch.tensor(columns, dtype=torch.int64).reshape(-1, 2), persistent=False)
        self._n_beads = n_beads

    @property
    def size(self) -> int:
        return len(self.columns)

    @property
    def n_beads(self) -> int:
        return self._n_beads

    def forward(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        return positions[:, self.columns[:, 0], self.columns[:, 1]]

    def values(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        return self(positions, box).detach()

    def pullback(self, positions: Tensor, box: Tensor | None, weight: Tensor, strain: bool = False) -> tuple[Tensor, Tensor | None]:
        gradient = torch.zeros_like(positions)
        gradient[:, self.columns[:, 0], self.columns[:, 1]] = weight.detach().to(positions.dtype)
        return gradient, torch.einsum("fia,fib->fab", positions.detach(), gradient) if strain else None

    def recipe(self) -> dict:
        return {"columns": self.columns.tolist(), "n_beads": self.n_beads}


def build(data: ReferenceData, settings: Settings) -> Cartesian:
    """The coordinates that change in ``data``. Raises ``ValueError`` for a periodic box, and where nothing moves."""
    if data.box is not None:
        raise ValueError("cartesian: positions in a periodic box are not unique; leave the box out or take another descriptor.")
    low, high = np.full(data.positions.shape[1:], np.inf), np.full(data.positions.shape[1:], -np.inf)
    for chunk in data.chunks(65536):
        low, high = np.minimum(low, chunk.positions.min(0)), np.maximum(high, chunk.positions.max(0))
    columns = [[int(bead), int(axis)] for bead, axis in np.argwhere(high > low) if axis in settings.axes]
    if not columns:
        raise ValueError(f"cartesian: no bead moves along the axes {settings.axes} in these {len(data)} frames; take other axes or data.")
    return Cartesian(columns, data.beads.n_beads)
