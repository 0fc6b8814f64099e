"""Mapping by hand: click atoms of the molecule into beads, or type them. The result is the trait ``mapping``."""

import pathlib
from collections.abc import Callable
from typing import Any

import ipywidgets as ipw
import numpy as np
import traitlets

from widgets import frame, plots
from widgets.bead_editor import BeadEditor
from widgets.bead_list import BeadList
from widgets.session import Session
from widgets.settings_form import as_code, script
from widgets.viewer import MoleculeView
from workbench import store, types


class MappingPanel(frame.Panel):
    """Works alone, ``MappingPanel(system)``, or on a session. ``mapping`` is None while a bead is empty."""

    mapping = traitlets.Instance(types.Mapping, None, allow_none=True)

    def __init__(self, source: types.System | Session, folder: Any = "runs/workbench"):
        self.session = Session.of(source, folder, system=source)
        self.editor: BeadEditor | None = None
        self.view = MoleculeView(self._picked)
        self.image = ipw.Image(format="png")
        still = ipw.Accordion([self.image], titles=("the same as a picture (PNG)",))
        self.beads = BeadList(self._act)
        self.add = frame.button("bead", "A new bead for the next picks.", lambda: self._act(lambda: self.editor.new_bead()), icon="plus")
        self.undo = frame.button("undo", "", lambda: self._act(lambda: self.editor.undo()), icon="undo")
        self.redo = frame.button("redo", "", lambda: self._act(lambda: self.editor.redo()), icon="repeat")
        self.clear = frame.button("clear", "Start over.", lambda: self._act(lambda: self.editor.clear()), icon="eraser")
        self.residue = ipw.Checkbox(
            description="a click takes the whole residue (as Shift-click)", indent=False, layout=ipw.Layout(width="auto")
        )
        self.like = ipw.Checkbox(value=True, indent=False, layout=ipw.Layout(width="auto"))
        self.like.observe(lambda _: self._paint(), "value")
        self.file = ipw.Text(value="mapping.json", layout=ipw.Layout(flex="1 1 90px", width="auto", min_width="70px"))
        load = frame.button("load", "Show the beads of this JSON file.", lambda: self._act(self._load), icon="folder-open")
        self.save = frame.button("save", "", lambda: self._act(self._save), icon="download")
        self.status = frame.Status()
        buttons, files = ipw.HBox([self.add, self.undo, self.redo, self.clear]), ipw.HBox([self.file, load, self.save])
        for row in (buttons, files):
            row.add_class("cgw-row")
        form = [self.beads, buttons, self.residue, self.like, files]
        super().__init__([self.view, still], form, [self.status], self.code, lambda: self.image.value)
        self._reset()
        self.session.observe(lambda _: self._reset(), "system")
        self.session.observe(lambda _: self._adopt(), "mapping")

    def code(self) -> str:
        """The workbench calls of this panel."""
        try:
            return script(f"mapping = mappings.by_pick.build(system, None, {as_code(self.editor.settings())})")
        except (ValueError, AttributeError) as refusal:
            return f"# {refusal}"

    def summary(self) -> str:
        """What the step bar says."""
        return f"{len(self.editor.beads)} beads" if self.mapping is not None else ""

    def _reset(self) -> None:
        system = self.session.system
        if system is None:
            self.view.children = []
            self.status.refuse("load a system first.")
            return
        self.editor = BeadEditor(system)
        copies = len(self.editor.copies)
        self.like.description = f"apply to all {copies} like molecules" if copies > 1 else "apply to all like molecules"
        self.like.disabled = copies == 1
        self.like.tooltip = "Show the beads on every molecule of this kind; the mapping holds for all of them."
        if copies == 1:
            self.like.tooltip = "There is one molecule of this kind."
        self.view.show(system, self.editor.copies.ravel())
        self._adopt()
        self._refresh()

    def _adopt(self) -> None:
        """Show a mapping that came from elsewhere."""
        mapping = self.session.mapping
        if self.editor is not None and mapping is not None and mapping is not self.mapping:
            self._act(lambda: self.editor.load(mapping))

    def _picked(self, atom: int, shift: bool = False) -> None:
        self._act(lambda: self.editor.toggle(atom, residue=shift or self.residue.value))

    def _act(self, act: Callable[[], str]) -> None:
        """Do something to the beads, show its note, or the one sentence of why it cannot be."""
        try:
            note = act()
        except (ValueError, OSError, store.DiskFull) as refusal:
            self._refresh()
            self.status.refuse(str(refusal))
            return
        self._refresh()
        if note:
            self.status.say(note)

    def _refresh(self) -> None:
        editor = self.editor
        try:
            self.mapping = editor.mapping()
            self.status.say(f"{len(editor.beads)} beads, {len(editor.free())} of {editor.n_atoms} atoms in none.")
        except ValueError as incomplete:
            self.mapping = None
            empty = not any(bead.atoms for bead in editor.beads)
            self.status.say("click an atom, or type its number under 'atoms'." if empty else str(incomplete))
        self.session.mapping = self.mapping
        self.beads.show(editor)
        frame.enable(self.undo, "Take the last act back.", "" if editor.can_undo else "There is nothing to take back.")
        frame.enable(self.redo, "Do again what was taken back.", "" if editor.can_redo else "Nothing was taken back.")
        frame.enable(self.save, "Write this mapping as JSON.", "" if self.mapping else "There is no complete mapping yet.")
        self._paint()

    def _paint(self) -> None:
        editor = self.editor
        copies = editor.copies if self.like.value else editor.copies[:1]
        colour = {int(atom): frame.FREE_COLOUR for atom in self.view.atoms}
        spheres = []
        for i, bead in enumerate(editor.beads):
            if bead.atoms:
                shade = frame.BEAD_COLOURS[i % len(frame.BEAD_COLOURS)]
                colour.update(dict.fromkeys(copies[:, list(bead.atoms)].ravel().tolist(), shade))
                inside = editor.system.positions[copies[0, list(bead.atoms)]]
                radius = 0.07 + float(np.sqrt(inside.var(0).sum()))
                drawn = np.isin(copies[:, 0], self.view.atoms)
                spheres += [(at, radius, shade) for at in editor.centres(i)[: len(copies)][drawn]]
        self.view.paint([colour[int(atom)] for atom in self.view.atoms], spheres)
        self.image.value = frame.png(lambda ax: plots.molecule(editor.system, self.mapping, ax))

    def _load(self) -> str:
        path = pathlib.Path(self.file.value.strip())
        if not path.is_file():
            raise ValueError(f"there is no file {path}: give the name of a mapping saved as JSON.")
        return self.editor.load(store.load(path))

    def _save(self) -> str:
        return f"saved as {store.save(self.mapping, pathlib.Path(self.file.value.strip())).resolve()}."
