"""Which atoms make a bead: by a method of the room, by clicks, typed, or from a file. The result is the trait ``mapping``."""

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw
import traitlets

from widgets import aside, frame, plots
from widgets.bead_editor import BeadEditor
from widgets.bead_list import BeadList
from widgets.bead_view import BeadView
from widgets.mapping_compare import MappingCompare
from widgets.mapping_file_row import MappingFileRow, origin
from widgets.mapping_scheme import MappingScheme
from widgets.session import Session
from widgets.settings_form import as_code, script
from workbench import store, types


class MappingPanel(frame.Panel):
    """Works alone, ``MappingPanel(system)``, or on a session. ``mapping`` is None while a bead is empty."""

    mapping = traitlets.Instance(types.Mapping, None, allow_none=True)

    def __init__(self, source: types.System | Session, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, system=source)
        self.editor: BeadEditor | None = None
        self._wrote: list[str] = []
        self.view = BeadView(self._picked, height="max(150px, calc(var(--cgw-height, 450px) - var(--cgw-below, 36px)))")
        self.image = ipw.Image(format="png")
        still = ipw.Accordion([self.image], titles=("the same as a picture (PNG)",))
        self.status = frame.Status()
        self.scheme = MappingScheme(self.session, self._take, self._weigh, self.status.say, self.status.refuse)
        self.beads = BeadList(self._act)
        self.add = frame.button("bead", "A new bead for the next picks.", lambda: self._act(lambda: self.editor.new_bead()), icon="plus")
        self.undo = frame.button("undo", "", lambda: self._act(lambda: self.editor.undo()), icon="undo")
        self.redo = frame.button("redo", "", lambda: self._act(lambda: self.editor.redo()), icon="repeat")
        self.clear = frame.button("clear", "Start over.", lambda: self._act(lambda: self.editor.clear()), icon="eraser")
        narrow = ipw.Layout(width="auto")
        self.residue = ipw.Checkbox(description="a click takes the residue (Shift-click)", indent=False, layout=narrow)
        self.like = ipw.Checkbox(value=True, indent=False, layout=narrow)
        self.like.observe(lambda _: self._paint(), "value")
        load = frame.button("load", "Show the beads of this file.", lambda: self._act(self._load))
        self.save = frame.button("save", "", lambda: self._act(self._save))
        self.files = MappingFileRow(load, self.save)
        self.file = self.files.name
        buttons = ipw.HBox([self.add, self.undo, self.redo, self.clear])
        buttons.add_class("cgw-row")
        form = [self.scheme, self.beads, buttons, self.residue, self.like, self.files]
        self.compare = MappingCompare(self.session, self._take, self.status.refuse)
        super().__init__([self.view, self.compare, still], form, [self.status], self.code, lambda: self.image.value)
        self.add_class("cgw-mapping")
        self._reset()
        self.session.observe(lambda _: self._reset(), "system")
        self.session.observe(lambda _: self._adopt(), "mapping")

    def code(self) -> str:
        """The workbench calls of this panel."""
        try:
            return script(self._made(), *self.compare.code(), *self._wrote)
        except (ValueError, AttributeError) as refusal:
            return f"# {refusal}"

    def _made(self) -> str:
        """The call that makes the mapping."""
        loaded = self.editor.loaded
        picked = "mapping = mappings.by_pick.build(system, None, {})"
        return loaded.code if loaded and loaded.code else picked.format(as_code(self.editor.settings()))

    def summary(self) -> str:
        """What the step bar says."""
        count = len(self.editor.beads) if self.mapping is not None else 0
        return f"{count} bead{'s' if count > 1 else ''}" if count else ""

    def _reset(self) -> None:
        system = self.session.system
        if system is None:
            self.view.children = []
            self.status.refuse("load a system first.")
            return
        self.editor = BeadEditor(system)
        copies = len(self.editor.copies)
        self.like.description, self.like.disabled = f"apply to all{f' {copies}' if copies > 1 else ''} like molecules", copies == 1
        many = "Show the beads on every molecule of this kind; the mapping holds for all of them."
        self.like.tooltip = many if copies > 1 else "There is one molecule of this kind."
        self.view.show(system, self.editor.copies.ravel())
        self._adopt()
        self._refresh()

    def _adopt(self) -> None:
        """Show a mapping that came from elsewhere."""
        mapping = self.session.mapping
        if self.editor is not None and mapping is not None and mapping is not self.mapping:
            self._act(lambda: self.editor.load(mapping, *origin(mapping, self.session)))

    def _picked(self, atom: int, shift: bool = False) -> None:
        self._act(lambda: self.editor.toggle(atom, residue=shift or self.residue.value))

    def _take(self, mapping: types.Mapping, code: str, title: str) -> None:
        self._act(lambda: self.editor.load(mapping, code, title))

    def _weigh(self, weights: str) -> None:
        self._act(lambda: self.editor.weigh(weights))

    def _act(self, act: Callable[[], str]) -> None:
        """Do something to the beads, show its note, or the one sentence of why it cannot be."""
        note, tell = "", self.status.say
        try:
            note = act()
        except aside.REFUSALS as refusal:
            note, tell = str(refusal), self.status.refuse
        self._refresh()
        if note:
            tell(note)

    def _refresh(self) -> None:
        editor, before = self.editor, self.mapping
        try:
            self.mapping = editor.mapping()
            self.status.say(f"{self.summary()}, {editor.title}; {len(editor.free())} of {editor.n_atoms} atoms in none.")
        except ValueError as incomplete:
            self.mapping = None
            empty = not any(bead.atoms for bead in editor.beads)
            self.status.say("click an atom, or type its number under 'atoms'." if empty else str(incomplete))
        if store.identity(before) != store.identity(self.mapping):
            self._wrote = []
        self.session.mapping = self.mapping
        self.beads.show(editor)
        self.compare.show(self.mapping, self._made() if self.mapping else "", editor.title)
        self.scheme.show_weights(editor.state.weights)
        frame.enable(self.undo, "Take the last act back.", "" if editor.can_undo else "There is nothing to take back.")
        frame.enable(self.redo, "Do again what was taken back.", "" if editor.can_redo else "Nothing was taken back.")
        frame.enable(self.save, "Write this mapping into this file.", "" if self.mapping else "There is no complete mapping yet.")
        self._paint()

    def _paint(self) -> None:
        self.view.draw(self.editor, self.editor.copies if self.like.value else self.editor.copies[:1])
        self.image.value = frame.png(lambda ax: plots.molecule(self.editor.system, self.mapping, ax))

    def _load(self) -> str:
        return self.editor.load(*self.files.read(self.editor.system))

    def _save(self) -> str:
        self._wrote.append(self.files.write(self.mapping, self.editor.system))
        return f"saved as {self.files.path.resolve()}."
