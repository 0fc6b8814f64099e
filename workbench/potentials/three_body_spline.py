"""Three-body splines: U = sum_i sum_{j<k} f(theta_jik) exp(gamma / (r_ij - r_c)) exp(gamma / (r_ik - r_c)), r_ij, r_ik < r_c.

The three-body term of Stillinger and Weber (Phys. Rev. B 31, 5262 (1985), equation 2.7), its parabola in cos(theta) replaced by a cubic
spline f(theta) that force matching solves for. Source: Scherer and Andrienko, Phys. Chem. Chem. Phys. 20, 22387 (2018); there
gamma sigma is what ``gamma`` is here, and a sigma the cut-off.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import openmm
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _base, _pair, _spline
from workbench.potentials import _triplet_kernels as kernels
from workbench.potentials._base import Analytic, Evaluation
from workbench.potentials._pair_tables import type_index
from workbench.potentials._triplets import two_of_each
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

MIRRORED = 24
"""Knots beyond pi that OpenMM's own spline gets, so that it is as smooth at pi as this one."""


@settings
class Settings:
    """Range of the legs and grid of the angle."""

    cutoff: float = field(0.37, "Distance from which a bead is no neighbour.", unit="nm", bounds=(1e-3, None))
    gamma: float = field(0.08, "How early the legs fade before the cut-off.", unit="nm", bounds=(1e-6, None))
    theta_min: float = field(0.8, "First knot of the angle; below it a straight line goes on.", unit="rad", bounds=(0.0, 3.0))
    n_angle: int = field(24, "Intervals of the angle, up to pi.", bounds=(4, None))


class ThreeBodySpline(Analytic):
    """f(theta) of a centre and two others, by their types: ``coefficients`` (T, n + 1), free ones of splines on n intervals.

    The first and the last coefficient of a spline follow: no curvature at ``theta_min``, no slope at pi. Tables are in the order of
    ``triples``, the type of the centre first. Pairs that are excluded are no legs.
    """

    native_on = ("CUDA",)

    def __init__(
        self,
        types: Sequence[str],
        bead_types: Sequence[int],
        cutoff: float,
        gamma: float,
        theta_min: float,
        n_intervals: int,
        exclusions: list,
    ):
        super().__init__()
        self.types, self.cutoff, self.gamma, self.theta_min, self.n_intervals = tuple(types), cutoff, gamma, theta_min, n_intervals
        self.triples = tuple((centre, *ends) for centre in self.types for ends in itertools.combinations_with_replacement(self.types, 2))
        self.coefficients = torch.nn.Parameter(torch.zeros(len(self.triples), n_intervals + 1, dtype=torch.float64))
        self.register_buffer("bead_types", torch.tensor(bead_types, dtype=torch.int64))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))
        place = {triple: k for k, triple in enumerate(self.triples)}
        rows = [place.get(triple, place.get((triple[0], triple[2], triple[1]))) for triple in itertools.product(self.types, repeat=3)]
        self.register_buffer("table", torch.tensor(rows, dtype=torch.int64).reshape([len(self.types)] * 3), persistent=False)

    @property
    def spacing(self) -> float:
        """Distance of two knots [rad]."""
        return (math.pi - self.theta_min) / self.n_intervals

    def knots(self) -> np.ndarray:
        """Angles [rad] of the knots, (n + 1,)."""
        return np.linspace(self.theta_min, math.pi, self.n_intervals + 1)

    def values(self) -> np.ndarray:
        """f [kJ/mol] at the knots, (T, n + 1)."""
        return _spline.at_knots(self._splines().detach().cpu().numpy())

    def with_values(self, values: np.ndarray) -> "ThreeBodySpline":
        """The splines through ``values`` (T, n + 1) [kJ/mol] at the knots. Raises ``ValueError``."""
        if values.shape != self.values().shape or not np.isfinite(values).all():
            raise ValueError(f"three_body_spline: give {self.values().shape} finite values at the knots, not {values.shape}.")
        return self.with_coefficients(_spline.interpolate(values, "clamped")[:, 1:-1])

    def with_coefficients(self, coefficients: np.ndarray) -> "ThreeBodySpline":
        """The splines with these free coefficients (T, n + 1) [kJ/mol]."""
        made = ThreeBodySpline(**self.recipe())
        with torch.no_grad():
            made.coefficients.copy_(torch.as_tensor(coefficients))
        return made.to(self.coefficients)

    def curve(self, table: int, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """f [kJ/mol] and its slope [kJ/mol/rad] of one table at angles ``theta`` [rad]."""
        angle = torch.tensor(theta, dtype=torch.float64)
        with torch.no_grad():
            value, slope = self._at(angle, torch.full(angle.shape, table))
        return value.numpy(), slope.numpy()

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        vector, _, pairs = _pair.vectors(positions, box, pairs, self.cutoff, self.exclusions)
        near = torch.linalg.vector_norm(vector.detach(), dim=-1) < self.cutoff
        first, second, vector = pairs.first[near], pairs.second[near], vector[near]
        centre, order = torch.sort(torch.cat([first, second]).long(), stable=True)
        other, vector = torch.cat([second, first])[order].long(), torch.cat([vector, -vector])[order]
        left, right = two_of_each(centre, positions.shape[0] * positions.shape[1])
        r = torch.linalg.vector_norm(vector, dim=-1)
        factor = torch.exp(self.gamma / (r - self.cutoff))
        a, b = vector[left], vector[right]
        angle = torch.atan2(torch.linalg.vector_norm(torch.linalg.cross(a, b), dim=-1), (a * b).sum(-1))
        kind = self.bead_types[torch.remainder(torch.stack([centre[left], other[left], other[right]]), positions.shape[1])]
        energy = (self._at(angle, self.table[kind[0], kind[1], kind[2]])[0] * factor[left] * factor[right]).to(positions.dtype)
        frame = torch.div(centre[left], positions.shape[1], rounding_mode="floor")
        return torch.zeros(len(positions), dtype=energy.dtype, device=energy.device).index_add(0, frame, energy)

    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, virial: bool) -> Evaluation:
        if positions.is_cuda:
            return _base._by_autograd(self, positions, box, pairs, virial)
        if pairs is None:
            pairs = neighbors.search(positions, box, self.cutoff, self.exclusions)
        (frames, beads), x = positions.shape[:2], positions.detach().contiguous().reshape(-1, 3).numpy()
        force, energy = np.zeros_like(x), np.zeros(frames)
        stress = np.zeros((frames if virial else 0, 3, 3))
        kernels.triplets(
            x,
            np.zeros((frames, 3), x.dtype) if box is None else box.to(positions.dtype).contiguous().numpy(),
            beads,
            pairs.starts.numpy(),
            pairs.second.numpy(),
            self.bead_types.numpy(),
            self.table.numpy(),
            _spline.polynomials(self._splines().detach()).to(positions.dtype).numpy(),
            np.array([self.theta_min, 1 / self.spacing, self.cutoff, self.gamma], x.dtype),
            force,
            energy,
            stress,
        )
        dtype = positions.dtype
        total = torch.from_numpy(force).reshape(positions.shape)
        return Evaluation(torch.from_numpy(energy).to(dtype), total, torch.from_numpy(stress).to(dtype) if virial else None)

    def bind(self, beads: Beads) -> "ThreeBodySpline":
        """The same splines for ``beads``. Raises ``ValueError`` for a type that has none."""
        bound = {"bead_types": type_index(self.types, beads), "exclusions": _pair.exclusion_list(beads)}
        made = ThreeBodySpline(**{**self.recipe(), **bound})
        made.coefficients = self.coefficients
        return made.to(self.coefficients.device)

    def recipe(self) -> dict:
        return {
            "types": list(self.types),
            "bead_types": self.bead_types.tolist(),
            "cutoff": self.cutoff,
            "gamma": self.gamma,
            "theta_min": self.theta_min,
            "n_intervals": self.n_intervals,
            "exclusions": self.exclusions.tolist(),
        }

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        """One force for every table that occurs; None where pairs are excluded (OpenMM would leave out their triplets altogether)."""
        if len(self.exclusions):
            return None
        present = {self.types[k] for k in self.bead_types.tolist()}
        return [self._native(k, periodic) for k, triple in enumerate(self.triples) if present.issuperset(triple)]

    def _native(self, table: int, periodic: bool) -> openmm.Force:
        legs = f"exp({self.gamma!r}/(distance(p1,p2)-{self.cutoff!r}))*exp({self.gamma!r}/(distance(p1,p3)-{self.cutoff!r}))"
        force = openmm.CustomManyParticleForce(3, f"f(angle(p2,p1,p3))*{legs}")
        below = math.ceil(self.theta_min / self.spacing)
        at = self.theta_min + self.spacing * np.arange(-below, self.n_intervals + MIRRORED + 1)
        points = self.curve(table, np.where(at > math.pi, 2 * math.pi - at, at))[0]
        force.addTabulatedFunction("f", openmm.Continuous1DFunction(points, at[0], at[-1]))
        force.setPermutationMode(force.UniqueCentralParticle)
        force.setNonbondedMethod(force.CutoffPeriodic if periodic else force.CutoffNonPeriodic)
        force.setCutoffDistance(self.cutoff)
        for kind in self.bead_types.tolist():
            force.addParticle([], kind)
        for place, name in enumerate(self.triples[table]):
            force.setTypeFilter(place, {self.types.index(name)})
        return force

    def _splines(self) -> Tensor:
        """All coefficients (T, n + 3)."""
        c = self.coefficients
        return torch.cat([2 * c[:, :1] - c[:, 1:2], c, c[:, -2:-1]], 1)

    def _at(self, theta: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """f and df/dtheta at ``theta`` (any,) of tables ``table`` (any,)."""
        inside = theta.clamp(min=self.theta_min)
        value, slope = _spline.evaluate(_spline.polynomials(self._splines()), table, (inside - self.theta_min) / self.spacing)
        return value + (theta - inside) * slope / self.spacing, slope / self.spacing


def build(data: ReferenceData, settings: Settings) -> ThreeBodySpline:
    """Three-body splines that are zero, one for every centre and two others of the bead types of ``data``.

    Raises ``ValueError`` without data or for a cut-off beyond half of the box.
    """
    if data is None:
        raise ValueError("three_body_spline: the splines are made for the bead types of data: give the projected frames.")
    if data.box is not None and settings.cutoff > np.min(data.box) / 2:
        shortest = float(np.min(data.box))
        raise ValueError(f"three_body_spline: the cut-off of {settings.cutoff} nm exceeds half of the box of {shortest:.3f} nm.")
    types = sorted(set(data.beads.types))
    grid = settings.cutoff, settings.gamma, settings.theta_min, settings.n_angle
    return ThreeBodySpline(types, type_index(types, data.beads), *grid, _pair.exclusion_list(data.beads))
