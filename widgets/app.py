"""The workbench: the panels as steps over one session."""

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from widgets import frame
from widgets.fitting_panel import FittingPanel
from widgets.mapping_panel import MappingPanel
from widgets.reference_panel import ReferencePanel
from widgets.session import Session
from widgets.simulation_panel import SimulationPanel
from widgets.system_panel import SystemPanel
from widgets.validation_panel import ValidationPanel

STEPS: tuple[tuple[str, str, Callable], ...] = (
    ("System", "system", SystemPanel),
    ("Mapping", "mapping", MappingPanel),
    ("Reference", "all_atom", ReferencePanel),
    ("Model", "fit", FittingPanel),
    ("Simulate", "model", SimulationPanel),
    ("Validate", "report", ValidationPanel),
)


class Workbench(ipw.VBox):
    """``Workbench(folder)``: opened again on the same folder it shows what was there, and finds jobs that still run."""

    def __init__(self, folder: Any = "runs/workbench"):
        self.session = Session(folder)
        self.status = frame.Status()
        try:
            self.session.restore()
        except ValueError as refusal:
            self.status.refuse(str(refusal))
        self.panels: dict[str, frame.Panel] = {}
        self.here = ""
        self.buttons = {
            name: frame.button("", f"Go to step {number}.", lambda name=name: self.show(name))
            for number, (name, _, _) in enumerate(STEPS, 1)
        }
        bar = ipw.HBox(list(self.buttons.values()))
        bar.add_class("cgw-steps")
        self._place = ipw.VBox()
        style = ipw.HTML(frame.CSS, layout=ipw.Layout(display="none"))
        super().__init__([style, bar, self.status, self._place])
        self.add_class("cgw")
        for name, _, make in STEPS:
            if make in (ReferencePanel, FittingPanel, SimulationPanel):  # they watch their jobs from the start
                self._panel(name)
                self.panels[name].task.bar.observe(lambda _: self._label(), "value")
        self.session.observe(lambda _: self._label(), "changes")
        held = [name for name, noun, _ in STEPS if self.session.has(noun)]
        self.show(held[-1] if held else "System")

    def show(self, name: str) -> None:
        """Go to a step."""
        self._panel(name)
        self.here = name
        for other, panel in self.panels.items():
            panel.layout.display = "" if other == name else "none"
        for other, made in self.buttons.items():
            (made.add_class if other == name else made.remove_class)("cgw-here")
        self._label()

    def _panel(self, name: str) -> frame.Panel:
        if name not in self.panels:
            make = next(make for step, _, make in STEPS if step == name)
            self.panels[name] = make(self.session)
            self._place.children = [self.panels[step] for step, _, _ in STEPS if step in self.panels]
        return self.panels[name]

    def _label(self) -> None:
        for number, (name, noun, _) in enumerate(STEPS, 1):
            says = self.panels[name].summary() if name in self.panels else ""
            if noun in ("system", "mapping") and not says:
                says = self._brief(noun)
            if self.session.stale(noun) and not says.startswith("running"):
                says = "out of date"
            self.buttons[name].description = f"{number} {name}\n{says or '-'}"
            self.buttons[name].tooltip = f"{name}: {says}" if says else f"Go to step {number}."

    def _brief(self, noun: str) -> str:
        value = getattr(self.session, noun)
        if value is None:
            return ""
        return value.name.replace("_", " ") if noun == "system" else f"{sum(len(t.names) for t in value.templates)} beads"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        picture = self.panels[self.here]._repr_mimebundle_().get("image/png") if self.here else None
        return {**bundle, "image/png": picture} if bundle and picture else bundle
