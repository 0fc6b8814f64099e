"""The watch over a simulation: it stops at the first sign of an explosion, says which bead and why, and the frames so far are kept."""

import math

import numpy as np
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
        self.check_finite(step, positions, energy)
        if self.usual is not None:
            ratio = geometry.distances(positions, self.bonds, box) / self.usual
            out = (ratio < self.bond_range[0]) | (ratio > self.bond_range[1])
            if bool(out.any()):
                replica, bond = np.argwhere(out.cpu().numpy())[0]
                i, j = self.beads.bonds[bond]
                length = float(ratio[replica, bond] * self.usual[bond])
                raise Unstable(
                    f"stopped at step {step}: in replica {replica} the bond {self._name(i)}-{self._name(j)} is {length:.3f} nm long, "
                    f"usual is {float(self.usual[bond]):.3f} nm; the model left its data or the time step is too long."
                )
        if velocities is not None:
            kinetic = (self.masses[:, None] * velocities**2).sum((1, 2))
            ratio = kinetic / (3 * len(self.masses) * units.thermal_energy(self.temperature))
            limit = self.max_ratio * (1 + 6 * math.sqrt(2 / (3 * len(self.masses))))
            if bool((ratio > limit).any()):
                replica = int(ratio.argmax())
                wanted = float(self.temperature[replica])
                bead = int((self.masses[:, None] * velocities[replica] ** 2).sum(1).argmax())
                raise Unstable(
                    f"stopped at step {step}: replica {replica} is at {float(ratio[replica]) * wanted:.0f} K, wanted {wanted:.0f} K; "
                    f"the fastest bead is {self._name(bead)}: shorten the time step or improve the model."
                )

    def check_finite(self, step: int, positions: Tensor, energy: Tensor) -> None:
        """Raise :class:`Unstable` for a coordinate or an energy that is not a number."""
        good = positions.isfinite().all(-1).all(-1) & energy.isfinite()
        if not bool(good.all()):
            replica = int((~good).nonzero()[0])
            bead = int((~positions[replica].isfinite().all(-1)).int().argmax())
            raise Unstable(
                f"stopped at step {step}: replica {replica} left the numbers (NaN or infinity), first at bead {self._name(bead)}; "
                "shorten the time step or improve the model."
            )

    def _name(self, bead: int) -> str:
        return f"{self.beads.names[bead]} ({bead})"
