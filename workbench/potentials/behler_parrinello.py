"""Atomic networks on symmetry functions: U = sum_i N_a(G_i), one network N_a for every bead type a.

Source: Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007), equation 2; functions as in ``descriptors/symmetry_functions.py``; 2 x 25
tanh neurons as in Singraber et al., J. Chem. Theory Comput. 15, 3075 (2019). The functions do not change while the network learns: it is
trained on their stored values and derivatives. With ``states`` the temperature is one more input of every network (a coarse-grained
potential is a free energy and changes with it), and ``potentials.at(potential, state)`` is the potential of one state, ready to be run.
"""

import numpy as np
import torch
from torch import Tensor

from workbench import neighbors
from workbench.descriptors import _environment, symmetry_functions
from workbench.potentials._base import Analytic, Evaluation, Thermal
from workbench.potentials._pair import exclusion_list
from workbench.potentials._pair_tables import type_index
from workbench.potentials._per_bead import Network
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData, State


@settings
class Settings:
    """Architecture, and what the networks see."""

    widths: tuple[int, ...] = field((25, 25), "Neurons of the hidden layers.", bounds=(1, 4096))
    energy_scale: float = field(4.184, "Energy of one unit of output.", unit="kJ/mol", bounds=(1e-6, None))
    states: bool = field(False, "Temperature as an input: one network for data at several temperatures.")
    functions: symmetry_functions.Settings = field(symmetry_functions.Settings(), "The symmetry functions.")
    seed: int = field(0, "Seed of the initial weights.", bounds=(0, None))


class BehlerParrinello(Analytic, Thermal):
    """Networks of ``types`` on ``functions``. ``states``: they see the temperature, which is ``temperature`` [K] where it is fixed."""

    def __init__(
        self,
        types: list,
        bead_types: list,
        functions: dict,
        widths: list,
        energy_scale: float,
        exclusions: list,
        states: bool = False,
        temperature: float | None = None,
    ):
        super().__init__()
        self.types, self.states, self.temperature = tuple(types), states, temperature
        self.functions = symmetry_functions.SymmetryFunctions(**functions)
        self.cutoff = self.functions.cutoff
        n_inputs = self.functions.size + int(states)
        self.networks = torch.nn.ModuleList(Network(n_inputs, tuple(widths), energy_scale) for _ in self.types)
        self.register_buffer("bead_types", torch.tensor(bead_types, dtype=torch.int64))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))

    def at(self, state: State) -> "BehlerParrinello":
        """The potential at the temperature of ``state``; shares the weights. Raises ``ValueError`` where temperature is no input."""
        if not self.states:
            raise ValueError("behler_parrinello: these networks know no temperature: build them with states=True and train anew.")
        return self._remade(temperature=float(state.temperature))

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        if pairs is None:
            lengths = box if box is None or box.dim() == 2 else torch.diagonal(box, dim1=1, dim2=2)
            pairs = neighbors.search(positions, lengths, self.cutoff, self.exclusions)
        if positions.requires_grad or (box is not None and box.requires_grad):
            index, vectors = _environment.differentiable(positions, box, pairs, self.cutoff)
            q = self.functions.of_vectors(vectors, self._kinds(index))
        else:
            index, vectors = _environment.rows(positions.cpu(), None if box is None else box.cpu(), pairs, self.cutoff)
            q = self.functions.values(vectors, self._kinds(index)).to(positions.device)
        q = q.reshape(*positions.shape[:2], -1)
        q = self._seen(q.to(self._dtype), self._temperatures(len(positions)))
        energy = [network(q[:, own]).sum(1) for network, own in self._members()]
        return torch.stack(energy).sum(0).to(positions.dtype)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        where, dtype = positions.device, positions.dtype
        x, lengths = positions.detach().cpu(), None if box is None else box.cpu()
        if pairs is None:
            pairs = neighbors.search(x, lengths, self.cutoff, self.exclusions.cpu())
        index, vectors = _environment.rows(x, lengths, pairs, self.cutoff)
        kinds = self._kinds(index)
        q = self.functions.values(vectors, kinds).reshape(*x.shape[:2], -1).to(where, self._dtype)
        energy, slope = self._energy_and_slope(self._seen(q, self._temperatures(len(x))))
        pull = self.functions.pullback(vectors, kinds, slope.flatten(0, 1).to("cpu", dtype))
        force = -_environment.Scatter.apply(pull, index).reshape(x.shape)
        stress = -_environment.strain(vectors, pull, len(x)).to(where) if virial else None
        return Evaluation(energy.to(dtype), force.to(where), stress)

    def prepare(self, positions: Tensor, box: Tensor | None) -> list[Tensor]:
        """Values (F, B, D), their derivatives by the vectors (F, B, D, K), K the numbers of three times the neighbours, and neighbours."""
        (n_frames, n_beads), pairs = positions.shape[:2], neighbors.search(positions, box, self.cutoff, self.exclusions.cpu())
        index, vectors = _environment.rows(positions, box, pairs, self.cutoff)
        q, slope = self.functions.jacobian(vectors, self._kinds(index))
        local = (index % n_beads).reshape(n_frames, n_beads, -1)
        q = q.reshape(n_frames, n_beads, -1)
        return [q.to(self._dtype), slope.reshape(n_frames, n_beads, q.shape[2], -1).to(self._dtype), local]

    def gradient(self, prepared: list[Tensor]) -> Tensor:
        """dU/dx of what :meth:`prepare` gave and, with ``states``, the temperatures (F,) of the frames."""
        q, slope, local = prepared[:3]
        n_frames, n_beads, size = q.shape
        _, weight = self._energy_and_slope(self._seen(q, prepared[3] if self.states else None))
        pull = torch.bmm(weight.reshape(-1, 1, size), slope.reshape(n_frames * n_beads, size, -1))
        index = local + n_beads * torch.arange(n_frames, dtype=torch.int32, device=local.device)[:, None, None]
        scattered = _environment.Scatter.apply(pull.reshape(n_frames * n_beads, -1, 3), index.flatten(0, 1))
        return scattered.reshape(n_frames, n_beads, 3)

    def bind(self, beads: Beads) -> "BehlerParrinello":
        """The same networks for other beads. Raises ``ValueError`` for a type that has none."""
        return self._remade(bead_types=type_index(self.types, beads), exclusions=exclusion_list(beads))

    def recipe(self) -> dict:
        return {
            "types": list(self.types),
            "bead_types": self.bead_types.tolist(),
            "functions": self.functions.recipe(),
            "widths": self.networks[0].widths,
            "energy_scale": self.networks[0].energy_scale,
            "exclusions": self.exclusions.tolist(),
            "states": self.states,
            "temperature": self.temperature,
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return None

    @property
    def _dtype(self) -> torch.dtype:
        return self.networks[0].mean.dtype

    def _remade(self, **changed) -> "BehlerParrinello":
        made = BehlerParrinello(**{**self.recipe(), **changed}).to(self.bead_types.device)
        made.networks = self.networks
        return made

    def _kinds(self, index: Tensor) -> Tensor:
        """Types (N, K) of neighbours."""
        return self.bead_types.to(index.device)[index.long() % len(self.bead_types)]

    def _members(self) -> list[tuple[Network, Tensor]]:
        """Every network with the beads of its type."""
        return [(network, torch.nonzero(self.bead_types == kind)[:, 0]) for kind, network in enumerate(self.networks)]

    def _temperatures(self, n_frames: int) -> Tensor | None:
        """The fixed temperature (F,). Raises ``ValueError`` where there is none and one is wanted."""
        if not self.states:
            return None
        if self.temperature is None:
            raise ValueError("behler_parrinello: these networks want a temperature: run potentials.at(potential, State(temperature=...)).")
        return torch.full((n_frames,), self.temperature, dtype=self._dtype, device=self.bead_types.device)

    def _seen(self, q: Tensor, temperatures: Tensor | None) -> Tensor:
        """Inputs (F, B, D or D + 1) of the networks."""
        if temperatures is None:
            return q
        return torch.cat([q, temperatures.to(q)[:, None, None].expand(*q.shape[:2], 1)], 2)

    def _energy_and_slope(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """U (F,) and its slope (F, B, D) with the symmetry functions, with a graph to the weights where one is asked for."""
        energy, slope = torch.zeros(len(seen), dtype=seen.dtype, device=seen.device), []
        order = []
        for network, own in self._members():
            of_type, of_slope = network.energy_and_slope(seen[:, own].flatten(0, 1))
            energy = energy + of_type.reshape(len(seen), -1).sum(1)
            slope.append(of_slope.reshape(len(seen), len(own), -1))
            order.append(own)
        place = torch.argsort(torch.cat(order))
        return energy, torch.cat(slope, 1)[:, place, : self.functions.size]


def build(data: ReferenceData, settings: Settings) -> BehlerParrinello:
    """Untrained networks for the bead types of ``data``, their inputs scaled to mean and deviation there; add a repulsive prior.

    Raises ``ValueError`` as ``symmetry_functions.build``, for a function that never changes, and where temperature is to be an input of
    data at a single one.
    """
    functions = symmetry_functions.build(data, settings.functions)
    types = sorted(set(data.beads.types))
    kelvin = data.temperatures()
    if settings.states and kelvin.std() == 0:
        raise ValueError(
            f"behler_parrinello: all frames are at {kelvin[0]:g} K and temperature cannot be learned from: give data at several "
            "temperatures (ReferenceData.states and .state), or set states to False."
        )
    potential = BehlerParrinello(
        types,
        type_index(types, data.beads),
        functions.recipe(),
        list(settings.widths),
        settings.energy_scale,
        exclusion_list(data.beads),
        settings.states,
    )
    q = torch.cat([_values(potential, chunk) for chunk in data.take(_spread(len(data))).chunks(64)])
    for kind, (network, own) in enumerate(potential._members()):
        network.initialise(settings.seed + kind)
        mean, deviation = q[:, own].flatten(0, 1).mean(0), q[:, own].flatten(0, 1).std(0)
        if not bool((deviation > 1e-6 * mean.abs()).all()):
            raise ValueError(f"behler_parrinello: symmetry function {int(deviation.argmin())} never changes in the data: take fewer.")
        if settings.states:
            mean, deviation = (torch.cat([t, torch.tensor([v])]) for t, v in ((mean, kelvin.mean()), (deviation, kelvin.std())))
        network.mean, network.deviation = mean.float(), deviation.float()
    return potential


def _values(potential: BehlerParrinello, chunk: ReferenceData) -> Tensor:
    """Symmetry functions (F, B, D) of frames."""
    positions = torch.tensor(chunk.positions, dtype=torch.float64)
    box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
    index, vectors = _environment.rows(
        positions, box, neighbors.search(positions, box, potential.cutoff, potential.exclusions), potential.cutoff
    )
    return potential.functions.values(vectors, potential._kinds(index)).reshape(*positions.shape[:2], -1)


def _spread(n_frames: int) -> np.ndarray:
    """At most 1000 frames, evenly."""
    return np.unique(np.linspace(0, n_frames - 1, min(n_frames, 1000)).round().astype(int))
