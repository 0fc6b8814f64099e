"""All-atom sampling with forces, what the model is fitted to and judged by; and how much of the bead forces is noise."""

import dataclasses
from typing import Any

import ipywidgets as ipw

from widgets import aside, frame, plots
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code, script
from widgets.task import TaskBar, spaced
from workbench import jobs, noise, reference, types

SERIES = {"energy": "potential energy [kJ/mol]", "temperature": "temperature [K]", "density": "density [g/cm³]"}
"""What is drawn while it samples, where the run says it."""
METER_TIP = "The share of noise in the force on every bead."


class ReferencePanel(frame.Panel):
    """Works alone, ``ReferencePanel(system)``, or on a session."""

    def __init__(self, source: types.System | Session, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, system=source)
        self.form = SettingsForm(reference.Settings)
        self.image, self.bars = ipw.Image(format="png"), ipw.Image(format="png")
        self.meter = frame.button("Noise meter", "", self._measure, icon="signal")
        self.said = frame.Status()
        self.noise: noise.Noise | None = None
        self._seen: dict[str, Any] = {}
        self._busy = False
        self.task = TaskBar(self._begin, unit="frames", on_progress=self._draw, on_finished=self._finish)
        head, line = ipw.HTML(frame.text("sampling", "head")), ipw.HBox([self.meter, self.said])
        line.add_class("cgw-row")
        super().__init__([self.image, line, self.bars], [head, self.form], [self.task], self.code, lambda: self.image.value)
        self.form.observe(lambda _: self._allow(), ["value", "error"])
        self.session.observe(self._follow_system, "system")
        self.session.observe(lambda _: self._read(), "all_atom")
        self.session.observe(lambda _: self._allow(), "changes")
        self._marks, self._powerless = self.session.marks("all_atom"), ""
        self._follow_system({"new": self.session.system})
        self._read()
        self._allow()
        self.task.find(self.session.attach("reference"), lambda _: self.form.set(self.session.inputs("reference")[-1]))

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self.form.value is None:
            return f"# {self.form.error}"
        checkpoint = self.session.checkpoint_code("reference", self.form.value)
        sampled = f"all_atom = reference.sample(system, {as_code(self.form.value)}{checkpoint})"
        lines = [self.session.frames["code"] if self.session.frames else sampled]
        return script(*lines, *(["bracket = noise.measure(all_atom, mapping)"] if self.noise is not None else []))

    def _follow_system(self, change: dict) -> None:
        system = change["new"]
        if system is not None and self.form.value is not None:
            self.form.set(dataclasses.replace(self.form.value, temperature=system.state.temperature))
        self._powerless = ""
        if self.session.system_call and self.session.system_call[0] == "files" and system is not None:
            try:
                system.parameters()
            except ValueError as refusal:
                self._powerless = str(refusal)

    def _allow(self) -> None:
        session = self.session
        self.task.allow("Load a system first." if session.system is None else self._powerless or self.form.error)
        reason = "It is being measured." if self._busy else ""
        if session.all_atom is None:
            reason = "Sample the reference first, or load frames from files."
        elif session.stale("all_atom"):
            reason = "The frames belong to another system: sample again."
        elif session.all_atom.forces is None:
            reason = "These frames hold no forces."
        elif session.mapping is None or session.stale("mapping"):
            reason = "Make a mapping first."
        frame.enable(self.meter, METER_TIP, reason)
        if self._seen != session.marks("data"):  # of other frames or beads
            self.noise, self.bars.value, self.bars.layout.display = None, b"", "none"
            self.said.say(reason or METER_TIP)

    def _measure(self) -> None:
        seen, all_atom, mapping = self.session.marks("data"), self.session.all_atom, self.session.mapping
        self._busy = True
        self._allow()
        self.said.say("measuring ...")
        aside.do(lambda: noise.measure(all_atom, mapping), lambda measured: self._measured(measured, seen), self._refuse)

    def _measured(self, measured: noise.Noise, seen: dict[str, Any]) -> None:
        self._busy, self.noise, self._seen = False, measured, seen
        size = 6.4, 0.75 + 0.3 * len(measured.names)
        self.bars.value, self.bars.layout.display = frame.png(lambda ax: plots.noise(measured, ax), size=size), ""
        self.said.say("What no model of these beads can predict.")
        self._allow()

    def _refuse(self, reason: str) -> None:
        self._busy = False
        self._allow()
        self.said.refuse(reason)

    def _begin(self) -> jobs.Job:
        self._marks = self.session.marks("all_atom")
        return self.session.start("reference", "reference.sample", self.session.system, self.form.value)

    def _finish(self, job: jobs.Job) -> None:
        result, known = job.result(), self.session.all_atom
        outdated = self._marks != self.session.marks("all_atom")  # another system, which may have brought its frames
        if known is None or (known.parents != result.parents and not (outdated and self.session.has("all_atom"))):
            self.session.put("all_atom", result, self._marks)

    def _read(self) -> None:
        """What stands in the picture's place before anything is sampled."""
        if self.session.frames:
            self._say_there(self.session.frames["said"].replace(", ", ",\n", 1))
        elif self.session.all_atom is None:
            self._say_there("energy, temperature and density of the sampling\nwill be drawn here")

    def _say_there(self, message: str) -> None:
        self.image.value = frame.png(lambda ax: plots.message(message, ax), size=(6.4, 3.2))

    def _draw(self, job: jobs.Job) -> None:
        history = job.progress.get("history", {})
        if len(history.get("step", ())) < 2:
            return
        density = self.session.system.experimental_density if self.session.system is not None else None

        def draw(*axes: Any) -> None:
            for name, ax in zip(shown, axes, strict=True):
                plots.series(history, name, SERIES[name], ax, level=density if name == "density" else None)

        shown = [name for name in SERIES if any(value is not None for value in history.get(name, ()))]
        self.image.value = frame.png(draw, size=(6.4, 3.2), n_axes=len(shown))

    def summary(self) -> str:
        """What the step bar says."""
        if self.task.job is not None and self.task.job.state == "running":
            return f"running {100 * self.task.bar.value:.0f} %"
        return "" if self.session.all_atom is None else f"{spaced(len(self.session.all_atom))} frames"
