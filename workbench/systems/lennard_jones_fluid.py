"""The Lennard-Jones fluid, by default argon near its triple point.

    u(r) = 4 eps [(sigma/r)^12 - (sigma/r)^6]

cut off at ``cutoff`` sigma, with the correction for a homogeneous fluid beyond. Argon: sigma 0.3405 nm, eps/kB 119.8 K (Rahman, Phys. Rev.
136, A405 (1964)). Reduced units are T* = kB T / eps and rho* = rho sigma^3.
"""

import functools

import numpy as np
import openmm

from workbench import units
from workbench.settings import field, settings
from workbench.systems import _fluid
from workbench.types import System


@settings
class Settings:
    """The particles and their state."""

    n_particles: int = field(256, "Number of particles.", bounds=(2, 1_000_000))
    sigma_nm: float = field(0.3405, "Where the potential is zero.", unit="nm", bounds=(0.01, 10.0))
    epsilon: float = field(0.99607, "Depth of the potential.", unit="kJ/mol", bounds=(1e-3, 1000.0))
    mass: float = field(39.948, "Mass of a particle.", unit="amu", bounds=(0.1, 1e6))
    density: float = field(0.776, "Reduced density rho sigma^3.", bounds=(1e-6, 1.3))
    temperature: float = field(0.85, "Reduced temperature kB T / eps.", bounds=(0.01, 100.0))
    cutoff: float = field(2.5, "Cut-off in units of sigma; at most half the box.", bounds=(1.0, 10.0))
    seed: int = field(0, "Seed of the displacements from a lattice.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The fluid in a periodic cube. Raises ``ValueError`` where the cut-off exceeds half of it."""
    edge = (settings.n_particles / settings.density) ** (1 / 3) * settings.sigma_nm
    return _fluid.fluid(
        name="lennard_jones_fluid",
        element="Ar",
        n=settings.n_particles,
        mass=settings.mass,
        edge=edge,
        cutoff=settings.cutoff * settings.sigma_nm,
        temperature=settings.temperature * settings.epsilon / units.BOLTZMANN,
        seed=settings.seed,
        make_xml=functools.partial(_xml, settings, edge),
        source=f"Lennard-Jones, sigma {settings.sigma_nm:g} nm, eps {settings.epsilon:g} kJ/mol",
    )


@functools.lru_cache(maxsize=4)
def _xml(settings: Settings, edge: float) -> str:
    physics, pairs = openmm.System(), openmm.NonbondedForce()
    for _ in range(settings.n_particles):
        physics.addParticle(settings.mass)
        pairs.addParticle(0.0, settings.sigma_nm, settings.epsilon)
    pairs.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    pairs.setCutoffDistance(settings.cutoff * settings.sigma_nm)
    pairs.setUseDispersionCorrection(True)
    physics.addForce(pairs)
    physics.addForce(openmm.CMMotionRemover())
    physics.setDefaultPeriodicBoxVectors(*(edge * np.eye(3)))
    return openmm.XmlSerializer.serialize(physics)
