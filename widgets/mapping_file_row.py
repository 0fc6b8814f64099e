"""Mappings in files: of this workbench (JSON) or of other programs, told apart by the ending of their name."""

import contextlib
import pathlib

import ipywidgets as ipw

from widgets.bead_editor import BeadEditor
from widgets.session import Session
from workbench import mapping_files, store, types
from workbench.mappings import by_pick

KINDS = {
    "JSON": "json",
    "GROMACS index": "ndx",
    "VOTCA XML": "xml",
    "CGSmiles": "cgsmiles",
    "bead list": "beads",
}


class MappingFileRow(ipw.HBox):
    """A name, its kind, and the buttons ``load`` and ``save``. A kind that is chosen changes the ending; a typed ending the kind."""

    def __init__(self, load: ipw.Button, save: ipw.Button):
        self.name = ipw.Text(value="mapping.json", layout=ipw.Layout(flex="1 1 90px", width="auto", min_width="70px"))
        self.name.add_class("cgw-field-file")
        options = list(KINDS.items())
        self.kind = ipw.Dropdown(options=options, tooltip="What the file is read by.", layout=ipw.Layout(flex="0 1 112px", width="auto"))
        self.kind.add_class("cgw-field-kind")
        self.name.observe(lambda _: self._typed(), "value")
        self.kind.observe(lambda _: self._chosen(), "value")
        super().__init__([self.name, self.kind, load, save])
        self.add_class("cgw-row")

    @property
    def path(self) -> pathlib.Path:
        """What was typed."""
        return pathlib.Path(self.name.value.strip())

    def read(self, system: types.System) -> tuple[types.Mapping, str, str]:
        """The mapping of the file, the call that read it, and a title. Raises ``ValueError`` of one sentence."""
        path = self.path
        if not path.is_file():
            raise ValueError(f"there is no file {path}: give the name of a mapping file; its ending tells the kind.")
        return mapping_files.read(path, system), f'mapping = mapping_files.read("{path}", system)', path.name

    def write(self, mapping: types.Mapping, system: types.System) -> str:
        """Write the file; the call that wrote it."""
        mapping_files.write(mapping, system, self.path)
        return f'mapping_files.write(mapping, system, "{self.path}")'

    def _ending(self) -> str:
        ending = self.path.suffix.lower().removeprefix(".")
        return next((own for own in KINDS.values() if mapping_files.ENDINGS[own] == mapping_files.ENDINGS.get(ending)), "")

    def _typed(self) -> None:
        self.kind.value = self._ending() or self.kind.value

    def _chosen(self) -> None:
        if self.kind.value != self._ending():
            self.name.value = str(self.path.with_suffix(f".{self.kind.value}"))


def origin(mapping: types.Mapping, session: Session) -> tuple[str, str]:
    """The call that gives a mapping from elsewhere, '' where by_pick makes the same, and what to call it."""
    with contextlib.suppress(ValueError):
        picked = BeadEditor(session.system)
        picked.load(mapping)
        if store.identity(by_pick.build(session.system, None, picked.settings())) == store.identity(mapping):
            return "", ""
    kept = session.folder / "mapping.json"
    if kept.is_file() and store.identity(store.load(kept)) == store.identity(mapping):
        return f'mapping = store.load("{kept}")', "of this session"
    return "# this mapping was made elsewhere in this notebook: save it here, then load it", "of this session"
