"""Forces and structure together: one potential whose forces are near those of the data and whose g(r) is that of the data.

    L = <|F + dU/dx|^2> / <|F|^2> + weight . <(g - g_data)^2>

over frames, beads and components, and over the bins of g. g is a mean over frames simulated with the potential; how it changes with
the parameters follows from the same frames, reweighted from the parameters w0 that made them to those of now (Thaler and Zavadlav, Nat.
Commun. 12, 6884 (2021), equations 4-7):

    g = sum_f p_f g_f,   p_f ~ exp(-(U(x_f; w) - U(x_f; w0)) / kBT),   as long as exp(-sum_f p_f ln p_f) of the frames still count.

Then they are simulated anew. Data at several temperatures are simulated at each of them; the losses are means over all.
"""

import copy
import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench import device as _device
from workbench import store, units
from workbench.fitting import _optimizers
from workbench.fitting._frames import Frames, Loss, split
from workbench.observables import rdf
from workbench.potentials._base import Potential, Sum, at
from workbench.settings import field, settings
from workbench.simulation import replicas
from workbench.simulation._guard import Unstable
from workbench.types import Fit, ReferenceData, Start, State, Trajectory


@settings
class Settings:
    """The two losses, the steps, and the simulation of an iteration."""

    n_epochs: int = field(
        20, "Passes over forces alone, before the first simulation; 0: begin with the potential as given.", bounds=(0, None)
    )
    n_iterations: int = field(20, "Simulations and the steps made from each.", bounds=(1, 10_000))
    n_steps: int = field(20, "Steps made from one simulation, at most.", bounds=(1, None))
    weight: float = field(100.0, "Weight of the mean square error of g(r); 0: forces alone.", bounds=(0.0, None))
    batch_size: int = field(8, "Frames of the data whose forces a step sees.", bounds=(1, None))
    learning_rate: float = field(1e-3, "Learning rate of Adam at the first iteration.", bounds=(1e-12, 1.0))
    final_learning_rate: float = field(1e-4, "Learning rate at the last one; it falls geometrically.", bounds=(1e-12, 1.0))
    effective_share: float = field(0.8, "Share of the simulated frames that must still count for another step.", bounds=(0.0, 1.0))
    validation_fraction: float = field(0.2, "Share of the frames, the last ones, whose forces are held out to judge by.", bounds=(0.0, 0.9))
    n_replicas: int = field(4, "Replicas of every state, begun at frames of the data.", bounds=(1, None))
    equilibration_steps: int = field(1000, "Steps of every iteration before its first frame.", bounds=(0, None))
    distribution: rdf.Settings = field(rdf.Settings(n_bins=50), "The g(r): its beads and bins; molecules are those of the data.")
    simulation: replicas.Settings = field(
        replicas.Settings(n_steps=2000, save_every=50, timestep_fs=4.0, friction=2.0),
        "The simulation of an iteration; its temperature is that of the data.",
    )
    seed: int = field(0, "Seed of the order of frames.", bounds=(0, None))


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Fit the parameters of ``potential`` to forces and g(r) of ``data``; the one given is left as it is.

    ``on_step(iteration, metrics)`` gets ``validation_loss``, of forces held out, and ``prior_loss`` in (kJ/mol/nm)^2 per component,
    ``rms_rdf`` of the simulation just made, ``effective_share`` of its frames after the ``steps`` made from it, and ``loss``, by which the
    best potential is chosen. ``checkpoint`` is a folder. Raises ``ValueError`` where forces, a box or parameters are missing or a
    simulation breaks down.
    """
    if data.forces is None or data.box is None:
        raise ValueError("joint_matching needs the forces and the g(r) of a liquid: give frames that have forces and a box.")
    n_train = len(data) - round(settings.validation_fraction * len(data))
    if n_train < 1:
        raise ValueError(f"joint_matching: {len(data)} frames leave none to train on.")
    identity = store.identity("joint_matching.fit", potential, data, settings)
    parents = (identity, store.identity(data), store.identity(potential))
    with _device.threads(settings.simulation.n_threads):
        run = _Run(copy.deepcopy(potential.bind(data.beads)), data, settings, n_train, identity, checkpoint)
        run.resume()
        while run.done < settings.n_iterations:
            metrics = run.advance()
            if on_step is not None:
                on_step(run.done - 1, metrics)
        history = {name: np.array(values) for name, values in run.history.items()}
        return Fit(potential=run.best_potential(), settings=settings, history=history, parents=parents)


def reweighted(g: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (R,) of ``g`` (F, R) after a ``change`` (F,) of the energies in kBT, and the share of the frames that count; differentiable."""
    weights = torch.softmax(-change, 0)
    entropy = -(weights * weights.clamp(min=1e-300).log()).sum()
    return weights @ g, entropy.exp() / len(g)


@dataclasses.dataclass
class _Liquid:
    """A state of the data, and what was simulated of it last."""

    state: State
    wanted: Tensor
    """g(r) of the data, (R,)."""
    start: Start
    frames: Trajectory | None = None
    g: Tensor | None = None
    """g(r) of every simulated frame, (F, R)."""
    energy: Tensor | None = None
    """Energy of the learned parts with the parameters that made the frames [kJ/mol], (F,)."""


class _Run:
    """The state of one fit: everything that a checkpoint holds, and the data prepared once."""

    def __init__(self, potential: Potential, data: ReferenceData, settings: Settings, n_train: int, identity: str, checkpoint: Any):
        self.settings, self.identity, self.potential = settings, identity, potential
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.parameters = [p for p in potential.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("joint_matching: this potential has no parameters to fit (a prior alone?); add a network to it.")
        fixed, learned = split(potential)
        how = (fixed, learned), (None, torch.device("cpu"), self.parameters[0].dtype)
        self.learned, self.loss = learned, Loss(learned)
        self.train, held_out = (Frames(*how[0], data.take(s), *how[1]) for s in (slice(0, n_train), slice(n_train, None)))
        self.judged = held_out if len(held_out) else self.train
        self.prior_loss = self.judged.mean_square()
        self.scale = float(np.mean(np.square(data.forces, dtype=np.float64)))
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.learning_rate)
        self.generator = torch.Generator().manual_seed(settings.seed)
        molecule, r_max = tuple(data.beads.molecule.tolist()), rdf.largest(data, settings.distribution)
        self.rdf = dataclasses.replace(settings.distribution, molecule=molecule, r_max=r_max)
        index = np.zeros(len(data), np.int64) if data.state is None else np.asarray(data.state)
        self.liquids = [self._liquid(data.take(index == k), data.states[k]) for k in np.unique(index)]
        self.history: dict[str, list] = {name: [] for name in ("loss", "validation_loss", "rms_rdf", "effective_share", "steps")}
        self.best = self._weights()

    @property
    def done(self) -> int:
        return len(self.history["loss"])

    def advance(self) -> dict:
        """One iteration: simulate, judge, and steps as long as the frames count."""
        s = self.settings
        if not self.done:
            self._match_forces()
        for k, liquid in enumerate(self.liquids):
            self._simulate(k, liquid)
        rms = math.sqrt(np.mean([float((q.g.mean(0) - q.wanted).square().mean()) for q in self.liquids]))
        force = sum(float(self.loss(b).detach()) * len(b[0][0]) for b in self.judged.batches(s.batch_size)) / len(self.judged)
        found = {"loss": force / self.scale + s.weight * rms**2, "validation_loss": force, "rms_rdf": rms}
        if not math.isfinite(found["loss"]):
            raise ValueError(self._broken(f"its loss is {found['loss']}"))
        if not self.done or found["loss"] < min(self.history["loss"]):
            self.best = self._weights()
        decay = (s.final_learning_rate / s.learning_rate) ** (self.done / max(1, s.n_iterations - 1))
        self.optimizer.param_groups[0]["lr"] = s.learning_rate * decay
        found["steps"], found["effective_share"] = self._steps()
        for name, value in found.items():
            self.history[name].append(value)
        if self.path is not None:
            self._save()
        return {"total": s.n_iterations, "prior_loss": self.prior_loss, **found}

    def best_potential(self) -> Potential:
        """The potential with the weights of the least loss."""
        self._set(self.best)
        return self.potential.requires_grad_(False)

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.identity)
        if found is None:
            return
        arrays, meta = found
        self._set(torch.from_numpy(arrays["weights"]))
        self.best = torch.from_numpy(arrays["best"])
        _optimizers.unpack(self.optimizer, arrays, meta["optimizer"])
        self.generator.set_state(torch.from_numpy(arrays["generator"]))
        self.history = meta["history"]
        for k, liquid in enumerate(self.liquids):
            liquid.start = dataclasses.replace(liquid.start, positions=arrays[f"start.{k}"])

    def _match_forces(self) -> None:
        """Steps down the loss of forces alone: a network must know forces before it is simulated."""
        for _ in range(self.settings.n_epochs):
            for batch in self.train.batches(self.settings.batch_size, self.generator):
                self._step(self.loss(batch) / self.scale)

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def _steps(self) -> tuple[int, float]:
        """Steps of Adam down both losses; how many, and the share of the frames that counts after them."""
        batches = self._batches()
        for step in range(self.settings.n_steps):
            loss, share = self._structure()
            if share < self.settings.effective_share:
                return step, share
            self._step(self.settings.weight * loss + self.loss(next(batches)) / self.scale)
        return self.settings.n_steps, self._structure()[1]

    def _structure(self) -> tuple[Tensor, float]:
        """Mean square error of g with the parameters of now, and the least share of frames that counts."""
        losses, shares = [], []
        for liquid in self.liquids:
            change = (self._energy(liquid) - liquid.energy) / units.thermal_energy(liquid.state.temperature)
            g, share = reweighted(liquid.g, change)
            losses.append((g - liquid.wanted).square().mean())
            shares.append(float(share.detach()))
        return torch.stack(losses).mean(), min(shares)

    def _batches(self) -> Iterator[list[list[Tensor]]]:
        while True:
            yield from self.train.batches(self.settings.batch_size, self.generator)

    def _liquid(self, data: ReferenceData, state: State) -> _Liquid:
        spread = np.linspace(0, len(data) - 1, self.settings.n_replicas).round().astype(int)
        return _Liquid(state, self._rdf(data).mean(0), data.start(spread))

    def _rdf(self, frames: Trajectory) -> Tensor:
        """g(r) of every frame, (F, R)."""
        return torch.tensor(rdf.shells(frames, self.rdf, self.rdf.r_max, np.arange(len(frames)))[:, 0])

    def _simulate(self, k: int, liquid: _Liquid) -> None:
        """Frames with the parameters of now, begun where the last ones ended."""
        s = self.settings
        skipped = -(-s.equilibration_steps // s.simulation.save_every)
        how = dataclasses.replace(
            s.simulation,
            n_steps=s.simulation.n_steps + skipped * s.simulation.save_every,
            temperature=liquid.state.temperature,
            seed=s.simulation.seed + 1000 * k + self.done,
        )
        try:
            run = replicas.run(copy.deepcopy(at(self.potential, liquid.state)).requires_grad_(False), liquid.start, how)
        except Unstable as error:
            raise ValueError(self._broken(str(error))) from None
        liquid.start = dataclasses.replace(liquid.start, positions=np.array(run.positions[-s.n_replicas :], np.float64))
        liquid.frames = run.take(slice(skipped * s.n_replicas, None))
        liquid.g = self._rdf(liquid.frames)
        with torch.no_grad():
            liquid.energy = self._energy(liquid)

    def _energy(self, liquid: _Liquid) -> Tensor:
        """Energy of the learned parts in the simulated frames [kJ/mol], (F,)."""
        potential = at(Sum([p for _, p in self.learned], [w for w, _ in self.learned]), liquid.state)
        return potential(torch.tensor(liquid.frames.positions, dtype=torch.float64), torch.tensor(liquid.frames.box))

    def _broken(self, reason: str) -> str:
        return (
            f"joint_matching broke down in iteration {self.done + 1}: {reason}; "
            f"lower the learning rate of {self.settings.learning_rate}, or match forces alone before; earlier checkpoints are kept."
        )

    def _save(self) -> None:
        arrays, state = _optimizers.pack(self.optimizer)
        arrays |= {"weights": self._weights().numpy(), "best": self.best.numpy(), "generator": self.generator.get_state().numpy()}
        arrays |= {f"start.{k}": np.asarray(liquid.start.positions) for k, liquid in enumerate(self.liquids)}
        store.write_checkpoint(self.path, arrays, {"identity": self.identity, "history": self.history, "optimizer": state})

    def _weights(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.parameters])

    def _set(self, weights: Tensor) -> None:
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(weights.clone(), self.parameters)
