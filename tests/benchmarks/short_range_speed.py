"""Speed of short-range forces beside LAMMPS and OpenMM's CPU platform: same beads, same potential, one thread each, in turn.

    python -m tests.benchmarks.short_range_speed --lammps-python PATH

LAMMPS lives in an environment of its own (``lammps`` and ``mpich``). LAMMPS, OpenMM's own force and ``replicas`` run at constant energy,
``openmm_engine`` with its thermostat. Ratios are medians over rounds. Bars: at least as fast as LAMMPS, on a table five times as fast
as OpenMM's own force; time for each bead within a factor of 1.6 from 4e3 to 1e6 beads.
"""

import argparse
import itertools
import statistics
import tempfile
import time

import numpy as np
import openmm
import torch

from tests.benchmarks import _fluids, _lammps_peer, _record
from workbench import device, potentials, simulation
from workbench.potentials import bond_order
from workbench.simulation import openmm_engine

CASES = (("table", 1000, 4000), ("table", 4000, 1000), ("mW", 512, 8000), ("mW", 4096, 1000), ("ML-BOP", 512, 8000), ("ML-BOP", 4096, 1000))
"""Kind, beads and steps of a timed run."""
OPENMM_STEPS = {"table": 0.2, "mW": 0.005}
"""Fraction of these steps for OpenMM's own force, which is slow; of a bond order it has none."""
SIZES = (4_000, 32_000, 250_000, 1_000_000)


def main() -> None:
    """All cases, then the sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lammps-python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--kinds", nargs="+", default=["table", "mW", "ML-BOP"], choices=["table", "mW", "ML-BOP"])
    parser.add_argument("--sized", default="table", choices=["table", "mW", "ML-BOP"], help="kind whose time for each bead is measured")
    parser.add_argument("--name", default="short_range_speed", help="of the results")
    given = parser.parse_args()
    figures = {}
    with device.threads(1):
        for kind, n, steps in (case for case in CASES if case[0] in given.kinds):
            figures[f"{kind} {n}"] = case(kind, n, steps, given)
            print(kind, n, figures[f"{kind} {n}"], flush=True)
        figures["nanoseconds a bead and step"] = {str(n): per_bead(given.sized, n) for n in given.sizes}
    each = figures["nanoseconds a bead and step"].values()
    figures["slowest over fastest size"] = max(each) / min(each) if given.sizes else None
    _record.write(given.name, figures, 0)


def case(kind: str, n: int, steps: int, given) -> dict:
    """Steps a second of all four, and how often faster than LAMMPS and than OpenMM's own force."""
    begin, potential = _fluids.liquid(kind, n), _fluids.potential(kind)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        style = lammps_style(kind, folder, potential)
        edge = float(begin.box[0, 0])
        _lammps_peer.write(folder, begin.positions[0], edge, _fluids.MASSES[kind], _fluids.TEMPERATURE, _fluids.TIMESTEP_FS, style)
        for _ in range(given.rounds):
            peer = _lammps_peer.measure(given.lammps_python, folder, steps)
            runs.append(
                {
                    "replicas": replicas(potential, begin, kind, steps),
                    "openmm_engine": engine(potential, begin, kind, steps),
                    "lammps": peer["steps_per_second"],
                }
            )
            if kind in OPENMM_STEPS:
                runs[-1]["openmm native"] = native(potential, begin, max(20, int(steps * OPENMM_STEPS[kind])))
    own = float(potentials.evaluate(potential.bind(begin.beads), torch.tensor(begin.positions).double(), torch.tensor(begin.box)).energy)
    figures = {"steps_per_second": {name: statistics.median(run[name] for run in runs) for name in runs[0]}}
    for ours, other in itertools.product(("replicas", "openmm_engine"), [name for name in ("lammps", "openmm native") if name in runs[0]]):
        figures[f"{ours} / {other}"] = statistics.median(run[ours] / run[other] for run in runs)
    return figures | {"energy": own, "energy in lammps, relative difference": abs(peer["energy"] / own - 1), "rounds": runs}


def lammps_style(kind: str, folder: str, potential) -> str:
    """The input lines of LAMMPS for the same forces."""
    if kind == "ML-BOP":
        return _lammps_peer.tersoff(folder, dict(zip(bond_order.NAMES, bond_order.MODELS["ML-BOP"], strict=True)))
    if kind == "mW":
        return _lammps_peer.stillinger_weber(folder, _fluids.values())
    r = np.linspace(0.2, _fluids.CUTOFF, 1000)
    return _lammps_peer.table(folder, r, *potential.curve(0, r))


def rate(run, n_steps: int, settings, potential, begin) -> float:
    """Steps a second over the middle half of a run that saves four frames."""
    seen = []
    run(
        potential,
        begin,
        settings(n_steps=n_steps, save_every=n_steps // 4),
        on_step=lambda step, m: seen.append((step, time.perf_counter())),
    )
    return (seen[2][0] - seen[0][0]) / (seen[2][1] - seen[0][1])


def replicas(potential, begin, kind: str, steps: int) -> float:
    """Of ``simulation.replicas``, one replica at constant energy."""

    def settings(**length):
        common = {"integrator": "verlet", "timestep_fs": _fluids.TIMESTEP_FS, "skin": _fluids.SKINS[kind]}
        return simulation.replicas.Settings(**common, **length)

    return rate(simulation.replicas.run, 2 * steps, settings, potential, begin)


def engine(potential, begin, kind: str, steps: int) -> float:
    """Of ``simulation.openmm_engine`` on OpenMM's CPU platform."""

    def settings(**length):
        return openmm_engine.Settings(platform="CPU", timestep_fs=_fluids.TIMESTEP_FS, skin=_fluids.SKINS[kind], **length)

    return rate(openmm_engine.run, 2 * steps, settings, potential, begin)


def native(potential, begin, steps: int) -> float:
    """Of OpenMM's own force on its CPU platform."""
    platform = openmm.Platform.getPlatformByName("CPU")
    integrator = openmm.VerletIntegrator(_fluids.TIMESTEP_FS * 1e-3)
    context = openmm.Context(openmm_engine.system(potential, begin), integrator, platform, {"Threads": "1"})
    context.setPositions(begin.positions[0])
    context.setVelocities(begin.velocities[0])
    integrator.step(max(5, steps // 10))
    began = time.perf_counter()
    integrator.step(steps)
    return steps / (time.perf_counter() - began)


def per_bead(kind: str, n: int) -> float:
    """Wall time of a step for each bead [ns] of ``n`` beads, searches included; the better of two runs."""
    begin, potential = _fluids.start(kind, n), _fluids.potential(kind)
    steps = 160 if n < 500_000 else 80
    return min(1e9 / (n * replicas(potential, begin, kind, steps // 2)) for _ in range(2))


if __name__ == "__main__":
    main()
