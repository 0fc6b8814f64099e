"""Three-body tables: U = sum_i sum_{j<k} f(r_ij, r_ik, cos theta_jik), r_ij, r_ik < r_c; f a tensor product of cubic B-splines.

What a kernel learned of triplets, put on a grid for fast runs: the "covariant meshing" of Scherer et al., J. Chem. Theory Comput. 16,
3194 (2020), section 2.4, which has six projected forces at every grid point and takes the nearest. Here the energy is tabulated
and interpolated: forces are its exact gradient and continuous. f is the same with its legs exchanged, falls to zero with its slope at the
cut-off, and goes on in a straight line below the first knot. The cosine, unlike the angle, is smooth where the beads are in line.
"""

import dataclasses

import numpy as np
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _base, _kernel_expansion, _pair, _spline, _triplets
from workbench.potentials import _three_body_table_kernels as kernels
from workbench.potentials._base import Analytic, Evaluation
from workbench.potentials._kernel_distances import TripletKernel
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

ASYMMETRY = 1e-9
"""Largest difference of values with the legs exchanged that counts as rounding, relative to the largest value."""


@settings
class Settings:
    """The grid."""

    start: float = field(0.24, "First knot of both legs.", unit="nm", bounds=(1e-3, None))
    cutoff: float = field(0.4, "Distance from the centre at which a bead is no end of a triplet.", unit="nm", bounds=(1e-3, None))
    n_leg: int = field(14, "Intervals of a leg.", bounds=(4, 200))
    n_angle: int = field(20, "Intervals of the cosine, from -1 to 1.", bounds=(4, 400))


class ThreeBodyTable(Analytic):
    """``coefficients`` (n + 1, n + 1, m + 3) of n intervals of the legs and m of the cosine; what is not symmetric in them has no part.

    The last two coefficients of a leg follow: value and slope vanish at the cut-off. All beads are alike; excluded pairs are no legs.
    """

    def __init__(self, start: float, cutoff: float, n_leg: int, n_angle: int, exclusions: list):
        super().__init__()
        self.start, self.cutoff, self.n_leg, self.n_angle = start, cutoff, n_leg, n_angle
        self.coefficients = torch.nn.Parameter(torch.zeros(n_leg + 1, n_leg + 1, n_angle + 3, dtype=torch.float64))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))

    def knots(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances [nm] (n + 1,) and cosines (m + 1,) of the knots."""
        return np.linspace(self.start, self.cutoff, self.n_leg + 1), np.linspace(-1, 1, self.n_angle + 1)

    def with_values(self, values: np.ndarray) -> "ThreeBodyTable":
        """The table through ``values`` (n + 1, n + 1, m + 1) [kJ/mol] at the knots; those at the cut-off count as zero.

        Raises ``ValueError`` for another shape, values that are not finite, or that change as the legs are exchanged.
        """
        shape = (self.n_leg + 1, self.n_leg + 1, self.n_angle + 1)
        if values.shape != shape or not np.isfinite(values).all():
            raise ValueError(f"three_body_table: give {shape} finite values at the knots, not {values.shape}.")
        if np.abs(values - values.transpose(1, 0, 2)).max() > ASYMMETRY * np.abs(values).max():
            raise ValueError("three_body_table: the values change as the two legs are exchanged: the ends of a triplet are alike.")
        values = values.copy()
        values[-1], values[:, -1] = 0, 0
        made = _spline.interpolate(values, "free")
        for axis in (0, 1):
            made = np.moveaxis(_spline.interpolate(np.moveaxis(made, axis, -1), "clamped"), -1, axis)
        table = ThreeBodyTable(**self.recipe())
        with torch.no_grad():
            table.coefficients.copy_(torch.from_numpy(made[:-2, :-2]))
        return table.to(self.coefficients)

    def surface(self, left: np.ndarray, right: np.ndarray, cosine: np.ndarray) -> np.ndarray:
        """f [kJ/mol] for legs ``left`` and ``right`` [nm] and the cosine of their angle, arrays of one shape."""
        with torch.no_grad():
            return self._at(*(torch.as_tensor(each, dtype=torch.float64) for each in (left, right, cosine))).numpy()

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        found = _triplets.find(positions, box, pairs, self.cutoff, self.exclusions)
        left, right = (torch.linalg.vector_norm(side, dim=-1) for side in (found.to_left, found.to_right))
        energy = self._at(left, right, (found.to_left * found.to_right).sum(-1) / (left * right)).to(positions.dtype)
        frame = torch.div(found.centre, positions.shape[1], rounding_mode="floor")
        return torch.zeros(len(positions), dtype=energy.dtype, device=energy.device).index_add(0, frame, energy)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        if positions.is_cuda:
            return _base._by_autograd(self, positions, box, pairs, virial)
        if pairs is None:
            pairs = neighbors.search(positions, box, self.cutoff, self.exclusions)
        (frames, beads), x = positions.shape[:2], positions.detach().contiguous().reshape(-1, 3).numpy()
        force, energy = np.zeros_like(x), np.zeros(frames)
        stress = np.zeros((frames if virial else 0, 3, 3))
        grid = self.start, self.n_leg / (self.cutoff - self.start), self.cutoff, self.n_angle / 2, self.n_leg, self.n_angle
        seen = self._splines().detach().to(positions.dtype).unfold(2, 4, 1).permute(0, 2, 1, 3).contiguous()
        kernels.triplets(
            x,
            np.zeros((frames, 3), x.dtype) if box is None else box.to(positions.dtype).contiguous().numpy(),
            beads,
            pairs.starts.numpy(),
            pairs.second.numpy(),
            seen.flatten().numpy(),
            4 * (self.n_leg + 3),
            _spline.TO_POLYNOMIAL.astype(x.dtype),
            np.array(grid, x.dtype),
            force,
            energy,
            stress,
        )
        dtype = positions.dtype
        total = torch.from_numpy(force).reshape(positions.shape)
        return Evaluation(torch.from_numpy(energy).to(dtype), total, torch.from_numpy(stress).to(dtype) if virial else None)

    def bind(self, beads: Beads) -> "ThreeBodyTable":
        """The same table for ``beads``. Raises ``ValueError`` for beads of several types."""
        _kernel_expansion.one_type(beads)
        made = ThreeBodyTable(**{**self.recipe(), "exclusions": _pair.exclusion_list(beads)})
        made.coefficients = self.coefficients
        return made.to(self.coefficients.device)

    def recipe(self) -> dict:
        return {
            "start": self.start,
            "cutoff": self.cutoff,
            "n_leg": self.n_leg,
            "n_angle": self.n_angle,
            "exclusions": self.exclusions.tolist(),
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> None:
        """None: OpenMM's three-dimensional tables have other splines, and its many-particle force is far slower."""

    def _splines(self) -> Tensor:
        """All coefficients (n + 3, n + 3, m + 3)."""
        c = 0.5 * (self.coefficients + self.coefficients.transpose(0, 1))
        c = torch.cat([c, -0.5 * c[-1:], c[-1:]], 0)
        return torch.cat([c, -0.5 * c[:, -1:], c[:, -1:]], 1)

    def _at(self, left: Tensor, right: Tensor, cosine: Tensor) -> Tensor:
        """f (...) of legs and cosine of one shape; zero from the cut-off on."""
        spacing, four = (self.cutoff - self.start) / self.n_leg, torch.arange(4, device=left.device)
        i, along = _weights((left - self.start) / spacing, self.n_leg)
        j, across = _weights((right - self.start) / spacing, self.n_leg)
        k, turned = _weights((cosine + 1) * (self.n_angle / 2), self.n_angle)
        seen = self._splines()[
            (i[..., None] + four)[..., :, None, None], (j[..., None] + four)[..., None, :, None], (k[..., None] + four)[..., None, None, :]
        ]
        value = (((seen * turned[..., None, None, :]).sum(-1) * across[..., None, :]).sum(-1) * along).sum(-1)
        return torch.where((left < self.cutoff) & (right < self.cutoff), value, torch.zeros_like(value))


def build(data: ReferenceData, settings: Settings) -> ThreeBodyTable:
    """A table without energy for the beads of ``data``.

    Raises ``ValueError`` without data, for beads of several types, a first knot at the cut-off, or a cut-off beyond half of the box.
    """
    _kernel_expansion.check("three_body_table", data, settings.cutoff)
    return _empty(data.beads, settings)


def of_kernel(kernel: TripletKernel, beads: Beads, settings: Settings) -> ThreeBodyTable:
    """The energy of triplets that ``kernel`` has, interpolated on the grid of ``settings`` with the kernel's own cut-off.

    Raises ``ValueError`` for a first knot at the cut-off.
    """
    empty = _empty(beads, dataclasses.replace(settings, cutoff=kernel.cutoff))
    legs, cosines = empty.knots()
    return empty.with_values(kernel.surface(*np.meshgrid(legs, legs, cosines, indexing="ij")))


def _empty(beads: Beads, s: Settings) -> ThreeBodyTable:
    """A table without energy. Raises ``ValueError`` for a first knot at the cut-off."""
    if s.start >= s.cutoff:
        raise ValueError(f"three_body_table: the first knot at {s.start} nm must come before the cut-off of {s.cutoff} nm.")
    return ThreeBodyTable(s.start, s.cutoff, s.n_leg, s.n_angle, _pair.exclusion_list(beads))


def _weights(s: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Interval (...) of ``s`` among ``n``, and weights (..., 4) of the coefficients seen there; a straight line goes on below zero."""
    inside = s.clamp(min=0)
    k = inside.detach().floor().clamp(max=n - 1).long()
    t = (inside - k)[..., None]
    matrix = torch.as_tensor(_spline.TO_POLYNOMIAL, dtype=s.dtype, device=s.device)
    powers = torch.cat([torch.ones_like(t), t, t * t, t * t * t], -1)
    slopes = torch.cat([torch.zeros_like(t), torch.ones_like(t), 2 * t, 3 * t * t], -1)
    return k, powers @ matrix + (s - inside)[..., None] * (slopes @ matrix)
