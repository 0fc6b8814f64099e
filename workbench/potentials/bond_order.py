"""Bond-order form: a bond is the weaker, the more others its ends have and the further their angles are from the best one.

    U = 1/2 sum_i sum_{j != i} f(r_ij) [A exp(-lam1 r_ij) - b_ij B exp(-lam2 r_ij)]
    b_ij = (1 + (beta xi_ij)^n)^(-1/2n),   xi_ij = sum_{k != i, j} f(r_ik) g(theta_jik)
    g = 1 + c^2/d^2 - c^2 / (d^2 + (cos theta - cos0)^2)

f falls from 1 to 0 between R - D and R + D as half a sine: Tersoff, Phys. Rev. B 37, 6991 (1988), as LAMMPS has it (m 1, gamma 1, lam3 0).
ML-BOP, water as one bead: Chan et al., Nat. Commun. 10, 379 (2019), Table 3. Neither the dihedral term of their second model nor
its values are published: the one here is of our own. Around the bond ij with axis u, z are the bonds of its ends seen along u, as complex
numbers in the plane across it:

    U_dih = sum_{i<j} K f(r_ij) Re[Z_i conj(Z_j)],   Z_i = sum_{k != j} f(r_ik) z_ik^3,   so that each term is sin^3 sin^3 cos 3 phi,

smooth where bonds line up. K > 0 favours staggered bonds, those of cubic ice; one bond in four of hexagonal ice is eclipsed.
"""

import math

import numba
import numpy as np
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _base, _pair
from workbench.potentials import _bond_order_kernels as kernels
from workbench.potentials._base import Analytic, Evaluation
from workbench.potentials._triplets import two_of_each
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

NAMES = ("A", "B", "lam1", "lam2", "R", "D", "beta", "n", "c", "d", "cos0")
MODELS = {"ML-BOP": (162510.3837, 45697.51891, 27.50522, 21.9964, 0.3282761, 0.0270511, 1e-6, 0.770018, 77638.534354, 16.148387, -0.471029)}
"""Parameters in the order of ``NAMES``; A and B in kJ/mol, lam1 and lam2 in 1/nm, R and D in nm."""
ROWS_PER_CHUNK = 256
"""A thread is worth its start for this many beads."""


@settings
class Settings:
    """Which parameters, and the dihedral term."""

    model: str = field("ML-BOP", "Parameter set.", choices=tuple(MODELS))
    dihedral: float = field(
        0.0, "Strength K of the dihedral term, which is of our own; 0 leaves it out.", unit="kJ/mol", bounds=(None, None)
    )


class BondOrder(Analytic):
    """``values`` (1 or F, 11): one set, or one for every replica, in the order of ``NAMES``. Excluded pairs are no neighbours."""

    def __init__(self, parameters: list, dihedral: float | list, exclusions: list):
        super().__init__()
        self.register_buffer("values", torch.tensor(parameters, dtype=torch.float64).reshape(-1, len(NAMES)))
        self.register_buffer("dihedral", torch.tensor(dihedral, dtype=torch.float64).reshape(-1))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))
        self.cutoff = float((self.values[:, 4] + self.values[:, 5]).max())

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        bonds = self._bonds(positions, box, pairs)
        big_a, big_b, lam1, lam2 = (bonds.own[:, k] for k in range(4))
        repulsion = big_a * torch.exp(-lam1 * bonds.r)
        attraction = big_b * torch.exp(-lam2 * bonds.r)
        energy = 0.5 * bonds.fade * (repulsion - self._order(bonds) * attraction)
        return self._by_frame(energy, bonds, positions) + self._dihedrals(bonds, positions)

    def _bonds(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None) -> "_Bonds":
        """Both directions of every bond, sorted by the bead they are seen from."""
        vector, frame, pairs = _pair.vectors(positions, box, pairs, self.cutoff, self.exclusions)
        values = self.values.to(positions.dtype)
        reach = (values[:, 4] + values[:, 5]).expand(len(positions))[frame]
        near = torch.linalg.vector_norm(vector.detach(), dim=-1) < reach
        first, second, vector, frame = pairs.first[near].long(), pairs.second[near].long(), vector[near], frame[near]
        centre, order = torch.sort(torch.cat([first, second]), stable=True)
        reverse = torch.empty_like(order)
        reverse[order] = torch.arange(len(order), device=order.device)
        opposite = reverse[(order + len(first)) % max(1, len(order))]
        vector, frame = torch.cat([vector, -vector])[order], torch.cat([frame, frame])[order]
        n_beads = positions.shape[0] * positions.shape[1]
        return _Bonds(centre, frame, vector, opposite, values.expand(len(positions), -1)[frame], n_beads)

    def _order(self, bonds: "_Bonds") -> Tensor:
        """b of every directed bond."""
        left, right = bonds.couples
        beta, n, c, d, cos0 = (bonds.own[:, k] for k in range(6, 11))
        h = (bonds.n[left] * bonds.n[right]).sum(1) - cos0[left]
        g = 1 + (c[left] * h / d[left]) ** 2 / (d[left] ** 2 + h * h)
        xi = torch.zeros_like(bonds.r).index_add(0, left, bonds.fade[right] * g).index_add(0, right, bonds.fade[left] * g)
        alone = xi <= 0
        power = (beta * torch.where(alone, torch.ones_like(xi), xi)) ** n
        return torch.where(alone, torch.ones_like(xi), (1 + power) ** (-0.5 / n))

    def _dihedrals(self, bonds: "_Bonds", positions: Tensor) -> Tensor:
        """Dihedral energy (F,), by Z of both ends of every bond."""
        strength = self.dihedral.to(positions.dtype).expand(len(positions))
        left, right = bonds.couples
        left, right = torch.cat([left, right]), torch.cat([right, left])  # an axis, and another bond of the bead it is seen from
        real, imaginary = _across(bonds.n, bonds.opposite)
        a, b = (bonds.n[right] * real[left]).sum(1), (bonds.n[right] * imaginary[left]).sum(1)
        weight = bonds.fade[right]
        z = torch.zeros(len(bonds.r), 2, dtype=bonds.r.dtype, device=bonds.r.device)
        z = z.index_add(0, left, torch.stack([weight * (a**3 - 3 * a * b * b), weight * (3 * a * a * b - b**3)], 1))
        energy = 0.5 * strength[bonds.frame] * bonds.fade * (z * z[bonds.opposite]).sum(1)
        return self._by_frame(energy, bonds, positions)

    @staticmethod
    def _by_frame(energy: Tensor, bonds: "_Bonds", positions: Tensor) -> Tensor:
        return torch.zeros_like(positions[:, 0, 0]).index_add(0, bonds.frame, energy)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        if positions.is_cuda or bool(self.dihedral.any()):
            return _base._by_autograd(self, positions, box, pairs, virial)
        if pairs is None:
            pairs = neighbors.search(positions, box, self.cutoff, self.exclusions)
        (frames, beads), x = positions.shape[:2], positions.detach().contiguous().reshape(-1, 3).numpy()
        chunks = min(numba.get_num_threads(), 1 + len(x) // ROWS_PER_CHUNK)
        bounds = np.array([0, len(x)])
        if chunks > 1:
            bounds = np.searchsorted(pairs.starts.numpy(), np.linspace(0, len(pairs.second), chunks + 1))
            bounds[0], bounds[-1] = 0, len(x)
        force, energy = np.zeros((chunks, *x.shape), x.dtype), np.zeros((chunks, frames))
        stress = np.zeros((chunks, frames if virial else 0, 3, 3))
        kernels.evaluate(
            x,
            np.zeros((frames, 3), x.dtype) if box is None else box.to(positions.dtype).contiguous().numpy(),
            beads,
            pairs.starts.numpy(),
            pairs.second.numpy(),
            bounds,
            self.values.detach().numpy().astype(x.dtype),
            force,
            energy,
            stress,
        )
        total = torch.from_numpy(force[0] if chunks == 1 else force.sum(0)).reshape(positions.shape)
        sums, dtype = torch.from_numpy(energy.sum(0)), positions.dtype
        return Evaluation(sums.to(dtype), total, torch.from_numpy(stress.sum(0)).to(dtype) if virial else None)

    def bind(self, beads: Beads) -> "BondOrder":
        bound = BondOrder(self.values.tolist(), self.dihedral.tolist(), _pair.exclusion_list(beads))
        bound.values, bound.dihedral = self.values, self.dihedral
        return bound

    def recipe(self) -> dict:
        return {"parameters": self.values.tolist(), "dihedral": self.dihedral.tolist(), "exclusions": self.exclusions.tolist()}

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        """None: OpenMM's custom forces have no sum within a power."""
        return None


class _Bonds:
    """Directed bonds (E,): the bead each is seen from, its frame, length, direction n (E, 3), f, its opposite, its parameters (E, 11)."""

    def __init__(self, centre: Tensor, frame: Tensor, vector: Tensor, opposite: Tensor, own: Tensor, n_beads: int):
        self.frame, self.opposite, self.own = frame, opposite, own
        self.r = torch.linalg.vector_norm(vector, dim=1)
        self.n = vector / self.r[:, None]
        phase = ((self.r - own[:, 4]) / own[:, 5]).clamp(-1.0, 1.0)
        self.fade = 0.5 - 0.5 * torch.sin(0.5 * math.pi * phase)
        self.couples = two_of_each(centre, n_beads)


def _across(n: Tensor, opposite: Tensor) -> tuple[Tensor, Tensor]:
    """Two unit vectors (E, 3) across each direction ``n`` (E, 3), the same for both directions of a bond."""
    place = torch.arange(len(n), device=n.device)
    axis = n[torch.minimum(place, opposite)]
    least = torch.nn.functional.one_hot(axis.detach().abs().argmin(1), 3).to(n.dtype)
    first = least - (least * axis).sum(1, keepdim=True) * axis
    first = first / torch.linalg.vector_norm(first, dim=1, keepdim=True)
    return first, torch.linalg.cross(axis, first)


def build(data: ReferenceData | None, settings: Settings) -> BondOrder:
    """The named model for the beads of ``data`` (None: no exclusions until ``bind``)."""
    return BondOrder([MODELS[settings.model]], settings.dihedral, _pair.exclusion_list(None if data is None else data.beads))
