"""Densities of the library's liquids at constant pressure, with block-averaged errors; every liquid resumes where it was stopped.

python -m tests.benchmarks.liquid_densities --folder runs/densities --liquids toluene water_spce --time-ps 200

Each liquid starts at its experimental density (polymer_melt at a loose packing) and is sampled at the temperature of that density and
1 atm; bonds to hydrogen are rigid. A fifth of the time equilibrates before.
"""

import argparse
import dataclasses
import pathlib

import numpy as np

from tests.benchmarks import _record
from workbench import reference, rooms, systems, units
from workbench.observables import density
from workbench.types import System

LIQUIDS = (
    *("water_tip3p", "water_spce", "water_tip4p2005", "heavy_water", "methane", "carbon_monoxide", "fluorine", "ethane", "propane"),
    *("hexane", "toluene", "methanol", "methanol_water", "dimethylformamide", "dimethyl_carbonate", "aniline", "ortho_terphenyl"),
    *("ionic_liquid", "polymer_melt", "stillinger_weber_fluid", "methanol_gaff2"),
)
WATERS = ("water_tip3p", "water_spce", "water_tip4p2005", "heavy_water")
SIZES = {"propane": 100, "hexane": 100, **dict.fromkeys(("toluene", "aniline", "dimethyl_carbonate", "dimethylformamide"), 64)}
OPTIONS = {name: {"n_molecules": 216, "temperature": 298.15} for name in WATERS} | {name: {"n_molecules": n} for name, n in SIZES.items()}
"""Where the defaults of a liquid do not serve; the cut-off is 0.9 nm throughout."""
BY_SMILES = {"methanol_gaff2": ("CO", {"n_molecules": 150, "temperature": 298.15, "density": 0.78633})}
"""Liquids outside the library: SMILES, options; GAFF2, at the experimental density."""
TIMESTEPS = {"carbon_monoxide": 4.0, "fluorine": 4.0, "stillinger_weber_fluid": 5.0}
"""Time steps other than 2 fs [fs]."""
PUBLISHED = {
    "water_spce": (0.998, "OpenMM issue 2593, 300 K"),
    "water_tip4p2005": (0.9979, "Abascal and Vega 2005, as recollected"),
    "water_tip3p": (0.985, "with Ewald sums, as recollected (Horn et al. 2004: 0.982 to 0.986)"),
    "methanol": (0.7815, "GAFF: Beauchamp et al., J. Phys. Chem. B 119, 12912 (2015)"),
    "stillinger_weber_fluid": (0.997, "Molinero and Moore 2009, as recollected"),
}
"""Densities of the models themselves [g/cm^3]."""
PRESSURE = 1.01325


def main() -> None:
    """Sample each liquid and record its density."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/densities"))
    parser.add_argument("--liquids", nargs="+", default=list(LIQUIDS))
    parser.add_argument("--time-ps", type=float, default=200.0)
    given = parser.parse_args()
    for name in given.liquids:
        _record.write(f"density_{name}", measure(name, given.time_ps, given.folder), 0)


def load(name: str) -> System:
    """The liquid at its experimental density."""
    if name in BY_SMILES:
        text, options = BY_SMILES[name]
        liquid = systems.from_smiles(text, force_field="gaff2", cutoff_nm=0.9, constraints="h-bonds", **options)
        return dataclasses.replace(liquid, experimental_density=options["density"])
    fields = {field.name for field in dataclasses.fields(rooms.method("systems", name).Settings)}
    options = dict(OPTIONS.get(name, {}))
    options |= {"cutoff_nm": 0.9} if "cutoff_nm" in fields else {}
    options |= {"constraints": "h-bonds"} if "constraints" in fields else {}
    return systems.load(name, **options)


def measure(name: str, time_ps: float, folder: pathlib.Path) -> dict:
    """Density of ``time_ps`` at the temperature of the experiment."""
    system = load(name)
    step = TIMESTEPS.get(name, 2.0)
    settings = reference.Settings(
        n_frames=round(time_ps / 0.2),
        interval_ps=0.2,
        timestep_fs=step,
        temperature=system.state.temperature,
        pressure=PRESSURE,
        equilibration_ps=time_ps / 4,
        friction_per_ps=2.0,
    )

    def show(frame: int, metrics: dict) -> None:
        if frame and frame % 200 == 0:
            print(f"  {name}: {metrics['time']:.0f} ps, {metrics['density']:.4f} g/cm^3, {metrics['temperature']:.0f} K", flush=True)

    run = reference.sample(system, settings, checkpoint=folder / f"{name}-{time_ps:g}", on_step=show)
    found = density.compute(run, density.Settings(n_blocks=10))
    value, experiment = float(found.value), system.experimental_density
    figures = {
        "density [g/cm^3]": value,
        "standard error [g/cm^3]": float(found.error),
        "experiment [g/cm^3]": experiment,
        "deviation from experiment [%]": 100 * (value / experiment - 1),
    }
    if name in PUBLISHED:
        figures |= {"published for the model [g/cm^3]": PUBLISHED[name][0], "published by": PUBLISHED[name][1]}
        figures["deviation from the published [%]"] = 100 * (value / PUBLISHED[name][0] - 1)
    return figures | {
        "temperature [K]": system.state.temperature,
        "pressure [bar]": PRESSURE,
        "molecules": int(system.molecule[-1]) + 1,
        "atoms": int(np.count_nonzero(system.masses)),
        "steps": round(1.25 * time_ps / (step * units.FEMTOSECOND)),
        "time step [fs]": step,
        "source": system.source,
    }


if __name__ == "__main__":
    main()
