"""How beads are made: every file of ``workbench.mappings`` with the form of its Settings; for the graph a slider over its levels."""

import dataclasses
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import ipywidgets as ipw

from widgets import aside, frame
from widgets.graph_levels import GraphLevels
from widgets.session import Session
from widgets.settings_form import SettingsForm, as_code
from workbench import rooms

BY_PICK, GRAPH = "by_pick", "spectral"
HIDDEN = {BY_PICK: ("atoms", "names", "types", "molecule"), GRAPH: ("level",)}
"""Fields that are set on screen by other means: by clicks, by the slider."""
NO_FRAMES = "frames are needed: sample them in step 3 Reference, or load them with the system."


class MappingScheme(ipw.VBox):
    """``take(mapping, code, title)`` gets what was built and the call that built it; ``weigh(word)`` where picked beads stand.

    ``say`` and ``refuse`` tell the person how it goes.
    """

    def __init__(self, session: Session, take: Callable, weigh: Callable[[str], None], say: Callable, refuse: Callable):
        self.session, self._take, self._weigh, self._say, self._refuse = session, take, weigh, say, refuse
        self.forms: dict[str, SettingsForm] = {}
        self._turn, self._running, self._busy = 0, False, False
        names = [BY_PICK, *(name for name in rooms.available("mappings") if name != BY_PICK)]
        options = [(name.replace("_", " "), name) for name in names]
        self.choice = ipw.Dropdown(options=options, layout=ipw.Layout(flex="1 1 90px", width="auto", min_width="0"))
        self.choice.add_class("cgw-field-scheme")
        self.build = frame.button("build", "", self._press, icon="cogs")
        self.level = GraphLevels(self._make)
        self.settings = ipw.Accordion([ipw.VBox()], titles=("settings",))
        line = ipw.HBox([ipw.HTML(frame.text("scheme", "plain")), self.choice, self.build])
        line.add_class("cgw-line")
        super().__init__([line, self.level, self.settings])
        self.choice.observe(lambda _: self._choose(), "value")
        session.observe(lambda _: (self._halt(), self._choose()), "system")
        session.observe(lambda _: self._allow(), "changes")
        self._choose()

    @property
    def method(self) -> ModuleType:
        """The file that is chosen."""
        return rooms.method("mappings", self.choice.value)

    @property
    def form(self) -> SettingsForm:
        """The form of its Settings."""
        return self.forms[self.choice.value]

    def show_weights(self, weights: str) -> None:
        """Show where picked beads stand, without telling anyone."""
        self._busy, form = True, self.forms[BY_PICK]
        form.set(dataclasses.replace(form.start, weights=weights))
        self._busy = False

    def _choose(self) -> None:
        name, method = self.choice.value, self.method
        if name not in self.forms:
            self.forms[name] = SettingsForm(method.Settings, hidden=HIDDEN.get(name, ()))
            self.forms[name].observe(lambda _: self._edited(), ["value", "error"])
        about = " ".join(method.__doc__.split("\n\n")[0].split())
        self.settings.children = [ipw.VBox([ipw.HTML(frame.text(about, "help")), self.form])]
        self.level.layout.display = "" if name == GRAPH else "none"
        self.build.layout.display = "none" if name == BY_PICK else ""
        if name == GRAPH:
            self._count(lambda: None)
        self._allow()

    def _edited(self) -> None:
        self._allow()
        if self._busy or self.form.value is None:
            return
        if self.choice.value == BY_PICK:
            self._weigh(self.form.value.weights)
        elif self.choice.value == GRAPH:
            self._count(self._make)

    def _count(self, then: Callable[[], None]) -> None:
        """Let the slider run over the levels that the graph has."""
        settings, system = self.form.value, self.session.system
        if settings is None or system is None:
            return
        self._do(lambda: self.method.levels(system, settings), lambda found: (self.level.show(list(map(len, found))), then()))

    def _allow(self) -> None:
        learns = _learns(self.method) and not self.session.has("all_atom")
        reason = "Load a system first." if self.session.system is None else self.form.error or (f"F{NO_FRAMES[1:]}" if learns else "")
        self.build.description, self.build.icon = ("stop", "stop") if self._running else ("build", "cogs")
        self.choice.disabled = self._running
        tip = "Stop; the beads stay as they are." if self._running else "Make these beads; clicks go on from there."
        frame.enable(self.build, tip, "" if self._running else reason)

    def _press(self) -> None:
        if self._running:
            self._halt()
            self._say("stopped: the beads are as they were.")
        else:
            self._make()

    def _halt(self) -> None:
        """Let go of what is being worked on."""
        self._turn, self._running = self._turn + 1, False
        self._allow()

    def _make(self) -> None:
        name, method, session, settings = self.choice.value, self.method, self.session, self.form.value
        if settings is None or session.system is None:
            return
        system, learns, title = session.system, _learns(method), name.replace("_", " ")
        if name == GRAPH:
            settings, title = dataclasses.replace(settings, level=self.level.value), f"{title}, level {self.level.value}"
        code = f"mapping = mappings.{name}.build(system, {'all_atom' if learns else 'None'}, {as_code(settings)})"
        frames, turn = session.all_atom if learns else None, self._turn + 1
        watch = {"on_step": lambda step, metrics: self._step(turn, step, metrics)} if learns else {}
        self._running = learns
        self._allow()
        self._do(lambda: method.build(system, frames, settings, **watch), lambda made: self._take(made, code, title))

    def _do(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Work beside the event loop; what was asked for later wins."""
        turn = self._turn = self._turn + 1

        def end(act: Callable, value: Any) -> None:
            if turn == self._turn:
                self._running = False
                self._allow()
                act(value)

        aside.do(work, lambda made: end(done, made), lambda reason: end(self._refuse, reason))

    def _step(self, turn: int, step: int, metrics: dict) -> None:
        """Between two steps of a learning method, in its thread."""
        if turn != self._turn:
            raise ValueError("stopped: the beads are as they were.")
        if step % max(1, metrics["total"] // 50) == 0:
            self._say(f"learning: {step} of {metrics['total']} epochs ...")


def _learns(method: ModuleType) -> bool:
    """Whether a method learns from frames: it is long, and reports its steps."""
    return "on_step" in inspect.signature(method.build).parameters
