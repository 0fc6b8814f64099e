"""All-atom reference: sampling with forces by OpenMM at constant volume or pressure, resumable.

Langevin dynamics in the middle discretisation, Zhang et al., J. Phys. Chem. A 123, 6056 (2019): the configurations are
canonical to high accuracy at time steps where the velocities are not. The run minimises, equilibrates, then keeps a frame
every ``interval_ps``. At constant pressure the box is scaled by Monte Carlo moves (Aqvist et al., Chem. Phys. Lett. 384, 288
(2004)). Forces on constrained atoms do not hold the constraint forces: map such atoms as whole rigid groups.

On one CPU thread a run that was killed and started again gives the frames of an uninterrupted one bit for bit: it goes on from
the last checkpoint, and every run also reloads each checkpoint that it writes.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
from openmm import unit

from workbench import store, units
from workbench.recorder import Recorder
from workbench.settings import field, settings
from workbench.trajectory_files import read as read
from workbench.types import State, System, Trajectory

BAROSTAT_EVERY = 25
"""Steps between two trial moves of the box."""
SMALL = 60
"""Up to so many atoms without a box OpenMM's Reference platform is the fastest on a CPU (22 atoms in vacuum: 70 times)."""


@settings
class Settings:
    """Length, accuracy and device of the sampling."""

    n_frames: int = field(10_000, "Number of frames that are kept.", bounds=(1, None))
    interval_ps: float = field(1.0, "Time between two kept frames.", unit="ps", bounds=(1e-4, None))
    timestep_fs: float = field(
        1.0, "Integration time step; at most 1 fs where bonds to hydrogen are flexible.", unit="fs", bounds=(0.01, 5.0)
    )
    temperature: float = field(300.0, "Temperature.", unit="K", bounds=(1.0, 5000.0))
    pressure: float | None = field(None, "Pressure of a liquid; None: constant volume.", unit="bar", bounds=(-1e5, 1e6))
    friction_per_ps: float = field(1.0, "Friction of the Langevin thermostat.", unit="1/ps", bounds=(1e-3, 1000.0))
    equilibration_ps: float = field(20.0, "Time before the first frame, after minimisation.", unit="ps", bounds=(0.0, None))
    seed: int = field(0, "Seed of velocities and random forces.", bounds=(0, 2**31 - 2))
    velocities: bool = field(False, "Keep velocities.")
    device: str = field("cpu", "Where to run.", choices=("cpu", "cuda"))
    platform: str = field(
        "auto", "OpenMM platform on the CPU; 'auto' takes the faster for the system.", choices=("auto", "Reference", "CPU")
    )
    n_threads: int = field(1, "CPU threads; with more than one a run cannot be repeated bit for bit.", bounds=(1, 1024))
    checkpoint_every: int = field(500, "Frames between two checkpoints.", bounds=(1, None))


def sample(system: System, settings: Settings, *, on_step: Callable[[int, dict], Any] | None = None, checkpoint: Any = None) -> Trajectory:
    """Frames of ``system`` with positions, forces, energies and times: arrays (F, N, 3) in float32, read from the folder ``checkpoint``.

    ``on_step(frame, metrics)`` is called after every kept frame (and with frame 0 during equilibration); metrics are total,
    time [ps], energy [kJ/mol] and temperature [K]. With ``checkpoint`` the run is resumable and its result is loaded, not made
    again, the next time.

    Raises ``ValueError`` for a GPU that is not there, a folder of another run or a simulation that became unstable;
    ``store.Damaged`` for a damaged folder; ``store.DiskFull`` where there is no room for all frames.
    """
    identity = store.identity("reference.sample", system, settings)
    new = checkpoint is None or not (pathlib.Path(checkpoint) / "manifest.json").exists()
    context = _context(system, settings) if new else None  # before the folder is made: a missing GPU leaves no trace
    recorder = _recorder(system, settings, identity, checkpoint)
    saved = None if checkpoint is None else store.read_checkpoint(pathlib.Path(checkpoint) / "checkpoint.bin", identity)
    if recorder.complete:
        return recorder.trajectory()
    context = context or _context(system, settings)
    per_frame = _steps(settings.interval_ps, settings.timestep_fs)
    warming = -(-_steps(settings.equilibration_ps, settings.timestep_fs, least=0) // per_frame)
    masses = np.array(system.masses)
    freedom = 3 * np.count_nonzero(masses) - len(system.constraints) - 3 * _keeps_centre(context)
    if saved is None:
        recorder.rewind(0)
        interval = 0
        _begin(context, system, settings)
    else:
        recorder.rewind(saved[1]["n_frames"])
        interval = saved[1]["interval"]
        _restore(context, saved[0]["context"].tobytes(), interval, settings, checkpoint)
    while not recorder.complete:
        _advance(context, per_frame, interval - warming + 1, settings)
        interval += 1
        frame = interval - warming
        state = context.getState(getPositions=True, getForces=True, getVelocities=settings.velocities, getEnergy=True)
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        if not np.isfinite(energy + kinetic):
            raise _unstable(frame, settings)
        if frame > 0:
            recorder.append(**_arrays(state, system, settings, frame * per_frame * settings.timestep_fs * units.FEMTOSECOND, energy))
        if frame % settings.checkpoint_every == 0 or recorder.complete:
            _save(context, recorder, interval, settings, identity, checkpoint)
        if on_step is not None:
            time = interval * per_frame * settings.timestep_fs * units.FEMTOSECOND
            temperature = 2 * kinetic / (freedom * units.BOLTZMANN)
            on_step(max(frame, 0), {"total": settings.n_frames, "time": time, "energy": energy, "temperature": temperature})
    return recorder.trajectory()


def _recorder(system: System, settings: Settings, identity: str, folder: Any) -> Recorder:
    n = system.n_atoms
    shapes: dict[str, tuple] = {"positions": (n, 3), "forces": (n, 3), "time": (), "energy": ()}
    if settings.velocities:
        shapes["velocities"] = (n, 3)
    if system.box is not None:
        shapes["box"] = (3,)
    dtypes = {"time": np.float64, "energy": np.float64, "box": np.float64}
    states = (State(temperature=settings.temperature, pressure=settings.pressure),)
    return Recorder(folder, identity, settings.n_frames, shapes, dtypes, states, (identity,), system)


def _context(system: System, settings: Settings) -> openmm.Context:
    """The simulation. Raises ``ValueError`` where the device is missing."""
    integrator = openmm.LangevinMiddleIntegrator(settings.temperature, settings.friction_per_ps, settings.timestep_fs * units.FEMTOSECOND)
    integrator.setRandomNumberSeed(settings.seed + 1)  # 0 would mean a seed of OpenMM's own choice
    integrator.setConstraintTolerance(1e-6)
    name, properties = "Reference", {}
    if settings.device == "cuda":
        name, properties = "CUDA", {"Precision": "mixed", "DeterministicForces": "true"}
    elif settings.platform == "CPU" or (settings.platform == "auto" and (system.n_atoms > SMALL or system.box is not None)):
        name, properties = "CPU", {"Threads": str(settings.n_threads), "DeterministicForces": "true"}
    physics = openmm.XmlSerializer.deserialize(system.parameters())
    if settings.pressure is not None:
        if system.box is None:
            raise ValueError(f"reference.Settings.pressure = {settings.pressure} bar: '{system.name}' has no box; leave the pressure out.")
        barostat = openmm.MonteCarloBarostat(settings.pressure * unit.bar, settings.temperature, BAROSTAT_EVERY)
        barostat.setRandomNumberSeed(settings.seed + 1)
        physics.addForce(barostat)
    try:
        return openmm.Context(physics, integrator, openmm.Platform.getPlatformByName(name), properties)
    except openmm.OpenMMException as error:
        if name != "CUDA":
            raise
        raise ValueError(
            "reference.Settings.device = 'cuda': OpenMM finds no usable NVIDIA GPU here: choose device='cpu', or install the extra 'cuda' "
            f"on a machine that has one ({error})."
        ) from None


def _begin(context: openmm.Context, system: System, settings: Settings) -> None:
    context.setPositions(system.positions)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 300)
    context.setVelocitiesToTemperature(settings.temperature, settings.seed + 1)


def _advance(context: openmm.Context, n_steps: int, frame: int, settings: Settings) -> None:
    try:
        context.getIntegrator().step(n_steps)
    except openmm.OpenMMException as error:
        if "nan" in str(error).lower():
            raise _unstable(frame, settings) from None
        raise


def _unstable(frame: int, settings: Settings) -> ValueError:
    where = f"before frame {frame}" if frame > 0 else "during equilibration"
    return ValueError(
        f"reference.sample became unstable {where} (positions or energies are no longer numbers): "
        f"choose a timestep_fs below {settings.timestep_fs} or check the force field and the starting configuration."
    )


def _arrays(state: openmm.State, system: System, settings: Settings, time: float, energy: float) -> dict[str, np.ndarray]:
    """One frame, as the recorder takes it."""
    arrays = {
        "positions": state.getPositions(asNumpy=True)._value[None],
        "forces": state.getForces(asNumpy=True)._value[None],
        "time": np.array([time]),
        "energy": np.array([energy]),
    }
    if settings.velocities:
        arrays["velocities"] = state.getVelocities(asNumpy=True)._value[None]
    if system.box is not None:
        arrays["box"] = np.diag(state.getPeriodicBoxVectors(asNumpy=True)._value)[None]
    return arrays


def _save(context: openmm.Context, recorder: Recorder, interval: int, settings: Settings, identity: str, folder: Any) -> None:
    """Make the frames durable, then the state they lead to, and go on from that state as a resumed run would."""
    recorder.commit()
    text = context.createCheckpoint()
    if folder is not None:
        meta = {"identity": identity, "n_frames": recorder.done, "interval": interval}
        store.write_checkpoint(pathlib.Path(folder) / "checkpoint.bin", {"context": np.frombuffer(text, np.uint8)}, meta)
    _go_on_from(context, text, interval, settings)


def _go_on_from(context: openmm.Context, text: bytes, interval: int, settings: Settings) -> None:
    """Load a checkpoint into a context as a new process would make it: a checkpoint holds neither the neighbour list nor the
    barostat's random numbers, which therefore start anew from a seed of the interval."""
    barostats = [force for force in context.getSystem().getForces() if isinstance(force, openmm.MonteCarloBarostat)]
    for barostat in barostats:
        barostat.setRandomNumberSeed((settings.seed + 1 + interval) % (2**31 - 1) or 1)
    if barostats or context.getPlatform().getName() == "CPU":
        context.reinitialize()
    context.loadCheckpoint(text)


def _restore(context: openmm.Context, text: bytes, interval: int, settings: Settings, folder: Any) -> None:
    try:
        _go_on_from(context, text, interval, settings)
    except openmm.OpenMMException as error:
        raise ValueError(
            f"the checkpoint in {folder} was written by another version or platform of OpenMM ({error}): delete the folder to start anew."
        ) from None


def _keeps_centre(context: openmm.Context) -> bool:
    """Whether the motion of the centre of mass is removed."""
    return any(isinstance(force, openmm.CMMotionRemover) for force in context.getSystem().getForces())


def _steps(time_ps: float, timestep_fs: float, least: int = 1) -> int:
    """Number of time steps nearest to ``time_ps``."""
    return max(least, round(time_ps / (timestep_fs * units.FEMTOSECOND)))
