"""ML-BOP water at 1 bar: densities of liquid and of cubic ice, the temperature of maximum density, heat capacity and diffusion.

    python -m tests.benchmarks.bond_order_water FOLDER [--parts liquid ice]

All temperatures run at once as replicas of 216 molecules at constant pressure. The maximum is that of a parabola through the densities
around it; its error, and every other, is from blocks of the runs. The heat capacity is the slope of the enthalpy, kinetic part included.
"""

import argparse
import pathlib

import numpy as np

from tests.benchmarks import _fluids, _record
from workbench import potentials, simulation, types, units

SEED, MASS, TIMESTEP_FS = 0, 18.01528, 5.0
LIQUID = tuple(float(t) for t in np.arange(237.0, 330.0, 6.0))
ICE = (77.0, 140.0, 170.0, 200.0, 230.0, 250.0, 273.0)
N_BLOCKS, RESAMPLED = 8, 2000
AROUND = (250.0, 310.0)
"""Temperatures [K] that the parabola sees."""


def main() -> None:
    """Run the parts asked for and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--parts", nargs="+", default=["ice", "liquid"], choices=["liquid", "ice"])
    parser.add_argument("--picoseconds", type=float, default=2000.0, help="of each temperature, after a quarter of it to equilibrate")
    given = parser.parse_args()
    model = potentials.bond_order.build(None, potentials.bond_order.Settings())
    if "ice" in given.parts:
        run = sampled(model, crystal(), ICE, given.picoseconds / 10, given.folder / "ice")
        _record.write("bond_order_ice", {name: found for name, found in described(run).items() if name != "diffusion [nm^2/ps]"}, SEED)
    if "liquid" in given.parts:
        run = sampled(model, melted(model), LIQUID, given.picoseconds, given.folder / "liquid")
        found = described(run)
        found |= maximum(*(np.array(found[name]) for name in ("temperatures [K]", "densities by block [g/cm3]")))
        _record.write("bond_order_liquid", {"molecules": run.positions.shape[1], "picoseconds": given.picoseconds, **found}, SEED)


def crystal(cells: int = 3, constant: float = 0.630152) -> types.Start:
    """Cubic ice with the lattice constant of ML-BOP [nm]."""
    corners = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    cell = np.concatenate([corners, corners + 0.25])
    shifts = np.stack(np.meshgrid(*(np.arange(cells),) * 3, indexing="ij"), -1).reshape(-1, 3)
    x = (cell[None] + shifts[:, None]).reshape(1, -1, 3) * constant
    return types.Start(positions=x, box=np.full((1, 3), cells * constant), beads=_fluids.beads("mW", x.shape[1]))


def melted(model, n: int = 216) -> types.Start:
    """A liquid at 350 K."""
    settings = simulation.replicas.Settings(n_steps=20_000, save_every=20_000, timestep_fs=TIMESTEP_FS, temperature=350.0, seed=SEED)
    run = simulation.replicas.run(model, _fluids.start("mW", n), settings)
    return types.Start(positions=run.positions, box=run.box, beads=_fluids.beads("mW", n))


def sampled(model, start: types.Start, temperatures, picoseconds: float, folder: pathlib.Path) -> types.Trajectory:
    """Frames of all temperatures after the first fifth of the run."""
    k = len(temperatures)
    states = tuple(types.State(temperature=t, pressure=1.0) for t in temperatures)
    start = types.Start(
        positions=np.repeat(start.positions, k, 0), box=np.repeat(start.box, k, 0).astype(float), beads=start.beads, states=states
    )
    settings = simulation.replicas.Settings(
        n_steps=round(1.25 * picoseconds / (1e-3 * TIMESTEP_FS)),
        save_every=100,
        timestep_fs=TIMESTEP_FS,
        friction=0.5,
        skin=0.12,
        checkpoint_every=200,
        seed=SEED,
    )
    run = simulation.replicas.run(model, start, settings, on_step=told, checkpoint=folder)
    return run.take(run.time > 0.25 * picoseconds)


def told(step: int, metrics: dict) -> None:
    """A line now and then."""
    if step % 20_000 == 0:
        print(step, metrics, flush=True)


def described(run: types.Trajectory) -> dict:
    """Densities, enthalpies, heat capacities and diffusion coefficients by temperature."""
    temperatures = np.array([state.temperature for state in run.states])
    k, n = len(temperatures), run.positions.shape[1]
    volume = run.box.prod(1).reshape(-1, k)
    density = blocks(n * MASS / (volume * units.GRAM_PER_CM3))
    enthalpy = blocks((run.energy.reshape(-1, k) + units.BAR * volume) / n) + 1.5 * units.BOLTZMANN * temperatures
    return {
        "temperatures [K]": temperatures.tolist(),
        "densities [g/cm3]": density.mean(0).round(5).tolist(),
        "errors of the densities [g/cm3]": error(density).round(5).tolist(),
        "densities by block [g/cm3]": density.round(5).tolist(),
        "enthalpies [kJ/mol]": enthalpy.mean(0).round(4).tolist(),
        "errors of the enthalpies [kJ/mol]": error(enthalpy).round(4).tolist(),
        "heat capacities [J/mol/K]": (1000 * np.gradient(enthalpy.mean(0), temperatures)).round(1).tolist(),
        "diffusion [nm^2/ps]": diffusion(run, k).tolist(),
    }


def blocks(values: np.ndarray) -> np.ndarray:
    """Means (N_BLOCKS, K) of consecutive values (T, K)."""
    length = len(values) // N_BLOCKS
    return np.asarray(values[: length * N_BLOCKS], float).reshape(N_BLOCKS, length, -1).mean(1)


def error(of_blocks: np.ndarray) -> np.ndarray:
    """Standard errors (K,) of the means of blocks (N_BLOCKS, K)."""
    return of_blocks.std(0, ddof=1) / np.sqrt(len(of_blocks))


def diffusion(run: types.Trajectory, k: int, lags: tuple[float, float] = (10.0, 50.0)) -> np.ndarray:
    """Diffusion coefficients (K,) from the slope of the mean square displacement of fractional positions between two ``lags`` [ps].

    Without the finite-size correction. Cells breathe, so displacements are those of positions over the cell, times its mean.
    """
    fraction = np.asarray(run.positions).reshape(-1, k, run.positions.shape[1], 3) / run.box.reshape(-1, k, 1, 3)
    fraction = fraction - fraction.mean(2, keepdims=True)  # the thermostat moves the whole
    edge = run.box.reshape(-1, k, 3).mean((0, 2))
    interval = float(run.time[k] - run.time[0])
    first, second = (round(lag / interval) for lag in lags)
    square = [((fraction[lag:] - fraction[:-lag]) ** 2).sum(-1).mean((0, 2)) * edge**2 for lag in (first, second)]
    return ((square[1] - square[0]) / (6 * (second - first) * interval)).round(6)


def maximum(temperatures: np.ndarray, density: np.ndarray) -> dict:
    """Temperature of the greatest density and its standard error, by resampling the blocks (N_BLOCKS, K)."""
    near = (temperatures >= AROUND[0]) & (temperatures <= AROUND[1])
    centre = temperatures[near].mean()

    def top(rho: np.ndarray) -> float:
        a, b, _ = np.polyfit(temperatures[near] - centre, rho[near], 2)
        return centre - b / (2 * a)

    rng = np.random.default_rng(SEED)
    columns = np.arange(density.shape[1])
    drawn = [top(density[rng.integers(0, len(density), density.shape), columns].mean(0)) for _ in range(RESAMPLED)]
    low, high = np.quantile(drawn, (0.16, 0.84))
    return {"temperature of maximum density [K]": round(top(density.mean(0)), 2), "its error [K]": round((high - low) / 2, 2)}


if __name__ == "__main__":
    main()
