"""All-atom sampling with forces: what the model is fitted to and judged by."""

import dataclasses
from typing import Any

import ipywidgets as ipw

from widgets import frame, plots
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code, script
from widgets.task import TaskBar, spaced
from workbench import jobs, reference, types


class ReferencePanel(frame.Panel):
    """Works alone, ``ReferencePanel(system)``, or on a session."""

    def __init__(self, source: types.System | Session, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, system=source)
        self.form = SettingsForm(reference.Settings)
        self.image = ipw.Image(format="png")
        self.task = TaskBar(self._begin, unit="frames", on_progress=self._draw, on_finished=self._finish)
        head = ipw.HTML(frame.text("sampling", "head"))
        super().__init__([self.image], [head, self.form], [self.task], self.code, lambda: self.image.value)
        self.form.observe(lambda _: self._allow(), ["value", "error"])
        self.session.observe(self._follow_temperature, "system")
        self.session.observe(lambda _: self._allow(), "changes")
        self._marks = self.session.marks("all_atom")
        self._message()
        self._allow()
        self.task.find(self.session.attach("reference"), lambda _: self.form.set(self.session.inputs("reference")[-1]))

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self.form.value is None:
            return f"# {self.form.error}"
        checkpoint = self.session.checkpoint_code("reference", self.form.value)
        return script(f"all_atom = reference.sample(system, {as_code(self.form.value)}{checkpoint})")

    def _follow_temperature(self, change: dict) -> None:
        if change["new"] is not None and self.form.value is not None:
            self.form.set(dataclasses.replace(self.form.value, temperature=change["new"].state.temperature))

    def _allow(self) -> None:
        self.task.allow("Load a system first." if self.session.system is None else self.form.error)

    def _begin(self) -> jobs.Job:
        self._marks = self.session.marks("all_atom")
        return self.session.start("reference", "reference.sample", self.session.system, self.form.value)

    def _finish(self, job: jobs.Job) -> None:
        result, known = job.result(), self.session.all_atom
        if known is None or known.parents != result.parents:
            self.session.put("all_atom", result, self._marks)

    def _message(self) -> None:
        self.image.value = frame.png(lambda ax: plots.message("energy and temperature of the sampling\nwill be drawn here", ax))

    def _draw(self, job: jobs.Job) -> None:
        history = job.progress.get("history", {})
        if len(history.get("step", ())) < 2:
            return

        def draw(energy, temperature):
            plots.series(history, "energy", "potential energy [kJ/mol]", energy)
            plots.series(history, "temperature", "temperature [K]", temperature)

        self.image.value = frame.png(draw, size=(7.4, 3.6), n_axes=2)

    def summary(self) -> str:
        """What the step bar says."""
        if self.task.job is not None and self.task.job.state == "running":
            return f"running {100 * self.task.bar.value:.0f} %"
        return "" if self.session.all_atom is None else f"{spaced(len(self.session.all_atom))} frames"
