"""CGnet: a network of internal coordinates, U = e0 W tanh(... tanh(W_1 z + b_1)), z the z-scored distances, angles, cos and sin.

Source: Wang et al., ACS Cent. Sci. 5, 755 (2019), equations 13-15 and figure 3. The physical prior of the paper is not in the
network: 'regularised' is ``harmonic.build(...) + cgnet.build(...)``, unregularised the network alone. Model systems in an external
field are seen by their Cartesian coordinates.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.descriptors import internal_coordinates
from workbench.potentials import _on_descriptor
from workbench.potentials._on_descriptor import OnDescriptor
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData


@settings
class Settings:
    """Architecture; the defaults are those of the paper's alanine dipeptide."""

    n_layers: int = field(5, "Hidden layers.", bounds=(1, 20))
    width: int = field(160, "Neurons of every hidden layer.", bounds=(1, 4096))
    energy_scale: float = field(
        4.184, "Energy of one unit of output; 4.184 makes published settings in kcal/mol carry over.", unit="kJ/mol", bounds=(1e-6, None)
    )
    descriptor: str = field("internal_coordinates", "What the network sees of the beads.", choices=_on_descriptor.DESCRIPTORS)
    features: internal_coordinates.Settings = field(internal_coordinates.Settings(), "Which internal coordinates.")
    seed: int = field(0, "Seed of the initial weights.", bounds=(0, None))


class CGnet(OnDescriptor):
    """Hidden layers of ``width`` tanh neurons on a z-scored descriptor; one energy for all beads."""

    def __init__(
        self,
        n_layers: int,
        width: int,
        energy_scale: float,
        pairs: Sequence = (),
        triples: Sequence = (),
        quadruples: Sequence = (),
        columns: Sequence = (),
        n_beads: int = 0,
    ):
        super().__init__(_on_descriptor.restored(pairs, triples, quadruples, columns, n_beads))
        sizes = [self.descriptor.size, *[width] * n_layers]
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.output = torch.nn.Linear(width, 1, bias=False)  # a constant energy has no force
        self.energy_scale = energy_scale
        self.register_buffer("mean", torch.zeros(self.descriptor.size))
        self.register_buffer("deviation", torch.ones(self.descriptor.size))

    def energy(self, q: Tensor) -> Tensor:
        h = (q.to(self.mean.dtype) - self.mean) / self.deviation
        for layer in self.hidden:
            h = torch.tanh(layer(h))
        return self.energy_scale * self.output(h).squeeze(-1).to(q.dtype)

    def energy_and_slope(self, q: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            h, kept = (q.to(self.mean.dtype) - self.mean) / self.deviation, []
            for layer in self.hidden:
                h = torch.nn.functional.linear(h, layer.weight, layer.bias).tanh_()
                kept.append(h)
            energy = self.energy_scale * self.output(h).squeeze(-1)
            back = self.output.weight.expand_as(h)  # (F, width)
            for layer, h in zip(reversed(self.hidden), reversed(kept), strict=True):
                torch.ops.aten.tanh_backward.grad_input(back, h, grad_input=h)  # h is now back (1 - h^2)
                back = h @ layer.weight
            return energy.to(q.dtype), (back * (self.energy_scale / self.deviation)).to(q.dtype)

    def bind(self, beads: Beads) -> "CGnet":
        """The network itself, where ``beads`` is the molecule it was made for; it carries to no other (``ValueError``)."""
        _on_descriptor.check_molecule(self, beads)
        return self

    def recipe(self) -> dict:
        sizes = {"n_layers": len(self.hidden), "width": self.output.in_features, "energy_scale": self.energy_scale}
        return {**self.descriptor.recipe(), **sizes}

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return None


def build(data: ReferenceData, settings: Settings) -> CGnet:
    """An untrained network for the beads of ``data``, its z-score from the coordinates' means and standard deviations there.

    Weights are uniform (Glorot), biases zero. Raises ``ValueError`` for more than one molecule.
    """
    seen = _on_descriptor.build("cgnet", data, settings.descriptor, settings.features)
    sizes = {"n_layers": settings.n_layers, "width": settings.width, "energy_scale": settings.energy_scale}
    network = CGnet(**sizes, **seen.recipe())
    generator = torch.Generator().manual_seed(settings.seed)
    for layer in [*network.hidden, network.output]:
        torch.nn.init.xavier_uniform_(layer.weight, generator=generator)
        if layer.bias is not None:
            torch.nn.init.zeros_(layer.bias)
    q = torch.cat([network.descriptor.values(torch.tensor(c.positions, dtype=torch.float64)) for c in data.chunks()])
    deviation = q.std(0, correction=0)
    if not bool((deviation > 0).all()):
        raise ValueError(f"cgnet: coordinate {int(deviation.argmin())} never changes in the data: more frames, or fewer features.")
    network.mean, network.deviation = q.mean(0).float(), deviation.float()
    return network
