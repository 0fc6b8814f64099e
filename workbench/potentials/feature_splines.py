"""One cubic spline for every feature of a molecule: U = sum_t u_t(q_t), linear in the coefficients of the B-splines u_t.

Source: the spline models and the feature regression of Wang et al., ACS Cent. Sci. 5, 755 (2019), figures 4-6 and 8: a potential of
functions of one coordinate each, which knows no correlation between them. A dihedral has one periodic spline. Every other grid spans
the range of its feature in the data and one interval more on both sides; beyond it a parabola goes on.
``fitting.feature_regression`` solves for the coefficients.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.descriptors import internal_coordinates
from workbench.descriptors.cartesian import Cartesian
from workbench.potentials import _on_descriptor, _spline
from workbench.potentials import _table_kernels as kernels
from workbench.potentials._on_descriptor import OnDescriptor
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

STIFFNESS = 160.0
"""Curvature beyond a grid [kJ/mol per squared width of the grid]: that of a Gaussian at 300 K whose +-4 deviations the grid spans."""


@settings
class Settings:
    """Features and grids. ``features.distances`` 'bonds' is the classical model of bonds, angles and dihedrals."""

    n_intervals: int = field(20, "Intervals of the grid of every feature.", bounds=(3, 1000))
    descriptor: str = field("internal_coordinates", "What the splines see of the beads.", choices=_on_descriptor.DESCRIPTORS)
    features: internal_coordinates.Settings = field(internal_coordinates.Settings(), "Which internal coordinates.")


class FeatureSplines(OnDescriptor):
    """Splines ``free`` (t, n + 3) on ranges that start at ``start`` (t,) and are ``width`` (t,) long, and ``periodic`` (Q, n) on circles.

    Terms t are the columns of the descriptor, but each dihedral, whose cosine and sine are two, is one term, after the others.
    """

    def __init__(
        self,
        n_intervals: int,
        pairs: Sequence = (),
        triples: Sequence = (),
        quadruples: Sequence = (),
        columns: Sequence = (),
        n_beads: int = 0,
    ):
        super().__init__(_on_descriptor.restored(pairs, triples, quadruples, columns, n_beads))
        self.n_intervals, self.n_periodic = n_intervals, len(quadruples)
        n_free = self.descriptor.size - 2 * self.n_periodic
        self.free = torch.nn.Parameter(torch.zeros(n_free, n_intervals + 3, dtype=torch.float64))
        self.periodic = torch.nn.Parameter(torch.zeros(self.n_periodic, n_intervals, dtype=torch.float64))
        self.register_buffer("start", torch.zeros(n_free, dtype=torch.float64))
        self.register_buffer("width", torch.ones(n_free, dtype=torch.float64))

    @property
    def n_terms(self) -> int:
        """T, number of splines."""
        return len(self.free) + len(self.periodic)

    def coefficients(self) -> Tensor:
        """B-spline coefficients of all terms, (T, n + 3) [kJ/mol]."""
        return torch.cat([self.free, torch.cat([self.periodic, self.periodic[:, :3]], 1)])

    def with_coefficients(self, coefficients: np.ndarray) -> "FeatureSplines":
        """The same splines with other coefficients (T, n + 3) [kJ/mol], the last three of periodic ones being the first again."""
        made = FeatureSplines(**self.recipe())
        made.load_state_dict(self.state_dict())
        given = torch.as_tensor(coefficients)
        with torch.no_grad():
            made.free.copy_(given[: len(self.free)])
            made.periodic.copy_(given[len(self.free) :, : self.n_intervals])
        return made

    def unit(self, q: Tensor) -> Tensor:
        """Where features ``q`` (F, D) are on the grids, (F, T): 0 at the first knot, 1 at the last."""
        n = len(self.free)
        cosine, sine = q[:, n : n + self.n_periodic], q[:, n + self.n_periodic :]
        turn = (torch.atan2(sine, cosine) + torch.pi) / (2 * torch.pi)
        return torch.cat([(q[:, :n] - self.start.to(q.dtype)) / self.width.to(q.dtype), turn], 1)

    def unit_slope(self, q: Tensor, gradient: Tensor) -> Tensor:
        """d(unit)/dx (F, T, any) from d(q)/dx ``gradient`` (F, D, any)."""
        n, m = len(self.free), self.n_periodic
        cosine, sine = q[:, n : n + m, None], q[:, n + m :, None]
        turn = (cosine * gradient[:, n + m :] - sine * gradient[:, n : n + m]) / (2 * torch.pi * (cosine**2 + sine**2))
        return torch.cat([gradient[:, :n] / self.width.to(q.dtype)[:, None], turn], 1)

    def knots(self) -> np.ndarray:
        """Values of the features at the knots, (T, n + 1) [nm or rad]."""
        s = np.linspace(0, 1, self.n_intervals + 1)
        open_ended = self.start.cpu().numpy()[:, None] + self.width.cpu().numpy()[:, None] * s
        return np.concatenate([open_ended, np.tile(2 * np.pi * s - np.pi, (self.n_periodic, 1))])

    def values(self) -> np.ndarray:
        """Energies at the knots, (T, n + 1) [kJ/mol]."""
        return _spline.at_knots(self.coefficients().detach().cpu().numpy())

    def energy(self, q: Tensor) -> Tensor:
        at = self.unit(q)
        inside = at.clamp(0, 1)
        table = torch.arange(self.n_terms, device=q.device).expand(at.shape)
        u, du = _spline.evaluate(_spline.polynomials(self.coefficients()), table, inside * self.n_intervals)
        beyond = at - inside
        return (u + beyond * (du * self.n_intervals + 0.5 * STIFFNESS * beyond)).sum(1).to(q.dtype)

    def energy_and_slope(self, q: Tensor) -> tuple[Tensor, Tensor]:
        if q.is_cuda:
            with torch.enable_grad():
                q = q.detach().requires_grad_(True)
                energy = self.energy(q)
                return energy.detach(), torch.autograd.grad(energy.sum(), q)[0]
        at = self.unit(q).contiguous()
        energy, slope = torch.zeros(len(q), dtype=torch.float64), torch.empty_like(at)
        polynomial = _spline.polynomials(self.coefficients().detach()).numpy()
        table = np.arange(self.n_terms)
        kernels.curves(at.numpy(), table, polynomial, 0.0, self.n_intervals, STIFFNESS, energy.numpy(), slope.numpy())
        n, m = len(self.free), self.n_periodic
        cosine, sine = q[:, n : n + m], q[:, n + m :]
        turn = slope[:, n:] / (2 * torch.pi * (cosine**2 + sine**2))
        return energy.to(q.dtype), torch.cat([slope[:, :n] / self.width.to(q.dtype), -sine * turn, cosine * turn], 1)

    def bind(self, beads: Beads) -> "FeatureSplines":
        """The splines themselves, where ``beads`` is the molecule they were made for (else ``ValueError``)."""
        _on_descriptor.check_molecule(self, beads)
        return self

    def recipe(self) -> dict:
        return {**self.descriptor.recipe(), "n_intervals": self.n_intervals}

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return None


def build(data: ReferenceData, settings: Settings) -> FeatureSplines:
    """Splines that are zero, on grids a little wider than the ranges of the features in ``data``.

    Raises ``ValueError`` for more than one molecule and for a feature that never changes.
    """
    seen = _on_descriptor.build("feature_splines", data, settings.descriptor, settings.features)
    potential = FeatureSplines(n_intervals=settings.n_intervals, **seen.recipe())
    n = len(potential.free)
    low, high = torch.full((n,), torch.inf, dtype=torch.float64), torch.full((n,), -torch.inf, dtype=torch.float64)
    for chunk in data.chunks(65536):
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        q = seen.values(torch.tensor(chunk.positions, dtype=torch.float64), box)[:, :n]
        low, high = torch.minimum(low, q.min(0).values), torch.maximum(high, q.max(0).values)
    if not bool((high > low).all()):
        name = "coordinate" if isinstance(seen, Cartesian) else "distance or angle"
        raise ValueError(f"feature_splines: {name} {int((high - low).argmin())} never changes in the data: more frames, or fewer features.")
    spacing = (high - low) / (settings.n_intervals - 2)
    potential.start, potential.width = low - spacing, settings.n_intervals * spacing
    return potential
