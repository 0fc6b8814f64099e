"""Run the model: its trajectory in three dimensions, its free-energy surface beside that of the reference, while it runs."""

from typing import Any

import ipywidgets as ipw
import numpy as np

from widgets import frame, plots
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code, script
from widgets.task import TaskBar, spaced
from widgets.viewer import Playback
from workbench import jobs, rooms, store, types
from workbench.observables import free_energy

MOST_FRAMES = 200
"""Frames of one replica that are played."""


class SimulationPanel(frame.Panel):
    """Works alone, ``SimulationPanel(fit, data)``, or on a session."""

    def __init__(self, source: types.Fit | Session, data: types.ReferenceData | None = None, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, data=data, fit=source)
        self.engine = ipw.Dropdown(options=rooms.available("simulation"), value="replicas", layout=ipw.Layout(width="98%"))
        self.engine.observe(lambda _: self._show_form(), "value")
        self.replicas = ipw.BoundedIntText(
            64, 1, 100_000, layout=ipw.Layout(width="44%"), tooltip="Copies, each from another reference frame."
        )
        self.place = ipw.VBox()
        self.playback, self.image, self.guard = Playback(), ipw.Image(format="png"), ipw.HTML()
        self.image.add_class("cgw-below")
        self.task = TaskBar(self._begin, unit="steps", on_progress=self._draw, on_finished=self._finish)
        label = ipw.HTML(frame.text("replicas", "plain"), layout=ipw.Layout(width="52%"))
        line = ipw.HBox([label, self.replicas])
        line.add_class("cgw-line")
        form = [ipw.HTML(frame.text("engine", "head")), self.engine, line, self.place]
        super().__init__([self.playback, self.image, self.guard], form, [self.task], self.code, lambda: self.image.value)
        self.session.observe(lambda _: self._allow(), "changes")
        self._marks, self._drawn = self.session.marks("model"), -1
        self.image.value = frame.png(lambda ax: plots.message("the free-energy surface of model and reference\nwill be drawn here", ax))
        self._show_form()
        self.task.find(self.session.attach("simulation"), self._recall)

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self.form.value is None:
            return f"# {self.form.error}"
        checkpoint = self.session.checkpoint_code("simulation", self.form.value)
        return script(
            f"start = data.start(frames={self._frames()!r})",
            f"model = simulation.{self.engine.value}.run(fit.potential, start, {as_code(self.form.value)}{checkpoint})",
        )

    def _frames(self) -> range:
        """Frames of the reference to start from, spread evenly."""
        there = len(self.session.data) if self.session.data is not None else self.replicas.value
        wanted = min(self.replicas.value, there)
        step = there // wanted
        return range(0, step * wanted, step)

    def _show_form(self) -> None:
        self.form = SettingsForm(rooms.method("simulation", self.engine.value).Settings)
        self.form.observe(lambda _: self._allow(), ["value", "error"])
        self.place.children = [self.form]
        one = self.engine.value == "openmm_engine"
        self.replicas.value, self.replicas.disabled = (1, True) if one else (max(self.replicas.value, 64), False)
        self._allow()

    def _allow(self) -> None:
        reason = "Fit a model first." if self.session.fit is None else self.form.error
        self.task.allow("The model is out of date: fit it again." if self.session.stale("fit") else reason)

    def _recall(self, job: jobs.Job) -> None:
        _, start, settings = self.session.inputs("simulation")
        self.engine.value = job.verb.rpartition(".")[2]
        self.replicas.value = len(start.positions)
        self.form.set(settings)

    def _begin(self) -> jobs.Job:
        self._marks, self._drawn = self.session.marks("model"), -1
        start = self.session.data.start(self._frames())
        return self.session.start("simulation", f"simulation.{self.engine.value}", self.session.fit.potential, start, self.form.value)

    def _finish(self, job: jobs.Job) -> None:
        result, known = job.result(), self.session.model
        if known is None or known.parents != result.parents:
            self.session.put("model", result, self._marks)

    def _draw(self, job: jobs.Job) -> None:
        progress = job.progress
        metrics = progress["metrics"]
        parts = [f"temperature {metrics['temperature']:.0f} K"] if "temperature" in metrics else []
        if "steps_per_second" in metrics:
            parts.append(f"{spaced(round(metrics['steps_per_second']))} steps/s")
        self.guard.value = frame.text(" · ".join(parts))
        if progress["step"] == self._drawn or not (job.checkpoint / "manifest.json").exists():
            return
        self._drawn = progress["step"]
        frames = store.load(job.checkpoint)
        if len(frames) < 2:
            return
        beads = self.session.data.beads
        first = np.arange(len(frames)) if frames.replica is None else np.flatnonzero(frames.replica == 0)
        self.playback.show(beads, np.array(frames.positions[first[:: max(1, len(first) // MOST_FRAMES)]], float))
        self.image.value = frame.png(lambda *axes: self._surfaces(frames, axes), size=(7.4, 2.9), n_axes=2)

    def _surfaces(self, frames: types.Trajectory, axes: tuple) -> None:
        dihedrals = self.session.data.beads.dihedrals
        if len(dihedrals) < 2:
            for ax in axes:
                plots.message("fewer than two dihedrals: no surface", ax)
            return
        settings = free_energy.Settings(dihedrals=tuple(tuple(map(int, d)) for d in dihedrals[:2]), n_bootstrap=2)
        for trajectory, title, ax in zip((self.session.data, frames), ("reference", "model so far"), axes, strict=True):
            try:
                plots.free_energy(free_energy.compute(trajectory, settings), ax, title)
            except ValueError as refusal:
                plots.message(str(refusal), ax)

    def summary(self) -> str:
        """What the step bar says."""
        if self.task.job is not None and self.task.job.state == "running":
            return f"running {100 * self.task.bar.value:.0f} %"
        return "" if self.session.model is None else f"{spaced(len(self.session.model))} frames"
