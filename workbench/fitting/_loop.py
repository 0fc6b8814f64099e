"""The loop that structure-based fits share: simulate, measure, compare, update; every iteration is kept and a killed run goes on.

A method gives the update. Iteration i simulates every state of the data with the potential of i, beginning where iteration i - 1
ended (the first: at a frame of the data). The error is the largest of the root-mean-square deviation of g(r) over the knots of all
tables, the Jensen-Shannon divergence of the worst bonded distribution and what the method adds; the potential of the least error is the
result. Noise falls as one over the root of the length: an iteration is as long as makes the noise of g(r), told from the halves of the
frames, ``NOISE_SHARE`` of the error.
"""

import copy
import dataclasses
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from workbench import device, simulation, store
from workbench.fitting._measured import Measured, curves, divergence, measure, noise, pictures, rms, targets
from workbench.potentials._base import Potential, Sum
from workbench.potentials.tabulated import BondedTables, PairTables, parts
from workbench.simulation._guard import Unstable
from workbench.types import Beads, Fit, ReferenceData, Start, Trajectory

DIVERGED = 3.0
"""An error this many times the best one, and above ``HOPELESS``, is lost; so many iterations of that in a row are a divergence."""
HOPELESS = 0.2
LOST_IN_A_ROW = 3
NOISE_SHARE = 0.3
"""Noise of g(r) that an iteration may have, in units of its error."""


class Settings(Protocol):
    """What the loop reads of a method's settings."""

    n_iterations: int
    tolerance: float
    patience: int
    equilibration_steps: int
    simulation: simulation.replicas.Settings


class Diverged(RuntimeError):
    """The iteration ran away. ``fit`` holds the last good potential and the history (None where there is none)."""

    fit: Fit | None = None


Update = Callable[[Potential, list[Measured], list[Measured], int, Any], tuple[Potential, dict[str, float]]]
"""``update(potential, measured, target, iteration, settings)``: the next potential, and what the history is to say of the step."""


def replace(potential: Potential, pairs: PairTables | None, bonded: BondedTables | None) -> Potential:
    """``potential`` with other tables in the place of its own; None leaves them."""
    new = {PairTables: pairs, BondedTables: bonded}
    inside = potential.parts if isinstance(potential, Sum) else [potential]
    found = [new.get(type(part)) or part for part in inside]
    return Sum(found, potential.weights) if isinstance(potential, Sum) else found[0]


def coefficients(potential: Potential) -> dict[str, np.ndarray]:
    """Free coefficients (T, ...) of the tables [kJ/mol], by name: 'pair' and the kinds of bonded terms."""
    pairs, bonded = parts(potential)
    found = {} if pairs is None else {"pair": pairs.coefficients.detach().numpy().copy()}
    return found if bonded is None else found | {kind: c.detach().numpy().copy() for kind, c in bonded.coefficients.items()}


def with_coefficients(potential: Potential, found: dict[str, np.ndarray]) -> Potential:
    """``potential`` with these free coefficients of its tables, by name as in :func:`coefficients`."""
    pairs, bonded = parts(potential)
    if pairs is not None:
        pairs = pairs.with_coefficients(found["pair"])
    if bonded is not None:
        bonded = bonded.with_coefficients({kind: found[kind] for kind in bonded.tables})
    return replace(potential, pairs, bonded).requires_grad_(False)


def run(
    verb: str,
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    update: Update,
    on_step: Callable[[int, dict], None] | None,
    checkpoint: Any,
    *,
    shortest: float = 1.0,
    also: Callable[[list[Measured]], float] | None = None,
) -> Fit:
    """Iterate until the error is at most ``settings.tolerance``, no better one came for ``patience`` iterations, or all are done.

    An iteration shorter than the simulation's length only promises to have converged: its potential is run again at the whole length,
    and what that measures takes its place.
    ``on_step(iteration, metrics)`` gets total, error, rms_rdf and js_bonded, pressure [bar], seconds, and ``curves``: name -> x, unit,
    target, current. ``shortest`` is the least share of the simulation's length that an iteration may have, ``also`` what the method
    adds to the errors of an iteration. Raises :class:`Diverged`, which holds the last good potential.
    """
    identity = store.identity(verb, potential, data, settings)
    parents = (identity, store.identity(data), store.identity(potential))
    with device.threads(settings.simulation.n_threads):
        loop = _Loop(potential.bind(data.beads), data, settings, parents, checkpoint, shortest, also)
        loop.resume()
        while not loop.finished():
            metrics = loop.advance(update)
            if on_step is not None:
                on_step(loop.done - 1, metrics)
        return loop.fit()


class _Loop:
    """State of the iteration; what changes lies in the checkpoint."""

    def __init__(self, potential: Potential, data: ReferenceData, settings: Settings, parents: tuple, checkpoint: Any, shortest, also):
        self.settings, self.parents, self.shortest, self.also, self.beads = settings, parents, shortest, also, data.beads
        self.path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
        self.potential = copy.deepcopy(potential).requires_grad_(False)
        self.target = targets(potential, data)
        self.starts = [_start(measured.frames, data.beads) for measured in self.target]
        self.history: dict[str, list] = {"error": [], "seconds": []}
        self.began = time.perf_counter()

    @property
    def done(self) -> int:
        return len(self.history["error"])

    @property
    def best(self) -> int:
        return int(np.nanargmin(self.history["error"]))

    @property
    def structure(self) -> list[float]:
        """The error of every iteration less what the method adds."""
        return [max(e) for e in zip(*(self.history[n] for n in ("rms_rdf", "js_bonded") if n in self.history), strict=True)]

    @property
    def promising(self) -> bool:
        """Whether the last iteration met the tolerance."""
        return self.history["error"][-1] <= self.settings.tolerance

    def finished(self) -> bool:
        if not self.done:
            return False
        if self.promising:
            return self.history.get("share", [1.0])[-1] == 1.0
        return self.done > self.settings.n_iterations or self.done - 1 - self.best >= self.settings.patience

    def advance(self, update: Update) -> dict:
        """One iteration: simulate, measure, record, update."""
        share = self._share()
        measured = [self._simulate(k, share) for k in range(len(self.target))]
        if self.done and self.promising:
            self._forget()
        metrics = self._record(measured, share)
        errors = self.structure
        lost = [error > max(DIVERGED * min(errors), HOPELESS) for error in errors[-LOST_IN_A_ROW:]]
        if (all(lost) and len(lost) == LOST_IN_A_ROW) or not math.isfinite(metrics["error"]):
            self._diverged(f"its error is {errors[-1]:.3g}, the best was {min(errors):.3g}")
        if lost[-1]:  # a liquid that came apart does not mix again in time
            self.starts = [_start(measured.frames, self.beads) for measured in self.target]
        if not (self.promising or self.finished()):
            found, notes = update(self.potential, measured, self.target, self.done - 1, self.settings)
            self.potential = found.requires_grad_(False)
            for name, value in notes.items():
                self.history.setdefault(name, []).append(value)
        if self.path is not None:
            self._save()
        return metrics

    def fit(self) -> Fit:
        """The potential of the least error, and all that was seen."""
        best = with_coefficients(self.potential, {n: self.history[f"{n}_coefficients"][self.best] for n in coefficients(self.potential)})
        history = {name: np.array(values) for name, values in self.history.items()}
        history |= curves(self.target, self.potential, "target_")
        return Fit(potential=best, settings=self.settings, history=history, parents=self.parents)

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        found = None if self.path is None else store.read_checkpoint(self.path, self.parents[0])
        if found is None:
            return
        arrays, meta = found
        self.history = {name: list(arrays[f"history.{name}"]) for name in meta["history"]}
        self.began = time.perf_counter() - self.history["seconds"][-1]
        self.potential = with_coefficients(self.potential, {n: arrays[f"next.{n}"] for n in coefficients(self.potential)})
        self.starts = [dataclasses.replace(start, positions=arrays[f"start.{k}"]) for k, start in enumerate(self.starts)]

    def _save(self) -> None:
        arrays = {f"history.{name}": np.array(values) for name, values in self.history.items()}
        arrays |= {f"next.{name}": values for name, values in coefficients(self.potential).items()}
        arrays |= {f"start.{k}": np.asarray(start.positions) for k, start in enumerate(self.starts)}
        store.write_checkpoint(self.path, arrays, {"identity": self.parents[0], "history": list(self.history)})

    def _simulate(self, k: int, share: float) -> Measured:
        """Frames of state ``k`` with the potential of now, after equilibration; the next iteration begins where they end."""
        state, s = self.target[k].state, self.settings
        every = s.simulation.save_every
        skipped = math.ceil(s.equilibration_steps / every)
        length = max(2, math.ceil(s.simulation.n_steps * share / every)) * every  # two frames: its noise is told from halves
        settings = dataclasses.replace(
            s.simulation,
            n_steps=length + skipped * every,
            temperature=state.temperature,
            seed=s.simulation.seed + 1000 * k + self.done,
            virial=self.starts[k].box is not None,
        )
        try:
            frames = simulation.replicas.run(self.potential, self.starts[k], settings)
        except Unstable as error:
            self._diverged(str(error))
        self.starts[k] = dataclasses.replace(self.starts[k], positions=np.array(frames.positions[-1:], np.float64))
        return measure(frames.take(slice(skipped, None)), self.potential, state)

    def _share(self) -> float:
        """Share of the simulation's length that the next iteration has."""
        if parts(self.potential)[0] is None or (self.done and self.promising):
            return 1.0
        if not self.done:
            return self.shortest
        longer = (self.history["noise"][-1] / (NOISE_SHARE * self.history["rms_rdf"][-1])) ** 2
        return float(np.clip(self.history["share"][-1] * longer, self.shortest, 1.0))

    def _forget(self) -> None:
        """Take back what the last iteration measured."""
        measured = [values for values in self.history.values() if len(values) == self.done]  # an update's notes come after
        for values in measured:
            values.pop()

    def _record(self, measured: list[Measured], share: float) -> dict:
        metrics: dict[str, Any] = {"total": self.settings.n_iterations}
        pairs, bonded = parts(self.potential)
        errors = []
        if pairs is not None:
            metrics["rms_rdf"], metrics["noise"], metrics["share"] = rms(measured, self.target), noise(measured), share
            errors.append(metrics["rms_rdf"])
        if bonded is not None:
            metrics["js_bonded"] = divergence(measured, self.target)
            errors.append(metrics["js_bonded"])
        pressures = [m.pressure for m in measured if m.pressure is not None]
        if pressures:
            metrics["pressure"] = float(np.mean(pressures))
        if self.also is not None:
            errors.append(self.also(measured))
        metrics |= {"error": max(errors), "seconds": time.perf_counter() - self.began}
        kept = {f"{name}_coefficients": values for name, values in coefficients(self.potential).items()} | curves(measured, self.potential)
        for name, value in {**{n: v for n, v in metrics.items() if n != "total"}, **kept}.items():
            self.history.setdefault(name, []).append(value)
        return {**metrics, "curves": pictures(self.potential, self.target, measured)}

    def _diverged(self, reason: str) -> None:
        kept = f"the potential of iteration {self.best} is kept" if self.done else "it never ran"
        stopped = Diverged(f"the fit diverged in iteration {self.done}: {reason}; {kept}: try a smaller scale or a shorter time step.")
        stopped.fit = self.fit() if self.done else None
        raise stopped


def _start(frames: Trajectory, beads: Beads) -> Start:
    """The frame whose volume is nearest to the mean, scaled to the mean box."""
    if frames.box is None:
        return Start(positions=np.array(frames.positions[:1], np.float64), beads=beads)
    box = np.asarray(frames.box, np.float64)
    mean = box.mean(0)
    nearest = int(np.argmin(np.abs(box.prod(1) - mean.prod())))
    scaled = np.asarray(frames.positions[nearest], np.float64) * (mean / box[nearest])
    return Start(positions=scaled[None], box=mean[None], beads=beads)
