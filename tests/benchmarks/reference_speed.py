"""What keeping forces costs: ns/day of ``reference.sample`` beside plain OpenMM, in pairs; time and memory of a million frames projected.

Plain OpenMM takes the same steps of the same system on the same platform in blocks of 1 ps and keeps nothing; the workbench keeps
positions and forces every 1 ps, with its checkpoints. Blocks alternate, so that a busy machine slows both.
python -m tests.benchmarks.reference_speed --pairs 8 --ps 400 --frames 1000000
"""

import argparse
import pathlib
import resource
import tempfile
import threading
import time

import numpy as np
import openmm

from tests.benchmarks import _record
from workbench import mappings, projection, reference, systems
from workbench.recorder import Recorder
from workbench.types import State, System

CLOCKS = ("wall_clock", "processor_time")
"""Processor time is what counts where other programs share the cores; it leaves out waiting for the disk."""


def sampling(solvent: str, n_pairs: int, n_ps: int) -> dict:
    """Seconds per block of ``n_ps`` ps with and without frames, and their ratio pair by pair."""
    system = systems.load("alanine_dipeptide", solvent=solvent)
    kept, plain = [], []
    for pair in range(n_pairs):
        settings = reference.Settings(n_frames=n_ps, interval_ps=1.0, equilibration_ps=1.0, seed=pair)
        for which in ("kept", "plain") if pair % 2 else ("plain", "kept"):
            if which == "kept":
                kept.append(_kept(system, settings))
            else:
                plain.append(_plain(system, settings))
    figures: dict = {"pairs": n_pairs, "ps_per_block": n_ps}
    for clock, (with_forces, without) in {name: (np.array(kept)[:, i], np.array(plain)[:, i]) for i, name in enumerate(CLOCKS)}.items():
        ratio, per_day = without / with_forces, n_ps * 1e-3 * 86400
        figures[clock] = {
            "ns_per_day_with_forces": per_day / float(np.median(with_forces)),
            "ns_per_day_plain_openmm": per_day / float(np.median(without)),
            "share_kept_median": float(np.median(ratio)),
            "share_kept_standard_error": float(ratio.std(ddof=1) / np.sqrt(n_pairs)),
        }
    return figures


def _now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def _kept(system: System, settings: reference.Settings) -> np.ndarray:
    """Seconds from the first frame to the last; the folder is on the disk and checkpoints are written as in any run."""
    times: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        reference.sample(system, settings, on_step=lambda frame, metrics: times.append(_now()), checkpoint=f"{folder}/run")
        end = _now()
    return end - times[-settings.n_frames - 1]


def _plain(system: System, settings: reference.Settings) -> np.ndarray:
    integrator = openmm.LangevinMiddleIntegrator(settings.temperature, settings.friction_per_ps, settings.timestep_fs * 1e-3)
    integrator.setRandomNumberSeed(settings.seed + 1)
    physics = openmm.XmlSerializer.deserialize(system.parameters())
    context = openmm.Context(physics, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(system.positions)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 300)
    context.setVelocitiesToTemperature(settings.temperature, settings.seed + 1)
    steps = round(1.0 / (settings.timestep_fs * 1e-3))
    integrator.step(steps)
    began = _now()
    for _ in range(settings.n_frames):
        integrator.step(steps)
    return _now() - began


def projecting(n_frames: int) -> dict:
    """Seconds and memory of projecting frames that lie on the disk, as they come from ``reference.sample``, to a folder."""
    system = systems.load("alanine_dipeptide")
    mapping = mappings.by_pick.build(system, None, mappings.by_pick.Settings(atoms=((4,), (6,), (8,), (14,), (16,))))
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shapes = {"positions": (22, 3), "forces": (22, 3), "time": ()}
        recorder = Recorder(f"{folder}/atoms", "benchmark", n_frames, shapes, {"time": np.float64}, (State(),), ("benchmark",), system)
        for start in range(0, n_frames, 50_000):
            count = min(50_000, n_frames - start)
            noise = rng.normal(size=(count, 22, 3)).astype(np.float32)
            positions = system.positions.astype(np.float32) + 0.01 * noise
            recorder.append(positions=positions, forces=100 * noise, time=np.arange(start, start + count, dtype=float))
            recorder.commit()
        frames = recorder.trajectory()
        del recorder, noise, positions
        resident = Resident()
        with resident:
            began = time.perf_counter()
            data = projection.project(frames, mapping, folder=pathlib.Path(folder) / "beads")
            seconds = time.perf_counter() - began
        error = np.abs(data.positions[:1000] - frames.positions[:1000][:, [4, 6, 8, 14, 16]]).max()
        if len(data) != n_frames or error > 1e-6:
            raise ValueError(f"the projection is wrong by {error} nm.")
    return {
        "frames": n_frames,
        "seconds": seconds,
        "largest_private_memory_GB": resident.largest / 1e9,
        "largest_resident_GB_with_mapped_files": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


class Resident:
    """The largest memory of this process that is its own (``RssAnon``), sampled every 20 ms; mapped files can be dropped any time."""

    def __init__(self):
        self.largest = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            lines = pathlib.Path("/proc/self/status").read_text().splitlines()
            self.largest = max(self.largest, next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")))

    def __enter__(self) -> "Resident":
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._stop.set()
        self._thread.join()


def main() -> None:
    """Both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--ps", type=int, default=400)
    parser.add_argument("--frames", type=int, default=1_000_000)
    arguments = parser.parse_args()
    figures: dict = {"projection": projecting(arguments.frames)}
    for solvent in ("vacuum", "obc2"):
        figures[f"sampling_{solvent}"] = sampling(solvent, arguments.pairs, arguments.ps)
    _record.write("reference_speed", figures, 0)
    print(figures)


if __name__ == "__main__":
    main()
