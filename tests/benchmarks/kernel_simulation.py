"""Pairs and triplets of mW water learned by kernels, put on grids and run: structure beside the reference's, and cost.

    python -m tests.benchmarks.kernel_simulation [--picoseconds 200]

Whole frames with their forces are learned, the kernels tabulated and run: distributions beside the reference's, with the floor that
sampling sets (the distance of its two halves), and the time of a simulation beside that of the Stillinger-Weber form itself (processor
time of one thread, median of turns).
"""

import argparse
import statistics
import time

import numpy as np
import torch

from tests.benchmarks import _fluids, _record
from tests.benchmarks.kernel_learning import EQUILIBRATION, SEED, labelled, sampled
from workbench import device, potentials, simulation
from workbench.fitting import kernel_regression
from workbench.observables import adf, rdf
from workbench.potentials import kernel, stillinger_weber, three_body_table

LEGS = 0.37
"""Range of the neighbours of the angular distribution [nm]."""
MESH = three_body_table.Settings(start=0.22, n_leg=16, n_angle=24)
KERNEL = kernel.Settings(cutoff=0.4, pair_cutoff=0.44, n_pairs=30, pair_width=0.02, n_triplets=200)


def main() -> None:
    """Learn, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picoseconds", type=float, default=200.0, help="of the reference and of the model")
    given = parser.parse_args()
    with device.threads(1):
        figures = simulated(given.picoseconds)
    _record.write("kernel_simulation", figures, SEED)


def simulated(picoseconds: float) -> dict:
    """Whole frames of mW water learned, put on grids and run; structure beside the reference's, and cost."""
    steps = round(picoseconds / 0.005)
    potential = stillinger_weber.build(None, stillinger_weber.Settings())
    data = sampled("Stillinger-Weber", steps, 50)
    data = labelled(data, potential.bind(data.beads), data.beads)
    part = data.take(np.linspace(0, len(data) - 1, 40).astype(int))
    fit = kernel_regression.fit(kernel.build(part, KERNEL), part, kernel_regression.Settings())
    tables = kernel.tabulate(fit.potential, part, spacing=0.005, mesh=MESH)
    unseen = data.take(np.linspace(7, len(data) - 2, 20).astype(int))
    x, box = torch.from_numpy(np.array(unseen.positions)), torch.from_numpy(np.array(unseen.box))
    whole = float(np.sqrt(np.mean(unseen.forces**2)))
    errors = {
        label: float(np.sqrt(np.mean((potentials.forces(p, x, box).numpy() - unseen.forces) ** 2))) / whole
        for label, p in (("kernels", fit.potential), ("tables", tables))
    }
    settings = simulation.replicas.Settings(
        n_steps=steps + EQUILIBRATION, save_every=50, timestep_fs=5.0, friction=2.0, temperature=298.15, seed=SEED + 1
    )
    run = simulation.replicas.run(tables, data.start([len(data) - 1]), settings).take(slice(EQUILIBRATION // 50, None))
    halves = [structure(data.take(half)) for half in (slice(0, len(data) // 2), slice(len(data) // 2, None))]
    wanted, found = structure(data), structure(run)
    return {
        "relative force error": errors,
        "lambda": float(fit.history["regularisation"][0]),
        **{f"rms of {name}": rms(found[name], wanted[name]) for name in ("rdf", "adf")},
        "floor": {name: rms(halves[0][name], halves[1][name]) for name in ("rdf", "adf")},
        "processor time by that of the form": cost(tables),
        "curves": {name: {"reference": wanted[name].round(5).tolist(), "tables": found[name].round(5).tolist()} for name in ("rdf", "adf")},
        "r [nm]": wanted["r"].round(5).tolist(),
        "theta [rad]": wanted["theta"].round(5).tolist(),
    }


def structure(trajectory) -> dict:
    """Radial distribution up to 0.9 nm, and that of the angles of neighbours closer than ``LEGS``."""
    radial, angular = rdf.compute(trajectory, rdf.Settings(r_max=0.9, n_bins=90)), adf.compute(trajectory, adf.Settings(cutoff=LEGS))
    return {"rdf": radial.value, "adf": angular.value, "r": radial.x[0], "theta": angular.x[0]}


def rms(found: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square of a difference."""
    return float(np.sqrt(np.mean((found - wanted) ** 2)))


def cost(tables, rounds: int = 5) -> float:
    """Processor time of a simulation of 512 mW beads by ``tables``, by that of the form itself."""
    begin, ratios = _fluids.liquid("mW", 512), []
    settings = simulation.replicas.Settings(
        n_steps=1000, save_every=1000, timestep_fs=5.0, friction=2.0, temperature=298.15, skin=_fluids.SKINS["mW"]
    )
    for _ in range(rounds):
        seconds = []
        for potential in (tables, _fluids.potential("mW")):
            begun = time.process_time()
            simulation.replicas.run(potential, begin, settings)
            seconds.append(time.process_time() - begun)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
