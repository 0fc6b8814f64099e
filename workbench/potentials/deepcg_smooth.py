"""DeePCG with a descriptor that is smooth at the cut-off and as neighbours change rank: no local frame, sums over neighbours.

    R_ij = s(r) (1, x/r, y/r, z/r),  s(r) = S(r)/r,  D_i = G^T R R^T G_< / n^2,  U = sum_i N(D_i)

S switches from 1 to 0 with two continuous derivatives, G_ij = g(s) is a network of one number, G_< its first columns, n the mean number
of neighbours in the data. The product is the same for any rotation and any order of neighbours. Source: Zhang et al., DeepPot-SE,
NeurIPS 31, 4436 (2018), equations 5-9, arXiv 1805.09003.
"""

import itertools

import numpy as np
import torch
from torch import Tensor

from workbench.descriptors import _environment
from workbench.potentials import _per_bead
from workbench.potentials._pair import exclusion_list, switch
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

STEEPEST = 8.0
"""Largest initial weight of a neuron that reads s: its step is an eighth of the deviation of s wide."""


@settings
class Settings:
    """Range and architecture."""

    cutoff: float = field(0.6, "Distance up to which beads are neighbours.", unit="nm", bounds=(1e-3, None))
    switch_from: float = field(0.5, "Distance from which neighbours fade, relative to the cut-off.", bounds=(0.0, 0.99))
    embedding: tuple[int, ...] = field((12, 24), "Neurons of the layers of g.", bounds=(1, 1024))
    n_axis: int = field(6, "Columns of G_<.", bounds=(1, 256))
    widths: tuple[int, ...] = field((120, 60, 30, 15), "Neurons of the hidden layers of N.", bounds=(1, 4096))
    energy_scale: float = field(4.184, "Energy of one unit of output.", unit="kJ/mol", bounds=(1e-6, None))
    seed: int = field(0, "Seed of the initial weights.", bounds=(0, None))


def slope_of_s(r: Tensor, start: float, stop: float) -> Tensor:
    """ds/dr of s = S(r)/r."""
    x = ((r - start) / (stop - start)).clamp(0.0, 1.0)
    fall = 30 * (x * (1 - x)) ** 2 / (stop - start)
    return -(fall + switch(r, start, stop) / r) / r


class DeepCGSmooth(_per_bead.PerBead):
    """The network on embedded neighbours; s is taken in units of its deviation ``scale``."""

    def __init__(
        self,
        cutoff: float,
        switch_from: float,
        n_slots: int,
        embedding: list,
        n_axis: int,
        widths: list,
        energy_scale: float,
        exclusions: list,
    ):
        super().__init__(cutoff, n_slots, exclusions)
        self.switch_from, self.n_axis = switch_from, min(n_axis, embedding[-1])
        self.embedding = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in itertools.pairwise([1, *embedding]))
        self.network = _per_bead.Network(embedding[-1] * self.n_axis, tuple(widths), energy_scale)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("crowd", torch.ones(()))

    def describe(self, vectors: Tensor) -> Tensor:
        """D (N, M n_axis) of vectors (N, K, 3), differentiable. Places without a neighbour add nothing."""
        s, row, _, _ = self.row(vectors)
        g = s[..., None]
        for layer in self.embedding:
            g = torch.tanh(layer(g))
        return self.product(torch.bmm(g.transpose(1, 2), row) / self.crowd)

    def row(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """s (N, K), s (1, u) (N, K, 4), the directions u (N, K, 3) and distances r (N, K) of ``vectors``."""
        there = (vectors != 0).any(-1)
        r = torch.linalg.vector_norm(torch.where(there[..., None], vectors, vectors.new_tensor([self.cutoff, 0.0, 0.0])), dim=-1)
        s = switch(r, self.switch_from * self.cutoff, self.cutoff) / (r * self.scale)
        along = vectors / r[..., None]
        return s, torch.cat([torch.ones_like(s)[..., None], along], -1) * s[..., None], along, r

    def product(self, moments: Tensor) -> Tensor:
        """D of G^T R / n, (N, M, 4)."""
        return torch.bmm(moments, moments[:, : self.n_axis].transpose(1, 2)).flatten(1)

    def bead_energy(self, vectors: Tensor) -> Tensor:
        return self.network(self.describe(vectors.to(self.scale.dtype))).to(vectors.dtype)

    def energy_and_slope(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            s, row, along, r = self.row(vectors.to(self.scale.dtype))
            fall = slope_of_s(r, self.switch_from * self.cutoff, self.cutoff) / self.scale
        g, steep = self.embedded(s)
        moments = torch.bmm(g.transpose(1, 2), row) / self.crowd  # (N, M, 4)
        energy, by_product = self.network.energy_and_slope(self.product(moments))
        by_product = by_product.reshape(*moments.shape[:2], self.n_axis)
        first = torch.bmm(by_product.transpose(1, 2), moments)  # what the first columns are multiplied with
        by_moments = torch.bmm(by_product, moments[:, : self.n_axis])
        by_moments = (by_moments + torch.nn.functional.pad(first, (0, 0, 0, moments.shape[1] - self.n_axis))) / self.crowd
        by_row = torch.bmm(g, by_moments)  # (N, K, 4)
        by_s = (torch.bmm(steep, by_moments) * row).sum(-1) + by_row[..., 0]
        across = by_row[..., 1:]
        part = (across * along).sum(-1)
        slope = ((by_s + part) * fall - part * s / r)[..., None] * along + across * (s / r)[..., None]
        return energy.to(vectors.dtype), slope.to(vectors.dtype)

    def embedded(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """g (N, K, M) of s (N, K), and dg/ds."""
        g, steep = s[..., None], None
        for layer in self.embedding:
            g = torch.tanh(layer(g))
            inner = layer.weight[:, 0] if steep is None else steep @ layer.weight.T
            steep = torch.ops.aten.tanh_backward(inner, g)
        return g, steep

    def check(self, vectors: Tensor, n_beads: int) -> None:
        """A bead may be alone: its energy is a constant."""

    def bind(self, beads: Beads) -> "DeepCGSmooth":
        """The same network for other beads of the same kind."""
        bound = DeepCGSmooth(**{**self.recipe(), "exclusions": exclusion_list(beads)})
        bound.embedding, bound.network, bound.scale, bound.crowd = self.embedding, self.network, self.scale, self.crowd
        return bound

    def recipe(self) -> dict:
        return {
            "cutoff": self.cutoff,
            "switch_from": self.switch_from,
            "n_slots": self.n_slots,
            "embedding": [layer.out_features for layer in self.embedding],
            "n_axis": self.n_axis,
            "widths": self.network.widths,
            "energy_scale": self.network.energy_scale,
            "exclusions": self.exclusions.tolist(),
        }


def build(data: ReferenceData, settings: Settings) -> DeepCGSmooth:
    """An untrained network for the beads of ``data``, scaled to the neighbours and, at the initial weights, the descriptors there.

    Raises ``ValueError`` for beads of several kinds, a cut-off beyond half the box, and data in which a bead has no neighbour.
    """
    _per_bead.check_data("deepcg_smooth", data)
    number = _environment.numbers(data, settings.cutoff)
    if number.min() < 1:
        frame, bead = np.unravel_index(number.argmin(), number.shape)
        raise ValueError(
            f"deepcg_smooth: bead {bead} of frame {frame} has no neighbour within {settings.cutoff} nm: give a longer cut-off."
        )
    names = ("cutoff", "switch_from", "embedding", "n_axis", "widths", "energy_scale")
    chosen = {name: getattr(settings, name) for name in names}
    potential = DeepCGSmooth(**chosen, n_slots=int(number.max()), exclusions=exclusion_list(data.beads))
    vectors = next(iter(_per_bead.vectors(potential, data)))[:20_000].float()
    r = torch.linalg.vector_norm(vectors, dim=-1)
    s = switch(r, settings.switch_from * settings.cutoff, settings.cutoff) / r
    potential.scale, potential.crowd = s[r > 0].std(), torch.tensor(float(number.mean()))
    potential.network.initialise(settings.seed)
    _initialise(potential.embedding, float(s[r > 0].max() / potential.scale), settings.seed)
    with torch.no_grad():
        q = potential.describe(vectors)
    deviation = q.std(0)
    potential.network.mean, potential.network.deviation = q.mean(0), deviation.clamp(min=1e-3 * float(deviation.max()))
    return potential


def _initialise(embedding: torch.nn.ModuleList, largest: float, seed: int) -> None:
    """Weights of g: steep neurons whose steps lie all over the range of s, 0 to ``largest``, so that its columns differ from the first."""
    generator = torch.Generator().manual_seed(seed)
    first, *others = embedding
    with torch.no_grad():
        first.weight.uniform_(-STEEPEST, STEEPEST, generator=generator)
        first.bias.copy_(-first.weight[:, 0] * largest * torch.rand(first.out_features, generator=generator))
        for layer in others:
            torch.nn.init.xavier_uniform_(layer.weight, gain=torch.nn.init.calculate_gain("tanh"), generator=generator)
            layer.bias.uniform_(-0.5, 0.5, generator=generator)
