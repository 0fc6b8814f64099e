"""SPC/E water as one bead by the structure-based methods: error against iteration and wall time, and VOTCA driving LAMMPS beside them.

    python -m tests.benchmarks.classical_water FOLDER [--methods iterative_boltzmann inverse_monte_carlo relative_entropy pressure]
                                                      [--engine FOLDER --peer-methods ibi imc]

The reference (2180 molecules, 300 K) is sampled into the folder once. Errors are root-mean-square deviations of g(r) over the knots from
0.24 to 1.0 nm, 0.01 nm apart. The potential of each fit is then run for itself, from another seed. ``--engine`` is the folder with
LAMMPS's ``lmp`` and ``mpirun``: VOTCA (Debian's package) gets the same target, start and cores in the same run.
"""

import argparse
import dataclasses
import pathlib
import time

import numpy as np

from tests.benchmarks import _record, _reference_liquids, _votca_peer
from workbench import mappings, projection, rooms, simulation
from workbench.fitting import _histograms
from workbench.observables import pressure, rdf
from workbench.potentials import tabulated
from workbench.types import ReferenceData, Trajectory

SEED = 0
GRID = tabulated.Settings(start=0.24, cutoff=1.0, spacing=0.01)
METHODS = {
    "iterative_boltzmann": ("iterative_boltzmann", {"n_iterations": 30, "tolerance": 0.0095}),
    "inverse_monte_carlo": ("inverse_monte_carlo", {"n_iterations": 8}),
    "relative_entropy": ("relative_entropy", {"n_iterations": 50}),
    "pressure": (
        "iterative_boltzmann",
        {"n_iterations": 60, "pressure": 1.0, "tolerance": 0.015, "pressure_tolerance": 40.0, "patience": 60},
    ),
}
PEER = {"ibi": ("iterative_boltzmann", 12, {}), "imc": ("inverse_monte_carlo", 8, {"regularization": 1e4})}
"""VOTCA's methods: which of ours each is held against, how many iterations it makes, and what differs from its tutorial: inverse Monte
Carlo without regularization, as there, is tried for itself."""


def main() -> None:
    """Parse the command line, fit, run the peer, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engine", type=pathlib.Path)
    parser.add_argument("--peer-methods", nargs="*", default=list(PEER), choices=list(PEER))
    given = parser.parse_args()
    data = beads(given.folder, given.threads)
    _record.write("classical_water_target", target(data), SEED)
    found = {}
    for name in given.methods:
        found[name] = fitted(name, data, given.threads)
        _record.write(f"classical_water_{name}", found[name], SEED)
    for name in given.peer_methods if given.engine else ():
        _record.write(f"classical_water_votca_{name}", peer(name, data, given, found), SEED)


def beads(folder: pathlib.Path, n_threads: int) -> ReferenceData:
    """Centres of mass of the reference, with the forces on the molecules."""
    run = _reference_liquids.sample("spce", folder, n_threads)
    mapping = mappings.center_of_mass.build(run.system, None, mappings.center_of_mass.Settings())
    return projection.project(run, mapping, force_map="molecule")


def distribution(run: Trajectory, tables: tabulated.PairTables) -> np.ndarray:
    """g(r) of ``run`` at the knots of ``tables``."""
    return _histograms.rdf(_histograms.pair_counts(run, tables), run, tables)[0]


def target(data: ReferenceData) -> dict:
    """The reference's g(r), the noise of its halves, and how far it is from the tutorial's where that is at hand."""
    tables = tabulated.build(data, GRID)
    r, g = tables.knots(), distribution(data, tables)
    halves = [distribution(data.take(part), tables) for part in (slice(0, len(data) // 2), slice(len(data) // 2, None))]
    fine = rdf.compute(data, rdf.Settings(r_max=1.0, n_bins=100))
    return {
        "frames": len(data),
        "highest g": float(g.max()),
        "at [nm]": float(r[g.argmax()]),
        "rms between the halves": rms(*halves),
        "standard error of g, rms": float(np.sqrt(np.mean(fine.error[24:] ** 2))),
        "r [nm]": r.round(3).tolist(),
        "g": g.round(5).tolist(),
    }


def fitted(name: str, data: ReferenceData, n_threads: int) -> dict:
    """One fit with its curve, and an independent run of what it found."""
    file, options = METHODS[name]
    method = rooms.method("fitting", file)
    settings = method.Settings()
    settings = dataclasses.replace(settings, simulation=dataclasses.replace(settings.simulation, n_threads=n_threads, seed=SEED), **options)
    began = time.perf_counter()
    fit = method.fit(tabulated.build(data, GRID), data, settings, on_step=lambda i, m: print(name, i, shown(m), flush=True))
    errors = fit.history["rms_rdf"]
    best = int(fit.history["error"].argmin())
    return {
        "iterations": len(errors) - 1,
        "seconds": time.perf_counter() - began,
        "rms of g": float(errors[best]),
        "pressure [bar]": float(fit.history["pressure"][best]),
        "run for itself": judged(fit.potential, data, n_threads),
        "error by iteration": errors.round(5).tolist(),
        "seconds by iteration": fit.history["seconds"].round(2).tolist(),
        "pressure by iteration [bar]": fit.history["pressure"].round(0).tolist(),
        "u [kJ/mol]": fit.potential.values()[0].round(5).tolist(),
    }


def judged(potential, data: ReferenceData, n_threads: int) -> dict:
    """RMS of g(r) and pressure of 200 ps at 5 fs from another seed."""
    settings = simulation.replicas.Settings(
        n_steps=42_000, save_every=50, timestep_fs=5.0, friction=2.0, temperature=300.0, seed=SEED + 1, n_threads=n_threads, virial=True
    )
    run = simulation.replicas.run(potential, data.start([0]), settings).take(slice(40, None))
    run = ReferenceData(**{**{k: getattr(run, k) for k in ("positions", "box", "virial", "states", "time")}, "beads": data.beads})
    found = pressure.compute(run)
    return {
        "rms of g": rms(distribution(run, potential), distribution(data, potential)),
        "pressure [bar]": float(found.value),
        "error of the pressure [bar]": float(found.error),
    }


def peer(name: str, data: ReferenceData, given, found: dict) -> dict:
    """VOTCA's iterations, and how much sooner ours came to each of its errors."""
    tables = tabulated.build(data, GRID)
    r, g = tables.knots(), distribution(data, tables)
    start = np.array(data.positions[0], np.float64), np.array(data.box[0], np.float64)
    own, count, options = PEER[name]
    problem = given.folder / f"votca_{name}", given.engine, (r, g), start, name, count
    rows = _votca_peer.iterate(*problem, cores=given.threads, **options)
    seconds, errors = np.cumsum([row["seconds"] for row in rows]), np.array([row["rms"] for row in rows])
    figures = {"seconds by iteration": seconds.round(1).tolist(), "error by iteration": errors.round(5).tolist()}
    if own in found:
        figures["times as fast"] = {f"{e:.4f}": sooner(e, s, found[own]) for e, s in zip(errors, seconds, strict=True) if e <= errors[0]}
        best = int(errors.argmin())
        figures["times as fast to its best"] = sooner(errors[best], seconds[best], found[own])
    if options:
        figures |= {"settings": options, "with the tutorial's settings": as_in_the_tutorial(problem, given.threads)}
    return figures


def as_in_the_tutorial(problem: tuple, cores: int) -> str:
    """How the peer ends with its tutorial's settings."""
    try:
        rows = _votca_peer.iterate(*problem, cores=cores)
    except RuntimeError:
        made = len(list(problem[0].glob("step_*/*.dist.new")))
        return f"its simulation fails in iteration {made + 1}"
    return "errors " + ", ".join(f"{row['rms']:.4f}" for row in rows)


def sooner(error: float, seconds: float, own: dict) -> float | None:
    """Seconds of the peer over ours to an error that is no larger; None where ours never came there."""
    reached = [s for e, s in zip(own["error by iteration"], own["seconds by iteration"], strict=True) if e <= error]
    return round(float(seconds / reached[0]), 2) if reached else None


def rms(a: np.ndarray, b: np.ndarray) -> float:
    """Root-mean-square difference."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def shown(metrics: dict) -> dict:
    """The numbers of an iteration."""
    return {name: round(value, 4) for name, value in metrics.items() if isinstance(value, float)}


if __name__ == "__main__":
    main()
