"""What potentials of a descriptor share: U(x) = u(q(x)). A file gives u(q); forces follow as -du/dq . dq/dx."""

import abc
from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.descriptors import cartesian, internal_coordinates
from workbench.descriptors._base import Descriptor
from workbench.neighbors import Pairs
from workbench.potentials._base import Analytic, Evaluation, Prepared
from workbench.types import Beads, ReferenceData

DESCRIPTORS = ("internal_coordinates", "cartesian")


class OnDescriptor(Analytic, Prepared):
    """A potential u(q) of a descriptor q (F, D); it is trained on q and dq/dx, which do not change with its parameters."""

    def __init__(self, descriptor: Descriptor):
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

    def prepare(self, positions: Tensor, box: Tensor | None) -> list[Tensor]:
        """q (F, D) and dq/dx (F, D, 3 B)."""
        return [self.descriptor.values(positions, box), self.descriptor.jacobian(positions, box).flatten(2)]

    def gradient(self, prepared: list[Tensor]) -> Tensor:
        q, jacobian = prepared
        q = q.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(self.energy(q).sum(), q, create_graph=True)
        return torch.bmm(slope[:, None], jacobian)[:, 0].reshape(len(q), -1, 3)


def restored(
    pairs: Sequence = (), triples: Sequence = (), quadruples: Sequence = (), columns: Sequence = (), n_beads: int = 0
) -> Descriptor:
    """The descriptor of which these are the recipe: Cartesian coordinates where there are ``columns``, else internal coordinates."""
    if columns:
        return cartesian.Cartesian(list(columns), n_beads)
    return internal_coordinates.InternalCoordinates(list(pairs), list(triples), list(quadruples))


def build(method: str, data: ReferenceData, descriptor: str, features: internal_coordinates.Settings) -> Descriptor:
    """What ``method`` is to see of the beads of ``data``: one of ``DESCRIPTORS``; ``features`` are which internal coordinates.

    Raises ``ValueError`` for beads of more than one molecule, and where there is none of the coordinates asked for.
    """
    if len(set(data.beads.molecule.tolist())) > 1:
        raise ValueError(f"{method}: a potential of {descriptor} describes one molecule; these beads belong to several.")
    if descriptor == "cartesian":
        return cartesian.build(data, cartesian.Settings())
    return internal_coordinates.build(data, features)


def check_molecule(potential: OnDescriptor, beads: Beads) -> None:
    """Raises ``ValueError`` where ``beads`` are not as many as those that ``potential`` describes; it carries to no other molecule."""
    wanted = potential.descriptor.n_beads
    if wanted != beads.n_beads:
        name = type(potential).__name__
        raise ValueError(f"a {name} belongs to one molecule, here of {wanted} beads: it cannot be carried to {beads.n_beads}.")
