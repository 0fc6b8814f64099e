"""1-Ethyl-3-methylimidazolium bis(trifluoromethylsulfonyl)imide, an ionic liquid: GAFF2 with AM1-BCC charges.

Wang et al., J. Comput. Chem. 25, 1157 (2004). Whole charges make ions too slow; ``charge_scale`` 0.8 is the usual remedy
(Chaban, Voroshylova, Kalugin, Phys. Chem. Chem. Phys. 13, 7910 (2011)). Molecules: all cations first, then all anions. The
experimental density, 1.519 g/cm^3 at 298.15 K, is as commonly quoted and was not checked at its source.
"""

import dataclasses
import functools

import openmm

from workbench.settings import field, settings
from workbench.systems import _liquid, smiles
from workbench.types import System

CATION, ANION = "CC[n+]1ccn(C)c1", "FC(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F"
DENSITY, TEMPERATURE = 1.519, 298.15


@settings
class Settings:
    """Size and state of the liquid."""

    n_pairs: int = field(64, "Number of ion pairs.", bounds=(2, 100_000))
    charge_scale: float = field(1.0, "Factor on all charges; 0.8 makes up for the missing polarisation.", bounds=(0.5, 1.0))
    density: float = field(DENSITY, "Density, which sets the box.", unit="g/cm^3", bounds=(0.1, 10.0))
    cutoff_nm: float = field(0.9, "Cut-off of the direct-space interactions; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    constraints: str = field("none", "Bonds to hydrogen: flexible (time step 1 fs) or rigid (2 fs).", choices=_liquid.CONSTRAINTS)
    temperature: float = field(TEMPERATURE, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of coordinates and packing.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    ions = [_scaled(smiles.molecule(text, "gaff2", seed=settings.seed), settings.charge_scale) for text in (CATION, ANION)]
    return _liquid.liquid(
        [(ion, settings.n_pairs) for ion in ions],
        name="ionic_liquid",
        density=settings.density,
        cutoff_nm=settings.cutoff_nm,
        temperature=settings.temperature,
        constraints=settings.constraints,
        seed=settings.seed,
        experimental_density=DENSITY if settings.temperature == TEMPERATURE else None,
    )


def _scaled(ion: System, scale: float) -> System:
    return dataclasses.replace(ion, force_field=functools.partial(_scaled_xml, ion.force_field, scale), charges=scale * ion.charges)


def _scaled_xml(force_field, scale: float) -> str:
    physics = openmm.XmlSerializer.deserialize(force_field())
    (pairs,) = [force for force in physics.getForces() if isinstance(force, openmm.NonbondedForce)]
    for i in range(pairs.getNumParticles()):
        charge, sigma, epsilon = pairs.getParticleParameters(i)
        pairs.setParticleParameters(i, scale * charge, sigma, epsilon)
    for e in range(pairs.getNumExceptions()):
        i, j, product, sigma, epsilon = pairs.getExceptionParameters(e)
        pairs.setExceptionParameters(e, i, j, scale**2 * product, sigma, epsilon)
    return openmm.XmlSerializer.serialize(physics)
