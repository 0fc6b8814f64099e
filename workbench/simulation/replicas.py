"""Many copies of a system in one batch: Langevin dynamics, inertial (BAOAB) or overdamped, or none (Verlet).

BAOAB (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34) in its leap-frog form: B A O A with full kicks, which visits the
same positions and whose velocities are Maxwell-distributed (Zhang et al., J. Phys. Chem. A 123, 6056 (2019)).
Overdamped: x <- x + D dt F / kBT + sqrt(2 D dt) (xi_n + xi_n+1) / 2, D = kBT / (m gamma) (Leimkuhler and Matthews, ibid., eq. 1.7).
Both sample a harmonic well's variance exactly at any stable time step. Velocity Verlet (Swope et al., J. Chem. Phys. 76, 637 (1982))
has no thermostat: it keeps the energy, and the temperature is that of the velocities at the start. BAOAB also runs at constant
pressure (``_barostat``). Every replica may have a temperature and a pressure of its own (``Start.states``).
"""

import math
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench import device, store, units
from workbench.neighbors import VerletList
from workbench.potentials._base import Evaluation, Potential, evaluate
from workbench.recorder import Recorder
from workbench.settings import field, settings
from workbench.simulation import _loop
from workbench.simulation._barostat import Barostat
from workbench.simulation._cuda_graph import Captured
from workbench.simulation._guard import Guard, Unstable
from workbench.simulation._retirement import Retirement
from workbench.types import Start, State, Trajectory


@settings
class Settings:
    """Length, integrator, thermostat and guard."""

    n_steps: int = field(100_000, "Integration steps of every replica.", bounds=(1, None))
    save_every: int = field(100, "Steps between saved frames.", bounds=(1, None))
    integrator: str = field(
        "baoab", "Langevin dynamics, inertial (baoab) or overdamped, or none at constant energy.", choices=("baoab", "overdamped", "verlet")
    )
    timestep_fs: float = field(2.0, "Time step.", unit="fs", bounds=(1e-6, 1000.0))
    temperature: float = field(300.0, "Temperature.", unit="K", bounds=(1e-6, None))
    pressure: float | None = field(None, "Pressure; none at constant volume.", unit="bar", bounds=(None, None))
    friction: float = field(5.0, "Friction constant of Langevin dynamics.", unit="1/ps", bounds=(1e-6, None))
    barostat_time: float = field(1.0, "Relaxation time of the pressure.", unit="ps", bounds=(1e-3, None))
    barostat_every: int = field(10, "Steps between scalings of the cell.", bounds=(1, None))
    compressibility: float = field(
        4.5e-5, "Compressibility, as far as known: it sets the barostat's pace.", unit="1/bar", bounds=(1e-9, None)
    )
    seed: int = field(0, "Seed of velocities and noise.", bounds=(0, None))
    save_velocities: bool = field(False, "Keep velocities as well.")
    virial: bool = field(False, "Keep the virial of saved frames in a box; its mean gives the pressure.")
    retire: bool = field(False, "A replica that leaves its range is retired and the others go on; else the run stops.")
    guard: bool = field(True, "Stop when bonds or temperature leave their range; NaN stops in any case.")
    bond_range: tuple = field((0.5, 2.0), "Shortest and longest bond, relative to the start.", bounds=(0.0, None))
    max_temperature: float = field(3.0, "Hottest replica, relative to the temperature, beyond its natural fluctuation.", bounds=(1.0, None))
    skin: float = field(0.1, "Extra range of the neighbour list.", unit="nm", bounds=(0.0, None))
    precision: str = field("single", "Floating-point precision of positions and forces.", choices=("single", "double"))
    device: str = field("cpu", "Where to compute.", choices=("cpu", "cuda"))
    n_threads: int = field(1, "CPU threads; one makes a run repeatable bit for bit. 0: as many as torch takes.", bounds=(0, 1024))
    checkpoint_every: int = field(20, "Saved frames between checkpoints.", bounds=(1, None))


def run(
    potential: Potential,
    start: Start,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Trajectory:
    """Simulate the K replicas of ``start``; frames are ordered by time, then replica (``trajectory.replica`` tells).

    ``on_step(step, metrics)`` comes at every saved frame with the mean kinetic ``temperature`` [K], the mean ``energy`` [kJ/mol] and
    ``steps_per_second``; with ``retire`` also ``retired``, a sentence for every replica whose frames have ended. ``checkpoint`` is a
    folder that a run writes to and goes on from. Raises ``Unstable`` where the guard stops it, or no replica is left.
    """
    if settings.virial and start.box is None:
        raise ValueError("replicas.Settings.virial = True: a start without a box has no pressure; leave the virial out.")
    pressures = [state.pressure for state in _states(start, settings) if state.pressure is not None]
    if pressures and (start.box is None or settings.integrator != "baoab" or potential.cutoff is None):
        raise ValueError("replicas: constant pressure needs a box, a potential between its beads and the integrator baoab.")
    if pressures and len(pressures) < len(start.positions):
        raise ValueError("replicas: either all replicas have a pressure or none has.")
    return _loop.run("simulation.replicas.run", _Engine, potential, start, settings, on_step, checkpoint)


def _states(start: Start, settings: Settings) -> tuple[State, ...]:
    """The state of every replica."""
    same = State(temperature=settings.temperature, pressure=settings.pressure)
    return (same,) * len(start.positions) if start.states is None else start.states


class _Engine:
    """State of the batch; everything that changes lies in a checkpoint."""

    def __init__(self, potential: Potential, start: Start, settings: Settings, identity: str, parents: tuple, checkpoint: Any):
        where = device.checked(settings.device)
        dtype = torch.float32 if settings.precision == "single" else torch.float64
        self.settings, self.identity, self.step = settings, identity, 0
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.potential = potential.bind(start.beads).to(where)
        self.x = torch.tensor(start.positions, dtype=dtype, device=where)  # (K, B, 3)
        self.box = None if start.box is None else torch.tensor(start.box, dtype=dtype, device=where)
        mass = torch.tensor(start.beads.masses, dtype=dtype, device=where)[:, None]
        self.generator = torch.Generator(where).manual_seed(settings.seed)
        states = _states(start, settings)
        temperature = torch.tensor([state.temperature for state in states], dtype=dtype, device=where)
        dt, kT = settings.timestep_fs * units.FEMTOSECOND, (units.BOLTZMANN * temperature)[:, None, None]
        thermal = (kT / mass).sqrt()  # (K, B, 1)
        self.v = self._noise() * thermal if start.velocities is None else torch.tensor(start.velocities, dtype=dtype, device=where)
        self.noise = self._noise()
        self.mass, self.kT, self.dt = mass, kT, dt
        damping = math.exp(-settings.friction * dt)
        self.kick, self.damping, self.shake = dt / mass, damping, thermal * math.sqrt(1 - damping**2)
        self.drift, self.half_jump = dt / (mass * settings.friction), 0.5 * (2 * kT * dt / (mass * settings.friction)).sqrt()
        self.verlet = None
        if self.potential.cutoff is not None:
            excluded = torch.tensor(start.beads.exclusions, device=where)
            self.verlet = VerletList(self.potential.cutoff, settings.skin, excluded)
        self.barostat = _barostat(states, kT.flatten(), settings)
        self.captured = None
        if where.type == "cuda" and self.potential.cutoff is None:
            self.captured = Captured(self.potential, self.x, self.box)
        self.guard = Guard(start.beads, self.x, self.box, temperature, settings.bond_range, settings.max_temperature)
        self.move = {"baoab": self._baoab, "overdamped": self._overdamped, "verlet": self._verlet}[settings.integrator]
        self.inertial = settings.integrator != "overdamped"
        n_records = math.ceil(settings.n_steps / settings.save_every)
        shape = (start.beads.n_beads, 3)
        shapes = {"positions": shape, "energy": (), "time": (), "replica": ()}
        shapes |= {"velocities": shape} if settings.save_velocities else {}
        shapes |= {"box": (3,)} if start.box is not None else {}
        shapes |= {"virial": (3, 3)} if settings.virial else {}
        kinds = {(state.temperature, state.pressure): state for state in states}
        self.states = tuple(kinds.values())
        self.state = np.array([list(kinds).index((state.temperature, state.pressure)) for state in states])
        shapes |= {"state": ()} if len(self.states) > 1 else {}
        dtypes = {"replica": np.int64, "state": np.int64} | dict.fromkeys(("energy", "time", "box", "virial"), np.float64)
        self.recorder = Recorder(checkpoint, identity, n_records * len(self.x), shapes, dtypes, self.states, parents)
        self.now = self._evaluate()
        self.retirement = Retirement(self.x, self.box, self.now.energy, self.potential.cutoff) if settings.retire else None

    def advance(self) -> dict:
        """Steps up to the next saved frame; its metrics."""
        s = self.settings
        began, first = time.perf_counter(), self.step
        stop = min(s.n_steps, (self.step // s.save_every + 1) * s.save_every)
        try:
            while self.step < stop:
                self.move()
                self.step += 1
                if s.retire and self._retire(self.retirement.far(self.now.energy)):
                    self.now = self._evaluate()
            if s.retire:
                faults = self.guard.faults(self.x, self.v if self.inertial else None, self.now.energy, self.box) if s.guard else {}
                if self._retire(faults):
                    self.now = self._evaluate()
            elif s.guard:
                self.guard.check(self.step, self.x, self.v if self.inertial else None, self.now.energy, self.box)
            else:
                self.guard.check_finite(self.step, self.x, self.now.energy)
        except Unstable as stopped:
            stopped.trajectory = self.recorder.trajectory() if self.recorder.done else None
            raise
        self._record()
        seconds = time.perf_counter() - began
        kinetic = float((self.mass * self.v.double() ** 2).sum()) / (self.v.numel() * units.BOLTZMANN)
        metrics = {"total": s.n_steps, "energy": float(self.now.energy.double().mean()), "steps_per_second": (self.step - first) / seconds}
        metrics |= {"retired": dict(self.retirement.sentences)} if s.retire else {}
        return metrics | ({"temperature": kinetic} if self.inertial else {})

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is None:
            if self.path is not None:
                self.recorder.rewind(0)
            return
        arrays, meta = found
        where, dtype = self.x.device, self.x.dtype
        self.x, self.v, self.noise = (torch.from_numpy(arrays[n]).to(where, dtype) for n in ("x", "v", "noise"))
        self.box = torch.from_numpy(arrays["box"]).to(where, dtype) if self.box is not None else None
        self.generator.set_state(torch.from_numpy(arrays["generator"]))
        self.step = meta["step"]
        if self.retirement is not None:
            self.retirement.sentences = {int(replica): sentence for replica, sentence in meta["retired"].items()}
        self.recorder.rewind(meta["n_frames"])
        self.now = self._evaluate()

    def _baoab(self) -> None:
        self.v.addcmul_(self.now.forces, self.kick)
        self.x.add_(self.v, alpha=0.5 * self.dt)
        self.v.mul_(self.damping).addcmul_(self._noise(), self.shake)
        self.x.add_(self.v, alpha=0.5 * self.dt)
        due = self.barostat is not None and (self.step + 1) % self.settings.barostat_every == 0
        self.now = self._evaluate(virial=due)
        if due:
            self._scale()

    def _scale(self) -> None:
        """Scale every cell towards its pressure, with all that is in it."""
        kinetic = 0.5 * (self.mass * self.v**2).sum((1, 2))
        noise = torch.randn(len(self.x), generator=self.generator, dtype=self.x.dtype, device=self.x.device)
        stretch = self.barostat.stretch(self.box, kinetic, self.now.virial, noise)
        self.box = self.box * stretch[:, None]
        self.x.mul_(stretch[:, None, None])
        self.v.div_(stretch[:, None, None])
        if self.settings.retire:
            self._retire(self.retirement.out_of_cell(self.box))
        self.now = self._evaluate()

    def _retire(self, faults: dict[int, str]) -> bool:
        """End the frames of replicas; whether there were any."""
        if faults:
            self.box = self.retirement.retire(self.step, faults, self.x, self.v, self.box)
            if self.verlet is not None:
                self.verlet.forget()
        return bool(faults)

    def _overdamped(self) -> None:
        noise = self._noise()
        self.x.addcmul_(self.now.forces, self.drift).addcmul_(self.noise + noise, self.half_jump)
        self.noise = noise
        self.now = self._evaluate()

    def _verlet(self) -> None:
        self.v.addcmul_(self.now.forces, self.kick, value=0.5)
        self.x.add_(self.v, alpha=self.dt)
        self.now = self._evaluate()
        self.v.addcmul_(self.now.forces, self.kick, value=0.5)

    def _noise(self) -> Tensor:
        return torch.randn(self.x.shape, generator=self.generator, dtype=self.x.dtype, device=self.x.device)

    def _evaluate(self, virial: bool = False) -> Evaluation:
        if self.captured is not None and not virial:
            return self.captured(self.x)
        pairs = None if self.verlet is None else self.verlet.update(self.x, self.box)
        return evaluate(self.potential, self.x, self.box, pairs, virial=virial)

    def _record(self) -> None:
        """Save a frame of every replica (in vacuum centred, so that diffusion costs no precision) and, when due, a checkpoint."""
        if self.box is None:
            self.x -= self.x.mean(1, keepdim=True)
        k = len(self.x)
        frame = {
            "positions": self.x.cpu().numpy(),
            "energy": self.now.energy.cpu().numpy(),
            "time": np.full(k, self.step * self.dt),
            "replica": np.arange(k),
        }
        frame |= {"velocities": self.v.cpu().numpy()} if self.settings.save_velocities else {}
        frame |= {"box": self.box.cpu().numpy()} if self.box is not None else {}
        frame |= {"state": self.state} if len(self.states) > 1 else {}
        frame |= {"virial": self._evaluate(virial=True).virial.cpu().numpy()} if self.settings.virial else {}
        if self.retirement is not None:
            seen = self.retirement.seen().numpy()
            frame = {name: values[seen] for name, values in frame.items()}
        self.recorder.append(**frame)
        records = math.ceil(self.step / self.settings.save_every)
        if records % self.settings.checkpoint_every and self.step < self.settings.n_steps:
            return
        if self.path is not None:
            self.recorder.commit()
            arrays = {n: getattr(self, n).cpu().numpy() for n in ("x", "v", "noise", "box") if getattr(self, n) is not None}
            arrays["generator"] = self.generator.get_state().numpy()
            store.write_checkpoint(
                self.path,
                arrays,
                {
                    "identity": self.identity,
                    "step": self.step,
                    "n_frames": self.recorder.done,
                    "retired": self.retirement.sentences if self.retirement else {},
                },
            )
        if self.verlet is not None:
            self.verlet.forget()
        self.now = self._evaluate()  # from what a resumed run knows, so that both go on alike


def _barostat(states: tuple[State, ...], kT: Tensor, settings: Settings) -> Barostat | None:
    """That of replicas in ``states``; None at constant volume."""
    if states[0].pressure is None:
        return None
    pressure = kT.new_tensor([state.pressure for state in states]) * units.BAR
    mobility = settings.compressibility / units.BAR / settings.barostat_time
    return Barostat(pressure, kT, mobility, settings.barostat_every * settings.timestep_fs * units.FEMTOSECOND)
