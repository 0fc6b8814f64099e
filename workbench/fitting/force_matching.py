"""Force matching by gradient descent: minimise the mean of |F + dU/dx|^2 over frames, beads and components.

Sources: Noid et al., J. Chem. Phys. 128, 244114 (2008), equation 32; for networks Wang et al., ACS Cent. Sci. 5, 755 (2019), equation 10.
Lipschitz projection: Gouk et al., arXiv 1804.04368: W <- W / max(1, |W|_2 / lambda) after every step.
Parts of the potential without parameters (priors) are evaluated once; potentials of a descriptor are trained on stored
descriptors and their derivatives, which do not change either.
"""

import copy
import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench import device as _device
from workbench import store
from workbench.potentials._base import Potential, Sum, evaluate
from workbench.potentials._on_descriptor import OnDescriptor
from workbench.settings import field, settings
from workbench.types import Fit, ReferenceData


@settings
class Settings:
    """Optimiser (Adam), schedule and stopping."""

    n_epochs: int = field(60, "Passes over the training frames, at most.", bounds=(1, None))
    batch_size: int = field(512, "Frames in a batch.", bounds=(1, None))
    learning_rate: float = field(2e-3, "Learning rate at the start.", bounds=(1e-12, 1.0))
    final_learning_rate: float = field(1e-4, "Learning rate at the last epoch; it falls geometrically.", bounds=(1e-12, 1.0))
    lipschitz: float | None = field(1.7, "Largest spectral norm of a weight matrix; None: no projection.", bounds=(1e-6, None))
    weight_decay: float = field(0.0, "Decoupled decay of the weights per unit of learning rate.", bounds=(0.0, None))
    validation_fraction: float = field(0.2, "Share of the frames, the last ones, held out to judge by.", bounds=(0.0, 0.9))
    patience: int = field(20, "Epochs without a better validation loss before stopping.", bounds=(1, None))
    seed: int = field(0, "Seed of the order of frames.", bounds=(0, None))
    device: str = field("cpu", "Where to compute.", choices=("cpu", "cuda"))
    n_threads: int = field(1, "CPU threads; one makes a run repeatable bit for bit. 0: as many as torch takes.", bounds=(0, 1024))
    checkpoint_every: int = field(1, "Epochs between checkpoints.", bounds=(1, None))


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Fit the parameters of ``potential`` to the forces of ``data``; the potential given is left as it is.

    ``on_step(epoch, metrics)`` gets ``train_loss``, ``validation_loss`` and ``prior_loss`` (that of the parts without parameters) in
    (kJ/mol/nm)^2 per component. The weights of the best validation loss are returned. ``checkpoint`` is a folder: a run that
    finds its own checkpoint there goes on from it. Raises ``ValueError`` where forces or parameters are missing, or the loss diverges.
    """
    if data.forces is None:
        raise ValueError("force matching needs forces: this trajectory was saved without them.")
    n_validation = round(settings.validation_fraction * len(data))
    if len(data) - n_validation < 1:
        raise ValueError(f"force matching: {len(data)} frames leave none to train on.")
    identity = store.identity("force_matching.fit", potential, data, settings)
    parents = (identity, store.identity(data), store.identity(potential))
    with _device.threads(settings.n_threads):
        run = _Run(copy.deepcopy(potential), data, settings, n_validation, identity, checkpoint)
        run.resume()
        while not run.finished():
            metrics = run.epoch_step()
            if on_step is not None:
                on_step(run.epoch, metrics)
        return Fit(
            potential=run.best_potential(), settings=settings, history={k: np.array(v) for k, v in run.history.items()}, parents=parents
        )


class _Run:
    """The state of one fit: everything that a checkpoint holds, and the data prepared once."""

    def __init__(self, potential: Potential, data: ReferenceData, settings: Settings, n_validation: int, identity: str, checkpoint: Any):
        self.settings, self.identity = settings, identity
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.device = _device.checked(settings.device)
        self.potential = potential.to(self.device)
        self.parameters = [p for p in self.potential.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("force matching: this potential has no parameters to fit (a prior alone?); add a network to it.")
        self.matrices = [m.weight for m in self.potential.modules() if isinstance(m, torch.nn.Linear)]
        self.directions = [torch.ones(w.shape[1], device=self.device) / math.sqrt(w.shape[1]) for w in self.matrices]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
        self.generator = torch.Generator().manual_seed(settings.seed)
        fixed, self.learned = _split(self.potential)
        self.train = _prepare(fixed, self.learned, data, slice(0, len(data) - n_validation), self.device, self.parameters[0].dtype)
        self.validation = _prepare(fixed, self.learned, data, slice(len(data) - n_validation, None), self.device, self.parameters[0].dtype)
        self.prior_loss = float((self.validation if n_validation else self.train)[0].double().square().mean())
        self.history: dict[str, list] = {"train_loss": [], "validation_loss": [], "learning_rate": []}
        self.best, self.best_loss, self.best_epoch = self._weights(), math.inf, 0

    @property
    def epoch(self) -> int:
        return len(self.history["train_loss"])

    def finished(self) -> bool:
        s = self.settings
        return self.epoch >= s.n_epochs or self.epoch - self.best_epoch >= s.patience

    def epoch_step(self) -> dict:
        """One pass over the training frames, then the validation loss and, when due, a checkpoint."""
        s = self.settings
        rate = s.learning_rate * (s.final_learning_rate / s.learning_rate) ** (self.epoch / max(1, s.n_epochs - 1))
        self.optimizer.param_groups[0]["lr"] = rate
        n = len(self.train[0])
        order = torch.randperm(n, generator=self.generator).to(self.device)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for start in range(0, n, s.batch_size):
            chosen = order[start : start + s.batch_size]
            loss = _loss(self.learned, [t[chosen] for t in self.train])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            if s.lipschitz is not None:
                _project(self.matrices, self.directions, s.lipschitz)
            total += loss.detach().double() * len(chosen)
        train_loss = float(total) / n
        if s.lipschitz is not None:
            _project_exactly(self.matrices, s.lipschitz)
        validation_loss = self._validate() if len(self.validation[0]) else train_loss
        if not (math.isfinite(train_loss) and math.isfinite(validation_loss)):
            raise ValueError(
                f"force matching diverged in epoch {self.epoch + 1} (loss {train_loss}): lower the learning rate of {s.learning_rate}; "
                "earlier checkpoints are kept."
            )
        for name, value in (("train_loss", train_loss), ("validation_loss", validation_loss), ("learning_rate", rate)):
            self.history[name].append(value)
        if validation_loss < self.best_loss:
            self.best, self.best_loss, self.best_epoch = self._weights(), validation_loss, self.epoch
        if self.path is not None and (self.epoch % s.checkpoint_every == 0 or self.finished()):
            self._save()
        return {
            "total": s.n_epochs,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
            "prior_loss": self.prior_loss,
            "learning_rate": rate,
        }

    def best_potential(self) -> Potential:
        """The potential with the weights of the best epoch, on the CPU."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, self.best, strict=True):
                parameter.copy_(value)
        return self.potential.cpu().requires_grad_(False)

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is None:
            return
        arrays, meta = found
        tensors = {name: torch.from_numpy(value).to(self.device) for name, value in arrays.items()}
        with torch.no_grad():
            for i, parameter in enumerate(self.parameters):
                parameter.copy_(tensors[f"weight.{i}"])
                state = {"exp_avg": tensors[f"first.{i}"], "exp_avg_sq": tensors[f"second.{i}"], "step": tensors[f"step.{i}"].reshape(())}
                self.optimizer.state[parameter] = state
        self.best = [tensors[f"best.{i}"] for i in range(len(self.parameters))]
        self.directions = [tensors[f"direction.{i}"] for i in range(len(self.directions))]
        self.generator.set_state(tensors["generator"].cpu())
        self.history = meta["history"]
        self.best_loss, self.best_epoch = meta["best_loss"], meta["best_epoch"]

    def _save(self) -> None:
        arrays = {"generator": self.generator.get_state().numpy()}
        for i, parameter in enumerate(self.parameters):
            state = self.optimizer.state[parameter]
            for name, tensor in (
                ("weight", parameter),
                ("best", self.best[i]),
                ("first", state["exp_avg"]),
                ("second", state["exp_avg_sq"]),
                ("step", state["step"].reshape(1)),
            ):
                arrays[f"{name}.{i}"] = tensor.detach().cpu().numpy()
        arrays |= {f"direction.{i}": d.cpu().numpy() for i, d in enumerate(self.directions)}
        meta = {"identity": self.identity, "history": self.history, "best_loss": self.best_loss, "best_epoch": self.best_epoch}
        store.write_checkpoint(self.path, arrays, meta)

    def _validate(self) -> float:
        size, total = 4096, 0.0
        for start in range(0, len(self.validation[0]), size):
            batch = [t[start : start + size] for t in self.validation]
            total += float(_loss(self.learned, batch).detach().double()) * len(batch[0])
        return total / len(self.validation[0])

    def _weights(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.parameters]


def _split(potential: Potential) -> tuple[list[tuple[float, Potential]], list[tuple[float, Potential]]]:
    """Parts of a sum, flat with their weights: those without parameters, and those with."""
    if isinstance(potential, Sum):
        fixed, learned = [], []
        for weight, part in zip(potential.weights, potential.parts, strict=True):
            below = _split(part)
            fixed += [(weight * w, p) for w, p in below[0]]
            learned += [(weight * w, p) for w, p in below[1]]
        return fixed, learned
    return ([], [(1.0, potential)]) if any(p.requires_grad for p in potential.parameters()) else ([(1.0, potential)], [])


def _prepare(fixed: list, learned: list, data: ReferenceData, frames: slice, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """Per frame: the force left to learn (F, B, 3); then positions and box, or per learned part its descriptor and derivatives."""
    left, columns = [], []
    by_descriptor = all(isinstance(p, OnDescriptor) for _, p in learned)
    for chunk in data.take(frames).chunks():
        positions = torch.tensor(chunk.positions, dtype=torch.float64)
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        force = torch.tensor(chunk.forces, dtype=torch.float64)
        for weight, part in fixed:
            force = force - weight * evaluate(copy.deepcopy(part).cpu(), positions, box).forces
        left.append(force.to(device, dtype))
        if by_descriptor:
            found = [(p.descriptor.values(positions, box), p.descriptor.jacobian(positions, box).flatten(2)) for _, p in learned]
            columns.append([t.to(device, dtype) for pair in found for t in pair])
        else:
            columns.append([t.to(device, dtype) for t in ([positions] if box is None else [positions, box])])
    if not left:
        return [torch.zeros(0, *data.positions.shape[1:], device=device, dtype=dtype)]
    return [torch.cat(left), *(torch.cat(parts) for parts in zip(*columns, strict=True))]


def _loss(learned: list, batch: list[Tensor]) -> Tensor:
    """Mean square of (force left to learn + dU/dx) per component."""
    left, rest = batch[0], batch[1:]
    if all(isinstance(p, OnDescriptor) for _, p in learned):
        gradient = 0.0
        for (weight, part), q, jacobian in zip(learned, rest[0::2], rest[1::2], strict=True):
            q = q.requires_grad_(True)
            (slope,) = torch.autograd.grad(part.energy(q).sum(), q, create_graph=True)
            gradient = gradient + weight * torch.bmm(slope[:, None], jacobian)[:, 0].reshape(left.shape)
    else:
        positions = rest[0].requires_grad_(True)
        energy = sum(weight * part(positions, *rest[1:]) for weight, part in learned)
        (gradient,) = torch.autograd.grad(energy.sum(), positions, create_graph=True)
    return (left + gradient).square().mean()


def _project(matrices: list[Tensor], directions: list[Tensor], strength: float) -> None:
    """Scale every matrix down to spectral norm ``strength``; the norm by one power iteration from where the last one ended."""
    with torch.no_grad():
        for i, matrix in enumerate(matrices):
            direction = matrix.T @ (matrix @ directions[i])
            directions[i] = direction / torch.linalg.vector_norm(direction)
            matrix /= (torch.linalg.vector_norm(matrix @ directions[i]) / strength).clamp(min=1.0)


def _project_exactly(matrices: list[Tensor], strength: float) -> None:
    """The same with the exact norm: the bound that a power iteration only approaches from below holds after every epoch."""
    with torch.no_grad():
        for matrix in matrices:
            matrix /= (torch.linalg.matrix_norm(matrix, 2) / strength).clamp(min=1.0)
