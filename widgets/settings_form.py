"""A form made from any ``Settings``: every field with its unit and help; what the class refuses, the form says."""

import ast
import contextlib
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
    """Fields of a ``Settings`` class. ``hidden`` names fields that the panel sets itself and the form leaves out; ``below`` what is
    shown under a field."""

    value = traitlets.Any(None, allow_none=True, help="The Settings, or None while something is wrong.")
    error = traitlets.Unicode("", help="One sentence of what is wrong, or ''.")

    def __init__(self, start: Any, *, hidden: tuple[str, ...] = (), below: dict[str, ipw.Widget] | None = None):
        self.start = start if not isinstance(start, type) else start()
        self._hints = typing.get_type_hints(type(self.start))
        self._inputs: dict[str, Any] = {}
        self._busy = False
        super().__init__()
        rows: list[ipw.Widget] = []
        for field in dataclasses.fields(self.start):
            if field.name not in hidden:
                rows += [*self._row(field), *([below[field.name]] if below and field.name in below else [])]
        self._complaint = ipw.HTML()
        self.children = [*rows, self._complaint]
        self.add_class("cgw-fields")
        self._read()

    def _row(self, field: dataclasses.Field) -> list[ipw.Widget]:
        value, kind, meta = getattr(self.start, field.name), self._hints[field.name], field.metadata
        if dataclasses.is_dataclass(value):
            made = SettingsForm(value)
            made.observe(lambda _: self._read(), ["value", "error"])
            self._inputs[field.name] = made
            fold = ipw.Accordion([made], titles=[field.name.replace("_", " ")], selected_index=None)
            return [fold, ipw.HTML(frame.text(meta.get("help", ""), "help"))]
        hover = f"{meta.get('help', '').replace('``', '')} {_range(meta)}".strip()
        wide = ipw.Layout(width="46%")
        if kind is bool:
            made = ipw.Checkbox(value=value, indent=False, tooltip=hover, layout=wide)
        elif meta.get("choices"):
            made = ipw.Dropdown(options=[(str(c), c) for c in meta["choices"]], value=value, tooltip=hover, layout=wide)
        else:
            made = ipw.Text(value=_show(value, kind), tooltip=hover, layout=wide, placeholder=_placeholder(kind))
        made.add_class(f"cgw-field-{field.name}")
        made.observe(lambda _: self._read(), "value")
        self._inputs[field.name] = made
        unit = f" [{meta['unit'].replace('^2', '²').replace('^3', '³')}]" if meta.get("unit") else ""
        label = ipw.HTML(frame.text(_label(field.name) + unit, "plain"), layout=ipw.Layout(width="52%"))
        label.tooltip = hover
        long = isinstance(made, ipw.Text) and str in (*_options(kind), _items(kind)[0])  # paths and names need the whole width
        made.layout.width = "98%" if long else made.layout.width
        return [(ipw.VBox if long else ipw.HBox)([label, made]), ipw.HTML(frame.text(hover, "help"))]

    def set(self, settings: Any) -> None:
        """Show other values."""
        self._busy = True
        for name, made in self._inputs.items():
            value = getattr(settings, name)
            if isinstance(made, SettingsForm):
                made.set(value)
            else:
                made.value = _show(value, self._hints[name]) if isinstance(made, ipw.Text) else value
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
        if not isinstance(made, ipw.Text):
            return made.value
        try:
            return _parse(made.value, self._hints[name])
        except ValueError as refusal:
            raise ValueError(f"{_label(name)} = {made.value.strip()}: {refusal}") from None


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


def _options(kind: Any) -> tuple:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _items(kind: Any) -> tuple[Any, int | None]:
    """What a flat tuple holds (str, int or float), typed as a row parted by commas, and how many; (None, None) for anything else."""
    rows = [typing.get_args(option) for option in _options(kind) if typing.get_origin(option) is tuple]
    item = rows[0][0] if len(rows) == 1 and len(set(rows[0]) - {...}) == 1 else None
    return (item, None if ... in rows[0] else len(rows[0])) if item in (str, int, float) else (None, None)


def _placeholder(kind: Any) -> str:
    item, count = _items(kind)
    return "none" if type(None) in _options(kind) or (item and count is None) else ""


def _show(value: Any, kind: Any) -> str:
    if isinstance(value, tuple) and _items(kind)[0]:
        return ", ".join(map(str, value))
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _parse(text: str, kind: Any) -> Any:
    """The value that was typed; what is no number or tuple stays text, for the class to refuse by name."""
    text, options = text.strip(), _options(kind)
    if type(None) in options and text.lower() in ("", "none"):
        return None
    if str in options:
        return text
    if _items(kind)[0]:
        return _parse_items(text, *_items(kind))
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if float not in options and int in options and isinstance(value, numbers.Real) and float(value).is_integer():
        return int(value)  # 1e6 steps
    return value


def _parse_items(text: str, item: type, count: int | None) -> tuple:
    """``"1.5, 1.6"`` -> (1.5, 1.6); a Python tuple will do, too. Commas within brackets part nothing, as in the SMARTS [C,N]."""
    row: Any = None
    with contextlib.suppress(ValueError, SyntaxError):
        row = ast.literal_eval(text)
    if not (isinstance(row, tuple) and all(isinstance(value, (int, float) if item is float else item) for value in row)):
        parts = [] if text.lower() == "none" else [part.strip() for part in _split(text) if part.strip()]
        try:
            row = tuple(map(item, parts))
        except ValueError:
            raise ValueError("write numbers parted by commas, such as 1, 2, 3.") from None
    if count is not None and len(row) != count:
        raise ValueError(f"write {count} values parted by commas.")
    return row


def _split(text: str) -> list[str]:
    """Parts between the commas that stand in no bracket."""
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
