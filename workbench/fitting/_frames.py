"""Frames as the force loss wants them: the force that is left to learn, and what each learned part keeps of them.

A ``Prepared`` potential says itself what does not change while it learns, others keep positions and box and are differentiated anew.
Frames are prepared once and held; more than ``at_once`` of them are prepared block by block, anew in every pass, so that data need not
fit in memory.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from workbench.potentials._base import Potential, Prepared, Sum, Thermal, evaluate
from workbench.types import ReferenceData

Parts = list[tuple[float, Potential]]
"""Parts of a sum with their weights."""
BEADS_AT_ONCE = 100_000
"""Beads that are prepared together."""


def split(potential: Potential) -> tuple[Parts, Parts]:
    """Parts of a sum, flat: those without parameters, and those with."""
    if isinstance(potential, Sum):
        fixed, learned = [], []
        for weight, part in zip(potential.weights, potential.parts, strict=True):
            below = split(part)
            fixed += [(weight * w, p) for w, p in below[0]]
            learned += [(weight * w, p) for w, p in below[1]]
        return fixed, learned
    return ([], [(1.0, potential)]) if any(p.requires_grad for p in potential.parameters()) else ([(1.0, potential)], [])


def kept(part: Potential, chunk: ReferenceData, positions: Tensor, box: Tensor | None) -> list[Tensor]:
    """What ``part`` keeps of the frames of ``chunk``, tensors with a leading axis F."""
    if isinstance(part, Thermal) and part.states:
        return [*part.prepare(positions, box), torch.tensor(chunk.temperatures())]
    if isinstance(part, Prepared):
        return part.prepare(positions, box)
    return [positions] if box is None else [positions, box]


def gradient(part: Potential, of_frames: list[Tensor]) -> Tensor:
    """dU/dx (F, B, 3) of what :func:`kept` gave, differentiable in the parameters."""
    if isinstance(part, Prepared):
        return part.gradient(of_frames)
    positions = of_frames[0].detach().requires_grad_(True)
    (found,) = torch.autograd.grad(part(positions, *of_frames[1:]).sum(), positions, create_graph=True)
    return found


def prepare(fixed: Parts, learned: Parts, data: ReferenceData, device: torch.device, dtype: torch.dtype) -> list[list[Tensor]]:
    """Of all frames of ``data``: [the force left to learn (F, B, 3)], then for every learned part what it keeps."""
    columns: list[list[list[Tensor]]] = []
    for chunk in data.chunks(max(1, BEADS_AT_ONCE // data.beads.n_beads)):
        positions = torch.tensor(chunk.positions, dtype=torch.float64)
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        force = torch.tensor(chunk.forces, dtype=torch.float64)
        for weight, part in fixed:
            force = force - weight * evaluate(copy.deepcopy(part).cpu(), positions, box).forces
        found = [[force], *(kept(part, chunk, positions, box) for _, part in learned)]
        columns.append([[t.to(device, dtype) if t.is_floating_point() else t.to(device) for t in tensors] for tensors in found])
    if not columns:
        return [[torch.zeros(0, *data.positions.shape[1:], device=device, dtype=dtype)]]
    return [[_joined(parts) for parts in zip(*of_part, strict=True)] for of_part in zip(*columns, strict=True)]


def _joined(parts: tuple[Tensor, ...]) -> Tensor:
    """The tensors in a row; zeros fill the places of those with fewer neighbours."""
    widest = max(p.shape[-1] for p in parts)
    return torch.cat([torch.nn.functional.pad(p, (0, widest - p.shape[-1])) for p in parts]) if parts[0].dim() > 1 else torch.cat(parts)


def residual(learned: Parts, batch: list[list[Tensor]]) -> Tensor:
    """(Force left to learn) + dU/dx, (F, B, 3) [kJ/mol/nm]."""
    left = batch[0][0]
    for (weight, part), of_frames in zip(learned, batch[1:], strict=True):
        left = left + weight * gradient(part, of_frames)
    return left


class Loss(torch.nn.Module):
    """The mean square of the residual per component, as a module: so that processes can share its gradient."""

    def __init__(self, learned: Parts):
        super().__init__()
        self.weights, self.parts = [w for w, _ in learned], torch.nn.ModuleList(p for _, p in learned)

    def forward(self, batch: list[list[Tensor]]) -> Tensor:
        return residual(list(zip(self.weights, self.parts, strict=True)), batch).square().mean()


class Frames:
    """The frames of ``data``, prepared at once or, where they are more than ``at_once``, by blocks of so many."""

    def __init__(self, fixed: Parts, learned: Parts, data: ReferenceData, at_once: int | None, device: torch.device, dtype: torch.dtype):
        self.data, self.how = data, (fixed, learned, device, dtype)
        size = len(data) if at_once is None else at_once
        self.blocks = [slice(start, start + size) for start in range(0, len(data), max(1, size))]
        self.held = self._prepared(self.blocks[0]) if len(self.blocks) == 1 else None

    def __len__(self) -> int:
        return len(self.data)

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[list[list[Tensor]]]:
        """Batches of at most ``size`` frames; with a ``generator`` the blocks, and the frames of each, in random order."""
        order = range(len(self.blocks))
        if generator is not None and len(self.blocks) > 1:
            order = torch.randperm(len(self.blocks), generator=generator).tolist()
        for k in order:
            tensors = self._prepared(self.blocks[k]) if self.held is None else self.held
            n = len(tensors[0][0])
            chosen = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
            chosen = chosen.to(tensors[0][0].device)
            for start in range(0, n, size):
                yield take(tensors, chosen[start : start + size])

    def mean_square(self) -> float:
        """Mean square of the force left to learn per component [(kJ/mol/nm)^2]."""
        total = sum(float(batch[0][0].double().square().sum()) for batch in self.batches(4096))
        return total / (len(self) * self.data.beads.n_beads * 3)

    def _prepared(self, frames: slice) -> list[list[Tensor]]:
        fixed, learned, device, dtype = self.how
        return prepare(fixed, learned, self.data.take(frames), device, dtype)


def take(tensors: list[list[Tensor]], chosen: Any) -> list[list[Tensor]]:
    """The frames ``chosen`` of prepared ones."""
    return [[t[chosen] for t in of_part] for of_part in tensors]
