"""OpenMM: the System as XML with native forces of the whole potential, a State with positions and box, a PDB file, and a run.

The files need OpenMM alone, no workbench. A potential without native forces (a network) is refused: as XML a Python force would be a
pickle. Source: P. Eastman et al., J. Phys. Chem. B 128, 109 (2024).
"""

import io
import pathlib
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from workbench import units
from workbench.export import _base
from workbench.export._base import Parity
from workbench.potentials._base import Potential
from workbench.settings import field, settings
from workbench.types import Start

RUN = '''"""Langevin dynamics of system.xml from state.xml: python run.py [platform]"""

import sys

import openmm
from openmm import app

with open("system.xml") as file:
    system = openmm.XmlSerializer.deserialize(file.read())
integrator = openmm.LangevinMiddleIntegrator({temperature!r}, {friction!r}, {timestep!r})
integrator.setRandomNumberSeed({seed})
platform = [openmm.Platform.getPlatformByName(name) for name in sys.argv[1:2]]
simulation = app.Simulation(app.PDBFile("beads.pdb").topology, system, integrator, *platform)
with open("state.xml") as file:
    state = openmm.XmlSerializer.deserialize(file.read())
simulation.context.setPositions(state.getPositions())
{velocities}
simulation.reporters.append(app.DCDReporter("frames.dcd", {save_every}))
simulation.reporters.append(
    app.StateDataReporter("log.csv", {save_every}, step=True, time=True, potentialEnergy=True, temperature=True, speed=True)
)
simulation.step({n_steps})
'''


@settings
class Settings:
    """The run in ``run.py``."""

    temperature: float = field(300.0, "Temperature.", unit="K", bounds=(1e-6, None))
    timestep_fs: float = field(2.0, "Time step.", unit="fs", bounds=(1e-6, 1000.0))
    friction: float = field(5.0, "Friction constant of the Langevin thermostat.", unit="1/ps", bounds=(1e-6, None))
    n_steps: int = field(100_000, "Integration steps.", bounds=(1, None))
    save_every: int = field(100, "Steps between saved frames.", bounds=(1, None))
    seed: int = field(1, "Seed of velocities and noise.", bounds=(1, 2**31 - 1))


def write(potential: Potential, start: Start, folder: Any, settings: Settings) -> tuple[pathlib.Path, ...]:
    """Write ``system.xml``, ``state.xml``, ``beads.pdb`` and ``run.py``, which runs them; their paths.

    Raises ``ValueError``, with nothing written, for a start of several frames, a box below twice the cut-off, and a potential of which a
    part has no native forces.
    """
    files = _xml(_base.bind(potential, start, "OpenMM"), start)
    drawn = f"simulation.context.setVelocitiesToTemperature({settings.temperature!r}, {settings.seed})"
    values = {
        "temperature": settings.temperature,
        "friction": settings.friction,
        "timestep": settings.timestep_fs * units.FEMTOSECOND,
        "seed": settings.seed,
        "velocities": drawn if start.velocities is None else "simulation.context.setVelocities(state.getVelocities())",
        "save_every": settings.save_every,
        "n_steps": settings.n_steps,
    }
    return _base.write_files(folder, files | {"beads.pdb": _pdb(start), "run.py": RUN.format(**values)})


def parity(potential: Potential, start: Start, settings: Settings | None = None) -> Parity:
    """Energy and forces of the one frame of ``start`` by the XML files, on OpenMM's Reference platform, beside the potential's.

    Raises ``ValueError`` as :func:`write`; the result does not depend on the settings of the run.
    """
    bound = _base.bind(potential, start, "OpenMM")
    files = _xml(bound, start)
    context = _context(openmm.XmlSerializer.deserialize(files["system.xml"]))
    context.setState(openmm.XmlSerializer.deserialize(files["state.xml"]))
    state = context.getState(energy=True, forces=True)
    energy, forces = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole), state.getForces(asNumpy=True)._value
    return _base.compare(bound, start, energy, forces, "OpenMM", openmm.Platform.getOpenMMVersion())


def _xml(bound: Potential, start: Start) -> dict[str, str]:
    """System and state."""
    system = openmm.System()
    for mass in start.beads.masses.tolist():
        system.addParticle(mass)
    if start.box is not None:
        system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in np.diag(start.box[0])))
    for force in _forces(bound, start):
        system.addForce(force)
    context = _context(system)
    context.setPositions(start.positions[0])
    if start.velocities is not None:
        context.setVelocities(start.velocities[0])
    state = context.getState(positions=True, velocities=start.velocities is not None)
    return {"system.xml": openmm.XmlSerializer.serialize(system), "state.xml": openmm.XmlSerializer.serialize(state)}


def _forces(bound: Potential, start: Start) -> list[openmm.Force]:
    """The native forces of every part. Raises ``ValueError`` where one has none."""
    found = []
    for weight, part in _base.weighted(bound):
        native = part.to_openmm(start.beads, start.box is not None)
        if native is None or weight != 1.0:
            what = type(part).__name__ if native is None else f"{weight} times {type(part).__name__}"
            raise ValueError(f"OpenMM has no native force for {what}: run it with simulation.openmm_engine.")
        found += native
    return found


def _context(system: openmm.System) -> openmm.Context:
    return openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))


def _pdb(start: Start) -> str:
    """Names and bonds for those who read the frames, every bead a residue of its own; the coordinates are rounded."""
    topology, text = app.Topology(), io.StringIO()
    chain = topology.addChain()
    atoms = [topology.addAtom(name[:4], None, topology.addResidue(name[:3], chain)) for name in start.beads.names]
    for i, j in start.beads.bonds.tolist():
        topology.addBond(atoms[i], atoms[j])
    if start.box is not None:
        topology.setUnitCellDimensions(start.box[0] * unit.nanometer)
    app.PDBFile.writeFile(topology, start.positions[0] * unit.nanometer, text)
    return text.getvalue()
