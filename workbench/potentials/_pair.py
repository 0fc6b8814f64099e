"""What pair potentials share: U = sum over pairs u(r). A file gives u(r); forces and virial follow from du/dr along each pair."""

import abc

import openmm
import torch
from torch import Tensor

from workbench import geometry, neighbors
from workbench.potentials._base import Analytic, Evaluation
from workbench.types import Beads


def switch(r: Tensor, start: float, stop: float) -> Tensor:
    """Quintic switching function, 1 up to ``start`` and 0 from ``stop``, two continuous derivatives (as in OpenMM)."""
    x = ((r - start) / (stop - start)).clamp(0.0, 1.0)
    return 1 - x**3 * (10 - 15 * x + 6 * x * x)


class PairPotential(Analytic):
    """Non-bonded pairs within ``cutoff`` that are not excluded."""

    def __init__(self, cutoff: float, exclusions: list):
        super().__init__()
        self.cutoff = cutoff
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))

    @abc.abstractmethod
    def pair_energy(self, r: Tensor, frame: Tensor) -> Tensor:
        """u(r) [kJ/mol] of pairs at distance ``r`` (P,) [nm] in frames ``frame`` (P,); zero from ``cutoff`` on."""

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        vector, frame, _ = vectors(positions, box, pairs, self.cutoff, self.exclusions)
        energy = self.pair_energy(torch.linalg.vector_norm(vector, dim=-1), frame)
        return torch.zeros(len(positions), dtype=energy.dtype, device=energy.device).index_add(0, frame, energy)

    def native(self, energy: str, switch_from: float, beads: Beads, periodic: bool) -> openmm.CustomNonbondedForce:
        """The OpenMM force of ``energy``, an expression in r, for ``beads``; switched off from ``switch_from`` [nm] as here."""
        force = openmm.CustomNonbondedForce(energy)
        force.setNonbondedMethod(force.CutoffPeriodic if periodic else force.CutoffNonPeriodic)
        force.setCutoffDistance(self.cutoff)
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(switch_from)
        for _ in range(beads.n_beads):
            force.addParticle(())
        for i, j in self.exclusions.tolist():
            force.addExclusion(i, j)
        return force


def evaluate(potential: PairPotential, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
    """Energy, forces and virial by the slope of ``pair_energy``, in torch."""
    vector, frame, pairs = vectors(positions, box, pairs, potential.cutoff, potential.exclusions)
    r = torch.linalg.vector_norm(vector, dim=-1)
    with torch.enable_grad():
        distance = r.requires_grad_(True)
        energy = potential.pair_energy(distance, frame)
        (slope,) = torch.autograd.grad(energy.sum(), distance)
    return gather(positions, pairs, frame, vector, energy.detach(), slope / r.detach(), virial)


def vectors(
    positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, cutoff: float, exclusions: Tensor
) -> tuple[Tensor, Tensor, neighbors.Pairs]:
    """Vectors (P, 3) from the first to the second bead of each pair, its frame (P,), and the pairs, searched where none are given."""
    if pairs is None:
        lengths = box if box is None or box.dim() == 2 else torch.diagonal(box, dim1=1, dim2=2)
        pairs = neighbors.search(positions, lengths, cutoff, exclusions)
    flat = positions.reshape(-1, 3)
    frame = torch.div(pairs.first, positions.shape[1], rounding_mode="floor")
    vector = (flat[pairs.second] - flat[pairs.first])[:, None, :]
    return geometry.minimum_image(vector, None if box is None else box[frame])[:, 0], frame, pairs


def gather(
    positions: Tensor, pairs: neighbors.Pairs, frame: Tensor, vector: Tensor, energy: Tensor, slope: Tensor, virial: bool
) -> Evaluation:
    """Sums over pairs with ``vector`` (P, 3), energy (P,) and ``slope`` du/dr / r (P,)."""
    pull = slope[:, None] * vector
    total = torch.zeros_like(positions).reshape(-1, 3).index_add_(0, pairs.first, pull).index_add_(0, pairs.second, -pull)
    sums = torch.zeros(len(positions), dtype=energy.dtype, device=energy.device).index_add_(0, frame, energy)
    stress = None
    if virial:
        stress = torch.zeros(len(positions), 3, 3, dtype=pull.dtype, device=pull.device)
        stress.index_add_(0, frame, -vector[:, :, None] * pull[:, None, :])
    return Evaluation(sums, total.reshape(positions.shape), stress)


def exclusion_list(beads: Beads | None) -> list:
    """Exclusions as JSON values."""
    return [] if beads is None else beads.exclusions.tolist()
