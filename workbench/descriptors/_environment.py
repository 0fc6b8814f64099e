"""The environment of every bead: its neighbours within a cut-off in rows, nearest first, from the pairs of ``workbench.neighbors``."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench import geometry, neighbors
from workbench.descriptors import _environment_kernels as kernels
from workbench.types import ReferenceData


class Environment(NamedTuple):
    """Rows are the flattened beads, N = F B; a place without a neighbour names the bead itself and has a vector of zeros."""

    index: Tensor
    """Flattened neighbours, (N, K) int32, nearest first."""
    vectors: Tensor
    """Vectors to them [nm], (N, K, 3)."""


def rows(positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs, cutoff: float) -> Environment:
    """Neighbours within ``cutoff`` [nm] among ``pairs``; K is the largest number there, two at least. No graph."""
    x, boxes = _arrays(positions, box)
    ends = (len(x) // len(boxes), pairs.first.cpu().numpy(), pairs.second.cpu().numpy(), cutoff)
    counts = np.zeros(len(x), np.int32)
    kernels.count(x, boxes, *ends, counts)
    index, vectors = np.empty((len(x), max(2, counts.max())), np.int32), np.empty((len(x), max(2, counts.max()), 3), x.dtype)
    kernels.fill(x, boxes, *ends, index, vectors)
    return Environment(*(torch.from_numpy(a).to(positions.device) for a in (index, vectors)))


def differentiable(positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs, cutoff: float) -> Environment:
    """The same with a graph from the vectors to ``positions`` and ``box``, (F, 3) or the cell (F, 3, 3) of a strained box."""
    lengths = box if box is None or box.dim() == 2 else torch.diagonal(box, dim1=1, dim2=2)
    index = rows(positions, lengths, pairs, cutoff).index
    flat, n_beads = positions.reshape(-1, 3), positions.shape[1]
    neighbour = index.long()
    vector = (flat[neighbour] - flat[:, None]).reshape(len(positions), -1, 3)
    return Environment(index, geometry.minimum_image(vector, box).reshape(len(positions) * n_beads, -1, 3))


def numbers(data: ReferenceData, cutoff: float) -> np.ndarray:
    """Neighbours of every bead within ``cutoff`` in every frame, (F, B). Raises ``ValueError`` for a cut-off beyond half the box."""
    found = []
    for chunk in data.chunks():
        positions = torch.tensor(chunk.positions, dtype=torch.float64)
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        pairs = neighbors.search(positions, box, cutoff, torch.tensor(data.beads.exclusions))
        counts = torch.bincount(torch.cat([pairs.first, pairs.second]), minlength=positions.shape[0] * positions.shape[1])
        found.append(counts.reshape(positions.shape[:2]).numpy())
    return np.concatenate(found)


class Scatter(torch.autograd.Function):
    """dU/dx (N, 3) from dU/d(vector) (N, K, 3) and the neighbours (N, K); differentiable in the former."""

    @staticmethod
    def forward(ctx, slope: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        gradient = slope.new_zeros(len(slope), 3)
        if slope.is_cuda:
            return gradient.index_add_(0, index.flatten().long(), slope.flatten(0, 1)).sub_(slope.sum(1))
        kernels.scatter(index.numpy(), slope.detach().contiguous().numpy(), gradient.numpy())
        return gradient

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, moves: Tensor) -> tuple:
        (index,) = ctx.saved_tensors
        if moves.is_cuda:
            return moves[index.long()] - moves[:, None], None
        out = moves.new_empty(*index.shape, 3)
        kernels.spread(index.numpy(), moves.contiguous().numpy(), out.numpy())
        return out, None


def strain(vectors: Tensor, slope: Tensor, n_frames: int) -> Tensor:
    """dU/d(strain) (F, 3, 3) of ``slope`` = dU/d(vector) (N, K, 3)."""
    return torch.einsum("fka,fkb->fab", vectors.reshape(n_frames, -1, 3), slope.reshape(n_frames, -1, 3))


def _arrays(positions: Tensor, box: Tensor | None) -> tuple[np.ndarray, np.ndarray]:
    """Flattened positions (N, 3) and box lengths (F, 3), zeros in vacuum."""
    x = positions.detach().cpu().reshape(-1, 3).contiguous().numpy()
    boxes = np.zeros((len(positions), 3), x.dtype) if box is None else box.detach().cpu().to(positions.dtype).contiguous().numpy()
    return x, boxes
