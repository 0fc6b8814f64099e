"""Excluded volume between all beads that are not excluded: u(r) = eps (sigma/r)^n S(r), S switching to zero at the cut-off.

A prior that keeps the beads of a network apart: Wang et al., ACS Cent. Sci. 5, 755 (2019), equation 12. With sigma from the data it is a
wall where they end.
"""

import torch
from torch import Tensor

from workbench.neighbors import Pairs
from workbench.potentials import _pair
from workbench.potentials._base import Evaluation
from workbench.potentials._pair import PairPotential, exclusion_list, switch
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData


@settings
class Settings:
    """Parameters of the inverse power."""

    epsilon: float = field(1.0, "Energy at r = sigma.", unit="kJ/mol", bounds=(0.0, None))
    sigma: float | None = field(
        0.3, "Diameter of a bead; None: the shortest distance between beads in the data.", unit="nm", bounds=(1e-3, None)
    )
    exponent: int = field(12, "Power of the inverse distance.", bounds=(1, 48))
    cutoff: float = field(0.6, "Distance from which the energy is zero.", unit="nm", bounds=(1e-3, None))


class Repulsion(PairPotential):
    """eps (sigma/r)^n, switched off over the outer fifth of its range."""

    def __init__(self, epsilon: float, sigma: float, exponent: int, cutoff: float, exclusions: list):
        super().__init__(cutoff, exclusions)
        self.exponent = exponent
        self.register_buffer("epsilon", torch.tensor(epsilon, dtype=torch.float64))
        self.register_buffer("sigma", torch.tensor(sigma, dtype=torch.float64))

    def pair_energy(self, r: Tensor, frame: Tensor) -> Tensor:
        return (self.epsilon * (self.sigma / r) ** self.exponent * switch(r, 0.8 * self.cutoff, self.cutoff)).to(r.dtype)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: Pairs | None, virial: bool) -> Evaluation:
        return _pair.evaluate(self, positions, box, pairs, virial)

    def bind(self, beads: Beads) -> "Repulsion":
        bound = Repulsion(**{**self.recipe(), "exclusions": exclusion_list(beads)})
        bound.epsilon, bound.sigma = self.epsilon, self.sigma
        return bound

    def recipe(self) -> dict:
        return {
            "epsilon": float(self.epsilon),
            "sigma": float(self.sigma),
            "exponent": self.exponent,
            "cutoff": self.cutoff,
            "exclusions": self.exclusions.tolist(),
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return [self.native(f"{float(self.epsilon)!r}*({float(self.sigma)!r}/r)^{self.exponent}", 0.8 * self.cutoff, beads, periodic)]


def build(data: ReferenceData | None, settings: Settings) -> Repulsion:
    """The potential for the beads of ``data`` (None: no exclusions until ``bind``).

    Raises ``ValueError`` where the diameter is to come from the data and there are none, or none nearer than the cut-off.
    """
    if settings.sigma is None and data is None:
        raise ValueError("repulsion: sigma = None takes the diameter from the data, and there are none: give a diameter.")
    return Repulsion(
        epsilon=settings.epsilon,
        sigma=shortest(data, settings.cutoff) if settings.sigma is None else settings.sigma,
        exponent=settings.exponent,
        cutoff=settings.cutoff,
        exclusions=exclusion_list(None if data is None else data.beads),
    )


def shortest(data: ReferenceData, reach: float) -> float:
    """Shortest distance [nm] of two beads of ``data`` that are not excluded. Raises ``ValueError`` where it is not below ``reach``."""
    found = [reach]
    for chunk in data.chunks():
        positions = torch.tensor(chunk.positions, dtype=torch.float64)
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        vector, _, _ = _pair.vectors(positions, box, None, reach, torch.tensor(data.beads.exclusions))
        found += [float(r) for r in torch.linalg.vector_norm(vector, dim=-1).sort().values[:1]]
    if min(found) == reach:
        raise ValueError(f"repulsion: no two beads of the data are nearer than {reach} nm: give a longer cut-off, or a diameter.")
    return min(found)
