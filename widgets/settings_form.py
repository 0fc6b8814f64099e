"""A form made from any ``Settings``: every field with its unit and help; what the class refuses, the form says."""

import ast
import dataclasses
import importlib.util
import numbers
import re
import types
import typing
from typing import Any

import ipywidgets as ipw
import traitlets

from widgets import frame


class SettingsForm(ipw.VBox):
    """Fields of a ``Settings`` class. ``hidden`` names fields that the panel sets itself and the form leaves out."""

    value = traitlets.Any(None, allow_none=True, help="The Settings, or None while something is wrong.")
    error = traitlets.Unicode("", help="One sentence of what is wrong, or ''.")

    def __init__(self, start: Any, *, hidden: tuple[str, ...] = ()):
        self.start = start if not isinstance(start, type) else start()
        self._hints = typing.get_type_hints(type(self.start))
        self._inputs: dict[str, Any] = {}
        self._busy = False
        super().__init__()
        rows: list[ipw.Widget] = []
        for field in dataclasses.fields(self.start):
            if field.name not in hidden:
                rows += self._row(field)
        self._complaint = ipw.HTML()
        self.children = [*rows, self._complaint]
        self.add_class("cgw-fields")
        self._read()

    def _row(self, field: dataclasses.Field) -> list[ipw.Widget]:
        value, kind, meta = getattr(self.start, field.name), self._hints[field.name], field.metadata
        if dataclasses.is_dataclass(value):
            made = SettingsForm(value)
            made.layout.margin = "0 0 0 10px"
            made.observe(lambda _: self._read(), "value")
            made.observe(lambda _: self._read(), "error")
            self._inputs[field.name] = made
            return [ipw.HTML(frame.text(field.name.replace("_", " "), "head")), made]
        hover = f"{meta.get('help', '')} {_range(meta)}".strip()
        wide = ipw.Layout(width="46%")
        if kind is bool:
            made = ipw.Checkbox(value=value, indent=False, tooltip=hover, layout=wide)
        elif meta.get("choices"):
            made = ipw.Dropdown(options=[(str(c), c) for c in meta["choices"]], value=value, tooltip=hover, layout=wide)
        else:
            made = ipw.Text(value=_show(value), tooltip=hover, layout=wide, placeholder="none" if _optional(kind) else "")
        made.add_class(f"cgw-field-{field.name}")
        made.observe(lambda _: self._read(), "value")
        self._inputs[field.name] = made
        unit = f" [{meta['unit']}]" if meta.get("unit") else ""
        label = ipw.HTML(frame.text(_label(field.name) + unit, "plain"), layout=ipw.Layout(width="52%"))
        label.tooltip = hover
        return [ipw.HBox([label, made]), ipw.HTML(frame.text(hover, "help"))]

    def set(self, settings: Any) -> None:
        """Show other values."""
        self._busy = True
        for name, made in self._inputs.items():
            value = getattr(settings, name)
            if isinstance(made, SettingsForm):
                made.set(value)
            else:
                made.value = _show(value) if isinstance(made, ipw.Text) else value
        self.start, self._busy = settings, False
        self._read()

    def _read(self) -> None:
        if self._busy:
            return
        try:
            changed = {name: self._value_of(name, made) for name, made in self._inputs.items()}
            value, error = dataclasses.replace(self.start, **changed), ""
        except ValueError as refusal:
            value, error = None, str(refusal)
        self._complaint.value = frame.text(error, "bad") if error else ""
        self.error, self.value = error, value

    def _value_of(self, name: str, made: Any) -> Any:
        if isinstance(made, SettingsForm):
            if made.value is None:
                raise ValueError(made.error)
            return made.value
        return _parse(made.value, self._hints[name]) if isinstance(made, ipw.Text) else made.value


def as_code(settings: Any) -> str:
    """The constructor call of a ``Settings``, with the fields that differ from its defaults."""
    module = type(settings).__module__.removeprefix("workbench.")
    default = type(settings)()
    changed = [
        f"{f.name}={as_code(value) if dataclasses.is_dataclass(value) else repr(value)}"
        for f in dataclasses.fields(settings)
        if (value := getattr(settings, f.name)) != getattr(default, f.name)
    ]
    return f"{module}.Settings({', '.join(changed)})"


def script(*lines: str) -> str:
    """Lines of code with the import of every room and file of the workbench that they name."""
    body = "\n".join(lines)
    names = sorted({name for name in re.findall(r"(?<![\w.\"'/])([a-z_]+)\.", body) if importlib.util.find_spec(f"workbench.{name}")})
    return f"from workbench import {', '.join(names)}\n\n{body}"


def _label(name: str) -> str:
    """``"interval_ps"`` -> ``"interval"``: the unit stands beside it."""
    return re.sub(r"_(per_)?(ps|fs|nm)$", "", name).replace("_", " ")


def _range(meta: Any) -> str:
    low, high = meta.get("bounds", (None, None))
    if low is None and high is None:
        return ""
    return f"({low} to {high})" if None not in (low, high) else f"(at least {low})" if high is None else f"(at most {high})"


def _optional(kind: Any) -> bool:
    return isinstance(kind, types.UnionType) and type(None) in typing.get_args(kind)


def _show(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _parse(text: str, kind: Any) -> Any:
    """The value that was typed; what is no number or tuple stays text, for the class to refuse by name."""
    text = text.strip()
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(None) in options and text.lower() in ("", "none"):
        return None
    if str in options:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if float not in options and int in options and isinstance(value, numbers.Real) and float(value).is_integer():
        return int(value)  # 1e6 steps
    return value
