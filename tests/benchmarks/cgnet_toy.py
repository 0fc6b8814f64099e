"""The rippled well seen along x: mean force and free energy of three methods against quadrature, inside and outside of the data.

    python -m tests.benchmarks.cgnet_toy --folder runs/toy --seeds 0 1 2

One million samples. Inside: the central 98 % of them, weighted as they lie; bar: mean-force error at most 2 % of its root mean square for
feature regression, CGnet and regularised CGnet (CGnet beside walls fitted to the outermost frames). Outside: the first 0.5 nm beyond the
outermost samples; bar: error of the regularised network at most a third of the unregularised one's. ``curves`` are those of figure 6b.
"""

import argparse
import pathlib

import numpy as np
import torch

from tests.benchmarks import _record
from workbench import fitting, potentials, rippled_well, units

REACH = 0.5
"""How far outside of the samples [nm]."""
SPLINES = potentials.feature_splines.Settings(descriptor="cartesian", n_intervals=30)
WALLS = potentials.walls.Settings(descriptor="cartesian", share=0.01)
NETWORK = {"descriptor": "cartesian", "n_layers": 3, "width": 64, "energy_scale": units.thermal_energy(300.0)}
TRAINING = {
    "n_epochs": 28,
    "batch_size": 1024,
    "learning_rate": 5e-3,
    "final_learning_rate": 2e-5,
    "lipschitz": None,
    "patience": 100,
    "n_threads": 1,
}


def main() -> None:
    """Sample, fit, judge, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/toy"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = rippled_well.sample()
    judge = Judge(data.positions[:, 0, 0])
    walls = potentials.walls.build(data, WALLS)
    splines = potentials.feature_splines.build(data, SPLINES)
    regression = fitting.feature_regression.fit(splines, data, fitting.feature_regression.Settings()).potential
    models = {"feature regression": [regression], "CGnet": [], "regularised CGnet": []}
    for seed in given.seeds:
        network = potentials.cgnet.build(data, potentials.cgnet.Settings(seed=seed, **NETWORK))
        for name, potential in (("CGnet", network), ("regularised CGnet", walls + network)):
            settings = fitting.force_matching.Settings(seed=seed, **TRAINING)
            checkpoint = given.folder / f"{name.replace(' ', '-')}-{seed}"
            models[name].append(fitting.force_matching.fit(potential, data, settings, checkpoint=checkpoint).potential)
            print(name, seed, judge.scores(models[name][-1]), flush=True)
    figures: dict = {"samples": len(data), "range_nm": [float(x) for x in judge.range]}
    figures["models"] = {name: [judge.scores(p) for p in found] for name, found in models.items()}
    nets, regularised = (figures["models"][name] for name in ("CGnet", "regularised CGnet"))
    figures["outside_error_regularised_over_unregularised"] = [
        r["outside_error"] / n["outside_error"] for n, r in zip(nets, regularised, strict=True)
    ]
    figures["walls_alone"] = judge.scores(walls)
    figures["curves"] = judge.curves({name: found[0] for name, found in models.items()})
    _record.write("cgnet_toy", figures, given.seeds)


class Judge:
    """Where models are compared with the exact mean force and free energy, from the samples ``x`` (F,) [nm]."""

    def __init__(self, x: np.ndarray):
        self.range = float(x.min()), float(x.max())
        self.inside = np.quantile(x, np.linspace(0.01, 0.99, 981))
        step = np.linspace(0, REACH, 51)
        self.outside = np.concatenate([self.range[0] - step, self.range[1] + step])
        self.exact = {name: rippled_well.mean_force(at) for name, at in (("inside", self.inside), ("outside", self.outside))}

    def scores(self, potential) -> dict:
        """Errors of the mean force: inside relative to its root mean square there, outside in kBT/nm; of the free energy in kBT."""
        inside = _evaluate(potential, self.inside)[1] - self.exact["inside"]
        outside = _evaluate(potential, self.outside)[1] - self.exact["outside"]
        energy = _evaluate(potential, self.inside)[0] - rippled_well.free_energy(self.inside)
        return {
            "inside_relative_error": _rms(inside) / _rms(self.exact["inside"]),
            "outside_error": _rms(outside),
            "outside_relative_error": _rms(outside) / _rms(self.exact["outside"]),
            "free_energy_error": float(np.std(energy)),
        }

    def curves(self, models: dict) -> dict:
        """Free energies [kBT] along x, their mean over the inside taken off."""
        x = np.linspace(self.range[0] - REACH, self.range[1] + REACH, 121)
        within = (x > self.inside[0]) & (x < self.inside[-1])
        found = {"exact": rippled_well.free_energy(x)} | {name: _evaluate(p, x)[0] for name, p in models.items()}
        return {"x_nm": x.round(4).tolist()} | {name: (w - w[within].mean()).round(4).tolist() for name, w in found.items()}


def _evaluate(potential, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy [kBT] and force [kBT/nm] at ``x`` (any,) [nm]."""
    positions = torch.zeros(len(x), 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = torch.from_numpy(x)
    found = potentials._base.evaluate(potential, positions)
    kt = units.thermal_energy(300.0)
    return found.energy.double().numpy() / kt, found.forces[:, 0, 0].double().numpy() / kt


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


if __name__ == "__main__":
    main()
