"""A protein and a polymer melt: sampled, projected and made whole across the box; size of the chains with errors.

    python -m tests.benchmarks.chains --folder runs/chains

Chignolin starts unfolded, in implicit water. Twenty chains of eicosane start as a loose packing, are compressed by 1 atm for 200 ps
and sampled at 450 K; bonds to hydrogen are rigid. Beads are residues (repeat units in the melt).
"""

import argparse
import pathlib

import numpy as np

from tests.benchmarks import _record
from workbench import mappings, projection, reference, systems
from workbench.observables import density, end_to_end, radius_of_gyration
from workbench.types import Observation, Trajectory


def main() -> None:
    """Sample both and record them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/chains"))
    given = parser.parse_args()
    runs = {name: sample(given.folder / name) for name, sample in (("chignolin", chignolin), ("polymer_melt", polymer_melt))}
    _record.write("chains", {name: figures(run) for name, run in runs.items()}, 0)


def chignolin(folder: pathlib.Path) -> Trajectory:
    """200 ps of chignolin at 340 K."""
    system = systems.load("chignolin")
    settings = reference.Settings(n_frames=1000, interval_ps=0.2, temperature=340.0, equilibration_ps=50.0)
    return reference.sample(system, settings, checkpoint=folder)


def polymer_melt(folder: pathlib.Path) -> Trajectory:
    """500 ps of the melt after 200 ps of compression."""
    system = systems.load("polymer_melt", constraints="h-bonds")
    settings = reference.Settings(
        n_frames=1000,
        interval_ps=0.5,
        timestep_fs=2.0,
        temperature=system.state.temperature,
        pressure=1.01325,
        equilibration_ps=200.0,
        friction_per_ps=2.0,
    )
    return reference.sample(system, settings, checkpoint=folder)


def figures(run: Trajectory) -> dict:
    """Size of the chains, of atoms and of beads, and how far beads are from the atoms they stand for."""
    system = run.system
    mapping = mappings.by_residue.build(system, None, mappings.by_residue.Settings())
    beads = projection.project(run, mapping)
    found = {
        "atoms": system.n_atoms,
        "chains": int(system.molecule[-1]) + 1,
        "beads": beads.n_particles,
        "frames": len(run),
        "temperature [K]": run.states[0].temperature,
        "radius of gyration, atoms [nm]": _with_error(radius_of_gyration.compute(run)),
        "radius of gyration, beads [nm]": _with_error(radius_of_gyration.compute(beads)),
        "end to end, beads [nm]": _with_error(end_to_end.compute(beads)),
        "longest distance of bonded beads [nm]": longest_bond(beads),
    }
    if run.box is not None:
        found["density [g/cm^3]"] = _with_error(density.compute(run))
        found["experiment [g/cm^3]"] = system.experimental_density
        found["beads that straddle the box, share"] = straddling(run, mapping)
    return found


def longest_bond(beads: Trajectory) -> float:
    """Largest distance of two bonded beads in all frames, without minimum image: a molecule in pieces would show."""
    first, second = beads.beads.bonds.T
    return float(np.linalg.norm(beads.positions[:, first] - beads.positions[:, second], axis=-1).max())


def straddling(run: Trajectory, mapping) -> float:
    """Share of the beads whose atoms lie on both sides of the box once every atom is wrapped into it."""
    cells = np.floor(run.positions[-1] / run.box[-1])
    bead, atom = mapping.expand(run.system).nonzero()
    order = np.argsort(bead, kind="stable")
    starts = np.searchsorted(bead[order], np.arange(bead.max() + 1))
    least, most = (ufunc.reduceat(cells[atom[order]], starts) for ufunc in (np.minimum, np.maximum))
    return float((least != most).any(1).mean())


def _with_error(observed: Observation) -> list[float]:
    return [float(observed.value), float(observed.error)]


if __name__ == "__main__":
    main()
