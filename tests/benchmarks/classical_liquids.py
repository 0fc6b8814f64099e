"""Molecular liquids and a melt by the classical methods: bonded and mixed systems against their all-atom references.

    python -m tests.benchmarks.classical_liquids FOLDER [--systems hexane toluene_1 toluene_2 toluene_3 methanol_water polymer_melt]

Hexane as three beads, toluene at its three graph levels (by iterative Boltzmann inversion and by spline force matching), an equimolar
mixture of methanol and water with all cross terms by inverse Monte Carlo, and twenty chains of eicosane as ten beads each. References
are sampled into the folder once. Errors are root-mean-square deviations of g(r) over the knots of every pair of types, and the
Jensen-Shannon divergence of every bonded distribution, of an independent run of the potential found.
"""

import argparse
import dataclasses
import pathlib
import time

import numpy as np

from tests.benchmarks import _record, _reference_liquids
from workbench import mappings, projection, rooms, simulation
from workbench.fitting import _measured
from workbench.observables import end_to_end, radius_of_gyration, rdf
from workbench.observables.free_energy import jensen_shannon
from workbench.potentials import Potential, tabulated
from workbench.types import Mapping, ReferenceData, Trajectory

SEED = 0
TOLUENE = {f"toluene_{level}": ("toluene", "spectral", {"level": level}) for level in (1, 2, 3)}
MAPPINGS = {
    "hexane": ("hexane", "every_n", {"n": 2}),
    **TOLUENE,
    "methanol_water": ("methanol_water", "center_of_mass", {}),
    "polymer_melt": ("polymer_melt", "by_residue", {}),
}
"""Reference, scheme and its settings."""
GRIDS: dict[str, dict] = {
    "hexane": {"start": 0.3, "cutoff": 1.2, "spacing": 0.02},
    "toluene_1": {"start": 0.26, "cutoff": 1.2, "spacing": 0.02, "bond_spacing": 0.002, "n_angle": 120, "n_dihedral": 120},
    "toluene_2": {"start": 0.28, "cutoff": 1.2, "spacing": 0.02, "bond_spacing": 0.002},
    "toluene_3": {"start": 0.3, "cutoff": 1.3, "spacing": 0.02},
    "methanol_water": {"start": 0.22, "cutoff": 1.1, "spacing": 0.01},
    "polymer_melt": {"start": 0.28, "cutoff": 1.1, "spacing": 0.02, "dihedrals": False},
}
"""The melt's beads line up, where the force of a dihedral has no bound: it gets no table, and its distribution is judged all the same."""
MATCHED = {"toluene_1": {"dihedrals": False, "bond_spacing": 0.004, "n_angle": 60}}
"""Grids that differ for force matching: a ring's dihedrals follow from its bonds and angles, so that forces cannot tell them apart."""
METHODS = dict.fromkeys(MAPPINGS, ("iterative_boltzmann",)) | dict.fromkeys(TOLUENE, ("iterative_boltzmann", "spline_force_matching"))
METHODS["methanol_water"] = ("inverse_monte_carlo",)
ITERATIONS = {"iterative_boltzmann": 30, "inverse_monte_carlo": 16}
OPTIONS = {"toluene_1": {"scale": 0.5}, "methanol_water": {"scale": 0.5, "regularization": 2.0}, "polymer_melt": {"shortest": 0.25}}
"""Damped, where bonds, angles and dihedrals of a ring say the same thing more than once, and where the mixture demixes on the way; never
short, where twenty chains tell little of a bond."""
STEPS = 20_000
"""Steps of an iteration, at most."""
TIMESTEPS = {"toluene_1": 3.0, "toluene_2": 2.0}
"""Time steps other than 5 fs."""
LENGTHS = {"polymer_melt": 4.0, "methanol_water": 2.0}
"""Iterations longer than usual, by this factor: chains and compositions relax slowly."""


def main() -> None:
    """Fit every system by its methods and record it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--systems", nargs="+", default=list(MAPPINGS), choices=list(MAPPINGS))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    for name in given.systems:
        data = beads(name, given.folder, given.threads)
        figures = {"beads": data.n_particles, "types": sorted(set(data.beads.types)), "reference": sizes(data)}
        for method in METHODS[name]:
            figures[method] = fitted(name, method, data, given.threads)
        _record.write(f"classical_{name}", figures, SEED)


def beads(name: str, folder: pathlib.Path, n_threads: int) -> ReferenceData:
    """The reference seen through the system's mapping."""
    liquid, scheme, options = MAPPINGS[name]
    run = _reference_liquids.sample(liquid, folder, n_threads)
    method = rooms.method(mappings, scheme)
    mapping: Mapping = method.build(run.system, None, method.Settings(**options))
    return projection.project(run, mapping)


def fitted(name: str, file: str, data: ReferenceData, n_threads: int) -> dict:
    """One fit, and an independent run of the potential that it found."""
    method = rooms.method("fitting", file)
    settings, began = method.Settings(), time.perf_counter()
    if file in ITERATIONS:
        run = settings.simulation
        steps = round(STEPS * LENGTHS.get(name, 1.0))
        run = dataclasses.replace(run, n_steps=steps, n_threads=n_threads, timestep_fs=TIMESTEPS.get(name, 5.0), seed=SEED)
        settings = dataclasses.replace(settings, n_iterations=ITERATIONS[file], simulation=run, **OPTIONS.get(name, {}))
    grid = GRIDS[name] | (MATCHED.get(name, {}) if file == "spline_force_matching" else {})
    fit = method.fit(tabulated.build(data, tabulated.Settings(**grid)), data, settings, on_step=lambda i, m: told(name, file, i, m))
    figures = {"seconds": time.perf_counter() - began, **judged(name, fit.potential, grid, data, n_threads)}
    if file in ITERATIONS:
        figures |= {key: fit.history[key].round(5).tolist() for key in ("error", "rms_rdf", "js_bonded") if key in fit.history}
    return figures


def judged(name: str, potential: Potential, grid: dict, data: ReferenceData, n_threads: int) -> dict:
    """Structure of an independent run at the reference's mean box, against the reference: of all terms, also those without a table."""
    every = tabulated.build(data, dataclasses.replace(tabulated.Settings(**grid), dihedrals=True)).bind(data.beads)
    target = _measured.targets(every, data)[0]
    box = np.asarray(data.box, np.float64)
    nearest = int(np.argmin(np.abs(box.prod(1) - box.prod(1).mean())))
    start = data.start([nearest])
    scale = box.mean(0) / box[nearest]
    start = dataclasses.replace(start, positions=start.positions * scale, box=box.mean(0)[None])
    steps = round(40_000 * LENGTHS.get(name, 1.0))
    settings = simulation.replicas.Settings(
        n_steps=steps + 10_000,
        save_every=100,
        timestep_fs=TIMESTEPS.get(name, 5.0),
        friction=2.0,
        temperature=target.state.temperature,
        seed=SEED + 1,
        n_threads=n_threads,
    )
    run = simulation.replicas.run(potential, start, settings).take(slice(100, None))
    found = _measured.measure(run, every, target.state)
    bonded = tabulated.parts(every)[1]
    pairs = tabulated.parts(potential)[0]
    figures = {
        "rms of g": {"-".join(pair): rms(found.rdf[k], target.rdf[k]) for k, pair in enumerate(pairs.pairs)},
        "r [nm]": pairs.knots().round(4).tolist(),
        "g": found.rdf.round(4).tolist(),
        "g of the reference": target.rdf.round(4).tolist(),
        "u [kJ/mol]": pairs.values().round(4).tolist(),
    }
    if bonded is not None:
        figures["divergence"] = {
            f"{kind} {'-'.join(types)}": float(jensen_shannon(found.densities[kind][k], target.densities[kind][k]))
            for kind, tables in bonded.tables.items()
            for k, types in enumerate(tables)
        }
    return figures | {"molecules": molecules(run, data), "sizes": sizes(ReferenceData(**arrays(run), beads=data.beads))}


def molecules(run: Trajectory, data: ReferenceData) -> dict:
    """g(r) of the molecules' centres of mass, of the run and of the reference: one distribution for models of any number of beads."""
    beads = data.beads
    share = np.zeros((beads.molecule.max() + 1, beads.n_beads))
    share[beads.molecule, np.arange(beads.n_beads)] = beads.masses / np.bincount(beads.molecule, beads.masses)[beads.molecule]
    settings = rdf.Settings(r_max=min(1.2, 0.5 * float(min(np.min(data.box), np.min(run.box)))), n_bins=60)
    model, target = (rdf.compute(Trajectory(positions=share @ t.positions, box=t.box, states=t.states), settings) for t in (run, data))
    g = {"g": model.value.round(4).tolist(), "g of the reference": target.value.round(4).tolist()}
    return {"rms of g": rms(model.value, target.value), "r [nm]": model.x[0].round(4).tolist()} | g


def arrays(run: Trajectory) -> dict:
    """What a run of beads holds."""
    return {name: getattr(run, name) for name in ("positions", "box", "time", "states", "replica", "parents")}


def sizes(data: ReferenceData) -> dict:
    """Radius of gyration and end-to-end distance [nm] with errors, of molecules of three beads or more."""
    if np.bincount(data.beads.molecule).min() < 3:
        return {}
    measured = {"radius of gyration [nm]": radius_of_gyration.compute(data), "end to end [nm]": end_to_end.compute(data)}
    return {name: [float(value.value), float(value.error)] for name, value in measured.items()}


def rms(a: np.ndarray, b: np.ndarray) -> float:
    """Root-mean-square difference."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def told(name: str, file: str, iteration: int, metrics: dict) -> None:
    """Print an iteration."""
    print(name, file, iteration, {key: round(value, 4) for key, value in metrics.items() if isinstance(value, float)}, flush=True)


if __name__ == "__main__":
    main()
