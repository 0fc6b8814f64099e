"""Harmonic walls around the data: U = sum_t k_t / 2 (q_t - a_t)^2 where a feature is above the edge a_t, likewise below the lower edge.

The prior that keeps a network from what it never saw (Wang et al., ACS Cent. Sci. 5, 755 (2019), figure 5), fitted to the outermost frames
alone. At an edge e the density of the features beyond, u = |q - e|, is taken as exp(-(a u + b u^2 / 2)), whose a and b score matching
(Hyvarinen, J. Mach. Learn. Res. 6, 695 (2005), equation 4, weighted by u as Hyvarinen, Comput. Stat. Data Anal. 51, 2499 (2007) does
for a boundary) gives in closed form:

    a <u> + b <u^2> = 1,    a <u^2> + b <u^3> = 2 <u>.

The wall is that parabola as far as it pushes inwards: k = b kBT, and it begins at u = -a / b, where its force is zero.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench import units
from workbench.descriptors import internal_coordinates
from workbench.potentials import _on_descriptor
from workbench.potentials._on_descriptor import OnDescriptor
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData

LEAST_FRAMES = 20


@settings
class Settings:
    """Which frames are the edge of the data, and of which features."""

    share: float = field(0.01, "Share of the frames that lie beyond each edge.", bounds=(1e-6, 0.25))
    descriptor: str = field("internal_coordinates", "What the walls see of the beads.", choices=_on_descriptor.DESCRIPTORS)
    features: internal_coordinates.Settings = field(
        internal_coordinates.Settings(dihedrals=False),
        "Which internal coordinates; cosines and sines of dihedrals have edges of their own.",
    )


class Walls(OnDescriptor):
    """Lower and upper ``edges`` (2, D) and their ``constants`` (2, D) [kJ/mol per squared unit of the feature]."""

    def __init__(self, pairs: Sequence = (), triples: Sequence = (), quadruples: Sequence = (), columns: Sequence = (), n_beads: int = 0):
        super().__init__(_on_descriptor.restored(pairs, triples, quadruples, columns, n_beads))
        self.register_buffer("edges", torch.zeros(2, self.descriptor.size, dtype=torch.float64))
        self.register_buffer("constants", torch.ones(2, self.descriptor.size, dtype=torch.float64))

    def energy(self, q: Tensor) -> Tensor:
        return (0.5 * self.constants.to(q.dtype)[:, None] * self._beyond(q) ** 2).sum((0, 2))

    def energy_and_slope(self, q: Tensor) -> tuple[Tensor, Tensor]:
        beyond = self._beyond(q)
        slope = self.constants.to(q.dtype)[:, None] * beyond
        return 0.5 * (slope * beyond).sum((0, 2)), slope.sum(0)

    def bind(self, beads: Beads) -> "Walls":
        """The walls themselves, where ``beads`` is the molecule they were made for (else ``ValueError``)."""
        _on_descriptor.check_molecule(self, beads)
        return self

    def recipe(self) -> dict:
        return self.descriptor.recipe()

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        return None

    def _beyond(self, q: Tensor) -> Tensor:
        """How far ``q`` (F, D) is outside of each edge, (2, F, D): negative, positive, or zero inside."""
        low, high = self.edges.to(q.dtype)
        return torch.stack([(q - low).clamp(max=0), (q - high).clamp(min=0)])


def build(data: ReferenceData, settings: Settings) -> Walls:
    """Walls from the outermost frames of ``data``, at the temperature of its first state.

    Raises ``ValueError`` for more than one molecule and for too few frames beyond an edge.
    """
    seen = _on_descriptor.build("walls", data, settings.descriptor, settings.features)
    n_edge = int(settings.share * len(data))
    if n_edge < LEAST_FRAMES:
        raise ValueError(
            f"walls: {len(data)} frames leave {n_edge} beyond an edge and {LEAST_FRAMES} are the least: give more frames or a larger share."
        )
    q = np.concatenate(
        [
            seen.values(
                torch.tensor(c.positions, dtype=torch.float64), None if c.box is None else torch.tensor(c.box, dtype=torch.float64)
            ).numpy()
            for c in data.chunks(65536)
        ]
    )
    walls, kt = Walls(**seen.recipe()), units.thermal_energy(data.states[0].temperature)
    for side, sign in ((0, -1.0), (1, 1.0)):
        ordered = np.sort(sign * q, axis=0)  # outermost last
        edge = 0.5 * (ordered[-n_edge - 1] + ordered[-n_edge])
        beyond = ordered[-n_edge:] - edge
        for t in range(q.shape[1]):
            begin, constant = parabola(beyond[:, t])
            walls.edges[side, t], walls.constants[side, t] = sign * (edge[t] + begin), kt * constant
    return walls


def parabola(u: np.ndarray) -> tuple[float, float]:
    """Where the wall begins, relative to the edge, and its constant [kBT per squared unit], from distances ``u`` (n,) beyond the edge.

    A tail that falls hardly faster than exponentially, exp(-c u), gets a wall that begins at the edge, its constant 2 / <u^2> = c^2.
    """
    first, second, third = u.mean(), (u**2).mean(), (u**3).mean()
    if not first > 0:
        raise ValueError("walls: a feature has the same value in all frames beyond its edge: give more frames, or leave it out.")
    a, b, scale = third - 2 * first * second, 2 * first**2 - second, first * third - second**2  # a and b times their determinant
    if a < 0 or b * first**2 <= 1e-2 * scale:
        return 0.0, 2 / second
    return -a / b, b / scale
