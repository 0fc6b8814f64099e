"""Drift of the total energy at constant energy, double precision, 2 fs: on a table and on mW water.

    python -m tests.benchmarks.energy_conservation

The drift is the slope of a straight line through the total energy. Bar: 1e-3 kBT a ns and degree of freedom.
"""

import argparse

import numpy as np

from tests.benchmarks import _fluids, _record
from workbench import simulation, units

CASES = {"table": 1000, "mW": 512}


def main() -> None:
    """Both fluids."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ns", type=float, default=0.5)
    given = parser.parse_args()
    _record.write("energy_conservation", {kind: drift(kind, n, given.ns) for kind, n in CASES.items()}, 0)


def drift(kind: str, n: int, length: float) -> dict:
    """Slope with its error, from the slopes of five parts, and the spread of the total energy about the line [kBT a degree of freedom]."""
    settings = simulation.replicas.Settings(
        n_steps=round(length * 1e6 / 2.0),
        save_every=250,
        timestep_fs=2.0,
        integrator="verlet",
        precision="double",
        skin=_fluids.SKINS[kind],
        save_velocities=True,
    )
    run = simulation.replicas.run(_fluids.potential(kind), _fluids.liquid(kind, n, steps=10_000), settings)
    kinetic = 0.5 * _fluids.MASSES[kind] * (run.velocities.astype(float) ** 2).sum((1, 2))
    unit = units.thermal_energy(_fluids.TEMPERATURE) * 3 * n
    time, total = run.time / 1000.0, (run.energy + kinetic) / unit  # ns, kBT a degree of freedom
    slope, offset = np.polyfit(time, total, 1)
    parts = [np.polyfit(t, e, 1)[0] for t, e in zip(np.array_split(time, 5), np.array_split(total, 5), strict=True)]
    return {
        "beads": n,
        "ns": length,
        "drift": float(slope),
        "error": float(np.std(parts, ddof=1) / np.sqrt(5) / 5),  # a line five times as long has a fifth of the error, at least
        "spread": float((total - slope * time - offset).std()),
        "temperature": float(kinetic.mean() / (1.5 * n * units.BOLTZMANN)),
    }


if __name__ == "__main__":
    main()
