"""Energies and forces of exported potentials by LAMMPS, GROMACS and OpenMM beside the potential's own: what each engine makes of them.

    python -m tests.benchmarks.export_parity

Every system of ``tests/_exports.py`` is simulated at 300 K, and frames of that run are given to each engine: the figures are the
largest differences, relative to the energy and to the largest force of the frame. The bar is 1e-5.
"""

import shutil

from tests import _exports
from tests.benchmarks import _record
from workbench import simulation
from workbench.export import gromacs, lammps, openmm_xml
from workbench.export._base import TOLERANCE
from workbench.potentials._base import Potential
from workbench.types import Start

SEED = 1
FRAMES = 5
RUN = simulation.replicas.Settings(
    n_steps=5000, save_every=1000, timestep_fs=1.0, friction=20.0, seed=SEED, precision="double", guard=False, n_threads=1
)


def main() -> None:
    """Simulate each system and hold its frames against the engines."""
    engines = {"LAMMPS": lammps.parity, "GROMACS": gromacs.parity, "OpenMM": openmm_xml.parity}
    found: dict = {"bar": TOLERANCE}
    for name, make in _exports.CASES.items():
        potential, start = make()
        run = simulation.replicas.run(potential, start, RUN)
        starts = [
            Start(positions=run.positions[[k]].astype(float), box=run.box[[k]].astype(float), beads=start.beads) for k in range(FRAMES)
        ]
        found[name] = {"beads": start.beads.n_beads, "frames": FRAMES}
        for engine, parity in engines.items():
            found[name][engine] = largest(parity, potential, starts)
        single = shutil.which("gmx")
        if single and "refused" not in found[name]["GROMACS"] and found[name]["GROMACS"]["version"] != "none":
            found[name]["GROMACS in single precision"] = largest(gromacs.parity, potential, starts, executable=single)
        print(name, found[name], flush=True)
    _record.write("export_parity", found, SEED)


def largest(parity, potential: Potential, starts: list[Start], **options: str) -> dict:
    """Largest differences over the frames, or the words of the refusal."""
    try:
        all_frames = [parity(potential, start, **options) for start in starts]
    except ValueError as refusal:
        return {"refused": str(refusal)}
    return {
        "version": all_frames[0].version,
        "energy difference": max(frame.energy_difference for frame in all_frames),
        "force difference": max(frame.force_difference for frame in all_frames),
        "passed": all(frame.passed for frame in all_frames),
        "note": all_frames[0].note,
    }


if __name__ == "__main__":
    main()
