"""Lennard-Jones 12-6 between all beads: u(r) = 4 eps [(sigma/r)^12 - (sigma/r)^6] S(r), S switching to zero at the cut-off.

Source: J. E. Lennard-Jones, Proc. Phys. Soc. 43, 461 (1931).
"""

import torch
from torch import Tensor

from workbench.potentials._pair import PairPotential, exclusion_list, switch
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData


@settings
class Settings:
    """Parameters of the 12-6 form."""

    epsilon: float = field(0.65, "Depth of the well.", unit="kJ/mol", bounds=(0.0, None))
    sigma: float = field(0.316, "Distance at which the energy is zero.", unit="nm", bounds=(1e-3, None))
    cutoff: float = field(1.0, "Distance from which the energy is zero.", unit="nm", bounds=(1e-3, None))
    switch_width: float = field(0.1, "Width of the switching region below the cut-off.", unit="nm", bounds=(1e-6, None))


def lennard_jones(r: Tensor, epsilon: Tensor, sigma: Tensor) -> Tensor:
    """4 eps [(sigma/r)^12 - (sigma/r)^6]."""
    sixth = (sigma / r) ** 6
    return 4 * epsilon * (sixth * sixth - sixth)


class LennardJones(PairPotential):
    """12-6 pairs; ``epsilon`` and ``sigma`` are scalars or one value per replica, (F,)."""

    def __init__(self, epsilon: float, sigma: float, cutoff: float, switch_width: float, exclusions: list):
        super().__init__(cutoff, exclusions)
        self.switch_width = switch_width
        self.register_buffer("epsilon", torch.tensor(epsilon, dtype=torch.float64))
        self.register_buffer("sigma", torch.tensor(sigma, dtype=torch.float64))

    def pair_energy(self, r: Tensor, frame: Tensor) -> Tensor:
        epsilon = self.epsilon[frame] if self.epsilon.dim() else self.epsilon
        sigma = self.sigma[frame] if self.sigma.dim() else self.sigma
        return (lennard_jones(r, epsilon, sigma) * switch(r, self.cutoff - self.switch_width, self.cutoff)).to(r.dtype)

    def bind(self, beads: Beads) -> "LennardJones":
        bound = LennardJones(**{**self.recipe(), "exclusions": exclusion_list(beads)})
        bound.epsilon, bound.sigma = self.epsilon, self.sigma
        return bound

    def recipe(self) -> dict:
        return {
            "epsilon": self.epsilon.tolist(),
            "sigma": self.sigma.tolist(),
            "cutoff": self.cutoff,
            "switch_width": self.switch_width,
            "exclusions": self.exclusions.tolist(),
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        if self.epsilon.dim() or self.sigma.dim():
            return None
        energy = f"4*{float(self.epsilon)!r}*(s^12-s^6); s={float(self.sigma)!r}/r"
        return [self.native(energy, self.cutoff - self.switch_width, beads, periodic)]


def build(data: ReferenceData | None, settings: Settings) -> LennardJones:
    """The potential for the beads of ``data`` (None: no exclusions until ``bind``).

    Raises ``ValueError`` for a switch wider than the cut-off.
    """
    if settings.switch_width >= settings.cutoff:
        raise ValueError(f"switch_width = {settings.switch_width} nm must be below the cut-off of {settings.cutoff} nm.")
    return LennardJones(
        epsilon=settings.epsilon,
        sigma=settings.sigma,
        cutoff=settings.cutoff,
        switch_width=settings.switch_width,
        exclusions=exclusion_list(None if data is None else data.beads),
    )
