"""Internal coordinates of a molecule: distances, angles, and cosine and sine of dihedrals (Wang et al., ACS Cent. Sci. 5, 755 (2019)).

Column order: distances [nm], angles [rad], cosines, sines.
"""

import numpy as np
import torch
from torch import Tensor

from workbench import geometry
from workbench.descriptors import _internal_kernels as kernels
from workbench.descriptors._base import Descriptor
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData


@settings
class Settings:
    """Which coordinates to take."""

    distances: str = field("all", "All pairs of a molecule, bonded pairs only, or none.", choices=("all", "bonds", "none"))
    angles: bool = field(True, "Angles between consecutive bonds.")
    dihedrals: bool = field(True, "Cosine and sine of the dihedrals along bonds.")


class InternalCoordinates(Descriptor):
    """Distances of ``pairs``, angles of ``triples``, cosines and sines of the dihedrals of ``quadruples``."""

    def __init__(self, pairs: list, triples: list, quadruples: list):
        super().__init__()
        for name, rows, width in (("pairs", pairs, 2), ("triples", triples, 3), ("quadruples", quadruples, 4)):
            self.register_buffer(name, torch.tensor(rows, dtype=torch.int64).reshape(-1, width), persistent=False)
        self._indices = tuple(t.numpy() for t in (self.pairs, self.triples, self.quadruples))

    @property
    def size(self) -> int:
        return len(self.pairs) + len(self.triples) + 2 * len(self.quadruples)

    @property
    def n_beads(self) -> int:
        return 1 + max((int(rows.max()) for rows in self._indices if rows.size), default=-1)

    def forward(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        parts = [geometry.distances(positions, self.pairs, box), geometry.angles(positions, self.triples, box)]
        sine, cosine = geometry.dihedral_sin_cos(positions, self.quadruples, box)
        return torch.cat([*parts, cosine, sine], dim=1)  # (F, D)

    def values(self, positions: Tensor, box: Tensor | None = None) -> Tensor:
        if positions.is_cuda:
            with torch.no_grad():
                return self(positions, box)
        out = torch.empty(len(positions), self.size, dtype=positions.dtype)
        kernels.values(positions.detach().contiguous().numpy(), _lengths(box, positions), *self._indices, out.numpy())
        return out

    def pullback(self, positions: Tensor, box: Tensor | None, weight: Tensor, strain: bool = False) -> tuple[Tensor, Tensor | None]:
        if positions.is_cuda:
            return self._pullback_by_autograd(positions, box, weight, strain)
        gradient = torch.zeros_like(positions)
        stress = torch.zeros(len(positions) if strain else 0, 3, 3, dtype=positions.dtype)
        weight = weight.detach().contiguous().numpy()
        lengths = _lengths(box, positions)
        kernels.pullback(positions.detach().contiguous().numpy(), lengths, *self._indices, weight, gradient.numpy(), stress.numpy())
        return gradient, stress if strain else None

    def recipe(self) -> dict:
        return {"pairs": self.pairs.tolist(), "triples": self.triples.tolist(), "quadruples": self.quadruples.tolist()}

    def _pullback_by_autograd(self, positions: Tensor, box: Tensor | None, weight: Tensor, strain: bool) -> tuple[Tensor, Tensor | None]:
        with torch.enable_grad():
            x = positions.detach().requires_grad_(True)
            e = torch.zeros(len(x), 3, 3, dtype=x.dtype, device=x.device, requires_grad=True)
            cell = None if box is None else torch.diag_embed(box) + box[:, :, None] * e
            total = (self(x + x @ e, cell) * weight).sum()
            gradient, stress = torch.autograd.grad(total, [x, e])
        return gradient, stress if strain else None


def _lengths(box: Tensor | None, positions: Tensor) -> np.ndarray:
    return np.zeros((0, 3), positions.numpy().dtype) if box is None else box.detach().to(positions.dtype).contiguous().numpy()


def indices(beads: Beads, settings: Settings) -> dict[str, list]:
    """Constructor arguments of :class:`InternalCoordinates` for ``beads``."""
    if settings.distances == "all":
        pairs = [[i, j] for i in range(beads.n_beads) for j in range(i + 1, beads.n_beads) if beads.molecule[i] == beads.molecule[j]]
    else:
        pairs = beads.bonds.tolist() if settings.distances == "bonds" else []
    triples = beads.angles.tolist() if settings.angles else []
    return {"pairs": pairs, "triples": triples, "quadruples": beads.dihedrals.tolist() if settings.dihedrals else []}


def build(data: ReferenceData, settings: Settings) -> InternalCoordinates:
    """The coordinates of the beads of ``data``. Raises ``ValueError`` where the settings leave none."""
    descriptor = InternalCoordinates(**indices(data.beads, settings))
    if descriptor.size == 0:
        raise ValueError(
            "internal_coordinates: these beads have none of the coordinates asked for; take distances='all' or bond the beads."
        )
    return descriptor
