"""Constant pressure by stochastic cell rescaling: the volume V of each replica drifts towards its pressure and fluctuates as it should.

    d ln V = (beta / tau) (P - P0) dt + sqrt(2 kBT beta / (V tau)) dW

Positions grow with the cell, velocities shrink with it, which keeps phase-space volume: Bernetti and Bussi, J. Chem. Phys. 153, 114107
(2020), equation 7. P is that of the moment; beta sets the pace together with tau and changes no average.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Barostat(NamedTuple):
    """One for all replicas: target ``pressure`` [kJ/mol/nm^3] and ``kT`` [kJ/mol], both (K,)."""

    pressure: Tensor
    kT: Tensor
    mobility: float
    """beta / tau [nm^3 mol/kJ/ps]."""
    interval: float
    """Time between two scalings [ps]."""

    def stretch(self, box: Tensor, kinetic: Tensor, virial: Tensor, noise: Tensor) -> Tensor:
        """Factor of every length (K,) for cells ``box`` (K, 3) of ``kinetic`` energy (K,) and ``virial`` (K, 3, 3); ``noise`` is normal."""
        volume = box.prod(1)
        now = (2 * kinetic + virial.diagonal(dim1=1, dim2=2).sum(1)) / (3 * volume)
        change = self.mobility * self.interval * (now - self.pressure)
        change = change + (2 * self.kT * self.mobility * self.interval / volume).sqrt() * noise
        return torch.exp(change / 3)
