"""Atoms rebuilt from beads: heavy-atom distance from held-out frames, with and without a learned decoder, and how well beads are met.

    python -m tests.benchmarks.backmapping

Frames are sampled here; a decoder learns from the first three quarters and is judged, as the placement without one, on the rest.
"""

import numpy as np

from tests.benchmarks import _record
from workbench import backmapping, mappings, projection, reference, systems

SEED = 0
FRAMES = 400
JUDGED = 20
CASES = {
    "alanine dipeptide, 5 backbone beads": ("alanine_dipeptide", {}, "by_pick", {"atoms": ((4,), (6,), (8,), (14,), (16,))}),
    "alanine dipeptide, spectral level 1": ("alanine_dipeptide", {}, "spectral", {"level": 1}),
    "polyalanine of 9, residues": ("polyalanine", {}, "by_residue", {}),
    "ortho-terphenyl, spectral level 2": ("ortho_terphenyl", {"n_molecules": 1}, "spectral", {"level": 2}),
    "lactone, spectral level 1": ("lactone", {}, "spectral", {"level": 1}),
    "liquid hexane, every 2 atoms": ("hexane", {"n_molecules": 30, "cutoff_nm": 0.7}, "every_n", {"n": 2}),
    "liquid methanol, one bead": ("methanol", {"n_molecules": 40, "cutoff_nm": 0.65}, "center_of_mass", {}),
}
"""System and its options, mapping and its settings."""


def main() -> None:
    """Rebuild each case and record it."""
    _record.write("backmapping", {name: case(*of) for name, of in CASES.items()}, SEED)


def case(name: str, options: dict, method: str, values: dict) -> dict:
    """One system through one mapping."""
    system = systems.load(name, **options)
    module = getattr(mappings, method)
    mapping = module.build(system, None, module.Settings(**values))
    n_frames = FRAMES if system.box is None else 40
    settings = reference.Settings(n_frames=n_frames, interval_ps=0.5, temperature=system.state.temperature, equilibration_ps=5.0, seed=SEED)
    run = reference.sample(system, settings)
    learned, judged = run.take(slice(0, 3 * n_frames // 4)), run.take(np.linspace(3 * n_frames // 4, n_frames - 1, JUDGED).astype(int))
    if system.box is not None:
        judged = judged.take(slice(0, 4))
    beads = projection.project(judged, mapping)
    found = {"beads": beads.n_particles, "frames": len(judged)}
    for label, used in (("placed", mapping), ("decoder", backmapping.decoder(learned, mapping))):
        rebuilt = backmapping.rebuild(beads, used, system, backmapping.Settings(seed=SEED))
        distance = backmapping.rmsd(rebuilt, judged)
        apart = projection.project(rebuilt, mapping).positions - beads.positions
        if beads.box is not None:
            apart -= np.round(apart / beads.box[:, None]) * beads.box[:, None]
        found[label] = {
            "heavy-atom RMSD [nm]": float(distance.value),
            "standard error [nm]": float(distance.error),
            "farthest bead from where it was asked for [nm]": float(np.linalg.norm(apart, axis=2).max()),
        }
    print(name, found, flush=True)
    return found


if __name__ == "__main__":
    main()
