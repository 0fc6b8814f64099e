"""What the liquids of the library share: a molecule with a published force field, at a state whose density is known."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import numpy as np
import openmm
from openmm import app

from workbench.settings import field, settings
from workbench.systems import _liquid, _openmm, smiles
from workbench.types import State, System

SATURATED = "saturated liquid, equation of state of"
"""Liquids that boil below room temperature are taken at their boiling point at 1 atm."""


@settings
class Settings:
    """Size and state of the liquid."""

    n_molecules: int = field(150, "Number of molecules; 1 is a molecule in vacuum, more a liquid.", bounds=(1, 100_000))
    density: float | None = field(None, "Density, which sets the box; none: that of experiment.", unit="g/cm^3", bounds=(0.001, 10.0))
    cutoff_nm: float = field(0.9, "Cut-off of the direct-space interactions; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    constraints: str = field("none", "Bonds to hydrogen: flexible (time step 1 fs) or rigid (2 fs).", choices=_liquid.CONSTRAINTS)
    temperature: float | None = field(None, "Temperature; none: that of the experimental density.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of coordinates and packing.", bounds=(0, 2**31 - 2))


@dataclasses.dataclass(frozen=True)
class Liquid:
    """A liquid of one kind of molecule."""

    name: str
    """Name of its file in ``systems``."""
    molecule: Callable[[int], System]
    """One molecule in vacuum, its conformation by a seed."""
    temperature: float
    """Where the density was measured [K]."""
    density: float
    """Experimental density there [g/cm^3]."""
    measured: str
    """Source of the density."""


def load(liquid: Liquid, settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    molecule = liquid.molecule(settings.seed)
    temperature = settings.temperature or liquid.temperature
    source = f"{molecule.source}; density {liquid.density} g/cm^3 at {liquid.temperature} K: {liquid.measured}"
    known = liquid.density if temperature == liquid.temperature else None
    if settings.n_molecules == 1:
        return dataclasses.replace(molecule, name=liquid.name, state=State(temperature=temperature), source=molecule.source)
    return _liquid.liquid(
        [(molecule, settings.n_molecules)],
        name=liquid.name,
        density=settings.density or liquid.density,
        cutoff_nm=settings.cutoff_nm,
        temperature=temperature,
        constraints=settings.constraints,
        seed=settings.seed,
        source=source,
        experimental_density=known,
    )


def gaff2(text: str) -> Callable[[int], System]:
    """The molecule of a SMILES in GAFF2 with AM1-BCC charges, whose parameters come with the package."""
    return lambda seed: smiles.molecule(text, "gaff2", seed=seed)


def published(name: str, positions: np.ndarray, source: str) -> Callable[[int], System]:
    """The molecule of ``<name>.xml``, an OpenMM force-field file beside this one, with one residue and atoms at ``positions`` [nm].

    Its bonds are rigid where the file states no harmonic bond.
    """
    return lambda seed: _published(name, tuple(map(tuple, positions)), source)


@functools.cache
def _published(name: str, positions: tuple, source: str) -> System:
    files = app.ForceField(str(pathlib.Path(__file__).with_name(f"{name}.xml")))
    (template,) = files._templates.values()
    topology = app.Topology()
    residue = topology.addResidue(template.name, topology.addChain())
    atoms = [topology.addAtom(atom.name, atom.element, residue) for atom in template.atoms]
    for i, j in template.bonds:
        topology.addBond(atoms[i], atoms[j])
    physics = files.createSystem(topology, nonbondedMethod=app.NoCutoff, constraints=None)
    flexible = any(isinstance(force, openmm.HarmonicBondForce) and force.getNumBonds() for force in physics.getForces())
    if not flexible:
        for i, j in template.bonds:
            physics.addConstraint(i, j, float(np.linalg.norm(np.subtract(positions[i], positions[j]))))
    xml = openmm.XmlSerializer.serialize(physics)
    return _openmm.to_system(
        name=name,
        topology=topology,
        positions=np.array(positions),
        force_field=physics,
        make_xml=lambda: xml,
        state=State(),
        source=source,
    )
