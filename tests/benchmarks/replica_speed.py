"""Many small Lennard-Jones systems at once beside torchmd: same beads, same cores, in turn; and throughput from 1 to 1024 replicas.

    python -m tests.benchmarks.replica_speed --peer-python PATH

torchmd lives in an environment of its own. 100 beads a replica (8.35 beads a nm^3, cut-off 1.1 nm, switched over the last 0.1 nm), velocity
Verlet, single precision, one thread. Ratios are medians over rounds. Bar: 32 replicas at least ten times torchmd's replica-steps a second.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch

from tests.benchmarks import _record
from workbench import device, potentials, simulation, types

N_BEADS, DENSITY, CUTOFF, SWITCH, EPSILON, SIGMA, MASS = 100, 8.35, 1.1, 0.1, 1.2, 0.4, 18.0
TIMESTEP_FS, SKIN = 2.0, 0.15
PEER_STEPS = {1: 600, 32: 40}
THROUGHPUT = (1, 4, 16, 32, 64, 256, 1024)


def main() -> None:
    """Both in turn, then the throughput."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    potential, figures = fluid(), {}
    with tempfile.TemporaryDirectory() as folder, device.threads(1):
        for count, steps in PEER_STEPS.items():
            start = melted(potential, count)
            path = pathlib.Path(folder) / f"{count}.npz"
            np.savez(path, positions=start.positions, box=start.box)
            runs = []
            for _ in range(given.rounds):
                runs.append((rate(potential, start, 10 * steps, "cpu"), peer(path, steps, given.peer_python)))
                print(count, runs[-1], flush=True)
            bound, x, box = potential.bind(start.beads), torch.tensor(start.positions).double(), torch.tensor(start.box)
            own = potentials.evaluate(bound, x, box).energy[0]
            figures[f"{count} replicas, steps a second"] = {
                "workbench": statistics.median(a for a, _ in runs),
                "torchmd": statistics.median(b["steps_per_second"] for _, b in runs),
                "ratio": statistics.median(a / b["steps_per_second"] for a, b in runs),
                "ratios": [a / b["steps_per_second"] for a, b in runs],
                "energy in torchmd, relative difference": abs(runs[0][1]["energy"] / float(own) - 1),
            }
        figures["replica-steps a second on the cpu"] = {
            str(count): count * rate(potential, melted(potential, count, 200), max(20, 20_000 // count), "cpu") for count in THROUGHPUT
        }
    _record.write("replica_speed", figures, 0)


def fluid() -> potentials.Potential:
    """The switched Lennard-Jones potential."""
    settings = potentials.lennard_jones.Settings(epsilon=EPSILON, sigma=SIGMA, cutoff=CUTOFF, switch_width=SWITCH)
    return potentials.lennard_jones.build(None, settings)


def melted(potential, count: int, steps: int = 1000) -> types.Start:
    """``count`` replicas that were a lattice once, with velocities."""
    edge, per_edge = (N_BEADS / DENSITY) ** (1 / 3), 5
    sites = np.stack(np.meshgrid(*(np.arange(per_edge),) * 3, indexing="ij"), -1).reshape(-1, 3)[:N_BEADS]
    x = (sites + np.random.default_rng(0).uniform(-0.05, 0.05, (count, N_BEADS, 3))) * edge / per_edge
    names = ("W",) * N_BEADS
    beads = types.Beads.from_bonds(names=names, types=names, masses=[MASS] * N_BEADS, molecule=range(N_BEADS), bonds=[])
    start = types.Start(positions=x, box=np.full((count, 3), edge), beads=beads)
    settings = simulation.replicas.Settings(n_steps=steps, save_every=steps, timestep_fs=TIMESTEP_FS, skin=SKIN, save_velocities=True)
    run = simulation.replicas.run(potential, start, settings)
    return types.Start(positions=run.positions, velocities=run.velocities, box=run.box, beads=beads)


def rate(potential, start: types.Start, steps: int, where: str) -> float:
    """Steps a second over the later half of a run."""
    seen: list[float] = []
    settings = simulation.replicas.Settings(
        n_steps=2 * steps, save_every=steps, integrator="verlet", timestep_fs=TIMESTEP_FS, skin=SKIN, device=where
    )
    simulation.replicas.run(potential, start, settings, on_step=lambda step, metrics: seen.append(time.perf_counter()))
    return steps / (seen[1] - seen[0])


def peer(path: pathlib.Path, steps: int, python: str) -> dict:
    """torchmd's."""
    arguments = (path, CUTOFF, CUTOFF - SWITCH, EPSILON, SIGMA, MASS, steps, TIMESTEP_FS, 1)
    command = [python, str(pathlib.Path(__file__).with_name("_torchmd_peer.py")), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
