"""SPC/E water of 300 molecules at several temperatures, as one bead a molecule, sampled once into a folder; and how models are judged."""

import pathlib

import numpy as np

from tests.benchmarks._runs import sampled
from workbench import mappings, potentials, projection, reference, simulation, systems
from workbench.observables import rdf
from workbench.potentials import Potential
from workbench.types import ReferenceData, State, Trajectory

N_MOLECULES, DENSITY = 300, 0.997
"""The box, 2.08 nm, is the same at all temperatures."""
N_FRAMES = {280.0: 200, 300.0: 400, 320.0: 200, 360.0: 200}
"""Frames at each temperature [K], a quarter of a picosecond apart."""
DISTRIBUTION = rdf.Settings(r_max=1.0, n_bins=100, n_blocks=4)
FIRST = 24
"""Bins of the distribution below 0.24 nm, which are empty."""


def beads(folder: pathlib.Path, temperature: float) -> ReferenceData:
    """Centres of mass at ``temperature`` [K], with the forces on the molecules."""
    system = systems.load("water_spce", n_molecules=N_MOLECULES, density=DENSITY, cutoff_nm=0.9, temperature=temperature)
    settings = reference.Settings(
        n_frames=N_FRAMES[temperature],
        interval_ps=0.25,
        timestep_fs=2.0,
        temperature=temperature,
        equilibration_ps=20.0,
        checkpoint_every=20,
    )
    run = sampled(system, settings, folder / f"water_{temperature:g}K", told)
    return projection.project(run, mappings.center_of_mass.build(system, None, mappings.center_of_mass.Settings()), force_map="molecule")


def together(of_temperatures: list[ReferenceData]) -> ReferenceData:
    """The data of several temperatures as one, frames in turn, as many of each."""
    n = min(len(data) for data in of_temperatures)
    parts = [data.take(np.linspace(0, len(data) - 1, n).round().astype(int)) for data in of_temperatures]
    arrays = {name: np.stack([getattr(p, name) for p in parts], 1).reshape(n * len(parts), -1, 3) for name in ("positions", "forces")}
    return ReferenceData(
        **arrays,
        box=np.stack([p.box for p in parts], 1).reshape(-1, 3),
        state=np.tile(np.arange(len(parts)), n),
        states=tuple(p.states[0] for p in parts),
        beads=parts[0].beads,
    )


def distribution(run: Trajectory) -> np.ndarray:
    """g(r) from 0.24 to 1.0 nm, (76,)."""
    return rdf.compute(run, DISTRIBUTION).value[FIRST:]


def simulated(potential: Potential, data: ReferenceData, state: State, seed: int, n_steps: int = 5000) -> Trajectory:
    """Four replicas of the box at ``state``, 5 fs a step, without the first fifth."""
    settings = simulation.replicas.Settings(
        n_steps=n_steps, save_every=50, timestep_fs=5.0, friction=2.0, temperature=state.temperature, seed=seed
    )
    start = data.start(np.linspace(0, len(data) - 1, 4).round().astype(int))
    run = simulation.replicas.run(potentials.at(potential, state), start, settings, on_step=told)
    return run.take(slice(4 * (n_steps // 250), None))


def rms(a: np.ndarray, b: np.ndarray) -> float:
    """Root-mean-square difference."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def told(step: int, metrics: dict) -> None:
    """Print a step, now and then."""
    if step % max(1, metrics["total"] // 20) == 0:
        print(step, {key: round(value, 4) for key, value in metrics.items() if isinstance(value, float)}, flush=True)
