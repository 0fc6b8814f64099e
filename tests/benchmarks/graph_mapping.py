"""Spectral grouping: the published sequences, one order after another, and polymers of ten thousand heavy atoms.

python -m tests.benchmarks.graph_mapping
"""

import time

from tests import _molecules
from tests.benchmarks import _record
from workbench import systems
from workbench.mappings import spectral

SEED = 0
RELABELINGS = 100


def main() -> None:
    """Measure and record."""
    _record.write("graph_mapping", {"molecules": sequences(), "polymers": polymers()}, SEED)


def sequences() -> dict:
    """Numbers of groups level by level, and how many of the relabelled copies have the same groups."""
    found = {}
    for name in ("toluene", "dimethyl_carbonate", "lactone", "ortho_terphenyl", "alanine_dipeptide"):
        molecule = systems.load(name) if name in ("lactone", "alanine_dipeptide") else systems.load(name, n_molecules=1)
        for weights in ("none", "mass", "diff"):
            levels = spectral.levels(molecule, spectral.Settings(weights=weights))
            found[f"{name}, {weights}"] = {
                "groups": [len(level) for level in levels],
                "relabelings with the same groups": sum(same(molecule, weights, levels, seed) for seed in range(RELABELINGS)),
                "relabelings": RELABELINGS,
            }
    return found


def same(molecule, weights: str, levels: list, seed: int) -> bool:
    """Whether a copy with shuffled atoms has the groups of ``levels``."""
    shuffled, order = _molecules.shuffled(molecule, seed)
    back = spectral.levels(shuffled, spectral.Settings(weights=weights))
    return [{frozenset(int(order[atom]) for atom in group) for group in level} for level in back] == [
        {frozenset(group) for group in level} for level in levels
    ]


def polymers() -> dict:
    """Seconds for all levels of chains with 10,000 carbons."""
    found = {}
    for name, chain in (("polyethylene", _molecules.polyethylene(10_000)), ("polystyrene", _molecules.polystyrene(1250))):
        begun = time.perf_counter()
        levels = spectral.levels(chain, spectral.Settings())
        found[name] = {"atoms": chain.n_atoms, "groups": [len(level) for level in levels], "seconds": time.perf_counter() - begun}
    return found


if __name__ == "__main__":
    main()
