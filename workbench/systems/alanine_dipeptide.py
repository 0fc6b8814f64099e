"""Alanine dipeptide (N-acetyl-L-alanine-N'-methylamide, ACE-ALA-NME), the standard test of free-energy surfaces.

Atoms 4, 6, 8, 14, 16 (counted from 0) are the backbone C N CA C N that carries phi and psi. Force fields: ff14SB, Maier et
al., J. Chem. Theory Comput. 11, 3696 (2015); ff99SB-ILDN, Lindorff-Larsen et al., Proteins 78, 1950 (2010); TIP3P, Jorgensen et
al., J. Chem. Phys. 79, 926 (1983); OBC2, Onufriev, Bashford, Case, Proteins 55, 383 (2004). The peptide is flexible, so that
its forces can be mapped; water is rigid.
"""

import functools
import pathlib

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

    solvent: str = field("vacuum", "Vacuum, implicit water (OBC2) or explicit water (TIP3P).", choices=("vacuum", "obc2", "tip3p"))
    force_field: str = field("amber14sb", "Force field of the peptide.", choices=("amber14sb", "amber99sb-ildn"))
    box_nm: float = field(2.7, "Edge of the cubic box of explicit water.", unit="nm", bounds=(2.4, 10.0))
    cutoff_nm: float = field(1.0, "Cut-off of the direct-space interactions in explicit water.", unit="nm", bounds=(0.6, 1.2))
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))


def load(settings: Settings) -> System:
    """The peptide at its C7eq minimum, in a box of water where wanted. The same settings give the same coordinates."""
    topology, positions, force_field = _parts(settings)
    return _openmm.to_system(
        name="alanine_dipeptide",
        topology=topology,
        positions=positions,
        force_field=force_field,
        make_xml=functools.partial(_xml, settings),
        state=State(temperature=settings.temperature),
        source=f"{settings.force_field}, {settings.solvent}, as distributed with OpenMM",
    )


@functools.lru_cache(maxsize=4)
def _parts(settings: Settings) -> tuple[app.Topology, np.ndarray, openmm.System]:
    """Topology, positions (N, 3) [nm] and force field."""
    pdb = app.PDBFile(str(pathlib.Path(__file__).with_name("alanine_dipeptide.pdb")))
    files = app.ForceField(FORCE_FIELDS[settings.force_field], *SOLVENTS[settings.solvent])
    if settings.solvent != "tip3p":
        force_field = files.createSystem(pdb.topology, nonbondedMethod=app.NoCutoff, constraints=None)
        _use_native_obc2(force_field)
        return pdb.topology, np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer)), force_field
    modeller = app.Modeller(pdb.topology, pdb.positions)
    modeller.addSolvent(files, model="tip3p", boxSize=openmm.Vec3(*(settings.box_nm,) * 3) * unit.nanometer)
    cutoff = settings.cutoff_nm * unit.nanometer
    force_field = files.createSystem(modeller.topology, nonbondedMethod=app.PME, nonbondedCutoff=cutoff, constraints=None, rigidWater=True)
    return modeller.topology, np.array(modeller.getPositions().value_in_unit(unit.nanometer)), force_field


def _use_native_obc2(force_field: openmm.System) -> None:
    """Replace the interpreted form of OBC2 by OpenMM's own: the same energy (1e-7), some forty times faster on a CPU."""
    for index, force in reversed(list(enumerate(force_field.getForces()))):
        if isinstance(force, openmm.CustomGBForce):
            native = openmm.GBSAOBCForce()
            native.setSoluteDielectric(1.0)
            native.setSolventDielectric(78.5)
            native.setNonbondedMethod(openmm.GBSAOBCForce.NoCutoff)
            for particle in range(force.getNumParticles()):
                charge, reduced, scaled = force.getParticleParameters(particle)
                native.addParticle(charge, reduced + RADIUS_OFFSET, scaled / reduced)
            force_field.addForce(native)
            force_field.removeForce(index)


@functools.lru_cache(maxsize=4)
def _xml(settings: Settings) -> str:
    return openmm.XmlSerializer.serialize(_parts(settings)[2])
