"""The watch over a simulation: it stops at the first sign of an explosion, says which bead and why, and the frames so far are kept."""

import math

import numpy as np
import torch
from torch import Tensor

from workbench import geometry, units
from workbench.types import Beads, Trajectory


class Unstable(RuntimeError):
    """The simulation was stopped by its guard. ``trajectory`` holds the frames before that (None where there are none)."""

    trajectory: Trajectory | None = None


class Guard:
    """Checks energies, bonds and ``temperature`` (K,) [K] of all replicas; bond lengths are judged against those of the start."""

    def __init__(self, beads: Beads, start: Tensor, box: Tensor | None, temperature: Tensor, bond_range: tuple, max_temperature: float):
        self.beads, self.temperature, self.max_ratio = beads, temperature.to(start.device), max_temperature
        self.bonds = start.new_tensor(beads.bonds).long()
        self.bond_range = bond_range
        self.usual = geometry.distances(start, self.bonds, box).mean(0) if len(self.bonds) else None
        self.masses = start.new_tensor(beads.masses)

    def check(self, step: int, positions: Tensor, velocities: Tensor | None, energy: Tensor, box: Tensor | None) -> None:
        """Raise :class:`Unstable` with one sentence where something is out of range."""
        for sentence in self.faults(positions, velocities, energy, box).values():
            raise Unstable(f"stopped at step {step}: {sentence}")

    def check_finite(self, step: int, positions: Tensor, energy: Tensor) -> None:
        """Raise :class:`Unstable` for a coordinate or an energy that is not a number."""
        for sentence in self._not_numbers(positions, energy).values():
            raise Unstable(f"stopped at step {step}: {sentence}")

    def faults(self, positions: Tensor, velocities: Tensor | None, energy: Tensor, box: Tensor | None) -> dict[int, str]:
        """Replicas that are out of range, each with a sentence that says why."""
        hot = {} if velocities is None else self._too_hot(velocities)
        return hot | self._broken(positions, box) | self._not_numbers(positions, energy)

    def _broken(self, positions: Tensor, box: Tensor | None) -> dict[int, str]:
        if self.usual is None:
            return {}
        ratio = geometry.distances(positions, self.bonds, box) / self.usual
        out = ((ratio < self.bond_range[0]) | (ratio > self.bond_range[1])).cpu().numpy()
        found = {}
        for replica, bond in np.argwhere(out)[::-1]:  # the first bond of each is told
            i, j = self.beads.bonds[bond]
            length = float(ratio[replica, bond] * self.usual[bond])
            found[int(replica)] = (
                f"in replica {replica} the bond {self._name(i)}-{self._name(j)} is {length:.3f} nm long, "
                f"usual is {float(self.usual[bond]):.3f} nm; the model left its data or the time step is too long."
            )
        return dict(reversed(found.items()))

    def _too_hot(self, velocities: Tensor) -> dict[int, str]:
        kinetic = (self.masses[:, None] * velocities**2).sum((1, 2))
        ratio = kinetic / (3 * len(self.masses) * units.BOLTZMANN * self.temperature)
        limit = self.max_ratio * (1 + 6 * math.sqrt(2 / (3 * len(self.masses))))
        found = {}
        for replica in torch.argsort(ratio, descending=True)[: int((ratio > limit).sum())].tolist():
            wanted = float(self.temperature.expand(len(ratio))[replica])
            bead = int((self.masses[:, None] * velocities[replica] ** 2).sum(1).argmax())
            found[replica] = (
                f"replica {replica} is at {float(ratio[replica]) * wanted:.0f} K, wanted {wanted:.0f} K; "
                f"the fastest bead is {self._name(bead)}: shorten the time step or improve the model."
            )
        return found

    def _not_numbers(self, positions: Tensor, energy: Tensor) -> dict[int, str]:
        finite = positions.isfinite().all(-1)
        found = {}
        for replica in (~(finite.all(-1) & energy.isfinite())).nonzero()[:, 0].tolist():
            bead = int((~finite[replica]).int().argmax())
            found[replica] = (
                f"replica {replica} left the numbers (NaN or infinity), first at bead {self._name(bead)}; "
                "shorten the time step or improve the model."
            )
        return found

    def _name(self, bead: int) -> str:
        return f"{self.beads.names[bead]} ({bead})"
