"""All-atom reference: sampling with forces by OpenMM at constant volume or pressure, in one state or a grid of them, resumable.

Langevin dynamics in the middle discretisation, Zhang et al., J. Phys. Chem. A 123, 6056 (2019): the configurations are
canonical to high accuracy at time steps where the velocities are not. The run minimises, equilibrates, then keeps a frame
every ``interval_ps``. At constant pressure the box is scaled by Monte Carlo moves (Aqvist et al., Chem. Phys. Lett. 384, 288
(2004)). Forces on constrained atoms do not hold the constraint forces: map such atoms as whole rigid groups.

On one CPU thread a run that was killed and started again gives the frames of an uninterrupted one bit for bit: it goes on from
the last checkpoint, and every run also reloads each checkpoint that it writes.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openmm
from openmm import unit

from workbench import store, units
from workbench.recorder import Recorder
from workbench.reference import _joined, _simulation, _virial
from workbench.settings import field, settings
from workbench.trajectory_files import read as read
from workbench.types import State, System, Trajectory


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
    virial: bool = field(False, "Keep the virial of a liquid, six more energies a frame; its mean gives the pressure.")
    device: str = field("cpu", "Where to run.", choices=("cpu", "cuda"))
    platform: str = field(
        "auto", "OpenMM platform on the CPU; 'auto' takes the faster for the system.", choices=("auto", "Reference", "CPU")
    )
    n_threads: int = field(1, "CPU threads; with more than one a run cannot be repeated bit for bit.", bounds=(1, 1024))
    checkpoint_every: int = field(500, "Frames between two checkpoints.", bounds=(1, None))


def sample(system: System, settings: Settings, *, on_step: Callable[[int, dict], Any] | None = None, checkpoint: Any = None) -> Trajectory:
    """Frames of ``system`` with positions, forces, energies and times: arrays (F, N, 3) in float32, read from the folder ``checkpoint``.

    ``on_step(frame, metrics)`` is called after every kept frame (and with frame 0 during equilibration); metrics are total,
    time [ps], energy [kJ/mol], temperature [K] and, in a box, density [g/cm^3]. With ``checkpoint`` the run is resumable and its
    result is loaded, not made again, the next time.

    Raises ``ValueError`` for a GPU that is not there, a pressure or virial without a box, a folder of another run or a simulation
    that became unstable; ``store.Damaged`` for a damaged folder; ``store.DiskFull`` where there is no room for all frames.
    """
    identity = store.identity("reference.sample", system, settings)
    new = checkpoint is None or not (pathlib.Path(checkpoint) / "manifest.json").exists()
    contexts = _contexts(system, settings) if new else None  # before the folder is made: a missing GPU leaves no trace
    recorder = _recorder(system, settings, identity, checkpoint)
    saved = None if checkpoint is None else store.read_checkpoint(pathlib.Path(checkpoint) / "checkpoint.bin", identity)
    if recorder.complete:
        return recorder.trajectory()
    context, strained = contexts or _contexts(system, settings)
    per_frame = _steps(settings.interval_ps, settings.timestep_fs)
    apart = per_frame * settings.timestep_fs * units.FEMTOSECOND  # ps between two frames
    warming = -(-_steps(settings.equilibration_ps, settings.timestep_fs, least=0) // per_frame)
    freedom = 3 * np.count_nonzero(system.masses) - len(system.constraints) - 3 * _simulation.keeps_centre(context)
    if saved is None:
        recorder.rewind(0)
        interval = 0
        _simulation.begin(context, system, settings)
    else:
        recorder.rewind(saved[1]["n_frames"])
        interval = saved[1]["interval"]
        _simulation.restore(context, saved[0]["context"].tobytes(), interval, settings, checkpoint)
    while not recorder.complete:
        _simulation.advance(context, per_frame, interval - warming + 1, settings)
        interval += 1
        frame = interval - warming
        state = context.getState(getPositions=True, getForces=True, getVelocities=settings.velocities, getEnergy=True)
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        if not np.isfinite(energy + kinetic):
            raise _simulation.unstable(frame, settings)
        box = None if system.box is None else np.diag(state.getPeriodicBoxVectors(asNumpy=True)._value)
        if frame > 0:
            arrays = _arrays(state, settings, frame * apart, energy, box)
            if strained is not None:
                arrays["virial"] = _virial.molecular(strained, system, arrays["positions"][0], box, settings.temperature)[None]
            recorder.append(**arrays)
        if frame % settings.checkpoint_every == 0 or recorder.complete:
            _save(context, strained, recorder, interval, settings, identity, checkpoint)
        if on_step is not None:
            metrics = {"total": settings.n_frames, "time": interval * apart, "energy": energy}
            metrics["temperature"] = 2 * kinetic / (freedom * units.BOLTZMANN)
            if box is not None:
                metrics["density"] = float(system.masses.sum() / box.prod() / units.GRAM_PER_CM3)
            on_step(max(frame, 0), metrics)
    return recorder.trajectory()


def sample_states(
    system: System,
    states: Sequence[State],
    settings: Settings,
    *,
    on_step: Callable[[int, dict], Any] | None = None,
    checkpoint: Any = None,
) -> Trajectory:
    """Frames of every one of ``states`` in turn, as one trajectory with ``states`` and ``state`` (F,), F = len(states) n_frames.

    Each state is sampled by ``settings`` with its own temperature and pressure and the seed plus its index. ``on_step(step, metrics)``
    counts over all states; to the metrics of :func:`sample` comes state, its index, and total is that of all. With ``checkpoint`` every
    state has a folder, ``state-<i>``, where it is resumed or found again, and ``joined`` holds the result: asked with one more
    state, only that one is sampled.

    Raises ``ValueError`` for no states, one that comes twice, and as :func:`sample`.
    """
    states = tuple(states)
    runs = tuple(_in_state(settings, states, index) for index in range(len(states)))
    if not runs:
        raise ValueError("reference.sample_states: there are no states: give at least one types.State.")
    for run in runs:
        _simulation.check(system, run)
    identity = store.identity("reference.sample_states", system, runs)
    folder = None if checkpoint is None else pathlib.Path(checkpoint)
    joined = None if folder is None else folder / "joined"
    done = _joined.finished(joined, identity, len(runs) * settings.n_frames)
    if done is not None:
        return done
    parts = (
        sample(system, run, on_step=_within(on_step, i, len(runs)), checkpoint=None if folder is None else folder / f"state-{i}")
        for i, run in enumerate(runs)
    )
    if folder is not None:
        parts = list(parts)  # memory maps; nothing is joined before every state is there
    return _joined.join(parts, states, identity, len(runs) * settings.n_frames, joined)


def _in_state(settings: Settings, states: tuple[State, ...], index: int) -> Settings:
    """``settings`` for one state of the grid."""
    state = states[index]
    if not isinstance(state, State):
        raise ValueError(f"reference.sample_states: states[{index}] = {state!r}: give types.State(temperature=..., pressure=...).")
    for before in range(index):
        if (states[before].temperature, states[before].pressure) == (state.temperature, state.pressure):
            raise ValueError(f"reference.sample_states: states {before} and {index} are the same, {_label(state)}: leave one out.")
    return dataclasses.replace(settings, temperature=state.temperature, pressure=state.pressure, seed=settings.seed + index)


def _label(state: State) -> str:
    return f"{state.temperature:g} K at " + ("constant volume" if state.pressure is None else f"{state.pressure:g} bar")


def _within(on_step: Callable[[int, dict], Any] | None, index: int, n_states: int) -> Callable[[int, dict], Any] | None:
    """The ``on_step`` of one state of the grid."""
    if on_step is None:
        return None

    def step(frame: int, metrics: dict) -> None:
        on_step(index * metrics["total"] + frame, {**metrics, "total": n_states * metrics["total"], "state": index})

    return step


def _contexts(system: System, settings: Settings) -> tuple[openmm.Context, openmm.Context | None]:
    """The simulation and, where a virial is kept, the one whose box is strained, so that the trajectory is not touched."""
    context = _simulation.context(system, settings)
    if not settings.virial:
        return context, None
    strained = _simulation.context(system, settings, barostat=False)
    _virial.molecular(strained, system, system.positions, system.box, settings.temperature)  # refuses now what it would refuse later
    strained.reinitialize()
    return context, strained


def _recorder(system: System, settings: Settings, identity: str, folder: Any) -> Recorder:
    n = system.n_atoms
    shapes: dict[str, tuple] = {"positions": (n, 3), "forces": (n, 3), "time": (), "energy": ()}
    if settings.velocities:
        shapes["velocities"] = (n, 3)
    if settings.virial:
        shapes["virial"] = (3, 3)
    if system.box is not None:
        shapes["box"] = (3,)
    dtypes = dict.fromkeys(("time", "energy", "box", "virial"), np.float64)
    states = (State(temperature=settings.temperature, pressure=settings.pressure),)
    return Recorder(folder, identity, settings.n_frames, shapes, dtypes, states, (identity,), system)


def _arrays(state: openmm.State, settings: Settings, time: float, energy: float, box: np.ndarray | None) -> dict[str, np.ndarray]:
    """One frame, as the recorder takes it."""
    arrays = {
        "positions": state.getPositions(asNumpy=True)._value[None],
        "forces": state.getForces(asNumpy=True)._value[None],
        "time": np.array([time]),
        "energy": np.array([energy]),
    }
    if settings.velocities:
        arrays["velocities"] = state.getVelocities(asNumpy=True)._value[None]
    if box is not None:
        arrays["box"] = box[None]
    return arrays


def _save(
    context: openmm.Context,
    strained: openmm.Context | None,
    recorder: Recorder,
    interval: int,
    settings: Settings,
    identity: str,
    folder: Any,
) -> None:
    """Make the frames durable, then the state they lead to, and go on from that state as a resumed run would."""
    recorder.commit()
    text = context.createCheckpoint()
    if folder is not None:
        meta = {"identity": identity, "n_frames": recorder.done, "interval": interval}
        store.write_checkpoint(pathlib.Path(folder) / "checkpoint.bin", {"context": np.frombuffer(text, np.uint8)}, meta)
    _simulation.go_on_from(context, text, interval, settings)
    if strained is not None:
        strained.reinitialize()


def _steps(time_ps: float, timestep_fs: float, least: int = 1) -> int:
    """Number of time steps nearest to ``time_ps``."""
    return max(least, round(time_ps / (timestep_fs * units.FEMTOSECOND)))
