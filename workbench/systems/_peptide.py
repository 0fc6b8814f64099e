"""What the peptides share: Amber force fields, and vacuum, implicit or explicit water around them.

ff14SB: Maier et al., J. Chem. Theory Comput. 11, 3696 (2015); ff99SB-ILDN: Lindorff-Larsen et al., Proteins 78, 1950 (2010); TIP3P:
Jorgensen et al., J. Chem. Phys. 79, 926 (1983); OBC2: Onufriev, Bashford, Case, Proteins 55, 383 (2004). Peptides are flexible, so
that their forces can be mapped; water is rigid.
"""

import contextlib
import functools
import random
from collections.abc import Iterator

import numpy as np
import openmm
from openmm import app, unit

from workbench.settings import field, settings
from workbench.systems import _openmm
from workbench.types import State, System

FORCE_FIELDS = {"amber14sb": "amber14/protein.ff14SB.xml", "amber99sb-ildn": "amber99sbildn.xml"}
SOLVENTS = {"vacuum": (), "obc2": ("implicit/obc2.xml",), "tip3p": ("amber14/tip3p.xml",)}
RADIUS_OFFSET = 0.009
"""By how much Born radii are reduced in OBC2 [nm]."""


@settings
class Settings:
    """What surrounds the peptide and which force field describes it."""

    solvent: str = field("vacuum", "Vacuum, implicit water (OBC2) or explicit water (TIP3P).", choices=tuple(SOLVENTS))
    force_field: str = field("amber14sb", "Force field of the peptide.", choices=tuple(FORCE_FIELDS))
    box_nm: float = field(2.7, "Edge of the cubic box of explicit water.", unit="nm", bounds=(2.4, 10.0))
    cutoff_nm: float = field(1.0, "Cut-off of the direct-space interactions in explicit water.", unit="nm", bounds=(0.6, 1.2))
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))


def system(name: str, topology: app.Topology, positions: np.ndarray, settings: Settings) -> System:
    """The peptide of ``topology`` at ``positions`` (n, 3) [nm] in its surroundings; ions of 'tip3p' make the box neutral.

    Raises ``ValueError`` where explicit water does not reach around the peptide.
    """
    solvent, box_nm = settings.solvent, settings.box_nm
    files = app.ForceField(FORCE_FIELDS[settings.force_field], *SOLVENTS[solvent])
    options = {"nonbondedMethod": app.NoCutoff, "constraints": None}
    if solvent == "tip3p":
        extent = np.ptp(positions, axis=0).max()
        if extent > box_nm - 1.0:
            raise ValueError(
                f"systems.{name}: the peptide is {extent:.1f} nm long, too much for a box of {box_nm} nm: choose box_nm above "
                f"{extent + 1.0:.1f}."
            )
        modeller = app.Modeller(topology, positions * unit.nanometer)
        with repeatable():  # OpenMM draws the waters that ions replace
            modeller.addSolvent(files, model="tip3p", boxSize=openmm.Vec3(*(box_nm,) * 3) * unit.nanometer, neutralize=True)
        topology, positions = modeller.topology, np.array(modeller.getPositions().value_in_unit(unit.nanometer))
        options |= {"nonbondedMethod": app.PME, "nonbondedCutoff": settings.cutoff_nm * unit.nanometer, "rigidWater": True}
    physics = files.createSystem(topology, **options)
    _use_native_obc2(physics)
    return _openmm.to_system(
        name=name,
        topology=topology,
        positions=positions,
        force_field=physics,
        make_xml=functools.cache(functools.partial(openmm.XmlSerializer.serialize, physics)),
        state=State(temperature=settings.temperature),
        source=f"{settings.force_field}, {solvent}, as distributed with OpenMM",
    )


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Python's random numbers from a fixed seed, and as they were afterwards."""
    drawn = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(drawn)


def _use_native_obc2(physics: openmm.System) -> None:
    """Replace the interpreted form of OBC2 by OpenMM's own: the same energy (1e-7), some forty times faster on a CPU."""
    for index, force in reversed(list(enumerate(physics.getForces()))):
        if isinstance(force, openmm.CustomGBForce):
            native = openmm.GBSAOBCForce()
            native.setSoluteDielectric(1.0)
            native.setSolventDielectric(78.5)
            native.setNonbondedMethod(openmm.GBSAOBCForce.NoCutoff)
            for particle in range(force.getNumParticles()):
                charge, reduced, scaled = force.getParticleParameters(particle)
                native.addParticle(charge, reduced + RADIUS_OFFSET, scaled / reduced)
            physics.addForce(native)
            physics.removeForce(index)
