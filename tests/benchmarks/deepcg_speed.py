"""Training of DeePCG beside DeePMD-kit: networks of 120, 60, 30 and 15 neurons on 216 beads, same data, same core, in turn.

    python -m tests.benchmarks.deepcg_speed --dp PATH

The peer's program lives in an environment of its own (``_deepmd_peer``). ``deepcg`` stands beside its ``loc_frame`` (16 neighbours seen
with their direction, the others by their distance), ``deepcg_smooth`` beside its ``se_e2_a`` (embedding 12, 24; six columns), with as
many places for neighbours, in single precision. Ratios are medians over pairs of runs; both are bound to one core. Bar, of the former: 3
times the peer's frames a second, aim 5 times. Arithmetic is that of the layers (two a multiplication), the same for both: the network
and its slope, each with its reverse (three times over).
"""

import argparse
import itertools
import os
import pathlib
import statistics
import tempfile
import time

import numpy as np

from tests.benchmarks import _deepmd_peer, _record
from workbench import device, fitting, potentials, simulation, types
from workbench.descriptors import local_frame
from workbench.potentials import deepcg, deepcg_smooth, repulsion

SEED, EDGE, DENSITY, CUTOFF, WIDTHS = 0, 6, 33.28, 0.6, (120, 60, 30, 15)
FRAMES, BATCH, BATCHES, EPOCHS = 64, 4, 240, 10
SHAPE = {"embedding": (12, 24), "n_axis": 6}


def main() -> None:
    """Time both in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dp", required=True, help="the peer's program")
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    figures: dict = {}
    with device.threads(1):
        data = frames()
        own = {
            "local frame": deepcg.build(data, deepcg.Settings(environment=local_frame.Settings(cutoff=CUTOFF), widths=WIDTHS)),
            "smooth": deepcg_smooth.build(data, deepcg_smooth.Settings(cutoff=CUTOFF, widths=WIDTHS, **SHAPE)),
        }
        for name, network in own.items():
            runs = []
            for _ in range(given.pairs):
                runs.append((ours(network, data), peer(given.dp, name, network.n_slots, data)))
                print(name, runs[-1], flush=True)
            flops = operations(name, network) * 1e-9
            figures[name] = {
                "places for neighbours": network.n_slots,
                "frames a second": {who: statistics.median(run[k] for run in runs) for k, who in enumerate(("workbench", "DeePMD-kit"))},
                "ratio": statistics.median(a / b for a, b in runs),
                "ratios": [a / b for a, b in runs],
            }
            figures[name]["GFLOP/s of the layers"] = {who: rate * flops for who, rate in figures[name]["frames a second"].items()}
    _record.write("deepcg_speed", figures, SEED)


def frames() -> types.ReferenceData:
    """A liquid of soft spheres at the density of water, with forces that are noise."""
    n = EDGE**3
    edge = (n / DENSITY) ** (1 / 3)
    sites = np.stack(np.meshgrid(*[np.arange(EDGE) * edge / EDGE] * 3, indexing="ij"), -1).reshape(1, n, 3)
    beads = types.Beads.from_bonds(names=("W",) * n, types=("W",) * n, masses=[18.0] * n, molecule=range(n), bonds=[])
    spheres = repulsion.build(None, repulsion.Settings(epsilon=5.0, sigma=0.28, cutoff=0.45))
    start = types.Start(positions=sites, box=np.full((1, 3), edge), beads=beads)
    run = simulation.replicas.run(spheres, start, simulation.replicas.Settings(n_steps=20 * FRAMES, save_every=20, seed=SEED))
    forces = 200 * np.random.default_rng(SEED).standard_normal(run.positions.shape)
    return types.ReferenceData(
        positions=np.array(run.positions), forces=forces.astype(np.float32), box=np.array(run.box), beads=beads, states=run.states
    )


def ours(network: potentials.Potential, data: types.ReferenceData) -> float:
    """Frames a second of our epochs, less the first."""
    seen: list[float] = []
    settings = fitting.force_matching.Settings(
        n_epochs=EPOCHS + 1, batch_size=BATCH, learning_rate=1e-3, final_learning_rate=1e-8, lipschitz=None, validation_fraction=0.0
    )
    fitting.force_matching.fit(network, data, settings, on_step=lambda epoch, metrics: seen.append(time.perf_counter()))
    return EPOCHS * FRAMES / (seen[-1] - seen[0])


def peer(dp: str, name: str, n_slots: int, data: types.ReferenceData) -> float:
    """Frames a second of the peer's batches."""
    descriptor = {"type": "loc_frame", "rcut": 10 * CUTOFF, "sel_a": [16], "sel_r": [n_slots - 16], "axis_rule": [0, 0, 0, 0, 0, 1]}
    if name == "smooth":
        shape = {"neuron": list(SHAPE["embedding"]), "axis_neuron": SHAPE["n_axis"], "resnet_dt": False, "precision": "float32"}
        descriptor = {"type": "se_e2_a", "rcut": 10 * CUTOFF, "rcut_smth": 5 * CUTOFF, "sel": [n_slots], "seed": 1, **shape}
    with tempfile.TemporaryDirectory() as folder:
        _deepmd_peer.write(pathlib.Path(folder), data.positions, data.forces, data.box)
        seconds = _deepmd_peer.train(dp, pathlib.Path(folder), descriptor, WIDTHS, BATCH, BATCHES, BATCHES // 4)
    return BATCH / seconds


def operations(name: str, network: potentials.Potential) -> float:
    """Operations of a frame in training."""
    sizes = [network.network.hidden[0].in_features, *WIDTHS, 1]
    once = sum(a * b for a, b in itertools.pairwise(sizes))
    if name == "smooth":
        layers = [1, *SHAPE["embedding"]]
        once += network.n_slots * (sum(a * b for a, b in itertools.pairwise(layers)) + 4 * layers[-1])
        once += 4 * layers[-1] * SHAPE["n_axis"]
    return 6 * 2 * once * EDGE**3


if __name__ == "__main__":
    main()
