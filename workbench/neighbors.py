"""One neighbour list for every engine and device: undirected pairs within a range, for a batch of frames at once.

A pair is listed once, under one of its beads. Frames are flattened: bead b of frame f has index f B + b. On the CPU beads are sorted
into cells, O(B); on a GPU small systems are searched densely and large ones on the CPU.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench import _neighbor_kernels as kernels

DENSE_UP_TO = 256


class Pairs(NamedTuple):
    """Undirected pairs of beads, as flattened indices."""

    first: Tensor
    """Bead that a pair is listed under, (P,) int32, ascending."""
    second: Tensor
    """The other bead of each pair, (P,) int32."""
    starts: Tensor
    """Pairs of the flattened bead i are rows ``starts[i]`` to ``starts[i + 1]``, (F B + 1,) int64."""


def search(positions: Tensor, box: Tensor | None, reach: float, excluded: Tensor) -> Pairs:
    """All pairs closer than ``reach`` [nm] in ``positions`` (F, B, 3) and ``box`` (F, 3) or None, less ``excluded`` (any, 2).

    Raises ``ValueError`` where ``reach`` is beyond half of a box length: the nearest image would not be the only one.
    """
    positions, box = positions.detach(), None if box is None else box.detach()
    if box is not None and reach > 0.5 * float(box.min()):
        raise ValueError(f"a range of {reach:.3f} nm does not fit a box of {float(box.min()):.3f} nm: it must be at most half of it.")
    if positions.device.type != "cpu" and positions.shape[1] <= DENSE_UP_TO:
        return _dense(positions, box, reach, excluded)
    return _by_cells(positions, box, reach, excluded)


def _dense(positions: Tensor, box: Tensor | None, reach: float, excluded: Tensor) -> Pairs:
    n_frames, n_beads, _ = positions.shape
    i, j = torch.triu_indices(n_beads, n_beads, 1, device=positions.device)
    if len(excluded):
        left_out = excluded.min(1).values * n_beads + excluded.max(1).values
        keep = ~torch.isin(i * n_beads + j, left_out.to(i))
        i, j = i[keep], j[keep]
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
    first = torch.cat(first)
    counts = torch.bincount(first, minlength=n_frames * n_beads)
    return Pairs(first.int(), torch.cat(second).int(), torch.cat([counts.new_zeros(1), counts.cumsum(0)]))


def _by_cells(positions: Tensor, box: Tensor | None, reach: float, excluded: Tensor) -> Pairs:
    x = positions.cpu().contiguous().numpy()
    boxes = np.zeros((0, 3), x.dtype) if box is None else box.to("cpu", positions.dtype).contiguous().numpy()
    n_frames, n_beads, _ = x.shape
    order, cell = np.empty((2, n_frames, n_beads), np.int32)
    number = np.empty((n_frames, 3), np.int32)
    y, offsets = np.empty((n_frames, 3, n_beads), x.dtype), np.empty((n_frames, n_beads + 1), np.int32)
    kernels.sort(x, boxes, reach, order, y, number, cell, offsets)
    cells = (y, boxes, reach, number, order, cell, offsets)
    counts = np.empty((n_frames, n_beads), np.int64)
    kernels.count(*cells, counts)
    starts = _starts(counts)
    first, second = np.empty((2, starts[-1]), np.int32)
    kernels.write(*cells, *kernels.exclusion_rows(excluded.cpu().numpy(), n_beads), starts, counts, first, second)
    if len(excluded):
        wide, starts = (first, second, starts), _starts(counts)
        first, second = np.empty((2, starts[-1]), np.int32)
        kernels.close_up(*wide, starts, first, second)
    return Pairs(*(torch.from_numpy(a).to(positions.device) for a in (first, second, starts)))


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])


class VerletList:
    """Pairs kept for several steps: searched with a skin (as much of it as half the box leaves), anew once two beads crossed it."""

    def __init__(self, cutoff: float, skin: float, excluded: Tensor):
        self.cutoff, self.skin, self.excluded = cutoff, skin, excluded
        self.pairs: Pairs | None = None
        self._at: Tensor | None = None
        self._box: Tensor | None = None
        self._reach = self._slack = 0.0

    def update(self, positions: Tensor, box: Tensor | None) -> Pairs:
        """Pairs that hold all within the cut-off at ``positions`` (F, B, 3) in ``box`` (F, 3) or None."""
        if self.pairs is None or self._outdated(positions, box):
            reach = self.cutoff + self.skin if box is None else max(self.cutoff, min(self.cutoff + self.skin, 0.5 * float(box.min())))
            self.pairs, self._slack = search(positions, box, reach, self.excluded), reach - self.cutoff
            self._at, self._box = positions.detach().clone(), None if box is None else box.clone()
            self._reach = reach
        return self.pairs

    def forget(self) -> None:
        """Search anew at the next update, so that a run that is resumed here sums in the same order."""
        self.pairs = None

    def _outdated(self, positions: Tensor, box: Tensor | None) -> bool:
        positions, at, slack = positions.detach(), self._at, self._slack
        if box is not None and not torch.equal(box, self._box):
            scale = box / self._box  # a cell that changed carried its beads along
            at, slack = at * scale[:, None], self._reach * float(scale.min()) - self.cutoff
            if slack <= 0 or self.cutoff > 0.5 * float(box.min()):
                return True
        if positions.device.type == "cpu":
            return kernels.crossed(positions.numpy(), at.numpy(), slack)
        return not 2 * float(((positions - at) ** 2).sum(-1).max()) ** 0.5 <= slack
