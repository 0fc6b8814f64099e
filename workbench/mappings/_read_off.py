"""From assignments of atoms to beads that are sure of themselves: losses, empty beads, refinement and the decoder.

All in second moments: ``positions`` <x x^T> [nm^2] about the centre and ``forces`` <f f^T> [(kJ/mol/nm)^2], (n, n), per Cartesian
component; ``share`` (n,) is the weight of an atom within its bead. With C (b, n) the best decoder is S C^T (C S C^T)^+, and what it
leaves of tr S is tr S - tr (C S)^T (C S C^T)^+ (C S).
"""

import numpy as np

CHUNK_BYTES = 32 << 20
RANK = 1e-10
"""Relative size below which a direction that beads span counts as none."""


def losses(beads: np.ndarray, positions: np.ndarray, forces: np.ndarray, share: np.ndarray, n_beads: int) -> tuple[np.ndarray, np.ndarray]:
    """Reconstruction by the best decoder and mean squared force of maps ``beads`` (maps, n), each (maps,)."""
    member = (beads[:, None] == np.arange(n_beads)[:, None]).astype(float)  # (maps, b, n)
    weight = member * share
    encoder = weight / np.maximum(weight.sum(-1, keepdims=True), np.finfo(float).tiny)
    moved = encoder @ positions
    spans = moved @ encoder.swapaxes(-1, -2)
    kept = np.einsum("kij,kji->k", np.linalg.pinv(spans, rcond=RANK, hermitian=True), moved @ moved.swapaxes(-1, -2))
    force = 3 * np.einsum("kbi,ij,kbj->k", member, forces, member, optimize=True) / n_beads
    return np.maximum(np.trace(positions) - kept, 0) / len(positions), force


def filled(
    beads: np.ndarray, positions: np.ndarray, forces: np.ndarray, share: np.ndarray, n_beads: int, rho: float, refine: bool
) -> np.ndarray:
    """Bead of every atom (n,), all beads filled, and refined where wanted; beads are numbered by their first atoms."""

    def judged(moves: list[tuple[int, int]]) -> tuple[float, np.ndarray]:
        """Loss and beads of the best of these moves (atom, bead)."""
        tried = np.repeat(beads[None], len(moves), axis=0)
        tried[np.arange(len(moves)), [atom for atom, _ in moves]] = [bead for _, bead in moves]
        size = max(1, CHUNK_BYTES // (8 * n_beads * len(beads)))
        parts = [losses(tried[at : at + size], positions, forces, share, n_beads) for at in range(0, len(moves), size)]
        loss = np.concatenate([reconstruction + rho * force if rho else reconstruction for reconstruction, force in parts])
        return float(loss.min()), tried[loss.argmin()]

    def spare() -> list[int]:
        """Atoms that do not leave their bead empty."""
        return [a for a in range(len(beads)) if (beads == beads[a]).sum() > 1]

    for empty in sorted(set(range(n_beads)) - set(beads.tolist())):
        _, beads = judged([(a, empty) for a in spare()])
    loss, _ = judged([(0, int(beads[0]))])
    while refine and (moves := [(a, b) for a in spare() for b in range(n_beads) if b != beads[a]]):
        lower, moved = judged(moves)
        if not lower < loss * (1 - 1e-9):
            break
        loss, beads = lower, moved
    _, first, number = np.unique(beads, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number]


def decoder(weights: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Least squares (n, b) for ``weights`` (b, n) over <x x^T> (n, n), its rows summing to 1: it shifts with the beads."""
    b, n = weights.shape
    moved = weights @ positions
    scale = np.trace(positions) / n or 1.0
    normal = np.full((b + 1, b + 1), scale)  # with a Lagrange multiplier for the sums
    normal[:b, :b], normal[b, b] = moved @ weights.T, 0.0
    return np.linalg.lstsq(normal, np.vstack([moved, np.full(n, scale)]), rcond=RANK)[0][:b].T
