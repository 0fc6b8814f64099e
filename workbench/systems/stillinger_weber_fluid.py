"""Water as single beads that prefer tetrahedral angles: mW, or ML-mW, of Stillinger-Weber form.

    U = sum_{i<j} A eps [B (sigma/r)^p - (sigma/r)^q] exp(sigma / (r - a sigma))
        + sum_i sum_{j<k} lambda eps (cos theta_jik - cos theta_0)^2 exp(gamma sigma / (r_ij - a sigma) + gamma sigma / (r_ik - a sigma))

both zero from r = a sigma on. mW: Molinero and Moore, J. Phys. Chem. B 113, 4008 (2009); ML-mW: Chan et al., Nat. Commun. 10, 379
(2019). OpenMM evaluates the three-body term slowly: this is the reference, not the engine of choice.
"""

import functools

import numpy as np
import openmm

from workbench import units
from workbench.settings import field, settings
from workbench.systems import _fluid
from workbench.types import System

NAMES = ("eps", "sigma", "a", "A", "B", "p", "q", "lam", "gamma", "cos0")
MODELS = {
    "mW": (25.894776, 0.23925, 1.8, 7.049556277, 0.6022245584, 4.0, 0.0, 23.15, 1.2, -1 / 3),
    "ML-mW": (28.683545, 0.1884015, 2.124872, 7.111598, 1.991526, 4.011214, 0.0, 24.673877, 1.207943, -0.279667),
}
"""Parameters; eps in kJ/mol, sigma in nm."""
MASS = 18.01528
PAIR = "A*eps*(B*(sigma/r)^p-(sigma/r)^q)*exp(sigma/(r-a*sigma))"
TRIPLE = "lam*eps*(cos(angle(p2,p1,p3))-cos0)^2*exp(gamma*sigma/(distance(p1,p2)-a*sigma)+gamma*sigma/(distance(p1,p3)-a*sigma))"


@settings
class Settings:
    """Which model, how many, and their state."""

    model: str = field("mW", "Parameter set.", choices=tuple(MODELS))
    n_particles: int = field(216, "Number of water beads.", bounds=(2, 1_000_000))
    density: float = field(0.997, "Density, which sets the box.", unit="g/cm^3", bounds=(0.01, 1.5))
    temperature: float = field(298.15, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of the displacements from a lattice.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The liquid in a periodic cube. Raises ``ValueError`` where the cut-off exceeds half of it."""
    values = dict(zip(NAMES, MODELS[settings.model], strict=True))
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
    values = dict(zip(NAMES, MODELS[settings.model], strict=True))
    physics, pairs, triples = openmm.System(), openmm.CustomNonbondedForce(PAIR), openmm.CustomManyParticleForce(3, TRIPLE)
    for force in (pairs, triples):
        for name, value in values.items():
            if name in (PAIR if force is pairs else TRIPLE):
                force.addGlobalParameter(name, value)
        force.setNonbondedMethod(force.CutoffPeriodic)
        force.setCutoffDistance(values["a"] * values["sigma"])
        for _ in range(settings.n_particles):
            force.addParticle([])
    triples.setPermutationMode(openmm.CustomManyParticleForce.UniqueCentralParticle)
    for _ in range(settings.n_particles):
        physics.addParticle(MASS)
    for force in (pairs, triples, openmm.CMMotionRemover()):
        physics.addForce(force)
    physics.setDefaultPeriodicBoxVectors(*(edge * np.eye(3)))
    return openmm.XmlSerializer.serialize(physics)
