"""SchNet: beads with features h that pass messages through filters of their distance; U = e0 sum over beads of o2 tanh(O1 h + b).

h_i <- h_i + L tanh(L2 sum_j W(r_ij) * (L1 h_j) + b2) + b in every block, from an embedding of the bead's type.
Sources: Schütt et al., J. Chem. Phys. 148, 241722 (2018), section II; as in CGSchNet, Husic et al., J. Chem. Phys. 153, 194101 (2020),
with tanh. A filter is a function of one number, so it is tabulated: the network is computed at nodes of the distance, with its slope,
and cubic in between, in training and in simulation alike. With the default nodes a filter differs from the untabulated one by less
than 2e-5 of its largest value (a test holds it to that). The weights are trained without a graph of the positions, see ``_graph``.
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from workbench.neighbors import Pairs
from workbench.potentials import _graph
from workbench.potentials import _graph_kernels as kernels
from workbench.potentials._base import Evaluation, _by_autograd
from workbench.potentials._graph import Edges
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData


@settings
class Settings:
    """Architecture; the defaults are of the size of CGSchNet."""

    cutoff: float = field(0.5, "Distance from which beads do not see each other.", unit="nm", bounds=(1e-3, None))
    n_blocks: int = field(2, "Interaction blocks.", bounds=(1, 10))
    channels: int = field(128, "Features of a bead, and channels of a filter.", bounds=(1, 2048))
    n_rbf: int = field(50, "Gaussians of the distance.", bounds=(2, 1000))
    n_intervals: int = field(256, "Intervals of the tables of the filters.", bounds=(8, 100_000))
    energy_scale: float = field(4.184, "Energy of one unit of output.", unit="kJ/mol", bounds=(1e-6, None))
    seed: int = field(0, "Seed of the initial weights.", bounds=(0, None))


class Block(torch.nn.Module):
    """One interaction: the filter, and the layers before, after, and after the activation."""

    def __init__(self, channels: int, n_rbf: int, cutoff: float):
        super().__init__()
        self.filter = _graph.RadialFilter(channels, n_rbf, cutoff)
        self.before = torch.nn.Linear(channels, channels, bias=False)
        self.after, self.last = torch.nn.Linear(channels, channels), torch.nn.Linear(channels, channels)


class SchNet(_graph.Directed):
    """Network of beads of ``types``; ``bind`` carries it to any number of them and tabulates its filters."""

    def __init__(
        self,
        types: list,
        bead_types: list,
        cutoff: float,
        n_blocks: int,
        channels: int,
        n_rbf: int,
        n_intervals: int,
        energy_scale: float,
        exclusions: list,
    ):
        super().__init__()
        self.types, self.cutoff, self.n_rbf, self.n_intervals = tuple(types), cutoff, n_rbf, n_intervals
        self.energy_scale = energy_scale
        self.embedding = torch.nn.Embedding(len(types), channels)
        self.blocks = torch.nn.ModuleList(Block(channels, n_rbf, cutoff) for _ in range(n_blocks))
        self.hidden = torch.nn.Linear(channels, max(1, channels // 2))
        self.output = torch.nn.Linear(max(1, channels // 2), 1, bias=False)
        self.register_buffer("bead_types", torch.tensor(bead_types, dtype=torch.int64))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))
        self.register_buffer("frozen", None, persistent=False)

    @property
    def spacing(self) -> float:
        """Distance of two nodes of the tables [nm]."""
        return self.cutoff / self.n_intervals

    def tables(self) -> list[Tensor]:
        """The filter of every block (2 n + 2, C), differentiable in the weights."""
        return [block.filter.table(self.n_intervals) for block in self.blocks]

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: Pairs | None = None) -> Tensor:
        found = _graph.edges(positions, box, pairs, self.cutoff, self.exclusions)
        h = self.embedding(self.bead_types).repeat(len(positions), 1)  # (F B, C)
        for block, table in zip(self.blocks, self.tables(), strict=True):
            w, x = _graph.interpolate(table, found.distances, self.spacing), block.before(h)
            m = torch.zeros_like(x).index_add(0, found.first, w * x[found.second]).index_add(0, found.second, w * x[found.first])
            h = h + block.last(torch.tanh(block.after(m)))
        energy = self.energy_scale * self.output(torch.tanh(self.hidden(h)))
        return energy.reshape(positions.shape[:2]).sum(1).to(positions.dtype)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: Pairs | None, virial: bool) -> Evaluation:
        if positions.is_cuda:
            return _by_autograd(self, positions, box, pairs, virial)
        with torch.no_grad():
            found = _graph.edges_on_cpu(positions, box, pairs, self.cutoff, self.exclusions)
            energy, slopes = self._slopes(found, len(positions), self.tables() if self.frozen is None else self.frozen)
        force = torch.zeros_like(positions)
        stress = torch.zeros(len(positions) if virial else 0, 3, 3, dtype=positions.dtype)
        kernels.collect(*(t.numpy() for t in found), slopes.numpy(), positions.shape[1], force.reshape(-1, 3).numpy(), stress.numpy())
        return Evaluation(energy.to(positions.dtype), force, stress if virial else None)

    def _slopes(self, found: Edges, n_frames: int, tables: list[Tensor] | Tensor) -> tuple[Tensor, Tensor]:
        """Energy (F,), and its slope (P,) with the distance of every pair."""
        dtype = self.output.weight.dtype
        rows, weights = _graph.pieces(found.distances, self.spacing, dtype)
        listed = (found.first.numpy(), found.second.numpy(), rows.numpy(), weights.numpy())
        h = self.embedding.weight[self.bead_types].repeat(n_frames, 1)  # (F B, C)
        xs, ts = [], []
        for k, block in enumerate(self.blocks):
            x = block.before(h) if k else linear(self.embedding.weight, block.before.weight)[self.bead_types].repeat(n_frames, 1)
            m = torch.zeros_like(x)
            kernels.convolve(*listed, tables[k].numpy(), x.numpy(), m.numpy())
            t = block.after(m).tanh_()
            h = torch.addmm(h, t, block.last.weight.T).add_(block.last.bias)
            xs.append(x)
            ts.append(t)
        t = self.hidden(h).tanh_()
        energy = self.energy_scale * (t @ self.output.weight[0]).reshape(n_frames, -1).sum(1)
        back = (self.energy_scale * self.output.weight * (1 - t * t)) @ self.hidden.weight  # dU/dh
        slopes = torch.zeros(len(rows), dtype=dtype)
        for k in reversed(range(len(self.blocks))):
            block = self.blocks[k]
            g = torch.ops.aten.tanh_backward(back @ block.last.weight, ts[k]) @ block.after.weight
            kernels.pull_back(*listed, tables[k].numpy(), xs[k].numpy(), g.numpy(), slopes.numpy())
            if k:
                x = torch.zeros_like(g)
                kernels.convolve(*listed, tables[k].numpy(), g.numpy(), x.numpy())
                back = torch.addmm(back, x, block.before.weight)
        return energy, slopes

    def work(self, positions: Tensor, box: Tensor | None, pairs: Pairs, direction: Tensor) -> Tensor:
        dtype = self.output.weight.dtype
        found = _graph.edges_on_cpu(positions, box, pairs, self.cutoff, self.exclusions)
        motion = direction.reshape(-1, 3)
        rates = ((motion[found.second] - motion[found.first]) * found.vectors).sum(1) / found.distances
        listed = (found.first, found.second, *_graph.pieces(found.distances, self.spacing, dtype), rates.to(dtype))
        h = self.embedding(self.bead_types).repeat(len(positions), 1)
        dh = torch.zeros_like(h)
        for block, table in zip(self.blocks, self.tables(), strict=True):
            m, dm = _ConvolveAlong.apply(table, block.before(h), linear(dh, block.before.weight), listed)
            t = torch.tanh(block.after(m))
            dt = (1 - t * t) * linear(dm, block.after.weight)
            h, dh = h + block.last(t), dh + linear(dt, block.last.weight)
        t = torch.tanh(self.hidden(h))
        return self.energy_scale * self.output((1 - t * t) * linear(dh, self.hidden.weight)).sum()

    def bind(self, beads: Beads) -> "SchNet":
        """The network for ``beads``, with its weights (shared) and its filters as they are now: bind again after more training.

        Raises ``ValueError`` for a bead type that the network was not made for.
        """
        kinds = _graph.type_index("schnet", self.types, beads)
        bound = SchNet(**{**self.recipe(), "bead_types": kinds, "exclusions": beads.exclusions.tolist()})
        for name, module in self.named_children():
            setattr(bound, name, module)
        with torch.no_grad():
            bound.frozen = torch.stack(self.tables())
        return bound.to(self.output.weight.device)

    def recipe(self) -> dict:
        return {
            "types": list(self.types),
            "bead_types": self.bead_types.tolist(),
            "cutoff": self.cutoff,
            "n_blocks": len(self.blocks),
            "channels": self.embedding.embedding_dim,
            "n_rbf": self.n_rbf,
            "n_intervals": self.n_intervals,
            "energy_scale": self.energy_scale,
            "exclusions": self.exclusions.tolist(),
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return None


class _ConvolveAlong(torch.autograd.Function):
    """Messages (N, C) and their derivative along a motion, of a filter's table, features and their derivative."""

    @staticmethod
    def forward(ctx, table, x, dx, listed):
        ctx.save_for_backward(table, x, dx)
        ctx.listed = [t.numpy() for t in listed]
        out, dout = torch.zeros_like(x), torch.zeros_like(x)
        kernels.convolve_along(*ctx.listed, *(t.detach().numpy() for t in (table, x, dx, out, dout)))
        return out, dout

    @staticmethod
    def backward(ctx, g, dg):
        found = [torch.zeros_like(t) for t in ctx.saved_tensors]
        arrays = [t.detach().contiguous().numpy() for t in (*ctx.saved_tensors, g, dg)]
        gtable, gx, gdx = (t.numpy() for t in found)
        kernels.pull_back_along(*ctx.listed, *arrays, gx, gdx, gtable)
        return *found, None


def build(data: ReferenceData, settings: Settings) -> SchNet:
    """An untrained network for the bead types of ``data``; add a prior, or beads may collapse where there are no data.

    Raises ``ValueError`` without data and for a cut-off beyond half of the box.
    """
    sizes = {name: getattr(settings, name) for name in ("cutoff", "n_blocks", "channels", "n_rbf", "n_intervals", "energy_scale")}
    network = SchNet(**_graph.described("schnet", data, settings.cutoff), **sizes)
    _graph.initialise(network, settings.seed)
    return network
