"""SPC/E water as one bead by kernels, on grids: structure against the reference's, beside force-matched three-body splines.

    python -m tests.benchmarks.kernel_water FOLDER [--frames 40] [--picoseconds 40]

The folder is that of ``_reference_liquids`` (2180 molecules, 300 K). Kernels of pairs up to 1.2 nm and of triplets with
legs up to 0.37 nm, the range of the splines, are solved for together from the molecules' forces; on grids, they are run at the
reference's density. ``spline_force_matching`` does the same with tables of pairs
and three-body splines of the Stillinger-Weber form, whose recorded figures stand beside. The floor is the distance of the
reference's two halves.
"""

import argparse
import json
import pathlib
import time

import numpy as np

from tests.benchmarks import _record, _reference_liquids
from tests.benchmarks.spline_force_matching import LEGS, SEED, rms, structure
from workbench import device, mappings, projection, simulation
from workbench.fitting import kernel_regression
from workbench.potentials import kernel, three_body_table

KERNEL = kernel.Settings(
    pair_cutoff=1.2,
    n_pairs=80,
    pair_width=0.03,
    cutoff=LEGS,
    switch_width=0.06,
    n_triplets=250,
    leg_width=0.05,
    end_width=0.08,
    n_frames=10,
)
MESH = three_body_table.Settings(start=0.24, n_leg=12, n_angle=28)
BESIDE = "pairs up to 1.2 nm and triples"


def main() -> None:
    """Fit, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=40, help="of the reference, to learn from")
    parser.add_argument("--picoseconds", type=float, default=40.0, help="of the model, after a quarter of it to equilibrate")
    given = parser.parse_args()
    all_atom = _reference_liquids.sample("spce", given.folder)
    mapping = mappings.center_of_mass.build(all_atom.system, None, mappings.center_of_mass.Settings())
    data = projection.project(all_atom, mapping, force_map="molecule")
    part = data.take(_reference_liquids.spread(len(data), given.frames))
    with device.threads(1):
        figures = learned(part)
        tables = figures.pop("potential")
        wanted, found = structure(data), run(tables, data, given.picoseconds)
    recorded = json.loads((_record.RESULTS / "spline_force_matching.json").read_text())["figures"]
    figures |= {f"rms of {name}": rms(found[name], wanted[name]) for name in ("rdf", "adf")}
    figures["three-body splines"] = {f"rms of {name}": recorded[BESIDE][f"rms of {name}"] for name in ("rdf", "adf")}
    figures["floor"] = recorded["floor"]
    figures |= {"frames": len(part), "legs of the angles [nm]": LEGS, "found": found, "reference": wanted}
    _record.write("kernel_water", figures, SEED)


def learned(data) -> dict:
    """The kernels' fit, on grids, with its force errors and time."""
    begun = time.process_time()
    settings = kernel_regression.Settings()
    fit = kernel_regression.fit(kernel.build(data, KERNEL), data, settings, on_step=lambda block, _: print(f"block {block}", flush=True))
    errors = {name: float(np.sqrt(np.mean(fit.history[f"force_error_{name}"] ** 2))) for name in ("before", "after")}
    print(errors, fit.history["held_out"], fit.history["regularisation"], flush=True)
    return {
        "potential": kernel.tabulate(fit.potential, data, mesh=MESH),
        "force error [kJ/mol/nm]": errors | {"held out": float(fit.history["held_out"][0])},
        "lambda": float(fit.history["regularisation"][0]),
        "processor seconds of the fit": time.process_time() - begun,
    }


def run(potential, data, picoseconds: float) -> dict:
    """Structure of the model, from the last frame of the reference on."""
    steps = round(picoseconds / 0.004)
    settings = simulation.replicas.Settings(n_steps=steps + steps // 4, save_every=50, timestep_fs=4.0, temperature=300.0, seed=SEED)
    trajectory = simulation.replicas.run(potential, data.start([len(data) - 1]), settings)
    return structure(trajectory.take(slice(steps // 200, None)))


if __name__ == "__main__":
    main()
