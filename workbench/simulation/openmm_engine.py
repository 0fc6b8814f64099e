"""One system in OpenMM: native forces where they are the fastest, ``openmm.PythonForce`` for the rest; Langevin (middle) dynamics.

Source: Zhang et al., J. Phys. Chem. A 123, 6056 (2019) for the integrator; it samples the same distribution as ``replicas``.
"""

import math
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
import torch
from openmm import unit

from workbench import store, units
from workbench.neighbors import VerletList
from workbench.potentials._base import Potential, Sum, evaluate
from workbench.recorder import Recorder
from workbench.settings import field, settings
from workbench.simulation import _loop
from workbench.simulation._guard import Guard, Unstable
from workbench.types import Start, State, Trajectory


@settings
class Settings:
    """Length, thermostat, guard and platform."""

    n_steps: int = field(100_000, "Integration steps.", bounds=(1, None))
    save_every: int = field(100, "Steps between saved frames.", bounds=(1, None))
    timestep_fs: float = field(2.0, "Time step.", unit="fs", bounds=(1e-6, 1000.0))
    temperature: float = field(300.0, "Temperature.", unit="K", bounds=(1e-6, None))
    friction: float = field(5.0, "Friction constant.", unit="1/ps", bounds=(1e-6, None))
    seed: int = field(1, "Seed of velocities and noise.", bounds=(1, 2**31 - 1))
    save_velocities: bool = field(False, "Keep velocities as well.")
    guard: bool = field(True, "Stop when bonds or temperature leave their range; NaN stops in any case.")
    bond_range: tuple = field((0.5, 2.0), "Shortest and longest bond, relative to the start.", bounds=(0.0, None))
    max_temperature: float = field(3.0, "Hottest moment, relative to the temperature, beyond its natural fluctuation.", bounds=(1.0, None))
    virial: bool = field(False, "Keep the virial of saved frames in a box; its mean gives the pressure.")
    skin: float = field(0.1, "Extra range of the neighbour list, where a force is not OpenMM's own.", unit="nm", bounds=(0.0, None))
    platform: str = field("Reference", "OpenMM platform.", choices=("Reference", "CPU", "CUDA"))
    n_threads: int = field(1, "CPU threads of platform and network; one makes a run repeatable bit for bit.", bounds=(1, 1024))
    checkpoint_every: int = field(100, "Saved frames between checkpoints.", bounds=(1, None))


def run(
    potential: Potential,
    start: Start,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Trajectory:
    """Simulate the one replica of ``start``; see ``replicas.run`` for ``on_step``, ``checkpoint`` and errors."""
    if len(start.positions) != 1:
        raise ValueError(
            f"openmm_engine runs one replica, not {len(start.positions)}: give a start of one frame, or use simulation.replicas."
        )
    if start.states is not None:
        raise ValueError("openmm_engine runs at the temperature of its settings: leave Start.states out, or use simulation.replicas.")
    if settings.virial and start.box is None:
        raise ValueError("openmm_engine.Settings.virial = True: a start without a box has no pressure; leave the virial out.")
    return _loop.run("simulation.openmm_engine.run", _Engine, potential, start, settings, on_step, checkpoint)


def system(potential: Potential, start: Start) -> openmm.System:
    """The OpenMM system of a potential for the beads of ``start``, native wherever it can be; energies equal those of ``potential``."""
    return _system(potential.bind(start.beads), start, None, 0.1)[0]


def _system(potential: Potential, start: Start, platform: str | None, skin: float) -> tuple[openmm.System, VerletList | None]:
    """The system of a bound potential for ``platform`` (None: native wherever it can be), and the neighbour list that goes with it."""
    made, periodic = openmm.System(), start.box is not None
    for mass in start.beads.masses:
        made.addParticle(float(mass))
    if periodic:
        made.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in np.diag(start.box[0])))
    plain = isinstance(potential, Sum) and all(w == 1.0 for w in potential.weights)
    rest = []
    for part in potential.parts if plain else [potential]:
        native = part.to_openmm(start.beads, periodic) if platform is None or platform in part.native_on else None
        for force in native or []:
            made.addForce(force)
        rest += [] if native is not None else [part]
    if not rest:
        return made, None
    own = rest[0] if len(rest) == 1 else Sum(rest)
    verlet = None if own.cutoff is None else VerletList(own.cutoff, skin, torch.tensor(start.beads.exclusions))
    force = openmm.PythonForce(_callback(own, verlet, periodic))
    force.setUsesPeriodicBoundaryConditions(periodic)
    made.addForce(force)
    return made, verlet


def _callback(potential: Potential, verlet: VerletList | None, periodic: bool) -> Callable:
    """Energy [kJ/mol] and forces [kJ/mol/nm] of an ``openmm.State``."""

    def compute(state: openmm.State) -> tuple[float, np.ndarray]:
        positions = torch.from_numpy(state.getPositions(asNumpy=True)._value)[None]
        box = None
        if periodic:
            box = torch.from_numpy(np.diag(state.getPeriodicBoxVectors(asNumpy=True)._value).copy())[None]
        result = evaluate(potential, positions, box, None if verlet is None else verlet.update(positions, box))
        return float(result.energy), result.forces[0].double().numpy()

    return compute


class _Engine:
    """An OpenMM context, its guard and its recorder."""

    def __init__(self, potential: Potential, start: Start, settings: Settings, identity: str, parents: tuple, checkpoint: Any):
        self.settings, self.identity, self.step = settings, identity, 0
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.integrator = openmm.LangevinMiddleIntegrator(settings.temperature, settings.friction, settings.timestep_fs * units.FEMTOSECOND)
        self.integrator.setRandomNumberSeed(settings.seed)
        properties = {"Threads": str(settings.n_threads)} if settings.platform == "CPU" else {}
        self.potential = potential.bind(start.beads)
        made, self.verlet = _system(self.potential, start, settings.platform, settings.skin)
        try:
            platform = openmm.Platform.getPlatformByName(settings.platform)
            self.context = openmm.Context(made, self.integrator, platform, properties)
        except openmm.OpenMMException as error:
            raise ValueError(
                f"OpenMM cannot run on its {settings.platform} platform here ({error}): choose platform='CPU' or 'Reference'."
            ) from None
        self.context.setPositions(start.positions[0])
        if start.velocities is None:
            self.context.setVelocitiesToTemperature(settings.temperature, settings.seed)
        else:
            self.context.setVelocities(start.velocities[0])
        self.periodic = start.box is not None
        box = torch.tensor(start.box) if self.periodic else None
        self.guard = Guard(
            start.beads,
            torch.tensor(start.positions),
            box,
            torch.tensor([settings.temperature]),
            settings.bond_range,
            settings.max_temperature,
        )
        self.masses = np.asarray(start.beads.masses)[:, None]
        shape = (start.beads.n_beads, 3)
        shapes = {"positions": shape, "energy": (), "time": ()}
        shapes |= {"velocities": shape} if settings.save_velocities else {}
        shapes |= {"box": (3,)} if self.periodic else {}
        shapes |= {"virial": (3, 3)} if settings.virial else {}
        dtypes = dict.fromkeys(("energy", "time", "box", "virial"), np.float64)
        n_frames = math.ceil(settings.n_steps / settings.save_every)
        self.recorder = Recorder(checkpoint, identity, n_frames, shapes, dtypes, (State(temperature=settings.temperature),), parents)

    def advance(self) -> dict:
        """Steps up to the next saved frame; its metrics."""
        s = self.settings
        stop = min(s.n_steps, (self.step // s.save_every + 1) * s.save_every)
        began, first = time.perf_counter(), self.step
        try:
            frame, energy, velocities = self._step_to(stop)
        except Unstable as stopped:
            stopped.trajectory = self.recorder.trajectory() if self.recorder.done else None
            raise
        self.recorder.append(**frame)
        if self.recorder.done % s.checkpoint_every == 0 or self.step == s.n_steps:
            self._save()
        temperature = float((self.masses * velocities**2).sum()) / (velocities.size * units.BOLTZMANN)
        rate = (self.step - first) / (time.perf_counter() - began)
        return {"total": s.n_steps, "temperature": temperature, "energy": energy, "steps_per_second": rate}

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is None:
            if self.path is not None:
                self.recorder.rewind(0)
            return
        arrays, meta = found
        self.context.loadCheckpoint(arrays["context"].tobytes())
        self.step = meta["step"]
        self.recorder.rewind(meta["n_frames"])

    def _step_to(self, stop: int) -> tuple[dict, float, np.ndarray]:
        try:
            self.integrator.step(stop - self.step)
        except openmm.OpenMMException as error:
            raise Unstable(
                f"stopped between steps {self.step} and {stop}: OpenMM says {error}; shorten the time step or improve the model."
            ) from None
        self.step = stop
        state = self.context.getState(positions=True, velocities=True, energy=True)
        x = state.getPositions(asNumpy=True)._value
        v = state.getVelocities(asNumpy=True)._value
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        lengths = np.diag(state.getPeriodicBoxVectors(asNumpy=True)._value)
        box = torch.tensor(lengths[None].copy()) if self.periodic else None
        tensors = torch.from_numpy(x)[None], torch.from_numpy(v)[None], torch.tensor([energy])
        if self.settings.guard:
            self.guard.check(self.step, *tensors, box)
        else:
            self.guard.check_finite(self.step, tensors[0], tensors[2])
        centred = x if self.periodic else x - x.mean(0)
        frame = {"positions": centred[None], "energy": [energy], "time": [self.step * self.settings.timestep_fs * units.FEMTOSECOND]}
        frame |= {"velocities": v[None]} if self.settings.save_velocities else {}
        frame |= {"box": lengths[None]} if self.periodic else {}
        frame |= {"virial": evaluate(self.potential, tensors[0], box, virial=True).virial.numpy()} if self.settings.virial else {}
        return frame, energy, v

    def _save(self) -> None:
        """A checkpoint, read back at once: the CPU platform goes on bit for bit only from a checkpoint that it has loaded."""
        if self.verlet is not None:
            self.verlet.forget()  # a list that a new process would build, with a checkpoint or without
        if self.path is None:
            return
        self.recorder.commit()
        data = self.context.createCheckpoint()
        meta = {"identity": self.identity, "step": self.step, "n_frames": self.recorder.done}
        store.write_checkpoint(self.path, {"context": np.frombuffer(data, np.uint8)}, meta)
        if self.settings.platform == "CPU":
            self.context.reinitialize()  # the neighbour list, too, must be one that a new process would build
        self.context.loadCheckpoint(data)
