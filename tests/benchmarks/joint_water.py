"""Water by forces alone, and by forces and g(r) together: how much nearer g(r) comes, and what it costs the forces.

    python -m tests.benchmarks.joint_water FOLDER

One-bead SPC/E water at 300 K by atomic networks on symmetry functions. Both learn from the box of 300 molecules in FOLDER
(``_small_water``, sampled there where it is missing); the joint fit goes on from the weights that forces gave. Both are judged on what
neither saw, the box of 2180 molecules (``classical_water``): root-mean-square deviations of g(r) from 0.24 to 1.0 nm, means over runs
from several seeds, and of forces. Bar: the deviation of g(r) at most half, the force error at most 5 % higher.
"""

import argparse
import pathlib
import time

import numpy as np
import torch

from tests.benchmarks import _record, _small_water, classical_water
from workbench import device, fitting, potentials, simulation
from workbench.observables import rdf
from workbench.potentials import behler_parrinello
from workbench.types import ReferenceData

SEED, N_RUNS = 0, 2
NETWORK = behler_parrinello.Settings()
FORCES = fitting.force_matching.Settings(
    n_epochs=30, batch_size=4, learning_rate=5e-3, final_learning_rate=1e-4, lipschitz=None, patience=30, seed=SEED
)
JOINT = fitting.joint_matching.Settings(
    n_epochs=0,
    n_iterations=25,
    n_steps=15,
    weight=300.0,
    batch_size=8,
    learning_rate=1e-3,
    final_learning_rate=1e-4,
    effective_share=0.5,
    n_replicas=4,
    equilibration_steps=100,
    distribution=rdf.Settings(r_max=1.0, n_bins=50),
    simulation=simulation.replicas.Settings(n_steps=500, save_every=25, timestep_fs=5.0, friction=2.0, seed=SEED),
)


def main() -> None:
    """Fit twice, judge twice, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=150, help="whose forces are learned from")
    given = parser.parse_args()
    small, large = _small_water.beads(given.folder, 300.0), classical_water.beads(given.folder, 1)
    data = small.take(np.linspace(0, len(small) - 1, given.frames).round().astype(int))
    prior = potentials.repulsion.build(data, potentials.repulsion.Settings(sigma=None))
    potential = prior + behler_parrinello.build(data, NETWORK)
    figures: dict = {"bars": {"g": 0.5, "force": 1.05}, "frames": given.frames, "floor, rms of g of the two boxes": floor(small, large)}
    for name, room, settings in (("forces", fitting.force_matching, FORCES), ("joint", fitting.joint_matching, JOINT)):
        began = time.process_time()
        potential.requires_grad_(True)
        fit = room.fit(potential, data, settings, on_step=_small_water.told, checkpoint=given.folder / f"joint_water_{name}")
        potential = fit.potential
        figures[name] = {"processor seconds of the fit": time.process_time() - began, **judged(potential, small, large)}
        if name == "joint":
            figures[name]["by iteration"] = {
                key: np.asarray(fit.history[key]).round(5).tolist() for key in ("rms_rdf", "validation_loss", "steps", "effective_share")
            }
            for key in ("rms of g", "force error [kJ/mol/nm]"):
                figures[f"{key}, joint over forces alone"] = figures["joint"][key] / figures["forces"][key]
        print({key: value for key, value in figures[name].items() if isinstance(value, float)}, flush=True)
        _record.write("joint_water", figures, SEED)


def judged(potential, small: ReferenceData, large: ReferenceData) -> dict:
    """Deviation of g(r) and of forces from the large box's."""
    wanted = _small_water.distribution(large)
    found = [_small_water.distribution(_small_water.simulated(potential, small, small.states[0], SEED + 1 + k)) for k in range(N_RUNS)]
    held = large.take(np.linspace(0, len(large) - 1, 8).round().astype(int))
    with device.threads(1):
        forces = potentials.forces(potential.bind(held.beads), torch.tensor(held.positions), torch.tensor(held.box))
    return {
        "rms of g": _small_water.rms(np.mean(found, 0), wanted),
        "rms of g, each run": [_small_water.rms(g, wanted) for g in found],
        "force error [kJ/mol/nm]": _small_water.rms(forces.numpy(), held.forces),
        "g": np.mean(found, 0).round(4).tolist(),
        "reference": wanted.round(4).tolist(),
    }


def floor(small: ReferenceData, large: ReferenceData) -> float:
    """How far the two boxes are from each other."""
    return _small_water.rms(_small_water.distribution(small), _small_water.distribution(large))


if __name__ == "__main__":
    main()
