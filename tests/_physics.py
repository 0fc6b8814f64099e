"""What tests of systems ask of a force field."""

import numpy as np
import openmm
from openmm import unit

from workbench.types import System


def of(system: System) -> openmm.System:
    """The force field of ``system``."""
    return openmm.XmlSerializer.deserialize(system.parameters())


def dispersion(system: System, atom: int) -> tuple[float, float]:
    """sigma [nm] and eps [kJ/mol] of an atom."""
    physics = of(system)
    _, sigma, epsilon = _pairs(physics).getParticleParameters(atom)
    return sigma._value, epsilon._value


def charge_products(system: System) -> np.ndarray:
    """Products of the charges [e^2] of the pairs that count apart, in their order."""
    physics = of(system)
    force = _pairs(physics)
    return np.array([force.getExceptionParameters(e)[2]._value for e in range(force.getNumExceptions())])


def _pairs(physics: openmm.System) -> openmm.NonbondedForce:
    (force,) = [force for force in physics.getForces() if isinstance(force, openmm.NonbondedForce)]
    return force


def energy(system: System, positions: np.ndarray | None = None) -> float:
    """Potential energy [kJ/mol] on the Reference platform."""
    context = openmm.Context(of(system), openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(system.positions if positions is None else positions)
    context.computeVirtualSites()
    return context.getState(getEnergy=True).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
