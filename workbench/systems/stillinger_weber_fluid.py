"""Water as single beads that prefer tetrahedral angles: mW, or ML-mW, of Stillinger-Weber form (``potentials.stillinger_weber``).

mW: Molinero and Moore, J. Phys. Chem. B 113, 4008 (2009); ML-mW: Chan et al., Nat. Commun. 10, 379 (2019). OpenMM evaluates the
three-body term slowly: this is the reference, not the engine of choice.
"""

import functools

import numpy as np
import openmm

from workbench import units
from workbench.potentials import stillinger_weber
from workbench.settings import field, settings
from workbench.systems import _fluid
from workbench.types import System

MASS = 18.01528


@settings
class Settings:
    """Which model, how many, and their state."""

    model: str = field("mW", "Parameter set.", choices=tuple(stillinger_weber.MODELS))
    n_particles: int = field(216, "Number of water beads.", bounds=(2, 1_000_000))
    density: float = field(0.997, "Density, which sets the box.", unit="g/cm^3", bounds=(0.01, 1.5))
    temperature: float = field(298.15, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of the displacements from a lattice.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The liquid in a periodic cube. Raises ``ValueError`` where the cut-off exceeds half of it."""
    values = _values(settings)
    edge = (settings.n_particles * MASS / (settings.density * units.GRAM_PER_CM3)) ** (1 / 3)
    return _fluid.fluid(
        name="stillinger_weber_fluid",
        element="O",
        n=settings.n_particles,
        mass=MASS,
        edge=edge,
        cutoff=values["a"] * values["sigma"],
        temperature=settings.temperature,
        seed=settings.seed,
        make_xml=functools.partial(_xml, settings, edge),
        source={"mW": "mW, Molinero and Moore 2009", "ML-mW": "ML-mW, Chan et al. 2019"}[settings.model],
        experimental_density=0.99705 if settings.temperature == 298.15 else None,
    )


@functools.lru_cache(maxsize=4)
def _xml(settings: Settings, edge: float) -> str:
    physics = openmm.System()
    for _ in range(settings.n_particles):
        physics.addParticle(MASS)
    for force in (*stillinger_weber.native(_values(settings), settings.n_particles, periodic=True), openmm.CMMotionRemover()):
        physics.addForce(force)
    physics.setDefaultPeriodicBoxVectors(*(edge * np.eye(3)))
    return openmm.XmlSerializer.serialize(physics)


def _values(settings: Settings) -> dict[str, float]:
    return dict(zip(stillinger_weber.NAMES, stillinger_weber.MODELS[settings.model], strict=True))
