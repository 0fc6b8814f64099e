"""Lennard-Jones 12-6 between all beads: u(r) = 4 eps [(sigma/r)^12 - (sigma/r)^6] S(r), S switching to zero at the cut-off.

Source: J. E. Lennard-Jones, Proc. Phys. Soc. 43, 461 (1931).
"""

import numba
import numpy as np
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _lennard_jones_kernels as kernels
from workbench.potentials import _pair
from workbench.potentials._base import Evaluation
from workbench.potentials._pair import PairPotential, exclusion_list, switch
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

PAIRS_PER_CHUNK = 4000
"""A thread is worth its start for this many pairs."""


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

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        if positions.is_cuda:
            return _pair.evaluate(self, positions, box, pairs, virial)
        if pairs is None:
            pairs = neighbors.search(positions, box, self.cutoff, self.exclusions)
        (frames, beads), x = positions.shape[:2], positions.detach().contiguous().reshape(-1, 3).numpy()
        chunks = min(numba.get_num_threads(), 1 + len(pairs.second) // PAIRS_PER_CHUNK)
        bounds = np.searchsorted(pairs.starts.numpy(), np.linspace(0, len(pairs.second), chunks + 1))
        bounds[0], bounds[-1] = 0, len(x)
        force, energy = np.zeros((chunks, *x.shape), x.dtype), np.zeros((chunks, frames))
        stress = np.zeros((chunks, frames if virial else 0, 3, 3))
        kernels.pairs(
            x,
            np.zeros((frames, 3), x.dtype) if box is None else box.to(positions.dtype).contiguous().numpy(),
            beads,
            pairs.starts.numpy(),
            pairs.second.numpy(),
            bounds,
            *(p.to(positions.dtype).expand(frames).contiguous().numpy() for p in (self.epsilon, self.sigma)),
            x.dtype.type(self.cutoff - self.switch_width),
            x.dtype.type(self.cutoff),
            force,
            energy,
            stress,
        )
        sums, dtype = torch.from_numpy(energy.sum(0)), positions.dtype
        total = torch.from_numpy(force[0] if chunks == 1 else force.sum(0)).reshape(positions.shape)
        return Evaluation(sums.to(dtype), total, torch.from_numpy(stress.sum(0)).to(dtype) if virial else None)

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
