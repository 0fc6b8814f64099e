"""Four models of alanine dipeptide on the published subset: unit chain, validation force error, free-energy surfaces of long runs.

    CG_REFERENCE_DATA=... python -m tests.benchmarks.alanine_dipeptide --folder runs/benchmark --models seed-0 seed-1

Models, each with its seed: ``seed-0`` ... (harmonic prior + CGnet), ``unregularised-0`` ... (CGnet alone), ``splines-0`` ... (splines of
bonds, angles and dihedrals) and ``features-0`` ... (splines of all distances, angles and dihedrals), whose seed draws the training frames
anew, with replacement; ``mean`` (prior + mean of five networks) and ``prior`` (prior alone). ``own-0`` ... are as ``seed``, trained on and
judged by the own run of ``_ala2.own`` in ``--folder``. Every replica starts at phi < 0; scores are of the second half of the run. Runs
resume from their checkpoints; each model writes ``results/alanine_dipeptide_<model>.json``. ``alanine_dipeptide_table`` sums them up.
"""

import argparse
import math
import pathlib
import time

import numpy as np
import torch

from tests.benchmarks import _ala2, _record
from workbench import cross_validation, fitting, geometry, potentials, simulation
from workbench.descriptors import internal_coordinates
from workbench.observables import free_energy
from workbench.simulation._guard import Unstable

FIT = {"n_threads": 1}
OWN_FIT = {"n_threads": 1, "n_epochs": 12}
REGRESSION = {
    "splines": potentials.feature_splines.Settings(features=internal_coordinates.Settings(distances="bonds")),
    "features": potentials.feature_splines.Settings(),
}
RUN = {"timestep_fs": 4.0, "friction": 2.0, "save_every": 500, "n_threads": 1}


def main() -> None:
    """Parse the command line, run the models asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/benchmark"))
    kinds = ("seed", "unregularised", "splines", "features")
    parser.add_argument("--models", nargs="+", default=["mean", "prior", *(f"{kind}-{s}" for kind in kinds for s in range(10))])
    parser.add_argument("--replicas", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if any(model.startswith("own") for model in given.models):
        data = _ala2.own(given.folder / "own")
        train = data.take(slice(0, round(0.8 * len(data))))
    else:
        data = _ala2.load()
        train = data.take(slice(0, _ala2.N_TRAIN))
        unit_chain(data, train)
    prior = potentials.harmonic.build(train, potentials.harmonic.Settings())
    for model in given.models:
        potential, figures = build(model, prior, data, train, given.folder)
        figures |= surface(potential, data, train, given, given.folder / f"{model}-{given.steps}")
        kind, _, seed = model.partition("-")
        _record.write(
            f"alanine_dipeptide_{model}_{given.steps}_steps", figures, int(seed) if seed else list(range(5)) if kind == "mean" else 0
        )


def unit_chain(data, train) -> None:
    """Force errors of the zero model and of the priors on the validation frames [(kcal/mol/A)^2 per component]."""
    held_out = data.take(slice(_ala2.N_TRAIN, None))
    x, f = torch.tensor(held_out.positions), torch.tensor(held_out.forces)
    bonds = potentials.harmonic.build(train, potentials.harmonic.Settings(angles=False))
    angles = potentials.harmonic.build(train, potentials.harmonic.Settings())
    errors = {
        "zero": f.square().mean(),
        "bonds": (f - potentials.forces(bonds, x)).square().mean(),
        "bonds and angles": (f - potentials.forces(angles, x)).square().mean(),
    }
    published = {"zero": 723.126, "bonds": 438.564, "bonds and angles": 380.957}
    figures = {name: {"measured": float(e) / _ala2.FORCE_UNIT, "published": published[name]} for name, e in errors.items()}
    _record.write("alanine_dipeptide_unit_chain", figures, None)


def build(model: str, prior, data, train, folder: pathlib.Path):
    """The potential of a model's name, trained where needed, and its training figures."""
    kind, _, seed = model.partition("-")
    if kind == "prior":
        return prior, {}
    if kind == "mean":
        networks = [train_one("seed", s, prior, data, train, folder).potential.parts[1] for s in range(5)]
        return prior + potentials.mean(networks), {"networks": 5}
    if kind in REGRESSION:
        drawn = train.take(np.sort(np.random.default_rng(int(seed)).integers(0, len(train), len(train))))
        empty = potentials.feature_splines.build(train, REGRESSION[kind])
        fit = fitting.feature_regression.fit(empty, drawn, fitting.feature_regression.Settings())
        held_out = cross_validation.force_error(fit.potential, data.take(slice(len(train), None)))
        return fit.potential, {"validation_mse": held_out / _ala2.FORCE_UNIT}
    fit = train_one(kind, int(seed), None if kind == "unregularised" else prior, data, train, folder)
    best = int(np.argmin(fit.history["validation_loss"]))
    figures = {
        "validation_mse": float(fit.history["validation_loss"][best]) / _ala2.FORCE_UNIT,
        "train_mse": float(fit.history["train_loss"][best]) / _ala2.FORCE_UNIT,
        "best_epoch": best + 1,
    }
    return fit.potential, figures


def train_one(kind: str, seed: int, prior, data, train, folder: pathlib.Path):
    """One fit, kept in ``folder``."""
    network = potentials.cgnet.build(train, potentials.cgnet.Settings(seed=seed))
    settings = fitting.force_matching.Settings(seed=seed, **(OWN_FIT if kind == "own" else FIT))
    checkpoint = folder / f"{kind}-{seed}-fit"
    return fitting.force_matching.fit(prior + network if prior else network, data, settings, checkpoint=checkpoint)


def surface(potential, data, train, given, checkpoint: pathlib.Path) -> dict:
    """Run from phi < 0 and score the second half of the run against all reference frames."""
    phi_reference = dihedrals(data)[:, 0]
    below = np.flatnonzero(phi_reference[: len(train)] < 0)
    start = train.start(below[np.linspace(0, len(below) - 1, given.replicas).astype(int)])
    settings = simulation.replicas.Settings(n_steps=given.steps, **RUN)
    figures = {"replicas": given.replicas, "steps": given.steps, "settings": RUN}
    began, shown = time.perf_counter(), [0]

    def on_step(step: int, metrics: dict) -> None:
        if step - shown[0] >= given.steps // 20:
            shown[0] = step
            print(
                f"  {checkpoint.name}: {step}/{given.steps} steps, {metrics['steps_per_second']:.0f} /s, {metrics['temperature']:.1f} K",
                flush=True,
            )

    try:
        model = simulation.replicas.run(potential, start, settings, on_step=on_step, checkpoint=checkpoint)
    except Unstable as stopped:
        return figures | {"lost": str(stopped), "jensen_shannon": math.log(2)}
    second = model.take(slice(len(model) // 2, None))
    angles, reference = dihedrals(second), dihedrals(data)
    of_model, of_data = free_energy.histogram(*angles.T), free_energy.histogram(*reference.T)
    figures |= {
        "replicas_lost": int(given.replicas - len(np.unique(model.replica[-given.replicas :]))),
        "frames_scored": len(second),
        "jensen_shannon": float(free_energy.jensen_shannon(of_model, of_data)),
        "jensen_shannon_even_odd_reference": float(
            free_energy.jensen_shannon(free_energy.histogram(*reference[::2].T), free_energy.histogram(*reference[1::2].T))
        ),
        "mean_squared_even_odd_reference_kBT2": free_energy.mean_squared_difference(
            free_energy.histogram(*reference[::2].T), free_energy.histogram(*reference[1::2].T)
        ),
        "mean_squared_halves_of_reference_kBT2": free_energy.mean_squared_difference(
            free_energy.histogram(*reference[: len(reference) // 2].T), free_energy.histogram(*reference[len(reference) // 2 :].T)
        ),
        "mean_squared_free_energy_difference_kBT2": free_energy.mean_squared_difference(of_model, of_data),
        "population_phi_positive_percent": float(100 * (angles[:, 0] > 0).mean()),
        "population_phi_positive_reference_percent": float(100 * (reference[:, 0] > 0).mean()),
        "basins": basins(second),
        "basins_reference": basins(data),
        "seconds_since_resumed": time.perf_counter() - began,
    }
    return figures


def dihedrals(trajectory) -> np.ndarray:
    """phi and psi (F, 2) [rad]."""
    index = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    return np.concatenate(
        [geometry.dihedrals(torch.tensor(c.positions, dtype=torch.float64), index).numpy() for c in trajectory.chunks(65536)]
    )


def basins(trajectory) -> list[dict]:
    """Minima with phi and psi [degrees] and population."""
    found = free_energy.basins(free_energy.compute(trajectory, free_energy.Settings()))
    return [{"phi": round(b.phi, 1), "psi": round(b.psi, 1), "population": round(b.population, 4)} for b in found]


if __name__ == "__main__":
    main()
