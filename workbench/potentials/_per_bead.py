"""What potentials of bead environments share: U = sum_i u(v_i1, v_i2, ...), v the vectors from bead i to its neighbours, nearest first.

A file gives u and du/dv; forces and virial are sums over them. A network is trained on stored vectors: they do not change with its weights.
"""

import abc
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from workbench import neighbors
from workbench.descriptors import _environment
from workbench.potentials._base import Analytic, Evaluation, Prepared
from workbench.types import Beads, ReferenceData


class PerBead(Analytic, Prepared):
    """Neighbours are beads within ``cutoff`` that are not excluded; ``n_slots`` of them are kept of every bead to train on."""

    def __init__(self, cutoff: float, n_slots: int, exclusions: list):
        super().__init__()
        self.cutoff, self.n_slots = cutoff, n_slots
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))

    @abc.abstractmethod
    def bead_energy(self, vectors: Tensor) -> Tensor:
        """u (N,) [kJ/mol] of vectors (N, K, 3) [nm], differentiable."""

    @abc.abstractmethod
    def energy_and_slope(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """u (N,) and du/dv (N, K, 3); differentiable in the parameters where a graph is asked for."""

    @abc.abstractmethod
    def check(self, vectors: Tensor, n_beads: int) -> None:
        """Raises ``ValueError`` where there are too few neighbours in ``vectors`` of frames of ``n_beads``."""

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        if pairs is None:
            lengths = box if box is None or box.dim() == 2 else torch.diagonal(box, dim1=1, dim2=2)
            pairs = neighbors.search(positions, lengths, self.cutoff, self.exclusions)
        vectors = _environment.differentiable(positions, box, pairs, self.cutoff).vectors
        self.check(vectors, positions.shape[1])
        return self.bead_energy(vectors).reshape(positions.shape[:2]).sum(1)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        if pairs is None:
            pairs = neighbors.search(positions, box, self.cutoff, self.exclusions)
        index, vectors = _environment.rows(positions, box, pairs, self.cutoff)
        self.check(vectors, positions.shape[1])
        energy, slope = self.energy_and_slope(vectors)
        gradient = _environment.Scatter.apply(slope, index).reshape(positions.shape)
        stress = -_environment.strain(vectors, slope, len(positions)) if virial else None
        return Evaluation(energy.reshape(positions.shape[:2]).sum(1), -gradient, stress)

    def prepare(self, positions: Tensor, box: Tensor | None) -> list[Tensor]:
        """Neighbours (F, B, n_slots), as beads of the frame, and vectors to them (F, B, n_slots, 3).

        Raises ``ValueError`` for a bead with more neighbours than places, and as :meth:`check`.
        """
        pairs = neighbors.search(positions, box, self.cutoff, self.exclusions)
        index, vectors = _environment.rows(positions, box, pairs, self.cutoff)
        (n_frames, n_beads), slots = positions.shape[:2], index.shape[1]
        self.check(vectors, n_beads)
        if slots > self.n_slots:
            raise ValueError(
                f"a bead has {slots} neighbours within {self.cutoff} nm and {type(self).__name__} places for {self.n_slots}: "
                "build it on these data."
            )
        pad, own = torch.nn.functional.pad, torch.arange(n_beads, dtype=torch.int32, device=index.device)
        local = index.reshape(n_frames, n_beads, slots) % n_beads
        empty = own[None, :, None].expand(n_frames, n_beads, self.n_slots - slots)
        wide = pad(vectors, (0, 0, 0, self.n_slots - slots)).reshape(n_frames, n_beads, self.n_slots, 3)
        return [torch.cat([local, empty], 2), wide.to(next(self.parameters()).dtype)]

    def gradient(self, prepared: list[Tensor]) -> Tensor:
        local, vectors = prepared
        n_frames, n_beads, slots = local.shape
        index = local + n_beads * torch.arange(n_frames, dtype=torch.int32, device=local.device)[:, None, None]
        _, slope = self.energy_and_slope(vectors.reshape(-1, slots, 3))
        return _environment.Scatter.apply(slope, index.reshape(-1, slots)).reshape(n_frames, n_beads, 3)

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return None


class Network(torch.nn.Module):
    """Hidden layers of tanh neurons on z-scored inputs (N, D) and one output (N,), an energy; its slope is written out."""

    def __init__(self, n_inputs: int, widths: tuple[int, ...], energy_scale: float):
        super().__init__()
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in itertools.pairwise([n_inputs, *widths]))
        self.output = torch.nn.Linear(widths[-1], 1, bias=False)  # a constant energy has no force
        self.energy_scale = energy_scale
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("deviation", torch.ones(n_inputs))

    @property
    def widths(self) -> list[int]:
        """Neurons of the hidden layers."""
        return [layer.out_features for layer in self.hidden]

    def initialise(self, seed: int) -> None:
        """Uniform weights (Glorot), biases zero."""
        generator = torch.Generator().manual_seed(seed)
        for layer in [*self.hidden, self.output]:
            torch.nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)

    def forward(self, q: Tensor) -> Tensor:
        h = (q - self.mean) / self.deviation
        for layer in self.hidden:
            h = torch.tanh(layer(h))
        return self.energy_scale * self.output(h).squeeze(-1)

    def energy_and_slope(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """u (N,) and du/dq (N, D)."""
        h, kept = (q - self.mean) / self.deviation, []
        for layer in self.hidden:
            h = torch.tanh(layer(h))
            kept.append(h)
        slope = self.output.weight
        first = self.hidden[0].weight * (self.energy_scale / self.deviation)  # cheaper than to scale the slopes of all beads
        weights = [first, *(layer.weight for layer in self.hidden[1:])]
        for weight, h in zip(reversed(weights), reversed(kept), strict=True):
            slope = torch.ops.aten.tanh_backward(slope, h) @ weight
        return self.energy_scale * self.output(kept[-1]).squeeze(-1), slope


def check_data(method: str, data: ReferenceData) -> None:
    """Raises ``ValueError`` for beads of more than one kind: they share one network."""
    kinds = sorted(set(data.beads.types))
    if len(kinds) > 1:
        raise ValueError(f"{method}: all beads share one network and must be of one kind; these are {', '.join(kinds)}.")


def vectors(potential: PerBead, data: ReferenceData) -> Iterator[Tensor]:
    """Vectors (N, K, 3) to the neighbours of all beads of ``data``, chunk by chunk of frames, in double precision."""
    for chunk in data.chunks():
        positions = torch.tensor(chunk.positions, dtype=torch.float64)
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        pairs = neighbors.search(positions, box, potential.cutoff, potential.exclusions)
        yield _environment.rows(positions, box, pairs, potential.cutoff).vectors
