"""Harmonic bonds and angles, the prior of a learned potential: U = sum 1/2 k (q - q0)^2 with k = kBT / var(q), q0 = <q>.

Source: Boltzmann inversion of a Gaussian; as a prior in Wang et al., ACS Cent. Sci. 5, 755 (2019), section 'Physical constraints'.
"""

import torch
from torch import Tensor

from workbench import units
from workbench.descriptors.internal_coordinates import InternalCoordinates
from workbench.potentials._on_descriptor import OnDescriptor
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData


@settings
class Settings:
    """Which terms, and from which frames."""

    bonds: bool = field(True, "Harmonic term for every bond.")
    angles: bool = field(True, "Harmonic term for every angle.")


class Harmonic(OnDescriptor):
    """Bonds (force constants in kJ/mol/nm^2) and angles (kJ/mol/rad^2)."""

    def __init__(self, bonds: list, angles: list):
        super().__init__(InternalCoordinates(bonds, angles, []))
        self.register_buffer("center", torch.zeros(self.descriptor.size, dtype=torch.float64))
        self.register_buffer("constant", torch.ones(self.descriptor.size, dtype=torch.float64))

    def energy(self, q: Tensor) -> Tensor:
        return (0.5 * self.constant.to(q.dtype) * (q - self.center.to(q.dtype)) ** 2).sum(-1)

    def energy_and_slope(self, q: Tensor) -> tuple[Tensor, Tensor]:
        off = q - self.center.to(q.dtype)
        slope = self.constant.to(q.dtype) * off
        return 0.5 * (slope * off).sum(-1), slope

    def bind(self, beads: Beads) -> "Harmonic":
        """Terms of the first molecule's kind, repeated for every molecule of ``beads``. Raises ``ValueError`` where they do not fit."""
        copies = len(beads.bonds) + len(beads.angles)
        if copies % self.descriptor.size:
            raise ValueError(f"this harmonic potential has {self.descriptor.size} terms; the beads have {copies}, which is no multiple.")
        n_bonds, times = len(self.descriptor.pairs), copies // self.descriptor.size
        bound = Harmonic(beads.bonds.tolist(), beads.angles.tolist()).to(self.center)
        bound.center = torch.cat([self.center[:n_bonds].repeat(times), self.center[n_bonds:].repeat(times)])
        bound.constant = torch.cat([self.constant[:n_bonds].repeat(times), self.constant[n_bonds:].repeat(times)])
        return bound

    def recipe(self) -> dict:
        return {"bonds": self.descriptor.pairs.tolist(), "angles": self.descriptor.triples.tolist()}

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        import openmm

        bond_force, angle_force = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
        terms = list(zip(self.center.tolist(), self.constant.tolist(), strict=True))
        n_bonds = len(self.descriptor.pairs)
        for beads, (center, constant) in zip(self.descriptor.pairs.tolist(), terms[:n_bonds], strict=True):
            bond_force.addBond(*beads, center, constant)
        for beads, (center, constant) in zip(self.descriptor.triples.tolist(), terms[n_bonds:], strict=True):
            angle_force.addAngle(*beads, center, constant)
        for force in (bond_force, angle_force):
            force.setUsesPeriodicBoundaryConditions(periodic)
        return [bond_force, angle_force]


def build(data: ReferenceData, settings: Settings) -> Harmonic:
    """Centers and constants from the means and variances (divided by F) of ``data``, at the temperature of its first state."""
    bonds = data.beads.bonds.tolist() if settings.bonds else []
    angles = data.beads.angles.tolist() if settings.angles else []
    if not bonds and not angles:
        raise ValueError("harmonic: the beads have no bond or angle of the kinds asked for.")
    potential = Harmonic(bonds, angles)
    if len(data) < 2:
        raise ValueError(f"harmonic: {len(data)} frame is not enough for a variance.")
    chunks = [potential.descriptor.values(torch.tensor(c.positions, dtype=torch.float64), _box(c)) for c in data.chunks()]
    mean = sum(q.sum(0) for q in chunks) / len(data)
    variance = sum((q - mean).square().sum(0) for q in chunks) / len(data)
    if not bool((variance > 0).all()):
        raise ValueError("harmonic: a bond or an angle never changes in the data (constrained?): its force constant would be infinite.")
    potential.center = mean
    potential.constant = units.thermal_energy(data.states[0].temperature) / variance
    return potential


def _box(chunk: ReferenceData) -> Tensor | None:
    return None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
