"""Stillinger-Weber form: beads that prefer certain angles. Named sets of parameters: water as one bead, mW and ML-mW.

    U = sum_{i<j} A eps [B (sigma/r)^p - (sigma/r)^q] exp(sigma / (r - a sigma))
        + sum_i sum_{j<k} lambda eps (cos theta_jik - c)^2 exp(gamma sigma / (r_ij - a sigma) + gamma sigma / (r_ik - a sigma))

both zero from r = a sigma on: Stillinger and Weber, Phys. Rev. B 31, 5262 (1985). mW: Molinero and Moore, J. Phys. Chem. B 113, 4008
(2009); ML-mW: Chan et al., Nat. Commun. 10, 379 (2019). The cosine is a product of unit vectors n, so that no triplet need be visited:
with e = exp(gamma sigma / (r - a sigma)), S = sum_j e_j, V = sum_j e_j n_j and Q = sum_j e_j n_j n_j^T over the neighbours of i,

    sum_{j<k} (cos theta - c)^2 e_j e_k = 1/2 [Q:Q - 2 c V.V + c^2 S^2 - (1 - c)^2 sum_j e_j^2].
"""

import numba
import numpy as np
import openmm
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _base, _pair
from workbench.potentials import _stillinger_weber_kernels as kernels
from workbench.potentials._base import Analytic, Evaluation
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

NAMES = ("eps", "sigma", "a", "A", "B", "p", "q", "lam", "gamma", "cos0")
MODELS = {
    "mW": (25.894776, 0.23925, 1.8, 7.049556277, 0.6022245584, 4.0, 0.0, 23.15, 1.2, -1 / 3),
    "ML-mW": (28.683545, 0.1884015, 2.124872, 7.111598, 1.991526, 4.011214, 0.0, 24.673877, 1.207943, -0.279667),
}
"""Parameters in the order of ``NAMES``; eps in kJ/mol, sigma in nm."""
PAIR = "A*eps*(B*(sigma/r)^p-(sigma/r)^q)*exp(sigma/(r-a*sigma))"
TRIPLE = "lam*eps*(cos(angle(p2,p1,p3))-cos0)^2*exp(gamma*sigma/(distance(p1,p2)-a*sigma)+gamma*sigma/(distance(p1,p3)-a*sigma))"
ROWS_PER_CHUNK = 256
"""A thread is worth its start for this many beads."""


@settings
class Settings:
    """Which parameters."""

    model: str = field("mW", "Parameter set.", choices=tuple(MODELS))


class StillingerWeber(Analytic):
    """``values`` (1 or F, 10): one set, or one for every replica, in the order of ``NAMES``. Excluded pairs are no neighbours."""

    native_on = ("CUDA",)

    def __init__(self, parameters: list, exclusions: list):
        super().__init__()
        self.register_buffer("values", torch.tensor(parameters, dtype=torch.float64).reshape(-1, len(NAMES)))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))
        self.cutoff = float((self.values[:, 1] * self.values[:, 2]).max())

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        vector, frame, pairs = _pair.vectors(positions, box, pairs, self.cutoff, self.exclusions)
        values = self.values if len(self.values) == 1 else self.values[frame]
        eps, sigma, a, big_a, big_b, p, q, _, gamma, _ = values.to(positions.dtype).unbind(1)
        r = torch.linalg.vector_norm(vector, dim=-1)
        over = 1 / torch.minimum(r - a * sigma, -kernels.CLEAR * sigma)
        pair = big_a * eps * (big_b * (sigma / r) ** p - (sigma / r) ** q) * torch.exp(sigma * over)
        factor, n = torch.exp(gamma * sigma * over), vector / r[:, None]
        energy = torch.zeros_like(positions[:, 0, 0]).index_add(0, frame, pair)
        return energy + self._three_body(factor, n, pairs, *positions.shape[:2])

    def _three_body(self, factor: Tensor, n: Tensor, pairs: neighbors.Pairs, n_frames: int, n_beads: int) -> Tensor:
        """Three-body energy (F,) of factors e (P,) and unit vectors n (P, 3), by the moments of every bead."""
        e = factor[:, None]
        outer = e * (n[:, :, None] * n[:, None, :]).flatten(1)
        moments = [torch.cat([e, sign * e * n, outer, e * e], 1) for sign in (1, -1)]  # S, V, Q and sum e^2: (P, 14)
        total = factor.new_zeros(n_frames * n_beads, 14).index_add(0, pairs.first, moments[0]).index_add(0, pairs.second, moments[1])
        s, v, q, square = total.reshape(n_frames, n_beads, 14).split([1, 3, 9, 1], 2)
        strength, c = (self.values[:, 7] * self.values[:, 0]).to(e.dtype), self.values[:, 9:].to(e.dtype)
        centre = (q * q).sum(2) - 2 * c * (v * v).sum(2) + (c * s[..., 0]) ** 2 - (1 - c) ** 2 * square[..., 0]
        return 0.5 * strength * centre.sum(1)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        if positions.is_cuda:
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
            np.zeros((chunks, len(x), kernels.MOMENTS), x.dtype),
            force,
            energy,
            stress,
        )
        total = torch.from_numpy(force[0] if chunks == 1 else force.sum(0)).reshape(positions.shape)
        sums, dtype = torch.from_numpy(energy.sum(0)), positions.dtype
        return Evaluation(sums.to(dtype), total, torch.from_numpy(stress.sum(0)).to(dtype) if virial else None)

    def bind(self, beads: Beads) -> "StillingerWeber":
        bound = StillingerWeber(self.values.tolist(), _pair.exclusion_list(beads))
        bound.values = self.values
        return bound

    def recipe(self) -> dict:
        return {"parameters": self.values.tolist(), "exclusions": self.exclusions.tolist()}

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        """Two forces; None for a set per replica, or where pairs are excluded (OpenMM would leave out their triplets altogether)."""
        if len(self.values) > 1 or len(self.exclusions):
            return None
        return native(dict(zip(NAMES, self.values[0].tolist(), strict=True)), beads.n_beads, periodic)


def native(values: dict[str, float], n_beads: int, periodic: bool) -> list[openmm.Force]:
    """OpenMM's forces of ``n_beads`` beads with parameters ``values``, named as in ``NAMES``."""
    constants = "".join(f"; {name}={value!r}" for name, value in values.items())
    forces = [openmm.CustomNonbondedForce(PAIR + constants), openmm.CustomManyParticleForce(3, TRIPLE + constants)]
    for force in forces:
        force.setNonbondedMethod(force.CutoffPeriodic if periodic else force.CutoffNonPeriodic)
        force.setCutoffDistance(values["a"] * values["sigma"])
        for _ in range(n_beads):
            force.addParticle([])
    forces[1].setPermutationMode(openmm.CustomManyParticleForce.UniqueCentralParticle)
    return forces


def build(data: ReferenceData | None, settings: Settings) -> StillingerWeber:
    """The named model for the beads of ``data`` (None: no exclusions until ``bind``)."""
    return StillingerWeber([MODELS[settings.model]], _pair.exclusion_list(None if data is None else data.beads))
