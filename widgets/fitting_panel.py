"""Choose a potential and a way to fit it; watch the loss fall below that of the prior, or the curves come to their targets."""

from typing import Any

import ipywidgets as ipw

from widgets import fit_pictures, fitting_choice, frame, plots
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code, script
from widgets.task import TaskBar
from workbench import jobs, rooms, types


class FittingPanel(frame.Panel):
    """Works alone, ``FittingPanel(data)``, or on a session, whose frames and mapping it projects when it starts."""

    def __init__(self, source: types.ReferenceData | Session, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, data=source)
        wide = ipw.Layout(width="98%")
        potentials = [name for name in rooms.available("potentials") if name != "harmonic"]
        self.potential = ipw.Dropdown(options=potentials, value="cgnet", tooltip="The potential that is fitted.", layout=wide)
        self.prior = ipw.Checkbox(value=True, indent=False, layout=ipw.Layout(width="auto"))
        self.method = ipw.Dropdown(options=rooms.available("fitting"), value="force_matching", tooltip="The way to fit it.", layout=wide)
        self.forms: dict[tuple[str, str], SettingsForm] = {}
        self.place = ipw.Tab()
        self.image = ipw.Image(format="png")
        self.task = TaskBar(self._begin, unit="epochs", on_progress=self._draw, on_finished=self._finish)
        heads = [ipw.HTML(frame.text(label, "head")) for label in ("potential", "fitted by")]
        form = [heads[0], self.potential, self.prior, heads[1], self.method, self.place]
        super().__init__([self.image], form, [self.task], self.code, lambda: self.image.value)
        self.potential.observe(lambda _: self._choose(), "value")
        for made in (self.method, self.prior):
            made.observe(lambda _: self._show_forms(), "value")
        self.session.observe(lambda _: self._allow(), "changes")
        self._marks, self._earlier, self._running = self.session.marks("fit"), {}, None
        self._choose()
        message = "the loss, or the curves of the tables and their targets,\nwill be drawn here"
        self.image.value = frame.png(lambda ax: plots.message(message, ax))
        self.task.find(self.session.attach("fitting"), self._recall)

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self._refusal():
            return f"# {self._refusal()}"
        lines, names = ["data = projection.project(all_atom, mapping)"], []
        for potential in self._parts():
            names.append(fitting_choice.NAMES.get(potential, "network"))
            lines.append(f"{names[-1]} = potentials.{potential}.build(data, {as_code(self._form('potentials', potential).value)})")
        checkpoint = self.session.checkpoint_code("fitting", self.fit_form.value)
        settings = as_code(self.fit_form.value)
        lines.append(f"fit = fitting.{self.method.value}.fit({' + '.join(names)}, data, {settings}{checkpoint})")
        return script(*lines)

    def _parts(self) -> list[str]:
        """Names of the potentials that are added up."""
        below = fitting_choice.base(self.potential.value)
        return [*([below] if below and self.prior.value else []), self.potential.value]

    def _form(self, room: str, name: str) -> SettingsForm:
        """The form of a method, made when it is first shown."""
        if (room, name) not in self.forms:
            made = SettingsForm(rooms.method(room, name).Settings)
            made.observe(lambda _: self._allow(), ["value", "error"])
            self.forms[room, name] = made
        return self.forms[room, name]

    def _choose(self) -> None:
        """Another potential: what it stands on, and the usual fit where the chosen one cannot solve for it."""
        below, able = fitting_choice.base(self.potential.value), fitting_choice.solvers(self.potential.value)
        self.prior.description, self.prior.disabled = fitting_choice.BASE_SAYS[below], not below
        self.prior.value = bool(below)
        if able and self.method.value not in able:
            self.method.value = able[0]
        self._show_forms()

    def _show_forms(self) -> None:
        self.fit_form = self._form("fitting", self.method.value)
        shown = {"fit": self.fit_form} | {name: self._form("potentials", name) for name in reversed(self._parts())}
        self.place.children, self.place.titles = list(shown.values()), list(shown)
        self.place.selected_index = 0
        self._allow()

    def _refusal(self) -> str:
        frames = self.session.all_atom if self.session.data is None else self.session.data
        settings = self._form("potentials", self.potential.value).value
        forms = [self.fit_form, *(self._form("potentials", name) for name in self._parts())]
        complaints = (form.error for form in forms if form.error)
        return fitting_choice.refusal(self.potential.value, self.method.value, settings, frames) or next(complaints, "")

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
        self.update_code()

    def _recall(self, job: jobs.Job) -> None:
        method = job.verb.rpartition(".")[2]
        if method not in fitting_choice.solvers(self.potential.value):
            self.potential.value = fitting_choice.solved_by(method)
        self.method.value = method
        self.fit_form.set(self.session.inputs("fitting")[-1])
        self._watch()

    def _watch(self) -> None:
        """A job begins, or is found again: what it counts, and nothing drawn of it yet."""
        self.task.unit = fitting_choice.UNITS.get(self.method.value, "iterations")
        self._running, self._earlier = self.fit_form.value, {}

    def _begin(self) -> jobs.Job:
        data = self.session.project()
        potential, *others = [rooms.method("potentials", n).build(data, self._form("potentials", n).value) for n in self._parts()]
        for other in others:
            potential = potential + other
        self._marks = self.session.marks("fit")
        self._watch()
        return self.session.start("fitting", f"fitting.{self.method.value}", potential, data, self.fit_form.value)

    def _finish(self, job: jobs.Job) -> None:
        result, known = job.result(), self.session.fit
        self.image.value = fit_pictures.finished(result) or self.image.value
        if known is None or known.parents != result.parents:
            self.session.put("fit", result, self._marks)

    def _draw(self, job: jobs.Job) -> None:
        progress = job.progress
        step, curves = progress["step"], progress.get("curves")
        if curves is not None and step in self._earlier:
            return  # drawn already
        drawn = fit_pictures.live(progress, self._running, list(self._earlier.values()))
        self.image.value = drawn or self.image.value
        self._earlier |= {} if curves is None else {step: curves}

    def summary(self) -> str:
        """What the step bar says."""
        if self.task.job is not None and self.task.job.state == "running":
            return f"running {100 * self.task.bar.value:.0f} %"
        if self.session.fit is None:
            return ""
        metrics = self.task.job.progress.get("metrics", {}) if self.task.job is not None else {}
        return fit_pictures.summary(self.session.fit, metrics)
