"""Which molecule, in which surroundings, with which force field."""

from typing import Any

import ipywidgets as ipw
import numpy as np

from widgets import frame, plots
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code, script
from widgets.viewer import MoleculeView
from workbench import rooms
from workbench import settings as _settings


class SystemPanel(frame.Panel):
    """A form for every file of ``workbench.systems``; Load builds the system of the form."""

    def __init__(self, session: Session | None = None, folder: Any = "runs/workbench"):
        self.session = Session.of(session or Session(folder))
        self.view = MoleculeView()
        self.image = ipw.Image(format="png")
        still = ipw.Accordion([self.image], titles=("the same as a picture (PNG)",))
        names = rooms.available("systems")
        self.choice = ipw.Dropdown(options=[(name.replace("_", " "), name) for name in names], layout=ipw.Layout(width="98%"))
        self.choice.observe(lambda _: self._show_form(), "value")
        self.place = ipw.VBox()
        self.load = frame.button("Load", "", self._load, icon="check", accent=True)
        self.status = frame.Status()
        head = ipw.HTML(frame.text("system", "head"))
        super().__init__(
            [self.view, still], [head, self.choice, self.place], [ipw.HBox([self.load]), self.status], self.code, lambda: self.image.value
        )
        if self.session.system_call:
            self.choice.value = self.session.system_call[0]
        self._show_form()
        self.session.observe(lambda _: self._show(), "system")
        self._show()

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self.form.value is None:
            return f"# {self.form.error}"
        options = as_code(self.form.value).partition("(")[2][:-1]
        return script(f'system = systems.load("{self.choice.value}"{", " if options else ""}{options})')

    def summary(self) -> str:
        """What the step bar says."""
        return "" if self.session.system is None else self.session.system.name.replace("_", " ")

    def _show_form(self) -> None:
        method = rooms.method("systems", self.choice.value)
        start = method.Settings()
        if self.session.system_call and self.session.system_call[0] == self.choice.value:
            start = _settings.from_dict(method.Settings, self.session.system_call[1])
        self.form = SettingsForm(start)
        self.form.observe(lambda _: self._allow(), ["value", "error"])
        self.place.children = [self.form]
        self._allow()

    def _allow(self) -> None:
        frame.enable(self.load, "Build this system.", self.form.error)

    def _load(self) -> None:
        call = self.choice.value, _settings.to_dict(self.form.value)
        if call == self.session.system_call and self.session.system is not None:
            self._show()
            return
        self.status.say("building ...")
        try:
            system = rooms.method("systems", self.choice.value).load(self.form.value)
        except (ValueError, OSError) as refusal:
            self.status.refuse(str(refusal))
            return
        self.session.system_call = call
        self.session.system = system

    def _show(self) -> None:
        system = self.session.system
        if system is None:
            self.image.value = frame.png(lambda ax: plots.message("choose a system and load it", ax))
            self.status.say("choose a system and load it.")
            return
        copies = next(iter(system.kinds().values()))
        drawn = copies.ravel() if len(copies) > 1 else np.arange(system.n_atoms)
        self.view.show(system, drawn)
        self.view.paint([ELEMENTS.get(system.elements[a], "#999999") for a in self.view.atoms], [])
        self.image.value = frame.png(lambda ax: plots.molecule(system, None, ax))
        hidden = system.n_atoms - len(self.view.atoms)
        molecules = int(system.molecule[-1]) + 1
        note = f"; the last {hidden} atoms are not drawn" if hidden else ""
        self.status.say(f"{system.n_atoms} atoms in {molecules} molecule{'s' if molecules > 1 else ''}{note}. {system.source}.")


ELEMENTS = {"H": "#DDDDDD", "C": "#606060", "N": "#0072B2", "O": "#D55E00", "S": "#E6C200", "P": "#E69F00"}
