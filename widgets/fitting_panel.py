"""Choose a potential and a way to fit it; watch the loss fall below that of the prior."""

from typing import Any

import ipywidgets as ipw

from widgets import frame, plots
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code, script
from widgets.task import TaskBar
from workbench import jobs, rooms, types

PRIOR = "harmonic"


class FittingPanel(frame.Panel):
    """Works alone, ``FittingPanel(data)``, or on a session, whose frames and mapping it projects when it starts."""

    def __init__(self, source: types.ReferenceData | Session, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, data=source)
        wide = ipw.Layout(width="98%")
        potentials = [name for name in rooms.available("potentials") if name != PRIOR]
        self.potential = ipw.Dropdown(options=potentials, value="cgnet", tooltip="The potential that is fitted.", layout=wide)
        self.prior = ipw.Checkbox(value=True, description="on top of a harmonic prior", indent=False, layout=ipw.Layout(width="auto"))
        self.method = ipw.Dropdown(options=rooms.available("fitting"), value="force_matching", tooltip="The way to fit it.", layout=wide)
        self.prior_form = SettingsForm(rooms.method("potentials", PRIOR).Settings)
        self.place = ipw.Tab()
        self.image = ipw.Image(format="png")
        self.task = TaskBar(self._begin, unit="epochs", on_progress=self._draw, on_finished=self._finish)
        labelled = [
            ipw.HTML(frame.text("potential", "head")),
            self.potential,
            self.prior,
            ipw.HTML(frame.text("fitted by", "head")),
            self.method,
        ]
        super().__init__([self.image], [*labelled, self.place], [self.task], self.code, lambda: self.image.value)
        for made in (self.potential, self.method):
            made.observe(lambda _: self._show_forms(), "value")
        self.prior.observe(lambda _: self._show_forms(), "value")
        self.session.observe(lambda _: self._allow(), "changes")
        self._marks = self.session.marks("fit")
        self._show_forms()
        self.image.value = frame.png(lambda ax: plots.message("training and validation loss\nwill be drawn here", ax))
        self.task.find(self.session.attach("fitting"), self._recall)

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self._refusal():
            return f"# {self._refusal()}"
        lines = ["data = projection.project(all_atom, mapping)"]
        total = "network"
        if self.prior.value:
            lines.append(f"prior = potentials.{PRIOR}.build(data, {as_code(self.prior_form.value)})")
            total = "prior + network"
        lines.append(f"network = potentials.{self.potential.value}.build(data, {as_code(self.potential_form.value)})")
        checkpoint = self.session.checkpoint_code("fitting", self.fit_form.value)
        settings = as_code(self.fit_form.value)
        lines.append(f"fit = fitting.{self.method.value}.fit({total}, data, {settings}{checkpoint})")
        return script(*lines)

    def _show_forms(self) -> None:
        self.potential_form = SettingsForm(rooms.method("potentials", self.potential.value).Settings)
        self.fit_form = SettingsForm(rooms.method("fitting", self.method.value).Settings)
        forms = {"fit": self.fit_form, self.potential.value: self.potential_form}
        if self.prior.value:
            forms["prior"] = self.prior_form
        for form in forms.values():
            form.observe(lambda _: self._allow(), ["value", "error"])
        self.place.children, self.place.titles = list(forms.values()), list(forms)
        self.place.selected_index = 0
        self._allow()

    def _refusal(self) -> str:
        forms = [self.fit_form, self.potential_form, *([self.prior_form] if self.prior.value else [])]
        return next((form.error for form in forms if form.error), "")

    def _allow(self) -> None:
        session = self.session
        if session.mapping is None and session.data is None:
            reason = "Make a mapping first."
        elif session.all_atom is None and session.data is None:
            reason = "Sample the reference first."
        elif session.stale("all_atom"):
            reason = "The reference belongs to another system: sample it again."
        elif session.mapping is None and session.all_atom is not None:
            reason = "The mapping is not complete."
        else:
            reason = self._refusal()
        self.task.allow(reason)

    def _recall(self, job: jobs.Job) -> None:
        self.method.value = job.verb.rpartition(".")[2]
        self.fit_form.set(self.session.inputs("fitting")[-1])

    def _begin(self) -> jobs.Job:
        data = self.session.project()
        potential = rooms.method("potentials", self.potential.value).build(data, self.potential_form.value)
        if self.prior.value:
            potential = rooms.method("potentials", PRIOR).build(data, self.prior_form.value) + potential
        self._marks = self.session.marks("fit")
        return self.session.start("fitting", f"fitting.{self.method.value}", potential, data, self.fit_form.value)

    def _finish(self, job: jobs.Job) -> None:
        result, known = job.result(), self.session.fit
        if known is None or known.parents != result.parents:
            self.session.put("fit", result, self._marks)

    def _draw(self, job: jobs.Job) -> None:
        history = job.progress.get("history", {})
        if history.get("validation_loss") or history.get("train_loss"):
            self.image.value = frame.png(lambda ax: plots.loss(history, ax))

    def summary(self) -> str:
        """What the step bar says."""
        if self.task.job is not None and self.task.job.state == "running":
            return f"running {100 * self.task.bar.value:.0f} %"
        if self.session.fit is None:
            return ""
        metrics = self.task.job.progress.get("metrics", {}) if self.task.job is not None else {}
        if "prior_loss" in metrics and "validation_loss" in self.session.fit.history:
            return f"{100 * min(self.session.fit.history['validation_loss']) / metrics['prior_loss']:.1f} % of prior"
        return "fitted"
