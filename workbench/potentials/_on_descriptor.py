"""What potentials of a descriptor share: U(x) = u(q(x)). A file gives u(q); forces follow as -du/dq . dq/dx."""

import abc

from torch import Tensor

from workbench.descriptors.internal_coordinates import InternalCoordinates
from workbench.neighbors import Pairs
from workbench.potentials._base import Analytic, Evaluation


class OnDescriptor(Analytic):
    """A potential u(q) of a descriptor q (F, D)."""

    def __init__(self, descriptor: InternalCoordinates):
        super().__init__()
        self.descriptor = descriptor

    @abc.abstractmethod
    def energy(self, q: Tensor) -> Tensor:
        """u (F,) [kJ/mol] of descriptor values ``q`` (F, D), differentiable in ``q`` and in the parameters."""

    @abc.abstractmethod
    def energy_and_slope(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """u (F,) and du/dq (F, D) without a graph."""

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: Pairs | None = None) -> Tensor:
        return self.energy(self.descriptor(positions, box))

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: Pairs | None, virial: bool) -> Evaluation:
        energy, slope = self.energy_and_slope(self.descriptor.values(positions, box))
        gradient, strain = self.descriptor.pullback(positions, box, slope, virial)
        return Evaluation(energy, gradient.neg_(), None if strain is None else -strain)
