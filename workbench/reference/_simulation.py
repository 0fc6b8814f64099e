"""The simulation itself: an OpenMM context on the right platform, begun, advanced, saved and gone on from."""

from typing import TYPE_CHECKING, Any

import openmm
from openmm import unit

from workbench import units
from workbench.types import System

if TYPE_CHECKING:
    from workbench.reference import Settings

BAROSTAT_EVERY = 25
"""Steps between two trial moves of the box."""
SMALL = 60
"""Up to so many atoms without a box OpenMM's Reference platform is the fastest on a CPU (22 atoms in vacuum: 70 times)."""


def check(system: System, settings: "Settings") -> None:
    """Raise ``ValueError`` for a pressure or a virial of a system without a box."""
    for name in ("pressure", "virial"):
        value = getattr(settings, name)
        if system.box is None and value is not None and value is not False:
            raise ValueError(
                f"reference.Settings.{name} = {value}{' bar' if name == 'pressure' else ''}: '{system.name}' has no box; "
                f"leave the {name} out."
            )


def context(system: System, settings: "Settings", *, barostat: bool = True) -> openmm.Context:
    """The simulation, with a barostat where a pressure is set. Raises ``ValueError`` where the device is missing."""
    check(system, settings)
    integrator = openmm.LangevinMiddleIntegrator(settings.temperature, settings.friction_per_ps, settings.timestep_fs * units.FEMTOSECOND)
    integrator.setRandomNumberSeed(settings.seed + 1)  # 0 would mean a seed of OpenMM's own choice
    integrator.setConstraintTolerance(1e-6)
    name, properties = "Reference", {}
    if settings.device == "cuda":
        name, properties = "CUDA", {"Precision": "mixed", "DeterministicForces": "true"}
    elif settings.platform == "CPU" or (settings.platform == "auto" and (system.n_atoms > SMALL or system.box is not None)):
        name, properties = "CPU", {"Threads": str(settings.n_threads), "DeterministicForces": "true"}
    physics = openmm.XmlSerializer.deserialize(system.parameters())
    if barostat and settings.pressure is not None:
        force = openmm.MonteCarloBarostat(settings.pressure * unit.bar, settings.temperature, BAROSTAT_EVERY)
        force.setRandomNumberSeed(settings.seed + 1)
        physics.addForce(force)
    try:
        return openmm.Context(physics, integrator, openmm.Platform.getPlatformByName(name), properties)
    except openmm.OpenMMException as error:
        if name != "CUDA":
            raise
        raise ValueError(
            "reference.Settings.device = 'cuda': OpenMM finds no usable NVIDIA GPU here: choose device='cpu', or install the extra 'cuda' "
            f"on a machine that has one ({error})."
        ) from None


def begin(context: openmm.Context, system: System, settings: "Settings") -> None:
    """Minimise and draw velocities."""
    context.setPositions(system.positions)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 300)
    context.setVelocitiesToTemperature(settings.temperature, settings.seed + 1)


def advance(context: openmm.Context, n_steps: int, frame: int, settings: "Settings") -> None:
    """Integrate. Raises ``ValueError`` where positions are no longer numbers."""
    try:
        context.getIntegrator().step(n_steps)
    except openmm.OpenMMException as error:
        if "nan" in str(error).lower():
            raise unstable(frame, settings) from None
        raise


def unstable(frame: int, settings: "Settings") -> ValueError:
    """What is raised before ``frame`` where the simulation blew up."""
    where = f"before frame {frame}" if frame > 0 else "during equilibration"
    return ValueError(
        f"reference.sample became unstable {where} (positions or energies are no longer numbers): "
        f"choose a timestep_fs below {settings.timestep_fs} or check the force field and the starting configuration."
    )


def go_on_from(context: openmm.Context, text: bytes, interval: int, settings: "Settings") -> None:
    """Load a checkpoint into a context as a new process would make it: a checkpoint holds neither the neighbour list nor the
    barostat's random numbers, which therefore start anew from a seed of the interval."""
    barostats = [force for force in context.getSystem().getForces() if isinstance(force, openmm.MonteCarloBarostat)]
    for barostat in barostats:
        barostat.setRandomNumberSeed((settings.seed + 1 + interval) % (2**31 - 1) or 1)
    if barostats or context.getPlatform().getName() == "CPU":
        context.reinitialize()
    context.loadCheckpoint(text)


def restore(context: openmm.Context, text: bytes, interval: int, settings: "Settings", folder: Any) -> None:
    """As :func:`go_on_from`, in a new process. Raises ``ValueError`` for a checkpoint of another OpenMM."""
    try:
        go_on_from(context, text, interval, settings)
    except openmm.OpenMMException as error:
        raise ValueError(
            f"the checkpoint in {folder} was written by another version or platform of OpenMM ({error}): delete the folder to start anew."
        ) from None


def keeps_centre(context: openmm.Context) -> bool:
    """Whether the motion of the centre of mass is removed."""
    return any(isinstance(force, openmm.CMMotionRemover) for force in context.getSystem().getForces())
