"""What every potential is: a torch module ``potential(positions (F, B, 3) [nm], box (F, 3) [nm] | None) -> energy (F,) [kJ/mol]``.

A potential writes its energy; forces and virial are derived here, by autograd, unless the potential is ``Analytic`` and brings its
own (faster) ones. ``prior + network`` is a ``Sum``.
"""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench import rooms
from workbench.neighbors import Pairs
from workbench.types import Beads, State


class Evaluation(NamedTuple):
    """Energy (F,) [kJ/mol], forces (F, B, 3) [kJ/mol/nm] and, where asked for, the virial -dU/d(strain) (F, 3, 3) [kJ/mol]."""

    energy: Tensor
    forces: Tensor
    virial: Tensor | None


class Potential(torch.nn.Module, abc.ABC):
    """A coarse-grained potential. Parameter tensors are scalars or have a leading axis F (one value per replica)."""

    cutoff: float | None = None
    """Range of the non-bonded interaction [nm]; None where there is none (no neighbour list is needed)."""
    native_on: tuple[str, ...] = ("Reference", "CPU", "CUDA")
    """OpenMM platforms whose own force is the faster one; on others ``simulation.openmm_engine`` calls ``evaluate``."""

    def __call__(self, positions: Tensor, box: Tensor | None = None, pairs: Pairs | None = None) -> Tensor:
        """:meth:`forward`, for the beads that the potential is bound to (else ``ValueError``)."""
        _check_beads(self, positions)
        return super().__call__(positions, box, pairs)

    @abc.abstractmethod
    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: Pairs | None = None) -> Tensor:
        """Energy (F,) [kJ/mol]. ``pairs`` may give neighbours that are known already (a list within ``cutoff`` or more)."""

    @abc.abstractmethod
    def bind(self, beads: Beads) -> "Potential":
        """The same potential for another set of beads: train on 64 molecules, run 4096. Shares the parameters."""

    @abc.abstractmethod
    def recipe(self) -> dict:
        """The keyword arguments of the constructor, as JSON values; what they do not hold is in ``state_dict``."""

    @abc.abstractmethod
    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        """Native OpenMM forces for ``beads``, in a periodic box or not; None where there are none: ``openmm.PythonForce`` runs it."""

    def __add__(self, other: "Potential") -> "Sum":
        return Sum([*_parts(self), *_parts(other)])


class Analytic(Potential):
    """A potential with forces of its own, for speed; the contract tests hold them against autograd."""

    @abc.abstractmethod
    def evaluate(self, positions: Tensor, box: Tensor | None, pairs: Pairs | None, virial: bool) -> Evaluation:
        """Energy, forces and virial without a graph."""


class Prepared(Potential):
    """A potential of whose gradient much does not depend on the parameters: training computes that once for every frame."""

    @abc.abstractmethod
    def prepare(self, positions: Tensor, box: Tensor | None) -> list[Tensor]:
        """What training keeps of frames (F, B, 3), without a graph: tensors with a leading axis F, of one shape for all frames."""

    @abc.abstractmethod
    def gradient(self, prepared: list[Tensor]) -> Tensor:
        """dU/dx (F, B, 3) [kJ/mol/nm] of frames of :meth:`prepare`, with a graph to the parameters."""


class Thermal(Prepared):
    """A prepared potential that, where ``states`` says so, changes with the temperature: a free energy does."""

    states: bool

    @abc.abstractmethod
    def at(self, state: State) -> Potential:
        """The potential at the temperature of ``state``; shares the parameters."""


class Sum(Potential):
    """A weighted sum of potentials; weights are 1 unless given."""

    def __init__(self, parts: Sequence[Potential], weights: Sequence[float] | None = None):
        super().__init__()
        self.parts = torch.nn.ModuleList(parts)
        self.weights = [1.0] * len(self.parts) if weights is None else [float(w) for w in weights]
        if len(self.weights) != len(self.parts) or not self.parts:
            raise ValueError(f"Sum: {len(self.parts)} potentials and {len(self.weights)} weights.")
        ranges = [p.cutoff for p in self.parts if p.cutoff is not None]
        self.cutoff = max(ranges) if ranges else None

    def forward(self, positions: Tensor, box: Tensor | None = None, pairs: Pairs | None = None) -> Tensor:
        return sum(w * p(positions, box, pairs) for w, p in zip(self.weights, self.parts, strict=True))

    def bind(self, beads: Beads) -> "Sum":
        return Sum([p.bind(beads) for p in self.parts], self.weights)

    def recipe(self) -> dict:
        return {"weights": self.weights}

    def to_openmm(self, beads: Beads, periodic: bool) -> list | None:
        """Native forces of all parts, or None where a part has none (the engine then asks the parts one by one)."""
        if any(w != 1.0 for w in self.weights):
            return None
        forces = [p.to_openmm(beads, periodic) for p in self.parts]
        return None if any(f is None for f in forces) else [f for part in forces for f in part]


def _parts(potential: Potential) -> list[Potential]:
    """A plain sum is its parts, so that ``a + b + c`` is flat."""
    return list(potential.parts) if isinstance(potential, Sum) and all(w == 1.0 for w in potential.weights) else [potential]


def at(potential: Potential, state: State) -> Potential:
    """``potential`` at the temperature of ``state``: parts that change with it are fixed there, others stay; shares the parameters."""
    if isinstance(potential, Sum):
        return Sum([at(p, state) for p in potential.parts], potential.weights)
    return potential.at(state) if isinstance(potential, Thermal) and potential.states else potential


def mean(potentials: Sequence[Potential]) -> Sum:
    """The mean of several potentials as one: an ensemble of networks."""
    return Sum(potentials, [1 / len(potentials)] * len(potentials))


def evaluate(
    potential: Potential, positions: Tensor, box: Tensor | None = None, pairs: Pairs | None = None, *, virial: bool = False
) -> Evaluation:
    """Energy, forces and virial of ``positions`` (F, B, 3) [nm] in ``box`` (F, 3) [nm] or None."""
    if isinstance(potential, Sum):
        energy, force, stress = 0.0, 0.0, 0.0
        for weight, part in zip(potential.weights, potential.parts, strict=True):
            result = evaluate(part, positions, box, pairs, virial=virial)
            energy, force = energy + weight * result.energy, force + weight * result.forces
            stress = stress + weight * result.virial if virial else None
        return Evaluation(energy, force, stress if virial else None)
    if isinstance(potential, Analytic):
        _check_beads(potential, positions)
        with torch.no_grad():
            return potential.evaluate(positions, box, pairs, virial)
    return _by_autograd(potential, positions, box, pairs, virial)


def _check_beads(potential: Potential, positions: Tensor) -> None:
    """Raise ``ValueError`` where a potential that tells types of beads apart (``bead_types``) is bound to another number of them."""
    types = getattr(potential, "bead_types", None)
    if types is not None and len(types) != positions.shape[1]:
        raise ValueError(
            f"{type(potential).__name__} is made for {len(types)} beads and the frames have {positions.shape[1]}: bind(beads) first."
        )


def _by_autograd(potential: Potential, positions: Tensor, box: Tensor | None, pairs: Pairs | None, virial: bool) -> Evaluation:
    """Forces -dU/dx; virial -dU/d(strain), where a strain carries positions and cell along."""
    with torch.enable_grad():
        positions = positions.detach().requires_grad_(True)
        if not virial:
            energy = potential(positions, box, pairs)
            (gradient,) = torch.autograd.grad(energy.sum(), positions)
            return Evaluation(energy.detach(), -gradient, None)
        strain = torch.zeros(len(positions), 3, 3, dtype=positions.dtype, device=positions.device, requires_grad=True)
        cell = None if box is None else torch.diag_embed(box) + box[:, :, None] * strain
        strained = positions + positions @ strain
        energy = potential(strained, cell, pairs)
        gradient, stress = torch.autograd.grad(energy.sum(), [positions, strain])
        return Evaluation(energy.detach(), -gradient, -stress)


def forces(potential: Potential, positions: Tensor, box: Tensor | None = None) -> Tensor:
    """Forces (F, B, 3) [kJ/mol/nm], in the precision of ``positions``."""
    return evaluate(potential, positions, None if box is None else box.to(positions.dtype)).forces


def describe(potential: Potential) -> dict:
    """How to build ``potential`` again, as JSON values, less its tensors."""
    file = type(potential).__module__.rsplit(".", 1)[1]
    body = {"file": file, "class": type(potential).__name__, "recipe": potential.recipe()}
    if isinstance(potential, Sum):
        body["parts"] = [describe(p) for p in potential.parts]
    return body


def restore(description: dict, tensors: dict[str, Tensor]) -> Potential:
    """The potential that :func:`describe` described, with its tensors. Raises ``ValueError`` for an unknown file or class."""
    potential = _build(description)
    dtypes = {t.dtype for t in tensors.values() if t.is_floating_point()}
    if len(dtypes) == 1:
        potential.to(dtypes.pop())
    potential.load_state_dict(tensors)
    return potential


def _build(description: dict) -> Potential:
    name, recipe = description["file"], dict(description["recipe"])
    if name == "_base":
        return Sum([_build(p) for p in description["parts"]], recipe["weights"])
    kind: Any = vars(rooms.file("potentials", name)).get(description["class"])
    if not (isinstance(kind, type) and issubclass(kind, Potential)):
        raise ValueError(f"potentials/{name}.py has no potential '{description['class']}': the file may come from another version.")
    return kind(**recipe)
