"""Which molecule, in which surroundings, with which force field: from the library, a SMILES, or files."""

from typing import Any

import ipywidgets as ipw
import numpy as np

from widgets import aside, file_frames, frame, plots, system_sources
from widgets.session import Session
from widgets.settings_form import as_code, script
from widgets.system_sources import OTHERS, Source
from widgets.viewer import MoleculeView
from workbench import rooms, store, units
from workbench import settings as _settings
from workbench.types import System

ELEMENTS = {"H": "#DDDDDD", "C": "#606060", "N": "#0072B2", "O": "#D55E00", "S": "#E6C200", "P": "#E69F00"}
HINT = "choose a system and load it."


class SystemPanel(frame.Panel):
    """Three sources, each with the form of a file of ``workbench.systems``; Load builds the system of the form."""

    def __init__(self, session: Session | None = None, folder: Any = "runs/workbench"):
        self.session = Session.of(session or Session(folder))
        self.view, self.image = MoleculeView(), ipw.Image(format="png")
        still = ipw.Accordion([self.image], titles=("the same as a picture (PNG)",))
        self._busy = False
        self.load = frame.button("Load", "", self._load, icon="check", accent=True)
        self.status = frame.Status()
        self.kind = ipw.ToggleButtons(
            options=["library", "SMILES", "files"],
            tooltips=["Systems that come with the workbench.", "A molecule or a liquid from its SMILES.", "Files of other programs."],
            style={"button_width": "auto"},
        )
        self.kind.add_class("cgw-sources")
        self.place = ipw.VBox()
        self.sources: dict[str, Source] = {}
        self.sources["library"] = system_sources.named(self._allow)
        self.sources["SMILES"] = system_sources.smiles(self._allow)
        self.sources["files"] = system_sources.files(self._allow, self.session.folder / "uploads")
        form = [ipw.HTML(frame.text("system", "head")), self.kind, self.place]
        super().__init__([self.view, still], form, [ipw.HBox([self.load]), self.status], self.code, lambda: self.image.value)
        self.kind.observe(lambda _: self._choose(), "value")
        if self.session.system_call:
            name, options = self.session.system_call
            self.kind.value = OTHERS.get(name, "library")
            self.source.recall(name, options)
        self._choose()
        self.session.observe(lambda _: self._show(), "system")
        self.session.observe(lambda _: self._tell(), "all_atom")
        self._show()

    @property
    def source(self) -> Source:
        """The source that is shown."""
        return self.sources[self.kind.value]

    @property
    def form(self) -> Any:
        """The form of the file that is chosen."""
        return self.source.form

    def code(self) -> str:
        """The workbench calls of this panel."""
        if self.source.error:
            return f"# {self.source.error}"
        options = as_code(self.form.value).partition("(")[2][:-1]
        lines = [f'system = systems.load("{self.source.name}"{", " if options else ""}{options})']
        if self.session.frames and self._call() == self.session.system_call:
            lines.append(self.session.frames["code"])
        return script(*lines)

    def summary(self) -> str:
        """What the step bar says."""
        return "" if self.session.system is None else self.session.system.name.replace("_", " ")

    def _choose(self) -> None:
        self.place.children = [self.source]
        self._allow()

    def _allow(self) -> None:
        if self.kind.value in self.sources:
            frame.enable(self.load, "Build this system.", "It is being built." if self._busy else self.source.error)

    def _call(self) -> tuple[str, dict]:
        return self.source.name, _settings.to_dict(self.form.value)

    def _load(self) -> None:
        name, settings, session, call = self.source.name, self.form.value, self.session, self._call()
        if call == session.system_call and session.system is not None and name != "files":  # files may have changed
            self._show()
            return

        def build() -> tuple:
            system = rooms.method("systems", name).load(settings)
            return (system, *file_frames.read(settings, system, session.folder)) if getattr(settings, "trajectory", "") else (system,)

        self._wait(True)
        self.status.say("building ...")
        aside.do(build, lambda made: self._built(call, *made), self._refuse)

    def _built(self, call: tuple[str, dict], system: System, *frames: Any) -> None:
        self._wait(False)
        session, (_, read) = self.session, frames or (None, None)
        if call == session.system_call and read == session.frames and store.identity(system) == store.identity(session.system):
            self._show()  # the same files again
        else:
            session.adopt(call, system, *frames)

    def _wait(self, busy: bool) -> None:
        self._busy = busy
        self._allow()

    def _refuse(self, reason: str) -> None:
        self._wait(False)
        self.status.refuse(reason)

    def _show(self) -> None:
        system = self.session.system
        if system is None:
            self.image.value = frame.png(lambda ax: plots.message(HINT.rstrip("."), ax))
            self.view.children = [ipw.HTML(frame.text("the system will be shown here."))]
            self.status.say(HINT)
            return
        copies = next(iter(system.kinds().values()))
        self.view.show(system, copies.ravel() if len(copies) > 1 else np.arange(system.n_atoms))
        self.view.paint([ELEMENTS.get(system.elements[a], "#999999") for a in self.view.atoms], [])
        self.image.value = frame.png(lambda ax: plots.molecule(system, None, ax))
        self._tell()

    def _tell(self) -> None:
        system, frames = self.session.system, self.session.frames
        if system is not None:
            hidden = system.n_atoms - len(self.view.atoms)
            note = f"; the last {hidden} atoms are not drawn" if hidden else ""
            read = f" {frames['said']}." if frames else ""
            self.status.say(f"{described(system)}{note}. {system.source}.{read}")


def described(system: System) -> str:
    """Atoms, molecules, box and density of a system."""
    molecules = int(system.molecule[-1]) + 1
    text = f"{system.n_atoms} atoms in {molecules} molecule{'s' if molecules > 1 else ''}"
    if system.box is None:
        return f"{text}, no box"
    density = system.masses.sum() / system.box.prod() / units.GRAM_PER_CM3
    text += f", box {' × '.join(f'{length:.2f}' for length in system.box)} nm, density {density:.3f} g/cm³"
    return text if system.experimental_density is None else f"{text} (experiment {system.experimental_density:.3f})"
