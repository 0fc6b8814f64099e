"""Densities of the library's liquids at constant pressure, with block-averaged errors; every liquid resumes where it was stopped.

python -m tests.benchmarks.liquid_densities --folder runs/densities --liquids water_spce --time-ps 400
"""

import argparse
import pathlib

import numpy as np

from tests.benchmarks import _record
from workbench import reference, systems, units

EXPERIMENT = dict.fromkeys(("water_tip3p", "water_spce", "water_tip4p2005"), 0.99705)
"""Density of water at 298.15 K and 1 bar [g/cm^3]."""


def main() -> None:
    """Sample each liquid and record its density."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/densities"))
    parser.add_argument("--liquids", nargs="+", default=["water_tip3p", "water_spce", "water_tip4p2005"])
    parser.add_argument("--molecules", type=int, default=216)
    parser.add_argument("--time-ps", type=float, default=400.0)
    given = parser.parse_args()
    for name in given.liquids:
        _record.write(f"density_{name}", density(name, given), 0)


def density(name: str, given) -> dict:
    """Density of the last three quarters of a run at 298.15 K and 1 bar."""
    system = systems.load(name, n_molecules=given.molecules, cutoff_nm=0.9, temperature=298.15)
    settings = reference.Settings(
        n_frames=round(given.time_ps / 0.2), interval_ps=0.2, timestep_fs=2.0, temperature=298.15, pressure=1.0, equilibration_ps=20.0
    )

    def show(frame: int, metrics: dict) -> None:
        if frame and frame % 200 == 0:
            print(f"  {name}: {metrics['time']:.0f} ps, {metrics['temperature']:.0f} K", flush=True)

    run = reference.sample(system, settings, checkpoint=given.folder / f"{name}-{given.molecules}-{given.time_ps:g}", on_step=show)
    values = system.masses.sum() / run.box.prod(1) / units.GRAM_PER_CM3
    late = values[len(values) // 4 :]
    blocks = late[: len(late) // 10 * 10].reshape(10, -1).mean(1)
    return {
        "density [g/cm^3]": float(blocks.mean()),
        "standard error [g/cm^3]": float(blocks.std(ddof=1) / np.sqrt(10)),
        "temperature [K]": 298.15,
        "pressure [bar]": 1.0,
        "molecules": given.molecules,
        "cutoff [nm]": 0.9,
        "steps": round(given.time_ps / 0.002),
        "experiment [g/cm^3]": EXPERIMENT[name],
    }


if __name__ == "__main__":
    main()
