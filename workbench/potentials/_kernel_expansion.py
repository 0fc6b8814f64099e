"""Sums of kernels at representative points: U = sum over interactions i of w(q_i) sum_m c_m k(q_i, q_m), linear in the c_m.

k is a Gaussian of the coordinates q of an interaction, k(q, q') = sum over orders p of exp(-1/2 sum_a ((q_p(a) - q'_a) / s_a)^2), the sum
over the orders in which like beads can be named. It is the kernel of the energy; that of the forces is its mixed second derivative,
the Hessian kernel of Scherer et al., J. Chem. Theory Comput. 16, 3194 (2020). Integrated once, as here, it gives an energy. w switches
off at the cut-off. Sparse points: Quiñonero-Candela and Rasmussen, J. Mach. Learn. Res. 6, 1939 (2005), section 5.
"""

import abc

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _pair
from workbench.potentials._base import Potential
from workbench.types import Beads, ReferenceData

CANDIDATES = 20_000
"""Interactions of the data among which representative ones are chosen."""
AT_ONCE = 1 << 21
"""Kernel values in memory at once, for the columns of a fit."""


class KernelExpansion(Potential, abc.ABC):
    """Kernels of widths s (D,) at ``points`` (M, D) with ``coefficients`` (M,) [kJ/mol], all beads alike, excluded pairs left out."""

    orders: tuple[tuple[int, ...], ...]
    """Orders of the coordinates that name the same interaction."""

    def __init__(self, n_points: int, widths: list[float], cutoff: float, exclusions: list):
        super().__init__()
        self.cutoff, self.widths = cutoff, [float(w) for w in widths]
        self.coefficients = torch.nn.Parameter(torch.zeros(n_points, dtype=torch.float64))
        self.register_buffer("points", torch.zeros(n_points, len(widths), dtype=torch.float64))
        self.register_buffer("exclusions", torch.tensor(exclusions, dtype=torch.int64).reshape(-1, 2))

    @abc.abstractmethod
    def coordinates(self, positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None) -> tuple[Tensor, Tensor]:
        """Coordinates q (E, D) of all interactions in ``positions`` (F, B, 3), and their frames (E,)."""

    @abc.abstractmethod
    def derivatives(self, positions: Tensor, box: Tensor | None) -> tuple[Tensor, scipy.sparse.csr_array]:
        """q (E, D) of one frame (1, B, 3), and dq/dx (3 B, D E): a column for every coordinate, the first one's first."""

    @abc.abstractmethod
    def weight(self, q: Tensor) -> Tensor:
        """w (E,) of interactions ``q`` (E, D)."""

    def kernel(self, q: Tensor) -> Tensor:
        """k (E, M) of ``q`` (E, D) with every point."""
        width, points = q.new_tensor(self.widths), self.points.to(q.dtype)
        total = 0.0
        for order in self.orders:
            scaled = q[:, list(order)] / width
            square = (scaled * scaled).sum(1, keepdim=True) - 2 * scaled @ (points / width).T + (points / width).square().sum(1)
            total = total + torch.exp(-0.5 * square)
        return total

    def energy_of(self, q: Tensor) -> Tensor:
        """Energy (E,) [kJ/mol] of interactions ``q`` (E, D)."""
        return self.weight(q) * (self.kernel(q) @ self.coefficients.to(q.dtype))

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: neighbors.Pairs | None = None) -> Tensor:
        q, frame = self.coordinates(positions, box, pairs)
        energy = self.energy_of(q)
        return torch.zeros(len(positions), dtype=energy.dtype, device=energy.device).index_add(0, frame, energy)

    def columns(self, positions: Tensor, box: Tensor | None) -> np.ndarray:
        """Forces of every kernel by itself, (3 B, M) [nm^-1], on one frame ``positions`` (1, B, 3) in ``box`` (1, 3) or None."""
        q, jacobian = self.derivatives(positions, box)
        weight, slope = _with_slope(self.weight, q)
        n, size = len(q), max(1, AT_ONCE // max(1, len(self.points) * q.shape[1]))
        total = np.zeros((positions.shape[1] * 3, len(self.points)))
        columns = scipy.sparse.csc_array(jacobian)
        for begin in range(0, n, size):
            part = slice(begin, begin + size)
            slopes = self._slopes(q[part], weight[part], slope[part])  # (D, e, M)
            mine = (np.arange(q.shape[1])[:, None] * n + np.arange(begin, min(n, begin + size))).ravel()
            total -= columns[:, mine] @ slopes.reshape(-1, len(self.points))
        return total

    def _slopes(self, q: Tensor, weight: Tensor, slope: Tensor) -> np.ndarray:
        """d(w k)/dq (D, E, M), from w (E,) and dw/dq (E, D)."""
        found = (slope.T[:, :, None] * self.kernel(q)[None]).numpy()
        width, points = np.array(self.widths), self.points.numpy()
        for order in self.orders:
            apart = [(q[:, a].numpy()[:, None] - points[None, :, d]) / width[d] for d, a in enumerate(order)]
            k = weight.numpy()[:, None] * np.exp(-0.5 * sum(x * x for x in apart))
            for d, a in enumerate(order):
                found[a] -= k * apart[d] / width[d]
        return found

    def gram(self) -> np.ndarray:
        """k (M, M) of the points with each other."""
        return self.kernel(self.points.double()).detach().cpu().numpy()

    def with_points(self, points: np.ndarray) -> "KernelExpansion":
        """The same kernel at other ``points`` (M, D), with coefficients zero."""
        made = type(self)(**{**self.recipe(), "n_points": len(points)})
        made.points.copy_(torch.as_tensor(points))
        return made

    def with_coefficients(self, coefficients: np.ndarray) -> "KernelExpansion":
        """The same points with these coefficients (M,) [kJ/mol]."""
        made = type(self)(**self.recipe())
        made.points.copy_(self.points)
        with torch.no_grad():
            made.coefficients.copy_(torch.as_tensor(coefficients))
        return made.to(self.coefficients)

    def bind(self, beads: Beads) -> "KernelExpansion":
        """The same kernels for ``beads``. Raises ``ValueError`` for beads of several types."""
        one_type(beads)
        made = type(self)(**{**self.recipe(), "exclusions": _pair.exclusion_list(beads)})
        made.points, made.coefficients = self.points, self.coefficients
        return made.to(self.coefficients.device)

    def recipe(self) -> dict:
        return {"n_points": len(self.points), "widths": self.widths, "cutoff": self.cutoff, "exclusions": self.exclusions.tolist()}

    def to_openmm(self, beads: Beads, periodic: bool) -> None:
        """None: OpenMM has no such force; ``potentials.kernel.tabulate`` makes tables for fast runs."""


def one_type(beads: Beads) -> None:
    """Raises ``ValueError`` for beads of several types."""
    found = sorted(set(beads.types))
    if len(found) > 1:
        raise ValueError(f"kernel: the kernels are for beads of one type, not {', '.join(found)}: give all beads one type.")


def check(name: str, data: ReferenceData | None, cutoff: float) -> None:
    """Raises ``ValueError`` without data, for several types, or for a ``cutoff`` [nm] beyond half of the box."""
    if data is None:
        raise ValueError(f"{name}: the representative points are chosen from data: give the projected frames.")
    one_type(data.beads)
    if data.box is not None and cutoff > np.min(data.box) / 2:
        raise ValueError(f"{name}: the cut-off of {cutoff} nm exceeds half of the box of {float(np.min(data.box)):.3f} nm.")


def seen(empty: KernelExpansion, data: ReferenceData, n_frames: int, seed: int) -> Tensor:
    """Coordinates (E, D) of interactions in ``n_frames`` frames of ``data``, at most ``CANDIDATES`` drawn at random.

    Raises ``ValueError`` where there is none.
    """
    frames = np.unique(np.linspace(0, len(data) - 1, min(n_frames, len(data))).astype(int))
    rng, found = np.random.default_rng(seed), []
    for frame in frames:
        chunk = data.take(slice(int(frame), int(frame) + 1))
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        q, _ = empty.coordinates(torch.tensor(chunk.positions, dtype=torch.float64), box, None)
        found.append(q[torch.from_numpy(rng.permutation(len(q))[: 1 + CANDIDATES // len(frames)])])
    q = torch.cat(found)
    if not len(q):
        raise ValueError(f"kernel: no bead has neighbours within the cut-off of {empty.cutoff} nm: raise it.")
    return q


def farthest(q: Tensor, n: int, widths: list[float], orders: tuple) -> np.ndarray:
    """At most ``n`` of ``q`` (E, D), each the farthest from those before it in units of the widths; the first is nearest to the mean.

    ``orders`` as of a kernel: an interaction is as near as the nearest of its orders. Points that others repeat are left out.
    """
    x = (q / q.new_tensor(widths)).numpy()
    chosen = [int(np.argmin(((x - x.mean(0)) ** 2).sum(1)))]
    nearest = np.full(len(x), np.inf)
    while len(chosen) < n:
        for order in orders:
            np.minimum(nearest, ((x - x[chosen[-1]][list(order)]) ** 2).sum(1), out=nearest)
        following = int(np.argmax(nearest))
        if nearest[following] < 1e-12:
            break
        chosen.append(following)
    return q[chosen].numpy()


def spread(first: Tensor, second: Tensor, vector: Tensor, n_beads: int) -> scipy.sparse.csr_array:
    """d|vector|/dx (3 n_beads, E) of vectors (E, 3) from bead ``first`` to bead ``second`` (E,)."""
    unit = (vector / torch.linalg.vector_norm(vector, dim=1, keepdim=True)).numpy().reshape(-1)
    rows = [(3 * bead.numpy()[:, None] + np.arange(3)).reshape(-1) for bead in (first, second)]
    places = np.repeat(np.arange(len(vector)), 3)
    values = np.concatenate([-unit, unit]), (np.concatenate(rows), np.concatenate([places, places]))
    return scipy.sparse.csr_array(values, shape=(3 * n_beads, len(vector)))


def _with_slope(function, q: Tensor) -> tuple[Tensor, Tensor]:
    """Value (E,) and gradient (E, D) of a function of each row of ``q``."""
    with torch.enable_grad():
        q = q.detach().requires_grad_(True)
        value = function(q)
        (slope,) = torch.autograd.grad(value.sum(), q, allow_unused=True, materialize_grads=True)
    return value.detach(), slope
