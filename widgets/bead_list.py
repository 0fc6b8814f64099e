"""The beads as a list: choose, name, type atoms, remove. One row a bead; all by mouse or keyboard."""

import html
from collections.abc import Callable

import ipywidgets as ipw

from widgets import frame
from widgets.bead_editor import BeadEditor, write_atoms


class BeadList(ipw.VBox):
    """Shows a :class:`BeadEditor`; every act goes through ``act(function)``, which shows what it returns or refuses."""

    def __init__(self, act: Callable[[Callable[[], str]], None]):
        self._act, self._editor, self._busy = act, None, False
        self._rows: list[tuple[ipw.HBox, ipw.HTML, ipw.Button, ipw.HTML]] = []
        self._list = ipw.VBox(layout=ipw.Layout(max_height="190px", overflow="hidden auto"))
        self.free = ipw.HTML()
        self.name = self._field("name", "A name of its own for the chosen bead.")
        self.kind = self._field("type", "Beads of one type share their interactions.")
        self.atoms = self._field("atoms", "Atoms of the chosen bead, counted from 0 within the molecule.", "1,2,5-8 counted from 0")
        self.name.observe(lambda c: self._edit(lambda: self._editor.rename(c["new"])), "value")
        self.kind.observe(lambda c: self._edit(lambda: self._editor.rename(self._editor.current.name, c["new"])), "value")
        self.atoms.observe(lambda c: self._edit(lambda: self._editor.type_atoms(c["new"])), "value")
        labels = [ipw.HTML(frame.text(label, "plain"), layout=ipw.Layout(flex="0 0 auto")) for label in ("bead", "type", "atoms")]
        lines = ipw.HBox([labels[0], self.name, labels[1], self.kind]), ipw.HBox([labels[2], self.atoms])
        for line in lines:
            line.add_class("cgw-line")
        super().__init__([self._list, self.free, *lines])

    def _field(self, name: str, tooltip: str, placeholder: str = "") -> ipw.Text:
        layout = ipw.Layout(flex="1 1 60px", width="auto", min_width="50px")
        made = ipw.Text(tooltip=tooltip, placeholder=placeholder, continuous_update=False, layout=layout)
        made.add_class(f"cgw-field-{name}")
        return made

    def _edit(self, act: Callable[[], str]) -> None:
        if not self._busy:
            self._act(act)

    def show(self, editor: BeadEditor) -> None:
        """Show the beads as they stand."""
        self._editor, self._busy = editor, True
        while len(self._rows) < len(editor.beads):
            self._rows.append(self._row(len(self._rows)))
        for i, bead in enumerate(editor.beads):
            row, chip, choose, content = self._rows[i]
            (row.add_class if i == editor.state.current else row.remove_class)("cgw-chosen")
            chip.value = f'<span style="color:{frame.BEAD_COLOURS[i % len(frame.BEAD_COLOURS)]};font-size:17px">&#9679;</span>'
            choose.description = bead.name
            names = ", ".join(editor.atom_name(a) for a in bead.atoms) or "no atoms yet"
            mass = f' &nbsp;<b style="white-space:nowrap">{editor.mass(i):.1f} amu</b>' if bead.atoms else ""
            content.value = f'<div style="overflow-wrap:anywhere">{html.escape(names)}{mass}</div>'
        self._list.children = [row for row, *_ in self._rows[: len(editor.beads)]]
        self.free.value = frame.text(_by_residue(editor))
        self.name.value, self.kind.value = editor.current.name, editor.current.kind
        self.atoms.value = write_atoms(editor.current.atoms)
        self._busy = False

    def _row(self, bead: int) -> tuple[ipw.HBox, ipw.HTML, ipw.Button, ipw.HTML]:
        chip = ipw.HTML(layout=ipw.Layout(flex="0 0 auto"))
        choose = frame.button("", "Picks go to this bead.", lambda: self._edit(lambda: self._editor.choose(bead)))
        choose.layout.flex, choose.layout.min_width = "0 0 auto", "56px"
        content = ipw.HTML(layout=ipw.Layout(flex="1 1 auto", min_width="0"))
        remove = frame.button(
            "", "Remove this bead; undo brings it back.", lambda: self._edit(lambda: self._editor.remove(bead)), icon="times"
        )
        remove.layout.flex = "0 0 auto"
        row = ipw.HBox([chip, choose, content, remove], layout=ipw.Layout(flex="0 0 auto"))
        row.add_class("cgw-bead")
        return row, chip, choose, content


def _by_residue(editor: BeadEditor, most: int = 60) -> str:
    """The free atoms as a text, residue by residue."""
    free, atoms = editor.free(), editor.copies[0]
    parts: dict[int, list[str]] = {}
    for atom in free[:most]:
        parts.setdefault(int(editor.system.residue[atoms[atom]]), []).append(f"{atom} {editor.system.atom_names[atoms[atom]]}")
    names = {int(editor.system.residue[atom]): editor.system.residue_names[atom] for atom in atoms}
    listed = "; ".join(f"{names[residue]} {', '.join(members)}" for residue, members in parts.items())
    return f"free: {listed or 'none'}{f' and {len(free) - most} more' if len(free) > most else ''}"
