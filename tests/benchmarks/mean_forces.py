"""Mean forces of 64 rigid waters held by their centres of mass: error against number of samples, and the limit of a stiff spring.

    python -m tests.benchmarks.mean_forces

One configuration is sampled by independent runs. Their spread is the true standard error, beside the one that each run states from
its own blocks; both fall with a slope of -1/2 once a block is long against the slowest motion. With the centres held, water at 300 K
reorients so slowly that 100 ps are far too short; at 600 K they are not. Springs of different stiffness hold the centres at the same
mean positions, to which a pilot run brings them: the forces differ by their errors once a spring is stiff enough.
"""

import argparse
import dataclasses
import time

import numpy as np

from tests.benchmarks import _record
from workbench import mappings, mean_forces, reference, systems

SEED = 0
SPRINGS = (10_000.0, 20_000.0, 40_000.0, 80_000.0, 160_000.0)


def main() -> None:
    """Parse the command line, run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[50, 500, 5000])
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--interval", type=float, default=0.04, help="between two samples [ps]")
    parser.add_argument("--spring-samples", type=int, default=2000)
    parser.add_argument("--temperature", type=float, default=300.0, help="[K]")
    given = parser.parse_args()
    water = systems.load("water_tip3p")
    mapping = mappings.center_of_mass.build(water, None, mappings.center_of_mass.Settings())
    sampling = reference.Settings(
        interval_ps=given.interval, equilibration_ps=2.0, timestep_fs=2.0, temperature=given.temperature, friction_per_ps=5.0, seed=SEED
    )
    start = reference.sample(water, dataclasses.replace(sampling, n_frames=1, equilibration_ps=5.0))
    rows = []
    for n in given.samples:
        begun = time.perf_counter()
        settings = mean_forces.Settings(sampling=dataclasses.replace(sampling, n_frames=n))
        data = mean_forces.sample(start.take(np.zeros(given.runs, int)), mapping, settings)
        spread = float(np.sqrt(data.forces.var(0, ddof=1).mean()))
        stated = float(np.sqrt((data.force_error**2).mean()))
        seconds = time.perf_counter() - begun
        rows.append({"samples": n, "spread [kJ/mol/nm]": spread, "stated error [kJ/mol/nm]": stated, "seconds": seconds})
        print(rows[-1], flush=True)
    slopes = {
        name: float(np.polyfit(np.log(given.samples), np.log([row[name] for row in rows]), 1)[0])
        for name in ("spread [kJ/mol/nm]", "stated error [kJ/mol/nm]")
    }
    print(slopes, flush=True)
    limit = springs(water, mapping, start, dataclasses.replace(sampling, n_frames=given.spring_samples))
    print(limit)
    _record.write(f"mean_forces_{given.temperature:g}K", {"samples": rows, "slopes": slopes, "springs": limit}, SEED)


def springs(water, mapping, start, sampling) -> dict:
    """Mean forces at one configuration by springs of different stiffness, and how far each is from those of the stiffest."""
    held = {
        k: mean_forces.sample(start, mapping, mean_forces.Settings(sampling=sampling, spring=k, pilot=sampling.n_frames)) for k in SPRINGS
    }
    centres = np.einsum("bn,fnx->fbx", mapping.expand(water).toarray(), start.positions.astype(float))
    stiffest = held[SPRINGS[-1]]
    limit = {}
    for k, data in held.items():
        apart = data.positions - centres
        apart -= np.round(apart / start.box[:, None]) * start.box[:, None]
        limit[f"{k:g} kJ/mol/nm^2"] = {
            "distance from the centres asked for [nm]": float(np.sqrt((apart**2).mean())),
            "root mean square force [kJ/mol/nm]": float(np.sqrt((data.forces**2).mean())),
            "root mean square error [kJ/mol/nm]": float(np.sqrt((data.force_error**2).mean())),
            "difference from the stiffest spring [kJ/mol/nm]": float(np.sqrt(((data.forces - stiffest.forces) ** 2).mean())),
            "difference expected of the errors alone [kJ/mol/nm]": float(np.sqrt((data.force_error**2 + stiffest.force_error**2).mean())),
        }
    return limit


if __name__ == "__main__":
    main()
