"""Force matching by the extended Kalman filter: every update learns from a few force components, exactly to first order.

    K = P H (H^T P H + R / eta)^-1,   P <- P - K H^T P + q I,   w <- w + K e

w are the weights, H (n, m) the derivatives of m components of the force, e their errors, P the covariance of w, at first I / epsilon.
Forces are taken in units of their root mean square, so that R = I. eta grows and q decays by an order of magnitude every epoch. Source:
Singraber et al., J. Chem. Theory Comput. 15, 3075 (2019), equations 10-15. Two things differ from it: there are no energies in
coarse-graining, and components are drawn at random, whatever their error: the largest errors of instantaneous forces are noise.
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
from workbench.fitting._frames import Frames, residual, split, take
from workbench.potentials._base import Potential
from workbench.settings import field, settings
from workbench.types import Fit, ReferenceData

LARGEST = 5000
"""Parameters for which the covariance is still of a reasonable size (200 MB)."""


@settings
class Settings:
    """The filter, how much it sees in an epoch, and when it stops."""

    n_epochs: int = field(20, "Epochs, at most.", bounds=(1, None))
    n_updates: int = field(100, "Updates in an epoch.", bounds=(1, None))
    n_streams: int = field(8, "Frames of an update, drawn at random.", bounds=(1, None))
    n_components: int = field(1, "Force components drawn from each frame of an update.", bounds=(1, None))
    epsilon: float = field(1e-2, "Inverse variance of the weights at the start.", bounds=(1e-12, None))
    eta: float = field(0.01, "Learning rate at the start, the inverse variance of a measurement.", bounds=(1e-12, None))
    eta_max: float = field(1.0, "Learning rate to which it grows.", bounds=(1e-12, None))
    q: float = field(0.01, "Process noise at the start.", bounds=(0.0, None))
    q_min: float = field(1e-6, "Process noise to which it decays.", bounds=(0.0, None))
    rate: float = field(2.302, "Growth of eta and decay of q in an epoch, an exponent; 2.302: an order of magnitude.", bounds=(0.0, None))
    validation_fraction: float = field(0.2, "Share of the frames, the last ones, held out to judge by.", bounds=(0.0, 0.9))
    patience: int = field(10, "Epochs without a better validation loss before stopping.", bounds=(1, None))
    seed: int = field(0, "Seed of what is drawn.", bounds=(0, None))
    n_threads: int = field(1, "CPU threads; one makes a run repeatable bit for bit. 0: as many as torch takes.", bounds=(0, 1024))


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Fit the parameters of ``potential`` to the forces of ``data``; the potential given is left as it is.

    ``on_step(epoch, metrics)`` gets ``validation_loss`` and ``prior_loss`` in (kJ/mol/nm)^2 per component and ``passes``, components seen
    in units of those there are. The weights of the best validation loss are returned. ``checkpoint`` is a folder. Raises ``ValueError``
    where forces are missing, for no or too many parameters, and where the filter diverges.
    """
    if data.forces is None:
        raise ValueError("kalman_matching needs forces: this trajectory was saved without them.")
    n_train = len(data) - round(settings.validation_fraction * len(data))
    if n_train < 1:
        raise ValueError(f"kalman_matching: {len(data)} frames leave none to train on.")
    identity = store.identity("kalman_matching.fit", potential, data, settings)
    parents = (identity, store.identity(data), store.identity(potential))
    with _device.threads(settings.n_threads):
        run = _Run(copy.deepcopy(potential), data, settings, n_train, identity, checkpoint)
        run.resume()
        while not run.finished():
            metrics = run.epoch_step()
            if on_step is not None:
                on_step(run.epoch, metrics)
        found = run.best_potential()
    return Fit(potential=found, settings=settings, history={k: np.array(v) for k, v in run.history.items()}, parents=parents)


def update(p: Tensor, h: Tensor, error: Tensor, eta: float, q: float) -> tuple[Tensor, Tensor]:
    """One step of the filter: the change K e (n,) of the weights and the next covariance, of ``p`` (n, n), ``h`` (n, m), ``error`` (m,)."""
    ph = p @ h
    inner = h.T @ ph
    inner.diagonal().add_(1 / eta)
    solved = torch.cholesky_solve(torch.cat([error[:, None], ph.T], 1), torch.linalg.cholesky(inner))
    p = torch.addmm(p, ph, solved[:, 1:], alpha=-1)
    p = 0.5 * (p + p.T)  # rounding must not make it lopsided
    p.diagonal().add_(q)
    return ph @ solved[:, 0], p


class _Run:
    """The state of one fit: everything that a checkpoint holds, and the data prepared once."""

    def __init__(self, potential: Potential, data: ReferenceData, settings: Settings, n_train: int, identity: str, checkpoint: Any):
        self.settings, self.identity, self.potential = settings, identity, potential
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.parameters = [p for p in potential.parameters() if p.requires_grad]
        n = sum(p.numel() for p in self.parameters)
        if not 1 <= n <= LARGEST:
            raise ValueError(f"kalman_matching: the potential has {n} parameters to fit; its covariance allows for 1 to {LARGEST}.")
        fixed, self.learned = split(potential)
        how = (None, torch.device("cpu"), self.parameters[0].dtype)
        self.train = Frames(fixed, self.learned, data.take(slice(0, n_train)), *how)
        self.validation = Frames(fixed, self.learned, data.take(slice(n_train, None)), *how)
        judged = self.validation if len(self.validation) else self.train
        self.prior_loss, self.scale = judged.mean_square(), math.sqrt(self.train.mean_square())
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.covariance = torch.eye(n, dtype=torch.float64) / settings.epsilon
        self.history: dict[str, list] = {"validation_loss": [], "passes": [], "eta": [], "q": []}
        self.best, self.best_loss, self.best_epoch = self._weights(), math.inf, 0

    @property
    def epoch(self) -> int:
        return len(self.history["validation_loss"])

    def finished(self) -> bool:
        return self.epoch >= self.settings.n_epochs or self.epoch - self.best_epoch >= self.settings.patience

    def epoch_step(self) -> dict:
        """The updates of an epoch, then the validation loss and a checkpoint."""
        s = self.settings
        for k in range(s.n_updates):
            passed = s.rate * (self.epoch + k / s.n_updates)
            eta, q = min(s.eta_max, s.eta * math.exp(passed)), max(s.q_min, s.q * math.exp(-passed))
            self._update(eta, q)
        loss = self._validate()
        if not math.isfinite(loss):
            raise ValueError(self._diverged())
        seen = s.n_updates * s.n_streams * s.n_components / (len(self.train) * self.train.data.beads.n_beads * 3)
        found = {"validation_loss": loss, "passes": seen * (self.epoch + 1), "eta": eta, "q": q}
        for name, value in found.items():
            self.history[name].append(value)
        if loss < self.best_loss:
            self.best, self.best_loss, self.best_epoch = self._weights(), loss, self.epoch
        if self.path is not None:
            self._save()
        return {"total": s.n_epochs, "prior_loss": self.prior_loss, **found}

    def best_potential(self) -> Potential:
        """The potential with the weights of the best epoch."""
        self._set(self.best)
        return self.potential.requires_grad_(False)

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is None:
            return
        arrays, meta = found
        self._set(torch.from_numpy(arrays["weights"]))
        self.best, self.covariance = torch.from_numpy(arrays["best"]), torch.from_numpy(arrays["covariance"])
        self.generator.set_state(torch.from_numpy(arrays["generator"]))
        self.history, self.best_loss, self.best_epoch = meta["history"], meta["best_loss"], meta["best_epoch"]

    def _save(self) -> None:
        tensors = {"weights": self._weights(), "best": self.best, "covariance": self.covariance, "generator": self.generator.get_state()}
        meta = {"identity": self.identity, "history": self.history, "best_loss": self.best_loss, "best_epoch": self.best_epoch}
        store.write_checkpoint(self.path, {name: t.numpy() for name, t in tensors.items()}, meta)

    def _update(self, eta: float, q: float) -> None:
        """Learn from components of frames drawn at random, every frame with a graph of its own."""
        rows, errors = [], []
        for frame in torch.randint(len(self.train), (self.settings.n_streams,), generator=self.generator).tolist():
            batch = take(self.train.held, slice(frame, frame + 1))
            wrong = residual(self.learned, batch).flatten() / self.scale
            drawn = torch.randint(len(wrong), (self.settings.n_components,), generator=self.generator).tolist()
            for i, component in enumerate(drawn):
                slopes = torch.autograd.grad(wrong[component], self.parameters, retain_graph=i + 1 < len(drawn), allow_unused=True)
                flat = [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, slopes, strict=True)]
                rows.append(torch.cat([g.flatten() for g in flat]).double())
                errors.append(wrong[component].detach().double())
        try:
            change, self.covariance = update(self.covariance, torch.stack(rows, 1), -torch.stack(errors), eta, q)
        except torch.linalg.LinAlgError:
            raise ValueError(self._diverged()) from None
        self._set(self._weights() + change)

    def _diverged(self) -> str:
        s = self.settings
        return f"kalman_matching diverged in epoch {self.epoch + 1}: lower eta ({s.eta}) or q ({s.q}); earlier checkpoints are kept."

    def _validate(self) -> float:
        frames = self.validation if len(self.validation) else self.train
        size = max(1, 100_000 // frames.data.beads.n_beads)
        total = sum(float(residual(self.learned, batch).detach().double().square().sum()) for batch in frames.batches(size))
        return total / (len(frames) * frames.data.beads.n_beads * 3)

    def _weights(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.parameters]).double()

    def _set(self, weights: Tensor) -> None:
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(weights.to(self.parameters[0].dtype), self.parameters)
