"""DeePCG: one network for all beads, U = sum_i N(D_i), D_i the neighbours of bead i in its local frame, z-scored.

Source: Zhang, Han, Wang, Car and E, J. Chem. Phys. 149, 034101 (2018). The descriptor, with its jumps where a neighbour crosses the
cut-off or the nearest change rank, is that of ``descriptors/local_frame.py``; ``deepcg_smooth`` has none. Nothing in the network keeps
beads apart where no data were: add ``repulsion``.
"""

import torch
from torch import Tensor

from workbench.descriptors import local_frame
from workbench.potentials import _per_bead
from workbench.potentials._pair import exclusion_list
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

NARROWEST = 0.1
"""Least deviation that divides an input, relative to the largest among inputs of its kind: places that are seldom filled stay small."""


@settings
class Settings:
    """Architecture; the default widths are those of the paper."""

    widths: tuple[int, ...] = field((120, 60, 30, 15), "Neurons of the hidden layers.", bounds=(1, 4096))
    environment: local_frame.Settings = field(local_frame.Settings(), "How far every bead sees, and what of it.")
    energy_scale: float = field(4.184, "Energy of one unit of output.", unit="kJ/mol", bounds=(1e-6, None))
    seed: int = field(0, "Seed of the initial weights.", bounds=(0, None))


class DeepCG(_per_bead.PerBead):
    """The network on local frames. A bead with fewer than two neighbours has no frame: ``ValueError``."""

    def __init__(self, cutoff: float, n_full: int, n_slots: int, widths: list, energy_scale: float, exclusions: list):
        super().__init__(cutoff, n_slots, exclusions)
        self.descriptor = local_frame.LocalFrame(cutoff, n_full, n_slots)
        self.network = _per_bead.Network(self.descriptor.size, tuple(widths), energy_scale)

    def bead_energy(self, vectors: Tensor) -> Tensor:
        q = self.descriptor.of_vectors(vectors)
        return self.network(q.to(self.network.mean.dtype)).to(vectors.dtype)

    def energy_and_slope(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        energy, slope = self.network.energy_and_slope(self.descriptor.values(vectors).to(self.network.mean.dtype))
        return energy.to(vectors.dtype), self.descriptor.pullback(vectors, slope.to(vectors.dtype))

    def check(self, vectors: Tensor, n_beads: int) -> None:
        self.descriptor.check(vectors, n_beads)

    def bind(self, beads: Beads) -> "DeepCG":
        """The same network for other beads of the same kind."""
        bound = DeepCG(**{**self.recipe(), "exclusions": exclusion_list(beads)})
        bound.network = self.network
        return bound

    def recipe(self) -> dict:
        return {
            **self.descriptor.recipe(),
            "widths": self.network.widths,
            "energy_scale": self.network.energy_scale,
            "exclusions": self.exclusions.tolist(),
        }


def build(data: ReferenceData, settings: Settings) -> DeepCG:
    """An untrained network for the beads of ``data``, its z-score from the means and deviations of the descriptors there.

    Raises ``ValueError`` for beads of several kinds, and as ``local_frame.build``: fewer than three beads, a cut-off beyond half the box,
    a bead with fewer than two neighbours.
    """
    _per_bead.check_data("deepcg", data)
    seen = local_frame.build(data, settings.environment)
    sizes = {"widths": settings.widths, "energy_scale": settings.energy_scale}
    potential = DeepCG(**seen.recipe(), **sizes, exclusions=exclusion_list(data.beads))
    potential.network.initialise(settings.seed)
    total = torch.zeros(2, seen.size, dtype=torch.float64)
    for vectors in _per_bead.vectors(potential, data):
        q = seen.values(vectors)
        total += torch.stack([q.sum(0), q.square().sum(0)])
    mean, square = total / (len(data) * data.beads.n_beads)
    deviation = (square - mean**2).clamp(min=0).sqrt()
    kinds = deviation.split([seen.n_slots, 3 * seen.n_full])
    potential.network.mean = mean.float()
    potential.network.deviation = torch.cat([kind.clamp(min=NARROWEST * float(kind.max())) for kind in kinds if len(kind)]).float()
    return potential
