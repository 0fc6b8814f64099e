"""Optimal force maps beside those of the public package aggforce, on the same forces.

    CG_REFERENCE_DATA=... python -m tests.benchmarks.force_maps --aggforce /path/to/its/environment/bin/python

Alanine dipeptide in vacuum (bead = backbone atom, and bead = residue), a chain with rigid bonds to its hydrogens, and the
published first-principles water (one molecule a row). For each: variance per component of basic and optimal forces, largest
difference of coefficients, difference of the optimal variances, departure from the mapping condition, seconds.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np

from tests.benchmarks import _chain, _record, _water_aimd
from workbench import force_maps, mappings, reference, systems, types, units

SEED = 0


def main() -> None:
    """Parse the command line, compare case by case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aggforce", required=True, help="Python of an environment that has aggforce")
    parser.add_argument("--frames", type=int, default=5000)
    given = parser.parse_args()
    figures = {name: compare(frames, mapping, given.aggforce) for name, (frames, mapping) in cases(given.frames).items()}
    for name, row in figures.items():
        print(name, row)
    _record.write("force_maps", figures, SEED)


def cases(n_frames: int) -> dict[str, tuple[types.Trajectory, types.Mapping]]:
    """Name -> frames and mapping."""
    settings = reference.Settings(n_frames=n_frames, interval_ps=0.1, equilibration_ps=10.0, seed=SEED)
    peptide, chain = (reference.sample(system, settings) for system in (systems.load("alanine_dipeptide"), _chain.load()))
    picked = mappings.by_pick.Settings(atoms=((4,), (6,), (8,), (14,), (16,)))
    residues = mappings.center_of_mass.Settings(group="residue")
    found = {
        "alanine dipeptide, backbone atoms": (peptide, mappings.by_pick.build(peptide.system, None, picked)),
        "alanine dipeptide, residues": (peptide, mappings.center_of_mass.build(peptide.system, None, residues)),
        "chain with rigid bonds to hydrogens": (chain, _chain.backbone(chain.system)),
    }
    if "CG_REFERENCE_DATA" in os.environ:
        water = _water_aimd.load(pathlib.Path(os.environ["CG_REFERENCE_DATA"]))
        found["first-principles water, oxygen"] = (water, _water_aimd.oxygens(water.system))
    return found


def compare(frames: types.Trajectory, mapping: types.Mapping, python: str) -> dict[str, float]:
    """Figures of one case; forces of all copies of the molecule stand in rows of one molecule."""
    system = frames.system
    n = np.count_nonzero(system.molecule == 0)
    forces = frames.forces.astype(float).reshape(-1, n, 3) / units.KCAL_PER_ANGSTROM
    weights = mapping.templates[0].weights
    start = time.perf_counter()
    ours = force_maps.optimal(frames, mapping).toarray()[: len(weights), :n]
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/in.npz", forces=forces, weights=weights, constraints=system.constraints)
        peer = [python, str(pathlib.Path(__file__).with_name("_aggforce_peer.py")), f"{folder}/in.npz", f"{folder}/out.npz"]
        subprocess.run(peer, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        with np.load(f"{folder}/out.npz", allow_pickle=False) as stored:
            theirs, peer_seconds = stored["force_map"], float(stored["seconds"])
    basic = force_maps.basic(mapping.expand(system), system).toarray()[: len(weights), :n]
    variance = {name: float((np.einsum("bn,fnx->fbx", w, forces) ** 2).mean()) for name, w in (("b", basic), ("o", ours), ("p", theirs))}
    return {
        "frames": len(frames),
        "basic variance [(kcal/mol/A)^2]": variance["b"],
        "optimal variance [(kcal/mol/A)^2]": variance["o"],
        "aggforce variance [(kcal/mol/A)^2]": variance["p"],
        "basic / optimal variance": variance["b"] / variance["o"],
        "relative difference of variances": variance["o"] / variance["p"] - 1,
        "largest difference of coefficients": float(np.abs(ours - theirs).max()),
        "departure from the mapping condition": float(np.abs(ours @ weights.T - np.eye(len(weights))).max()),
        "departure of aggforce from the mapping condition": float(np.abs(theirs @ weights.T - np.eye(len(weights))).max()),
        "seconds": seconds,
        "aggforce seconds": peer_seconds,
    }


if __name__ == "__main__":
    main()
