"""PaiNN: beads with scalars s and vectors v that turn with the molecule; U = e0 sum over beads of o2 silu(O1 s + b).

Messages, with phi = P2 silu(P1 s) of the sender in three parts and W(r) likewise, n the unit vector from i to j:
    s_i <- s_i + sum_j phi_1 W_1,    v_i <- v_i + sum_j (phi_2 W_2 v_j + phi_3 W_3 n_ij)
Updates, with a = A2 silu(A1 [s, |V v|]) in three parts:
    s_i <- s_i + a_1 + a_2 (U v . V v),    v_i <- v_i + a_3 U v
Source: Schütt et al., ICML 2021 (arXiv 2102.03150), equations 7-10; filters are those of ``_graph`` and vectors' lengths are rounded off
near zero, so that forces are smooth.
"""

import torch
from torch import Tensor

from workbench.neighbors import Pairs
from workbench.potentials import _graph
from workbench.potentials._base import Potential
from workbench.potentials._graph import Edges
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

ROUNDING = 1e-4
"""Added to squared lengths of vectors before the root."""


@settings
class Settings:
    """Architecture."""

    cutoff: float = field(0.5, "Distance from which beads do not see each other.", unit="nm", bounds=(1e-3, None))
    n_blocks: int = field(2, "Rounds of message and update.", bounds=(1, 10))
    channels: int = field(64, "Scalars, and vectors, of a bead.", bounds=(1, 2048))
    n_rbf: int = field(20, "Gaussians of the distance.", bounds=(2, 1000))
    energy_scale: float = field(4.184, "Energy of one unit of output.", unit="kJ/mol", bounds=(1e-6, None))
    seed: int = field(0, "Seed of the initial weights.", bounds=(0, None))


class Block(torch.nn.Module):
    """One round: a message from every neighbour, then an update of the bead by itself."""

    def __init__(self, channels: int, n_rbf: int, cutoff: float):
        super().__init__()
        c = channels
        self.filter = _graph.RadialFilter(3 * c, n_rbf, cutoff)
        self.sent = torch.nn.Sequential(torch.nn.Linear(c, c), torch.nn.SiLU(), torch.nn.Linear(c, 3 * c))
        self.mixed = torch.nn.Linear(c, 2 * c, bias=False)
        self.update = torch.nn.Sequential(torch.nn.Linear(2 * c, c), torch.nn.SiLU(), torch.nn.Linear(c, 3 * c))

    def forward(self, s: Tensor, v: Tensor, found: Edges) -> tuple[Tensor, Tensor]:
        """Scalars (N, C) and vectors (N, 3, C) after the round."""
        w, phi = self.filter(found.distances)[0], self.sent(s)
        unit = (found.vectors / found.distances[:, None]).to(s.dtype)[:, :, None]  # (P, 3, 1)
        ds, dv = torch.zeros_like(s), torch.zeros_like(v)
        for to, of, sign in ((found.first, found.second, 1), (found.second, found.first, -1)):
            scalar, along, new = (w * phi[of]).chunk(3, 1)
            ds = ds.index_add(0, to, scalar)
            dv = dv.index_add(0, to, along[:, None] * v[of] + sign * new[:, None] * unit)
        s, v = s + ds, v + dv
        a, b = self.mixed(v).chunk(2, 2)
        own, product, turned = self.update(torch.cat([s, (b.square().sum(1) + ROUNDING).sqrt()], 1)).chunk(3, 1)
        return s + own + product * (a * b).sum(1), v + turned[:, None] * a


class PaiNN(Potential):
    """Network of beads of ``types``; ``bind`` carries it to any number of them."""

    def __init__(
        self,
        types: list,
        bead_types: list,
        cutoff: float,
        n_blocks: int,
        channels: int,
        n_rbf: int,
        energy_scale: float,
        exclusions: list,
    ):
        super().__init__()
        self.types, self.cutoff, self.n_rbf, self.energy_scale = tuple(types), cutoff, n_rbf, energy_scale
        self.embedding = torch.nn.Embedding(len(types), channels)
        self.blocks = torch.nn.ModuleList(Block(channels, n_rbf, cutoff) for _ in range(n_blocks))
        self.output = torch.nn.Sequential(torch.nn.Linear(channels, channels), torch.nn.SiLU(), torch.nn.Linear(channels, 1, bias=False))
        self.register_buffer("bead_types", torch.tensor(bead_types, dtype=torch.int64))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: Pairs | None = None) -> Tensor:
        found = _graph.edges(positions, box, pairs, self.cutoff, self.exclusions)
        s = self.embedding(self.bead_types).repeat(len(positions), 1)  # (F B, C)
        v = s.new_zeros(len(s), 3, s.shape[1])
        found = found._replace(vectors=found.vectors.to(s.dtype), distances=found.distances.to(s.dtype))
        for block in self.blocks:
            s, v = block(s, v, found)
        energy = self.energy_scale * self.output(s)
        return energy.reshape(positions.shape[:2]).sum(1).to(positions.dtype)

    def bind(self, beads: Beads) -> "PaiNN":
        """The network for ``beads``, with the same weights. Raises ``ValueError`` for a bead type that it was not made for."""
        kinds = _graph.type_index("painn", self.types, beads)
        bound = PaiNN(**{**self.recipe(), "bead_types": kinds, "exclusions": beads.exclusions.tolist()})
        for name, module in self.named_children():
            setattr(bound, name, module)
        return bound.to(self.embedding.weight.device)

    def recipe(self) -> dict:
        return {
            "types": list(self.types),
            "bead_types": self.bead_types.tolist(),
            "cutoff": self.cutoff,
            "n_blocks": len(self.blocks),
            "channels": self.embedding.embedding_dim,
            "n_rbf": self.n_rbf,
            "energy_scale": self.energy_scale,
            "exclusions": self.exclusions.tolist(),
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return None


def build(data: ReferenceData, settings: Settings) -> PaiNN:
    """An untrained network for the bead types of ``data``; add a prior, or beads may collapse where there are no data.

    Raises ``ValueError`` without data and for a cut-off beyond half of the box.
    """
    sizes = {name: getattr(settings, name) for name in ("cutoff", "n_blocks", "channels", "n_rbf", "energy_scale")}
    network = PaiNN(**_graph.described("painn", data, settings.cutoff), **sizes)
    _graph.initialise(network, settings.seed)
    return network
