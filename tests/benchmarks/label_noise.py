"""One network from basic, optimal and mean-force labels: how many frames each needs to become equally accurate.

    python -m tests.benchmarks.label_noise FOLDER --labels FOLDER

Alanine dipeptide of five backbone atoms in implicit water; FOLDER is the own run of ``alanine_dipeptide`` (any part of it). Basic labels
sum the forces on the atoms of a bead, optimal ones come from the least-noise map, and mean ones are averages over ``SAMPLES`` force
samples with the five atoms frozen. The same network, optimiser and number of steps; errors are root-mean-square deviations from mean
forces at ``N_JUDGED`` other configurations, sampled longer, whose own noise is subtracted, as shares of the root-mean-square mean force.
Published (arXiv 2407.01286, 2602.14531): 50 to 100 times fewer.
"""

import argparse
import dataclasses
import pathlib

import numpy as np
import torch

from tests.benchmarks import _record
from workbench import fitting, mappings, mean_forces, potentials, projection, reference, store
from workbench.types import Mapping, ReferenceData, Trajectory

SEED, N_SEEDS = 0, 2
SIZES = {
    "basic": (500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000),
    "optimal": (125, 250, 500, 1000, 2000, 4000, 8000, 16_000),
    "mean": (25, 50, 100, 200, 400),
}
SAMPLES, SAMPLES_JUDGED, N_JUDGED = 500, 2500, 100
INTERVAL_PS = 0.04
NETWORK = potentials.cgnet.Settings(width=64, n_layers=3, seed=SEED)
STEPS = 4000
"""Steps of the optimiser, about."""


def main() -> None:
    """Label, train, judge, record as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--labels", type=pathlib.Path, required=True, help="where mean forces are kept")
    given = parser.parse_args()
    all_atom = store.load(given.folder)
    picked = mappings.by_pick.Settings(atoms=((4,), (6,), (8,), (14,), (16,)))
    mapping = mappings.by_pick.build(all_atom.system, None, picked)
    order = np.random.default_rng(SEED).permutation(len(all_atom))
    judged, rest = order[:N_JUDGED], order[N_JUDGED:]
    truth = held(all_atom.take(judged), mapping, SAMPLES_JUDGED, given.labels / "judged")
    size, noise = float(np.sqrt(np.mean(truth.forces**2))), float(np.mean(truth.force_error**2))
    figures: dict = {
        "mean force [kJ/mol/nm]": size,
        "standard error of the judges [kJ/mol/nm]": noise**0.5,
        "force samples of a mean label": SAMPLES,
    }
    for kind, sizes in SIZES.items():
        frames = all_atom.take(np.sort(rest[: sizes[-1]]))
        data = held(frames, mapping, SAMPLES, given.labels / "mean") if kind == "mean" else mapped(frames, mapping, kind)
        spread = np.random.default_rng(SEED + 1).permutation(len(data))
        figures[f"{kind}, root-mean-square label [kJ/mol/nm]"] = float(np.sqrt(np.mean(data.forces.astype(float) ** 2)))
        figures[kind] = {}
        for n in sizes:
            errors = [error(trained(data.take(spread[:n]), seed), truth, noise) / size for seed in range(N_SEEDS)]
            figures[kind][str(n)] = [round(e, 5) for e in errors]
            print(kind, n, errors, flush=True)
            _record.write("label_noise", figures | needed(figures), SEED)


def held(configurations: Trajectory, mapping: Mapping, n_samples: int, folder: pathlib.Path) -> ReferenceData:
    """Mean forces at ``configurations`` with the beads frozen."""
    sampling = reference.Settings(n_frames=n_samples, interval_ps=INTERVAL_PS, equilibration_ps=1.0, friction_per_ps=5.0, seed=SEED)

    def told(index: int, metrics: dict) -> None:
        if metrics["time"] < 1.5 * INTERVAL_PS and index % 20 == 0:
            print("mean force", index, "of", metrics["total"], flush=True)

    return mean_forces.sample(configurations, mapping, mean_forces.Settings(sampling=sampling), on_step=told, checkpoint=folder)


def mapped(frames: Trajectory, mapping: Mapping, kind: str) -> ReferenceData:
    """Instantaneous forces by a map; the optimal one is made from the frames themselves."""
    return projection.project(frames, mapping, force_map=kind)


def trained(data: ReferenceData, seed: int):
    """The network on a harmonic prior, both of these frames alone."""
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    network = potentials.cgnet.build(data, dataclasses.replace(NETWORK, seed=seed))
    batch = int(np.clip(len(data) // 10, 5, 256))
    epochs = max(10, round(STEPS * batch / (0.8 * len(data))))
    settings = fitting.force_matching.Settings(n_epochs=epochs, batch_size=batch, patience=max(10, epochs // 4), seed=seed)
    return fitting.force_matching.fit(prior + network, data, settings).potential


def error(potential, truth: ReferenceData, noise: float) -> float:
    """Root-mean-square deviation from the mean forces [kJ/mol/nm], their noise subtracted."""
    found = potentials.forces(potential, torch.tensor(truth.positions)).numpy()
    return float(np.sqrt(max(np.mean((found - truth.forces) ** 2) - noise, 0.0)))


def needed(figures: dict) -> dict:
    """Frames that each kind needs for the error of the largest set of basic labels, and the ratios to basic labels."""
    if "mean" not in figures or len(figures["mean"]) < 2:
        return {}
    curves = {kind: (np.array(list(map(int, figures[kind]))), np.mean(list(figures[kind].values()), 1)) for kind in SIZES}
    found = {}
    for n, wanted in zip(*curves["basic"], strict=True):
        row = {kind: frames(*curves[kind], wanted) for kind in ("optimal", "mean")}
        ratios = {f"basic over {kind}": None if count is None else n / count for kind, count in row.items()}
        found[f"error {wanted:.4f}"] = {"basic": int(n), **row, **ratios}
    return {"frames needed": found}


def frames(sizes: np.ndarray, errors: np.ndarray, wanted: float) -> float | None:
    """Frames at which the error falls to ``wanted``, log-log between the sizes; None where it is never that large or that small."""
    falling = np.minimum.accumulate(errors)
    if not falling[-1] <= wanted <= falling[0]:
        return None
    return float(np.exp(np.interp(-np.log(wanted), -np.log(falling), np.log(sizes))))


if __name__ == "__main__":
    main()
