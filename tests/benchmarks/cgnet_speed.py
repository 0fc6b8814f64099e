"""Training and simulation speed side by side with the public ``cgnet`` package: same data, same network, same cores, in turn.

    CG_REFERENCE_DATA=... python -m tests.benchmarks.cgnet_speed --peer-python PATH --peer-source PATH

The peer lives in an environment of its own (``torch`` of the same version, numpy, scipy, scikit-learn, mdtraj, networkx,
matplotlib) with a checkout of coarse-graining/cgnet at a3e0e8d. Ratios are medians over pairs of runs.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import openmm
import torch

from tests.benchmarks import _ala2, _record
from workbench import device, fitting, potentials, simulation
from workbench.simulation import openmm_engine

EPOCHS, REPLICAS, STEPS = 3, 1000, 200


def main() -> None:
    """Time both in turn, with one thread and with two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--peer-source", required=True)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--ours", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ours:
        print(json.dumps(ours(given.ours)))
        return
    figures = {"pythonforce": pythonforce()}
    for threads in given.threads:
        runs = []
        for _ in range(given.pairs):
            runs.append((own_process(threads, given), peer(threads, given)))
            print(threads, runs[-1], flush=True)
        figures[f"{threads} threads"] = {
            name: {
                "workbench": statistics.median(a[name] for a, _ in runs),
                "cgnet": statistics.median(b[name] for _, b in runs),
                "ratio": statistics.median(a[name] / b[name] for a, b in runs),
                "ratios": [a[name] / b[name] for a, b in runs],
            }
            for name in runs[0][0]
        }
    _record.write("cgnet_speed", figures, 0)


def environment(threads: int) -> dict:
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def own_process(threads: int, given) -> dict:
    """Our figures, from a process of their own as the peer's are."""
    command = [sys.executable, "-m", "tests.benchmarks.cgnet_speed", "--peer-python", "-", "--peer-source", "-", "--ours", str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment(threads)).stdout.splitlines()[-1])


def peer(threads: int, given) -> dict:
    """The peer's figures."""
    script = pathlib.Path(__file__).with_name("_cgnet_peer.py")
    sizes = [str(n) for n in (threads, EPOCHS, REPLICAS, STEPS)]
    command = [given.peer_python, "-W", "ignore", str(script), given.peer_source, os.environ["CG_REFERENCE_DATA"], *sizes]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment(threads)).stdout.splitlines()[-1])


def ours(threads: int) -> dict:
    """Samples and replica-batch steps a second of the same model here."""
    data = _ala2.load().take(slice(0, _ala2.N_TRAIN))
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    network = potentials.cgnet.build(data, potentials.cgnet.Settings())
    figures = {}
    for name, lipschitz in (("samples_per_second_lipschitz", 4.0), ("samples_per_second", None)):
        times = []
        settings = fitting.force_matching.Settings(
            n_epochs=EPOCHS * 4 + 1, learning_rate=1e-3, lipschitz=lipschitz, validation_fraction=0.0, n_threads=threads
        )
        fit = fitting.force_matching.fit(
            prior + network, data, settings, on_step=lambda epoch, m, times=times: times.append(time.perf_counter())
        )
        figures[name] = 8000 * (len(times) - 1) / (times[-1] - times[0])
    times = []
    settings = simulation.replicas.Settings(
        n_steps=STEPS * 4 + 100, save_every=100, integrator="overdamped", friction=300.0, timestep_fs=1.0, n_threads=threads
    )
    start = data.start(range(0, 8000, 8000 // REPLICAS))
    simulation.replicas.run(fit.potential, start, settings, on_step=lambda step, m: times.append((step, time.perf_counter())))
    figures["steps_per_second"] = (times[-1][0] - times[0][0]) / (times[-1][1] - times[0][1])
    return figures


def pythonforce(steps: int = 5000) -> dict:
    """What a step costs through ``openmm.PythonForce`` beyond evaluating the network itself [ms], one thread."""
    data = _ala2.load().take(slice(0, _ala2.N_TRAIN))
    network = potentials.cgnet.build(data, potentials.cgnet.Settings()).requires_grad_(False)
    potential = potentials.harmonic.build(data, potentials.harmonic.Settings()) + network
    start = data.start([0])
    with device.threads(1):
        integrator = openmm.LangevinMiddleIntegrator(300.0, 5.0, 0.002)
        context = openmm.Context(openmm_engine.system(potential, start), integrator, openmm.Platform.getPlatformByName("Reference"))
        context.setPositions(start.positions[0])
        x = torch.tensor(start.positions)
        a_step, alone = [], []
        for _ in range(5):
            began = time.perf_counter()
            integrator.step(steps)
            a_step.append((time.perf_counter() - began) / steps * 1e3)
            began = time.perf_counter()
            for _ in range(steps):
                potentials.evaluate(network, x)
            alone.append((time.perf_counter() - began) / steps * 1e3)
    overhead = statistics.median(a - b for a, b in zip(a_step, alone, strict=True))
    return {"ms_a_step": statistics.median(a_step), "ms_network_alone": statistics.median(alone), "ms_overhead": overhead}


if __name__ == "__main__":
    main()
