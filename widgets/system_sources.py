"""Where a system comes from: the library, a SMILES, or files. Each source names a file of ``workbench.systems`` and its Settings."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw
import traitlets

from widgets import frame
from widgets.settings_form import SettingsForm
from widgets.smiles_preview import SmilesPreview
from workbench import rooms, store, trajectory_files
from workbench import settings as _settings

OTHERS = {"smiles": "SMILES", "files": "files"}
"""Files of ``workbench.systems`` with a source of their own; all others are the library."""


class Source(ipw.VBox):
    """The form of the file ``name``, under the widgets ``above`` and with those ``below`` a field.

    ``changed()`` is called whenever ``error`` or the Settings may differ; ``refuse(settings)`` says why valid ones cannot be loaded, or ''.
    """

    name = traitlets.Unicode()
    error = traitlets.Unicode("", help="Why this cannot be loaded, or ''.")

    def __init__(
        self,
        name: str,
        changed: Callable[[], None],
        *,
        above: Sequence[ipw.Widget] = (),
        below: dict[str, ipw.Widget] | None = None,
        refuse: Callable[[Any], str] = lambda _: "",
    ):
        super().__init__()
        self._changed, self._above, self._below, self._refuse = changed, above, below, refuse
        self.observe(lambda _: self.recall(self.name), "name")
        self.name = name

    def recall(self, name: str, options: dict | None = None) -> None:
        """Show the form of the file ``name``, with the options that it was loaded with where they are given."""
        self.name = name
        method = rooms.method("systems", name)
        start = method.Settings() if options is None else _settings.from_dict(method.Settings, options)
        self.form = SettingsForm(start, below=self._below)
        self.form.observe(lambda _: self._edited(), ["value", "error"])
        about = " ".join(method.__doc__.split("\n\n")[0].split())
        self.children = [*self._above, ipw.HTML(frame.text(about, "help")), self.form]
        self._edited()

    def _edited(self) -> None:
        self.error = self.form.error or self._refuse(self.form.value)
        self._changed()


def named(changed: Callable[[], None]) -> Source:
    """Every file of ``workbench.systems`` that is a system of its own."""
    names = [name for name in rooms.available("systems") if name not in OTHERS]
    choice = ipw.Dropdown(options=[(name.replace("_", " "), name) for name in names], layout=ipw.Layout(width="98%"))
    choice.add_class("cgw-field-library")
    source = Source(choice.value, changed, above=[choice])
    traitlets.link((choice, "value"), (source, "name"))
    return source


def smiles(changed: Callable[[], None]) -> Source:
    """A SMILES that is typed, with its picture."""
    preview = SmilesPreview()
    return Source("smiles", changed, below={"smiles": preview}, refuse=lambda settings: preview.show(settings.smiles))


def files(changed: Callable[[], None], folder: pathlib.Path) -> Source:
    """Paths that are typed, or files that are uploaded into ``folder``."""
    note = ipw.HTML(frame.text("or type paths on the machine that runs this notebook: best for large files.", "help"))
    upload = ipw.FileUpload(multiple=True, description="Upload topology and trajectory", layout=ipw.Layout(width="98%"))
    upload.tooltip = "One file or several at once; what each is follows from its ending."

    def refuse(settings: Any) -> str:
        return "" if settings.topology else "Choose a topology file first."

    source = Source("files", changed, above=[upload, note], refuse=refuse)

    def keep(change: dict) -> None:
        if change["new"]:
            try:
                _keep(change["new"], folder, source.form)
                note.value = frame.text(f"kept in {near(folder)}.", "help")
            except (OSError, store.DiskFull) as refusal:
                note.value = frame.text(str(refusal), "bad")
            upload.value = ()

    upload.observe(keep, "value")
    return source


def _keep(uploaded: Sequence[dict], folder: pathlib.Path, form: SettingsForm) -> None:
    """Save what was uploaded and show its paths: by its ending a trajectory, a force field, or else the topology."""
    shown, force_field = _settings.to_dict(form.value or form.start), []
    for file in uploaded:
        path = folder / pathlib.PurePath(file["name"]).name
        store.write_bytes(path, bytes(file["content"]))
        ending = path.suffix.lower().removeprefix(".")
        if ending == "xml":
            force_field.append(near(path))
        else:
            shown["trajectory" if ending in trajectory_files.ENDINGS else "topology"] = near(path)
    form.set(_settings.from_dict(type(form.start), {**shown, "force_field": force_field or shown["force_field"]}))


def near(path: pathlib.Path) -> str:
    """A path as short as it can be typed here."""
    return os.path.relpath(path) if path.is_relative_to(pathlib.Path.cwd()) else str(path)
