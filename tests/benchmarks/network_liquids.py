"""Liquids by a graph network: ethane as the autoencoder's two beads, and the oligomer melt, against their all-atom references.

    python -m tests.benchmarks.network_liquids FOLDER [--systems ethane polymer_melt]

Force matching of SchNet beside harmonic bonds (and angles) and an inverse power that keeps beads apart; then Langevin dynamics of the
potential found, from frames of the reference in its mean box. FOLDER holds the references (``_reference_liquids``), which are sampled
there where they are missing. Bars, ethane: g(r) of the centres of mass within 0.05 (root-mean-square, 0.3-1.2 nm), bond length within a
Jensen-Shannon divergence of 0.01; the melt, measured as there, stands beside ``classical_polymer_melt.json``.
"""

import argparse
import dataclasses
import pathlib
import time

import numpy as np

from tests.benchmarks import _record, _reference_liquids, autoencoder, classical_liquids
from workbench import fitting, mappings, potentials, projection, simulation
from workbench.fitting import _measured
from workbench.observables import bonded, diffusion, end_to_end, radius_of_gyration, rdf
from workbench.observables.free_energy import jensen_shannon
from workbench.types import Beads, ReferenceData, Trajectory

SEED, REPLICAS = 0, 4
METHYLS = tuple(map(tuple, autoencoder.METHYLS))
NETWORK = {
    "ethane": potentials.schnet.Settings(cutoff=0.9, channels=64, n_rbf=40),
    "polymer_melt": potentials.schnet.Settings(cutoff=0.9, channels=64, n_rbf=40),
}
REPULSION = {
    "ethane": potentials.repulsion.Settings(epsilon=1.0, sigma=0.3, cutoff=0.6),
    "polymer_melt": potentials.repulsion.Settings(epsilon=1.0, sigma=0.42, cutoff=0.7),
}
FIT = fitting.force_matching.Settings(batch_size=4, learning_rate=1e-3, final_learning_rate=2e-5, lipschitz=None, patience=40)
FRAMES, EPOCHS = {"ethane": 240, "polymer_melt": 1000}, {"ethane": 15, "polymer_melt": 20}
"""Frames of the reference that are trained on, and passes over them."""
STEPS = {"ethane": (2_000, 8_000), "polymer_melt": (5_000, 20_000)}
"""Steps of every replica: left out, and measured."""
TIMESTEP_FS, FRICTION, EVERY = 3.0, 0.2, 100


def main() -> None:
    """Fit and run every system, and record it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--systems", nargs="+", default=list(NETWORK), choices=list(NETWORK))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    for name in given.systems:
        data = beads(name, given.folder, given.threads)
        potential, figures = fitted(name, data, given)
        run, seconds = simulated(name, potential, data, given)
        figures |= {"simulation, seconds": seconds, **compared(run, data)}
        _record.write(f"network_{name}", figures, SEED)


def beads(name: str, folder: pathlib.Path, n_threads: int) -> ReferenceData:
    """The reference seen through the system's mapping."""
    run = _reference_liquids.sample(name, folder, n_threads)
    if name == "ethane":
        picked = mappings.by_pick.Settings(atoms=METHYLS, names=("M1", "M2"), types=("CH3", "CH3"))
        mapping = mappings.by_pick.build(run.system, None, picked)
    else:
        mapping = mappings.by_residue.build(run.system, None, mappings.by_residue.Settings())
    return projection.project(run, mapping, force_map="optimal")


def fitted(name: str, data: ReferenceData, given) -> tuple:
    """The potential, and figures of its fit."""
    training = data.take(_reference_liquids.spread(len(data), min(FRAMES[name], len(data))))
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings()) + potentials.repulsion.build(data, REPULSION[name])
    network = potentials.schnet.build(data, NETWORK[name])
    settings, began = dataclasses.replace(FIT, n_epochs=EPOCHS[name], n_threads=given.threads, seed=SEED), time.perf_counter()
    folder = given.folder / f"network_{name}_fit"
    fit = fitting.force_matching.fit(prior + network, training, settings, on_step=told, checkpoint=folder)
    history = {key: fit.history[key].round(3).tolist() for key in ("train_loss", "validation_loss")}
    return fit.potential, {"frames": len(training), "beads": data.n_particles, "fit, seconds": time.perf_counter() - began, **history}


def simulated(name: str, potential, data: ReferenceData, given) -> tuple[Trajectory, float]:
    """Replicas from frames of the reference, scaled to its mean box, without their first steps."""
    start = data.start(_reference_liquids.spread(len(data), REPLICAS))
    box = np.asarray(data.box, np.float64).mean(0)
    positions = start.positions * (box / start.box)[:, None]
    start = dataclasses.replace(start, positions=positions, velocities=None, box=np.tile(box, (REPLICAS, 1)))
    settings = simulation.replicas.Settings(
        n_steps=sum(STEPS[name]),
        save_every=EVERY,
        timestep_fs=TIMESTEP_FS,
        friction=FRICTION,
        temperature=data.states[0].temperature,
        seed=SEED + 1,
        n_threads=given.threads,
    )
    began = time.perf_counter()
    run = simulation.replicas.run(potential, start, settings, on_step=told, checkpoint=given.folder / f"network_{name}_run")
    return run.take(slice(REPLICAS * STEPS[name][0] // EVERY, None)), time.perf_counter() - began


def compared(run: Trajectory, data: ReferenceData) -> dict:
    """Structure, sizes and diffusion of the molecules in ``run`` beside those of the reference."""
    centres = [centres_of_mass(t, data) for t in (run, data)]
    r_max = min(1.2, 0.5 * float(np.min(data.box)), 0.5 * float(np.min(run.box)))
    model, target = (rdf.compute(t, rdf.Settings(r_max=r_max, n_bins=60)) for t in centres)
    kept = model.x[0] >= 0.3
    figures = {
        "rms of g of the centres of mass": rms(model.value[kept], target.value[kept]),
        "r [nm]": model.x[0].round(4).tolist(),
        "g": model.value.round(4).tolist(),
        "g of the reference": target.value.round(4).tolist(),
        "divergence": {name: divergence(run, data, terms) for name, terms in bonded.named_terms(data.beads)},
    }
    slopes = [diffusion.compute(t, diffusion.Settings(n_blocks=4)) for t in centres]
    figures["diffusion [nm^2/ps]"] = [[float(s.value), float(s.error)] for s in slopes]
    figures["diffusion over the reference's"] = float(slopes[0].value / slopes[1].value)
    if np.bincount(data.beads.molecule).min() > 2:
        figures |= of_beads(run, data)
        arrays = {name: getattr(run, name) for name in ("positions", "box", "time", "states", "replica")}
        both = (ReferenceData(**arrays, beads=data.beads, force_kind="none"), data)
        for title, observable in (("radius of gyration [nm]", radius_of_gyration), ("end to end [nm]", end_to_end)):
            sizes = [observable.compute(t) for t in both]
            figures[title] = dict(zip(("model", "reference"), ([float(s.value), float(s.error)] for s in sizes), strict=True))
    return figures


def of_beads(run: Trajectory, data: ReferenceData) -> dict:
    """g(r) of the melt's beads at the knots of iterative Boltzmann inversion."""
    ruler = potentials.tabulated.build(data, potentials.tabulated.Settings(**classical_liquids.GRIDS["polymer_melt"]))
    target = _measured.targets(ruler, data)[0]
    found = _measured.measure(run, ruler, target.state)
    curves = {"r of beads [nm]": potentials.tabulated.parts(ruler)[0].knots(), "g of beads": found.rdf, "reference": target.rdf}
    return {"rms of g of the beads": rms(found.rdf, target.rdf)} | {key: curve.round(4).tolist() for key, curve in curves.items()}


def centres_of_mass(run: Trajectory, data: ReferenceData) -> ReferenceData:
    """The molecules, which are whole, as one bead each."""
    beads, total = data.beads, np.bincount(data.beads.molecule, data.beads.masses)
    share = np.zeros((len(total), beads.n_beads))
    share[beads.molecule, np.arange(beads.n_beads)] = beads.masses / total[beads.molecule]
    names = ("M",) * len(total)
    molecules = Beads.from_bonds(names=names, types=names, masses=total, molecule=range(len(total)), bonds=[])
    rest = {name: getattr(run, name) for name in ("box", "time", "states", "replica")}
    return ReferenceData(positions=share @ run.positions, beads=molecules, force_kind="none", **rest)


def divergence(run: Trajectory, data: ReferenceData, terms: tuple) -> float:
    """Jensen-Shannon divergence of the distributions of ``terms``, on the bins of both."""
    ends = np.stack([bonded.compute(t, bonded.Settings(beads=terms, n_bins=60)).x[0][[0, -1]] for t in (run, data)])
    span = (float(ends[:, 0].min()), float(ends[:, 1].max()))
    model, target = (bonded.compute(t, bonded.Settings(beads=terms, n_bins=60, range=span)) for t in (run, data))
    return float(jensen_shannon(model.value, target.value))


def rms(a: np.ndarray, b: np.ndarray) -> float:
    """Root-mean-square difference."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def told(step: int, metrics: dict) -> None:
    """Print a step."""
    print(step, {key: round(value, 4) for key, value in metrics.items() if isinstance(value, float)}, flush=True)


if __name__ == "__main__":
    main()
