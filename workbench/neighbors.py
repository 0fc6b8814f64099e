"""One neighbour list for every engine and device: undirected pairs within a range, for a batch of frames at once.

A pair is listed once. Frames are flattened: bead b of frame f has index f B + b. Small systems are searched densely on their
device; larger ones by a k-d tree (scipy) that knows the periodic box, O(B log B).
"""

from typing import NamedTuple

import numpy as np
import scipy.spatial
import torch
from torch import Tensor

DENSE_UP_TO = 256


class Pairs(NamedTuple):
    """Undirected pairs of beads, as flattened indices."""

    first: Tensor
    """First bead of each pair, (P,)."""
    second: Tensor
    """Second bead of each pair, (P,)."""


def search(positions: Tensor, box: Tensor | None, reach: float, excluded: Tensor) -> Pairs:
    """All pairs closer than ``reach`` [nm] in ``positions`` (F, B, 3) and ``box`` (F, 3) or None, less ``excluded`` (any, 2).

    Raises ``ValueError`` where ``reach`` is beyond half of a box length: the nearest image would not be the only one.
    """
    positions, box = positions.detach(), None if box is None else box.detach()
    if box is not None and reach > 0.5 * float(box.min()):
        raise ValueError(f"a range of {reach:.3f} nm does not fit a box of {float(box.min()):.3f} nm: it must be at most half of it.")
    n_beads = positions.shape[1]
    find = _dense if n_beads <= DENSE_UP_TO else _by_tree
    first, second = find(positions, box, reach)
    if len(excluded) and len(first):
        low, high = torch.minimum(first, second) % n_beads, torch.maximum(first, second) % n_beads
        left_out = (excluded.min(1).values * n_beads + excluded.max(1).values).to(first.device)
        keep = ~torch.isin(low * n_beads + high, left_out)
        first, second = first[keep], second[keep]
    return Pairs(first, second)


def _dense(positions: Tensor, box: Tensor | None, reach: float) -> tuple[Tensor, Tensor]:
    n_frames, n_beads, _ = positions.shape
    i, j = torch.triu_indices(n_beads, n_beads, 1, device=positions.device)
    frames_at_once = max(1, 4_000_000 // max(1, len(i)))
    first, second = [], []
    for start in range(0, n_frames, frames_at_once):
        part = slice(start, start + frames_at_once)
        vector = positions[part, j] - positions[part, i]
        if box is not None:
            lengths = box[part, None, :]
            vector = vector - torch.round(vector / lengths) * lengths
        frame, pair = torch.nonzero((vector * vector).sum(-1) < reach * reach, as_tuple=True)
        first.append((frame + start) * n_beads + i[pair])
        second.append((frame + start) * n_beads + j[pair])
    return torch.cat(first), torch.cat(second)


def _by_tree(positions: Tensor, box: Tensor | None, reach: float) -> tuple[Tensor, Tensor]:
    n_beads = positions.shape[1]
    found = []
    for frame, points in enumerate(positions.cpu().double().numpy()):
        lengths = None if box is None else box[frame].cpu().double().numpy()
        if lengths is not None:
            points = np.mod(points, lengths)
            points[points >= lengths] = 0.0
        pairs = scipy.spatial.cKDTree(points, boxsize=lengths).query_pairs(reach, output_type="ndarray")
        found.append(np.sort(pairs, axis=1) + frame * n_beads)
    pairs = torch.as_tensor(np.concatenate(found), dtype=torch.int64, device=positions.device)
    return pairs[:, 0], pairs[:, 1]


class VerletList:
    """Pairs kept for several steps: searched with a skin (as much of it as half the box leaves), anew once a bead crossed half of it."""

    def __init__(self, cutoff: float, skin: float, excluded: Tensor):
        self.cutoff, self.skin, self.excluded = cutoff, skin, excluded
        self.pairs: Pairs | None = None
        self._at: Tensor | None = None
        self._slack = 0.0

    def update(self, positions: Tensor, box: Tensor | None) -> Pairs:
        """Pairs that hold all within the cut-off at ``positions`` (F, B, 3)."""
        if self.pairs is None or float(((positions - self._at) ** 2).sum(-1).max()) > (0.5 * self._slack) ** 2:
            reach = self.cutoff + self.skin if box is None else max(self.cutoff, min(self.cutoff + self.skin, 0.5 * float(box.min())))
            self.pairs, self._slack = search(positions, box, reach, self.excluded), reach - self.cutoff
            self._at = positions.clone()
        return self.pairs

    def forget(self) -> None:
        """Search anew at the next update, so that a run that is resumed here sums in the same order."""
        self.pairs = None
