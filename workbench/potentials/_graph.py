"""What networks on a graph of beads share: pairs within the cut-off, filters of their distance, and forces to train on.

Every neighbour counts, bonded or not: the engines' lists leave out ``Beads.exclusions``, which are added here again. A bead without
neighbours keeps the energy of its type, which has no force.
Source of the filters: Schütt et al., NeurIPS 2017 (arXiv 1706.08566), section 4.1, times a cosine cut-off.
"""

import abc
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench import geometry, neighbors
from workbench.potentials import _graph_kernels as kernels
from workbench.potentials._base import Analytic, Potential, Prepared
from workbench.types import Beads, ReferenceData


class Edges(NamedTuple):
    """Undirected pairs within the cut-off, as flattened indices."""

    first: Tensor
    """One bead of each pair, (P,)."""
    second: Tensor
    """The other, (P,)."""
    vectors: Tensor
    """From the first to the second [nm], (P, 3)."""
    distances: Tensor
    """Their lengths [nm], (P,)."""


def edges(positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, cutoff: float, exclusions: Tensor) -> Edges:
    """Pairs of ``positions`` (F, B, 3) [nm], in torch and differentiable; searched where no ``pairs`` are given."""
    if pairs is None:
        lengths = box if box is None or box.dim() == 2 else torch.diagonal(box, dim1=1, dim2=2)
        pairs = neighbors.search(positions, lengths, cutoff, exclusions)
    n_frames, n_beads, _ = positions.shape
    bonded = (torch.arange(n_frames, device=positions.device)[:, None, None] * n_beads + exclusions).reshape(-1, 2)
    first, second = torch.cat([pairs.first.long(), bonded[:, 0]]), torch.cat([pairs.second.long(), bonded[:, 1]])
    flat, frame = positions.reshape(-1, 3), torch.div(first, n_beads, rounding_mode="floor")
    vectors = geometry.minimum_image((flat[second] - flat[first])[:, None], None if box is None else box[frame])[:, 0]
    near = vectors.detach().square().sum(1) < cutoff * cutoff
    return Edges(first[near], second[near], vectors[near], torch.linalg.vector_norm(vectors[near], dim=1))


def edges_on_cpu(positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, cutoff: float, exclusions: Tensor) -> Edges:
    """The same, compiled and without a graph."""
    if pairs is None:
        pairs = neighbors.search(positions, box, cutoff, exclusions)
    (n_frames, n_beads), x = positions.shape[:2], positions.detach().contiguous().reshape(-1, 3).numpy()
    boxes = np.zeros((n_frames, 3), x.dtype) if box is None else box.detach().to(positions.dtype).contiguous().numpy()
    room = len(pairs.first) + n_frames * len(exclusions) + 1
    first, second = np.empty((2, room), np.int64)
    vectors, distances = np.empty((room, 3), x.dtype), np.empty(room, x.dtype)
    listed = (pairs.starts.numpy(), pairs.second.numpy(), exclusions.numpy())
    count = kernels.edges(x, boxes, n_beads, *listed, cutoff, first, second, vectors, distances)
    return Edges(*(torch.from_numpy(a[:count]) for a in (first, second, vectors, distances)))


class RadialFilter(torch.nn.Module):
    """W(r) (P, C) = [W2 tanh(W1 e(r) + b1) + b2] (1 + cos(pi r / cutoff)) / 2, with e_k = exp(-(r - mu_k)^2 / (2 s^2)).

    The ``n_rbf`` centres mu lie evenly from 0 to the cut-off [nm]; s is their distance.
    """

    def __init__(self, channels: int, n_rbf: int, cutoff: float):
        super().__init__()
        self.hidden, self.output = torch.nn.Linear(n_rbf, channels), torch.nn.Linear(channels, channels)
        self.cutoff, self.width = cutoff, cutoff / (n_rbf - 1)

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Values (P, C) and slopes (P, C) [1/nm] at distances ``r`` (P,) [nm]."""
        centres = self.width * torch.arange(self.hidden.in_features, dtype=r.dtype, device=r.device)
        z = (r[:, None] - centres) / self.width
        gauss = torch.exp(-0.5 * z * z)
        h = torch.tanh(self.hidden(gauss))
        dh = (1 - h * h) * torch.nn.functional.linear(-z * gauss / self.width, self.hidden.weight)
        w, dw = self.output(h), torch.nn.functional.linear(dh, self.output.weight)
        turn = math.pi / self.cutoff
        fade, dfade = (0.5 * (torch.cos(turn * r) + 1))[:, None], (-0.5 * turn * torch.sin(turn * r))[:, None]
        return w * fade, dw * fade + w * dfade

    def table(self, n_intervals: int) -> Tensor:
        """Values and slopes times spacing at nodes from 0 to the cut-off, alternating: (2 n + 2, C), differentiable in the weights."""
        weight = self.output.weight
        r = torch.linspace(0, self.cutoff, n_intervals + 1, dtype=torch.float64).to(weight)
        values, slopes = self(r)
        return torch.stack([values, slopes * (self.cutoff / n_intervals)], 1).flatten(0, 1)


def interpolate(table: Tensor, r: Tensor, spacing: float) -> Tensor:
    """Filters (P, C) at distances ``r`` (P,) [nm] below the last node of a ``table``: cubic Hermite pieces, differentiable."""
    k = torch.floor(r.detach() / spacing)
    t = r / spacing - k
    weights = torch.stack([(1 + 2 * t) * (1 - t) ** 2, t * (1 - t) ** 2, t * t * (3 - 2 * t), t * t * (t - 1)], 1)
    return torch.einsum("pq,pqc->pc", weights.to(table), table[2 * k.long()[:, None] + torch.arange(4, device=r.device)])


def pieces(r: Tensor, spacing: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Rows (P,) and weights (P, 8) by which the compiled kernels read a table."""
    rows, weights = torch.empty(len(r), dtype=torch.int64), torch.empty(len(r), 8, dtype=dtype)
    kernels.pieces(r.numpy(), spacing, rows.numpy(), weights.numpy())
    return rows, weights


class Directed(Analytic, Prepared):
    """A network whose forces can be trained on without a graph of its positions: it tells the work along a given direction."""

    @abc.abstractmethod
    def work(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs, direction: Tensor) -> Tensor:
        """Sum of dU/dx times ``direction`` (F, B, 3) over frames, beads and components, differentiable in the parameters."""

    def prepare(self, positions: Tensor, box: Tensor | None) -> list[Tensor]:
        """The frames themselves: everything else depends on the parameters, or is quickly found again."""
        return [positions] if box is None else [positions, box]

    def gradient(self, prepared: list[Tensor]) -> Tensor:
        positions, box = prepared[0], (prepared[1] if len(prepared) > 1 else None)
        if not positions.is_cuda:
            return _Gradient.apply(self, positions, box, *self.parameters())
        positions = positions.detach().requires_grad_(True)
        return torch.autograd.grad(self(positions, box).sum(), positions, create_graph=True)[0]


class _Gradient(torch.autograd.Function):
    """dU/dx by the network's own forces; backward is the derivative of its work along the incoming direction (Pearlmutter's trick)."""

    @staticmethod
    def forward(ctx, network, positions, box, *parameters):
        ctx.network, ctx.positions, ctx.box = network, positions, box
        ctx.pairs = neighbors.search(positions, box, network.cutoff, network.exclusions)
        ctx.save_for_backward(*parameters)
        return -network.evaluate(positions, box, ctx.pairs, False).forces

    @staticmethod
    def backward(ctx, direction):
        wanted = [p for p in ctx.saved_tensors if p.requires_grad]
        with torch.enable_grad():
            found = torch.autograd.grad(ctx.network.work(ctx.positions, ctx.box, ctx.pairs, direction), wanted, allow_unused=True)
        by_parameter = iter(found)
        return None, None, None, *(next(by_parameter) if p.requires_grad else None for p in ctx.saved_tensors)


def type_index(name: str, types: Sequence[str], beads: Beads) -> list[int]:
    """Place in ``types`` of the type of every bead. Raises ``ValueError`` for one that the network was not made for."""
    missing = sorted(set(beads.types) - set(types))
    if missing:
        raise ValueError(f"{name}: the network knows the bead types {', '.join(types)}, not {', '.join(missing)}: train it on them.")
    place = {kind: k for k, kind in enumerate(types)}
    return [place[kind] for kind in beads.types]


def described(name: str, data: ReferenceData | None, cutoff: float) -> dict:
    """Types, bead types and exclusions of ``data``. Raises ``ValueError`` without data and for a cut-off beyond half of the box."""
    if data is None:
        raise ValueError(f"{name}: the network is made for the bead types of data: give the projected frames.")
    if data.box is not None and cutoff > 0.5 * float(np.min(data.box)):
        raise ValueError(f"{name}: the cut-off of {cutoff} nm exceeds half of the box of {float(np.min(data.box)):.3f} nm: lower it.")
    types = sorted(set(data.beads.types))
    return {"types": types, "bead_types": type_index(name, types, data.beads), "exclusions": data.beads.exclusions.tolist()}


def initialise(network: Potential, seed: int) -> None:
    """Weights uniform (Glorot), biases zero, embeddings normal."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, generator=generator)
