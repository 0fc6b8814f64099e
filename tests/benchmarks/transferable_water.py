"""Water at three temperatures by one network that sees the temperature; its g(r) at a fourth one between them, which it never saw.

    python -m tests.benchmarks.transferable_water FOLDER

SPC/E water of 300 molecules (``_small_water``) as one bead a molecule, at one density. Atomic networks on symmetry functions learn the
molecules' forces at 280, 320 and 360 K (``forces``), and then forces and g(r) together (``joint``). Each is run at all four temperatures
from another seed. Bar: g(r) at 300 K within 0.05 (root-mean-square, 0.24 to 1.0 nm). Beside it: how far g(r) of the neighbouring
temperatures and their mean are from that at 300 K, and the distance of the halves of the data, which is noise.
"""

import argparse
import pathlib
import time

import numpy as np

from tests.benchmarks import _record, _small_water
from workbench import fitting, potentials, simulation
from workbench.observables import rdf
from workbench.potentials import behler_parrinello
from workbench.types import ReferenceData

SEED = 0
TRAINED, UNSEEN = (280.0, 320.0, 360.0), 300.0
FRAMES = 120
"""Frames of the data, of all temperatures together, whose forces are learned from."""
NETWORK = behler_parrinello.Settings(states=True)
FORCES = fitting.force_matching.Settings(
    n_epochs=40, batch_size=4, learning_rate=5e-3, final_learning_rate=1e-4, lipschitz=None, patience=40, seed=SEED
)
JOINT = fitting.joint_matching.Settings(
    n_epochs=0,
    n_iterations=10,
    n_steps=15,
    learning_rate=1e-3,
    final_learning_rate=2e-4,
    effective_share=0.5,
    n_replicas=2,
    equilibration_steps=100,
    distribution=rdf.Settings(r_max=1.0, n_bins=50),
    simulation=simulation.replicas.Settings(n_steps=500, save_every=25, timestep_fs=5.0, friction=2.0, seed=SEED),
)


def main() -> None:
    """Fit, run at every temperature, compare, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--methods", nargs="+", default=["forces", "joint"], choices=["forces", "joint"])
    given = parser.parse_args()
    data = {kelvin: _small_water.beads(given.folder, kelvin) for kelvin in (*TRAINED, UNSEEN)}
    seen = _small_water.together([data[kelvin] for kelvin in TRAINED])
    seen = seen.take(_spread(len(seen), FRAMES))
    prior = potentials.repulsion.build(seen, potentials.repulsion.Settings(sigma=None))
    figures: dict = {"scale": scale(data), "bar": 0.05}
    potential = prior + behler_parrinello.build(seen, NETWORK)
    for name in given.methods:
        began = time.perf_counter()
        settings, room = (FORCES, fitting.force_matching) if name == "forces" else (JOINT, fitting.joint_matching)
        potential.requires_grad_(True)
        fit = room.fit(potential, seen, settings, on_step=_small_water.told, checkpoint=given.folder / f"transferable_{name}")
        potential = fit.potential
        figures[name] = {"seconds of the fit": time.perf_counter() - began, **judged(potential, data)}
        best = int(np.argmin(fit.history["validation_loss" if name == "forces" else "loss"]))
        figures[name]["force error [kJ/mol/nm]"] = float(np.sqrt(fit.history["validation_loss"][best]))
        _record.write("transferable_water", figures, SEED)


def judged(potential, data: dict[float, ReferenceData]) -> dict:
    """g(r) of the model at every temperature, and how far it is from the reference's."""
    found = {}
    for kelvin, reference in data.items():
        run = _small_water.simulated(potential, reference, reference.states[0], SEED + 1)
        g, wanted = _small_water.distribution(run), _small_water.distribution(reference)
        found[f"{kelvin:g} K"] = {
            "rms of g": _small_water.rms(g, wanted),
            "seen": kelvin in TRAINED,
            "g": g.round(4).tolist(),
            "reference": wanted.round(4).tolist(),
        }
        print(kelvin, found[f"{kelvin:g} K"]["rms of g"], flush=True)
    return found


def scale(data: dict[float, ReferenceData]) -> dict:
    """How much g(r) changes between temperatures, and the noise of it."""
    g = {kelvin: _small_water.distribution(of_one) for kelvin, of_one in data.items()}
    below, above = max(t for t in TRAINED if t < UNSEEN), min(t for t in TRAINED if t > UNSEEN)
    share = (UNSEEN - below) / (above - below)
    half = len(data[UNSEEN]) // 2
    halves = [_small_water.distribution(data[UNSEEN].take(part)) for part in (slice(0, half), slice(half, None))]
    return {
        "rms of g, coldest to hottest": _small_water.rms(g[min(TRAINED)], g[max(TRAINED)]),
        f"rms of g, {below:g} K to {UNSEEN:g} K": _small_water.rms(g[below], g[UNSEEN]),
        f"rms of g, {above:g} K to {UNSEEN:g} K": _small_water.rms(g[above], g[UNSEEN]),
        "rms of g, the mean of both neighbours": _small_water.rms((1 - share) * g[below] + share * g[above], g[UNSEEN]),
        "rms of g, halves of the data": _small_water.rms(*halves),
    }


def _spread(n_frames: int, count: int) -> np.ndarray:
    """Indices of ``count`` frames in turn of the temperatures, evenly."""
    blocks = np.linspace(0, n_frames // len(TRAINED) - 1, count // len(TRAINED)).round().astype(int)
    return (blocks[:, None] * len(TRAINED) + np.arange(len(TRAINED))).ravel()


if __name__ == "__main__":
    main()
