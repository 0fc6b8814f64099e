"""Freely jointed chains: bonds of one length in random directions, so that their sizes are known."""

import numpy as np

from workbench.types import Beads, ReferenceData, State


def freely_jointed(n_frames: int, n_chains: int, n_bonds: int, length: float, seed: int = 0, edge: float | None = None) -> ReferenceData:
    """``n_chains`` chains of ``n_bonds`` bonds of ``length`` [nm]; wrapped into a cube of side ``edge`` [nm] where there is one."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n_frames, n_chains, n_bonds, 3))
    steps *= length / np.linalg.norm(steps, axis=-1, keepdims=True)
    x = np.concatenate([np.zeros((n_frames, n_chains, 1, 3)), np.cumsum(steps, axis=2)], axis=2)
    x += rng.uniform(0, edge or 1.0, (n_frames, n_chains, 1, 3))
    positions = x.reshape(n_frames, -1, 3)
    n = n_bonds + 1
    bonds = [(m * n + i, m * n + i + 1) for m in range(n_chains) for i in range(n_bonds)]
    names = ("A",) * (n_chains * n)
    beads = Beads.from_bonds(
        names=names, types=names, masses=np.ones(n_chains * n), molecule=np.repeat(np.arange(n_chains), n), bonds=bonds
    )
    box = None if edge is None else np.full((n_frames, 3), edge)
    positions = positions if edge is None else positions % edge
    return ReferenceData(positions=positions, box=box, beads=beads, states=(State(),), force_kind="none")
