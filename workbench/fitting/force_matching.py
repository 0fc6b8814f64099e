"""Force matching by gradient descent: minimise the mean of |F + dU/dx|^2 over frames, beads and components.

Sources: Noid et al., J. Chem. Phys. 128, 244114 (2008), equation 32; for networks Wang et al., ACS Cent. Sci. 5, 755 (2019), equation 10.
Lipschitz projection: Gouk et al., arXiv 1804.04368: W <- W / max(1, |W|_2 / lambda) after every step.
Parts of the potential without parameters (priors) are evaluated once (``_frames``). Optimisers: ``_optimizers``; another one with a file
of its own is ``kalman_matching``. Several processes may share a fit: ``_distributed``.
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
from workbench.fitting import _distributed, _optimizers
from workbench.fitting._frames import Frames, Loss, split
from workbench.potentials._base import Potential
from workbench.settings import field, settings
from workbench.types import Fit, ReferenceData

VALIDATED_AT_ONCE = 4096
"""Frames of a batch of the validation."""


@settings
class Settings:
    """Optimiser, schedule and stopping."""

    optimizer: str = field(
        "adam", "Adam steps after every batch; RPROP and L-BFGS after a pass over all frames.", choices=_optimizers.CHOICES
    )
    n_epochs: int = field(60, "Passes over the training frames, at most; with L-BFGS steps, of one pass or more.", bounds=(1, None))
    batch_size: int = field(512, "Frames in a batch (of every process).", bounds=(1, None))
    learning_rate: float = field(
        2e-3, "Learning rate at the start; RPROP: the first step of every weight; L-BFGS searches for its own.", bounds=(1e-12, 1.0)
    )
    final_learning_rate: float = field(
        1e-4, "Learning rate of Adam at the last epoch; it falls geometrically, to 1e-8 where one likes.", bounds=(1e-12, 1.0)
    )
    lipschitz: float | None = field(1.7, "Largest spectral norm of a weight matrix; None: no projection.", bounds=(1e-6, None))
    weight_decay: float = field(0.0, "Decoupled decay of the weights per unit of learning rate (Adam).", bounds=(0.0, None))
    validation_fraction: float = field(0.2, "Share of the frames, the last ones, held out to judge by.", bounds=(0.0, 0.9))
    patience: int = field(20, "Epochs without a better validation loss before stopping.", bounds=(1, None))
    frames_at_once: int | None = field(
        None,
        "Frames held in memory at once; more are read from disk block by block in every epoch. None: all.",
        bounds=(1, None),
    )
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
    (kJ/mol/nm)^2 per component, and ``passes`` over the frames so far. The weights of the best validation loss are returned.
    ``checkpoint`` is a folder: a run that finds its own checkpoint there goes on from it. Raises ``ValueError`` where forces or
    parameters are missing, settings do not go together, or the loss diverges.
    """
    if data.forces is None:
        raise ValueError("force matching needs forces: this trajectory was saved without them.")
    n_validation = round(settings.validation_fraction * len(data))
    if len(data) - n_validation < 1:
        raise ValueError(f"force matching: {len(data)} frames leave none to train on.")
    if settings.optimizer == "lbfgs" and settings.lipschitz is not None:
        raise ValueError("force matching: L-BFGS learns from its own steps, which a projection would change; set lipschitz to None.")
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
        self.directions = [w.detach().new_ones(w.shape[1]) / math.sqrt(w.shape[1]) for w in self.matrices]
        self.optimizer = _optimizers.make(settings.optimizer, self.parameters, settings.learning_rate, settings.weight_decay)
        self.generator = torch.Generator().manual_seed(settings.seed)
        how = (*split(self.potential), settings.frames_at_once, self.device, self.parameters[0].dtype)
        n_train = len(data) - n_validation
        self.train = Frames(*how[:2], data.take(_distributed.share(n_train)), *how[2:])
        self.validation = Frames(*how[:2], data.take(slice(n_train, None)), *how[2:])
        self.loss = Loss(how[1])
        self.shared_loss = _distributed.wrapped(self.loss)
        self.prior_loss = (self.validation if n_validation else self.train).mean_square()
        self.history: dict[str, list] = {"train_loss": [], "validation_loss": [], "learning_rate": [], "passes": []}
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
        rate = s.learning_rate
        if s.optimizer == "adam":
            rate *= (s.final_learning_rate / s.learning_rate) ** (self.epoch / max(1, s.n_epochs - 1))
            self.optimizer.param_groups[0]["lr"] = rate
            passes, total = 1, self._by_batches()
        else:
            passes, total = self._by_passes()
        train_loss = float(_distributed.mean(total)) / len(self.train)
        if s.lipschitz is not None:
            _project_exactly(self.matrices, s.lipschitz)
        validation_loss = self._validate() if len(self.validation) else train_loss
        if not (math.isfinite(train_loss) and math.isfinite(validation_loss)):
            raise ValueError(
                f"force matching diverged in epoch {self.epoch + 1} (loss {train_loss}): lower the learning rate of {s.learning_rate}; "
                "earlier checkpoints are kept."
            )
        passes += self.history["passes"][-1] if self.epoch else 0
        found = {"train_loss": train_loss, "validation_loss": validation_loss, "learning_rate": rate, "passes": passes}
        for name, value in found.items():
            self.history[name].append(value)
        if validation_loss < self.best_loss:
            self.best, self.best_loss, self.best_epoch = self._weights(), validation_loss, self.epoch
        if self.path is not None and _distributed.first() and (self.epoch % s.checkpoint_every == 0 or self.finished()):
            self._save()
        return {"total": s.n_epochs, "prior_loss": self.prior_loss, **found}

    def _by_batches(self) -> Tensor:
        """A step after every batch; the sum of the losses of the frames."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for batch in self.train.batches(self.settings.batch_size, self.generator):
            loss = self.shared_loss(batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self._bound()
            total += loss.detach().double() * len(batch[0][0])
        return total

    def _by_passes(self) -> tuple[int, Tensor]:
        """One step by the gradient of all frames; the passes it took, and the sum of the losses before it."""
        seen = []

        def loss_of_all() -> Tensor:
            self.optimizer.zero_grad(set_to_none=True)
            total = torch.zeros((), dtype=torch.float64, device=self.device)
            for batch in self.train.batches(self.settings.batch_size):
                loss = self.shared_loss(batch) * (len(batch[0][0]) / len(self.train))
                loss.backward()
                total += loss.detach().double()
            seen.append(_distributed.mean(total))
            return seen[-1]

        self.optimizer.step(loss_of_all)
        self._bound()
        return len(seen), seen[0] * len(self.train)

    def _bound(self) -> None:
        if self.settings.lipschitz is not None:
            _project(self.matrices, self.directions, self.settings.lipschitz)

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
        _optimizers.unpack(self.optimizer, arrays, meta["optimizer"])
        self.best = [tensors[f"best.{i}"] for i in range(len(self.parameters))]
        self.directions = [tensors[f"direction.{i}"] for i in range(len(self.directions))]
        self.generator.set_state(tensors["generator"].cpu())
        self.history = meta["history"]
        self.best_loss, self.best_epoch = meta["best_loss"], meta["best_epoch"]

    def _save(self) -> None:
        arrays, optimizer = _optimizers.pack(self.optimizer)
        arrays["generator"] = self.generator.get_state().numpy()
        arrays |= {f"weight.{i}": p.detach().cpu().numpy() for i, p in enumerate(self.parameters)}
        arrays |= {f"best.{i}": p.detach().cpu().numpy() for i, p in enumerate(self.best)}
        arrays |= {f"direction.{i}": d.cpu().numpy() for i, d in enumerate(self.directions)}
        meta = {"identity": self.identity, "history": self.history, "best_loss": self.best_loss, "best_epoch": self.best_epoch}
        meta["optimizer"] = optimizer
        store.write_checkpoint(self.path, arrays, meta)

    def _validate(self) -> float:
        total = sum(float(self.loss(batch).detach().double()) * len(batch[0][0]) for batch in self.validation.batches(VALIDATED_AT_ONCE))
        return total / len(self.validation)

    def _weights(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.parameters]


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
