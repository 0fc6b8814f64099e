"""Optimisers on one task, and how few symmetry functions suffice: atomic networks learn the forces of one-bead water.

    python -m tests.benchmarks.training_optimizers FOLDER [--parts optimizers functions]

The data are the box of 300 SPC/E molecules at 300 K in FOLDER (``_small_water``). Adam, RPROP, L-BFGS and the extended Kalman filter begin
with the same weights and stop by themselves or at the epochs given here; seconds are processor seconds of one thread, preparation of the
data, the same for all, left out. Losses are those of the frames held out, as shares of the loss that no network has; noise of instantaneous
forces is most of what is left. The functions: the least loss by Adam for sets of radial and angular ones.
"""

import argparse
import pathlib
import time

import numpy as np

from tests.benchmarks import _record, _small_water
from workbench import potentials, rooms
from workbench.descriptors import symmetry_functions
from workbench.potentials import behler_parrinello
from workbench.types import ReferenceData

SEED, N_FRAMES = 0, 150
GRADIENT = {"batch_size": 4, "lipschitz": None, "patience": 1000, "seed": SEED}
OPTIMIZERS = {
    "adam": ("force_matching", {"optimizer": "adam", "n_epochs": 40, "learning_rate": 5e-3, "final_learning_rate": 1e-4, **GRADIENT}),
    "rprop": ("force_matching", {"optimizer": "rprop", "n_epochs": 100, "learning_rate": 1e-3, **GRADIENT}),
    "lbfgs": ("force_matching", {"optimizer": "lbfgs", "n_epochs": 80, **GRADIENT}),
    "kalman": ("kalman_matching", {"n_epochs": 15, "n_updates": 50, "n_streams": 8, "n_components": 4, "patience": 1000, "seed": SEED}),
}
FUNCTIONS = {
    f"{n_radial} radial, zeta {', '.join(map(str, zetas)) or 'none'}": symmetry_functions.Settings(n_radial=n_radial, zetas=zetas)
    for n_radial, zetas in ((2, ()), (4, ()), (8, ()), (4, (1,)), (8, (1,)), (8, (1, 4)), (8, (1, 2, 4, 8)), (12, (1, 2, 4, 8, 16)))
}
CLOSE = 1.01
"""A loss within this of the least one has arrived."""


def main() -> None:
    """Run the parts asked for and record each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--parts", nargs="+", default=["optimizers", "functions"], choices=["optimizers", "functions"])
    given = parser.parse_args()
    small = _small_water.beads(given.folder, 300.0)
    data = small.take(np.linspace(0, len(small) - 1, N_FRAMES).round().astype(int))
    for part in given.parts:
        {"optimizers": compare_optimizers, "functions": compare_functions}[part](data)


def compare_optimizers(data: ReferenceData) -> None:
    """Loss against passes and seconds by every optimiser."""
    figures: dict = {}
    for name in OPTIMIZERS:
        figures[name] = trained(name, data, symmetry_functions.Settings())
        least = min(min(curve["loss"]) for curve in figures.values())
        for curve in figures.values():
            arrived = np.flatnonzero(np.array(curve["loss"]) <= CLOSE * least)
            curve["arrives after"] = {key: curve[key][arrived[0]] if len(arrived) else None for key in ("passes", "seconds")}
        _record.write("training_optimizers", {"frames": N_FRAMES, "beads": data.beads.n_beads, "close": CLOSE, **figures}, SEED)


def compare_functions(data: ReferenceData) -> None:
    """Least loss by number of functions."""
    figures = {}
    for name, functions in FUNCTIONS.items():
        curve = trained("adam", data, functions)
        figures[name] = {"functions": curve["inputs"], "loss": min(curve["loss"]), "seconds": curve["seconds"][-1]}
        print(name, figures[name], flush=True)
        _record.write("symmetry_functions", {"frames": N_FRAMES, "beads": data.beads.n_beads, **figures}, SEED)


def trained(name: str, data: ReferenceData, functions: symmetry_functions.Settings) -> dict:
    """The curve of one fit."""
    file, options = OPTIMIZERS[name]
    room = rooms.method("fitting", file)
    prior = potentials.repulsion.build(data, potentials.repulsion.Settings(sigma=None))
    network = behler_parrinello.build(data, behler_parrinello.Settings(functions=functions, seed=SEED))
    seconds, relative = [], []

    def step(epoch: int, metrics: dict) -> None:
        seconds.append(time.process_time())
        relative.append(metrics["validation_loss"] / metrics["prior_loss"])
        if epoch % 5 == 0:
            print(name, epoch, relative[-1], flush=True)

    fit = room.fit(prior + network, data, room.Settings(**options), on_step=step)
    first = 2 * seconds[0] - seconds[1]  # an epoch before the first report: without the preparation
    return {
        "inputs": network.functions.size,
        "weights": sum(p.numel() for p in network.parameters()),
        "passes": np.asarray(fit.history["passes"], float).round(4).tolist(),
        "seconds": (np.array(seconds) - first).round(3).tolist(),
        "loss": np.round(relative, 6).tolist(),
    }


if __name__ == "__main__":
    main()
