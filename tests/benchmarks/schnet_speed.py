"""SchNet beside mlcg: two blocks, 128 channels and 50 Gaussians, as in CGSchNet, on ten beads; same data, same cores, in turn.

    python -m tests.benchmarks.schnet_speed --peer-python PATH --peer-source PATH

The peer lives in an environment of its own (``torch`` of the same version, torch_geometric and what else it imports) with a checkout of
ClementiGroup/mlcg at 434da19, less the imports of MACE, So3krates and Allegro in ``mlcg/nn/__init__.py``. Ratios are medians over pairs
of runs. Bars: training 1.5 times, aim 3 times its samples a second; 32 replicas 3 times, aim 10 times its steps a second. Arithmetic is
that of the layers (two a multiplication), the same for both: of the network as it is written, forward once for a step of a simulation and
with its two reverses (three times over each) in training. Then our throughput from 1 to 1024 replicas.
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

from tests.benchmarks import _record
from workbench import device, fitting, potentials, simulation, types

BEADS, CUTOFF, N_BLOCKS, BATCH, FRAMES = 10, 0.5, 2, 64, 1024
TRAINED, REPLICAS, STEPS = 24, (1, 32), {1: 150, 32: 50}
"""Batches trained, replicas, and steps that the peer takes."""
THROUGHPUT = (1, 4, 16, 64, 256, 1024)


def main() -> None:
    """Time both in turn, on one thread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--peer-source", required=True)
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    data = frames()
    runs = []
    with tempfile.TemporaryDirectory() as folder, device.threads(1):
        path = pathlib.Path(folder) / "frames.npz"
        arrays = {"positions": data.positions, "forces": data.forces, "masses": data.beads.masses}
        np.savez(path, **arrays, cutoff=CUTOFF, n_blocks=N_BLOCKS, batch_size=BATCH)
        for _ in range(given.pairs):
            runs.append((ours(data), peer(path, given)))
            print(runs[-1], flush=True)
        figures = {"neighbours of a bead": 2 * pairs_of(data) / BEADS, "replica-steps a second": throughput(data)}
    for name in runs[0][0]:
        rates = {"workbench": statistics.median(a[name] for a, _ in runs), "mlcg": statistics.median(b[name] for _, b in runs)}
        figures[name] = rates | {
            "ratio": statistics.median(a[name] / b[name] for a, b in runs),
            "ratios": [a[name] / b[name] for a, b in runs],
            "share of mlcg's time that its search takes": statistics.median(b[f"search, {name}"] for _, b in runs),
            "GFLOP/s of the network as written": {who: rate * operations(name, pairs_of(data)) * 1e-9 for who, rate in rates.items()},
        }
    _record.write("schnet_speed", figures, 0)


def frames() -> types.ReferenceData:
    """A compact chain of ten beads of ten types that wobbles: all see each other, but for a few."""
    rng = np.random.default_rng(0)
    angle = 1.1 * np.arange(BEADS)
    helix = np.stack([0.16 * np.cos(angle), 0.16 * np.sin(angle), 0.04 * np.arange(BEADS)], 1)
    x = (helix + 0.01 * rng.standard_normal((FRAMES, BEADS, 3))).astype(np.float32)
    names = tuple("ABCDEFGHIJ")
    bonds = [(k, k + 1) for k in range(BEADS - 1)]
    beads = types.Beads.from_bonds(names=names, types=names, masses=[12.0] * BEADS, molecule=[0] * BEADS, bonds=bonds)
    return types.ReferenceData(positions=x, forces=(100 * rng.standard_normal(x.shape)).astype(np.float32), beads=beads)


def pairs_of(data: types.ReferenceData) -> float:
    """Mean number of pairs within the cut-off in a frame."""
    i, j = np.triu_indices(BEADS, 1)
    distance = np.linalg.norm(data.positions[:, i] - data.positions[:, j], axis=-1)
    return float((distance < CUTOFF).sum(1).mean())


def operations(name: str, n_pairs: float) -> float:
    """Operations of a sample in training, or of a step of all replicas: of the layers, with a filter for every pair."""
    filters = 2 * n_pairs * (50 * 128 + 128 * 128)
    once = N_BLOCKS * (filters + 2 * BEADS * 3 * 128 * 128) + 2 * BEADS * 128 * 64
    if name == "training, samples a second":
        return 6 * once
    return 2 * once * int(name.split()[0])


def ours(data: types.ReferenceData) -> dict:
    """Our figures: epochs of force matching, and runs of replicas, less what comes before the first."""
    network = potentials.schnet.build(data, potentials.schnet.Settings(cutoff=CUTOFF, n_blocks=N_BLOCKS))
    common = {"batch_size": BATCH, "validation_fraction": 0.0, "lipschitz": None, "learning_rate": 3e-4, "final_learning_rate": 3e-4}
    seen: list[float] = []
    settings = fitting.force_matching.Settings(n_epochs=4, **common)
    fitting.force_matching.fit(network, data, settings, on_step=lambda epoch, metrics: seen.append(time.perf_counter()))
    figures = {"training, samples a second": 3 * FRAMES / (seen[3] - seen[0])}
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    for count in REPLICAS:
        figures[f"{count} replicas, steps a second"] = rate(prior + network, data.start(range(count)), 8 * STEPS[count])
    return figures


def throughput(data: types.ReferenceData) -> dict:
    """Ours from one replica to 1024."""
    network = potentials.schnet.build(data, potentials.schnet.Settings(cutoff=CUTOFF, n_blocks=N_BLOCKS))
    potential = potentials.harmonic.build(data, potentials.harmonic.Settings()) + network
    return {str(count): count * rate(potential, data.start(range(count)), max(8, 4096 // count)) for count in THROUGHPUT}


def rate(potential, start: types.Start, steps: int, where: str = "cpu") -> float:
    """Steps a second over the later half of a run."""
    times: list[float] = []
    settings = simulation.replicas.Settings(n_steps=2 * steps, save_every=steps, friction=1.0, timestep_fs=2.0, device=where)
    simulation.replicas.run(potential, start, settings, on_step=lambda step, metrics: times.append(time.perf_counter()))
    return steps / (times[1] - times[0])


def peer(path: pathlib.Path, given) -> dict:
    """The peer's."""
    figures = {}
    for count in REPLICAS:
        script = pathlib.Path(__file__).with_name("_mlcg_peer.py")
        arguments = [given.peer_source, path, 1, TRAINED if count == REPLICAS[-1] else 1, count, STEPS[count]]
        command = [given.peer_python, str(script), *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        figures |= {
            "training, samples a second": found["samples_per_second"],
            f"{count} replicas, steps a second": found["steps_per_second"],
            "search, training, samples a second": found["search_in_training"],
            f"search, {count} replicas, steps a second": found["search_in_simulation"],
        }
    return figures


if __name__ == "__main__":
    main()
