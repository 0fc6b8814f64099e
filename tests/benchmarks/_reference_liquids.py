"""All-atom reference runs of the classical methods' benchmarks: sampled once into a folder, resumable, then read from it."""

import dataclasses
import pathlib

import numpy as np

from tests.benchmarks._runs import sampled
from workbench import reference, systems, units
from workbench.types import System, Trajectory

WATER_EDGE = 4.031
"""Box of 2180 SPC/E molecules [nm], as in VOTCA's tutorial."""
RIGID = {"timestep_fs": 2.0, "friction_per_ps": 1.0, "platform": "CPU", "checkpoint_every": 50}
LIQUIDS = {
    "spce": (reference.Settings(n_frames=400, interval_ps=0.25, equilibration_ps=20.0, **RIGID), 300.0),
    **{
        name: (reference.Settings(n_frames=400, interval_ps=0.5, equilibration_ps=40.0, **RIGID), 298.15)
        for name in ("hexane", "toluene", "methanol_water")
    },
    "ethane": (reference.Settings(n_frames=240, interval_ps=0.5, equilibration_ps=30.0, **RIGID), 184.6),
    "polymer_melt": (
        reference.Settings(n_frames=1000, interval_ps=0.5, timestep_fs=2.0, friction_per_ps=2.0, pressure=1.01325, equilibration_ps=200.0),
        450.0,
    ),
}
"""How each is sampled, and its temperature [K]; at constant volume but for the melt, which 1 atm compresses. Bonds to H are rigid."""


def load(name: str) -> System:
    """The liquid that a run begins with."""
    if name == "spce":
        density = 2180 * 18.01528 / (WATER_EDGE**3 * units.GRAM_PER_CM3)
        return systems.load("water_spce", n_molecules=2180, density=density, cutoff_nm=0.9, temperature=300.0)
    if name == "methanol_water":
        return systems.load(name, n_methanol=200, n_water=200, constraints="h-bonds")
    if name == "polymer_melt":
        return systems.load(name, constraints="h-bonds")
    if name == "ethane":
        return systems.load(name, n_molecules=168, cutoff_nm=0.9, constraints="h-bonds")
    return systems.load(name, n_molecules=125, constraints="h-bonds")


def sample(name: str, folder: pathlib.Path, n_threads: int = 1) -> Trajectory:
    """The frames of a liquid in ``folder / name``: read where a complete run lies there, else sampled (and gone on with)."""
    settings, temperature = LIQUIDS[name]
    return sampled(load(name), dataclasses.replace(settings, temperature=temperature, n_threads=n_threads), folder / name)


def spread(n_frames: int, count: int) -> np.ndarray:
    """Indices of ``count`` frames, evenly."""
    return np.linspace(0, n_frames - 1, count).round().astype(int)
