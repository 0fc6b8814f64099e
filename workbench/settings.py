"""How a method says what can be set: one frozen dataclass per file, with unit, bounds and help on every field.

    @settings
    class Settings:
        n_steps: int = field(10_000, "Number of integration steps.", bounds=(1, None))
        temperature: float = field(300.0, "Target temperature.", unit="K", bounds=(0.0, None))

Forms in the notebook, contract tests, sweep axes and storage all follow from these fields.
"""

import dataclasses
import difflib
import numbers
import types
import typing
from typing import Any

NO_BOUNDS = (None, None)


def field(default: Any, help: str, *, unit: str = "", bounds: tuple = NO_BOUNDS, choices: tuple = ()) -> Any:
    """A field of a ``Settings``: ``bounds`` are inclusive, ``None`` is no bound; ``choices`` lists the allowed values."""
    metadata = {"help": help, "unit": unit, "bounds": bounds, "choices": choices}
    if dataclasses.is_dataclass(default):
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def settings(cls: type) -> type:
    """Make ``cls`` a frozen, keyword-only dataclass that refuses unknown fields, wrong types and values out of bounds.

    Every refusal is a ``ValueError`` of one sentence that names the field, the value and what was wanted.
    """
    cls.__post_init__ = _check
    cls = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    generated = cls.__init__
    owner = cls.__module__.removeprefix("workbench.")

    def __init__(self, **values):
        known = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"it has {', '.join(known)}."
                raise ValueError(f"{owner}.{cls.__name__} has no field '{name}': {hint}")
        generated(self, **values)

    cls.__init__ = __init__
    return cls


def to_dict(values: Any) -> dict:
    """The fields of a ``Settings`` as plain JSON values (nested settings become dicts, tuples lists)."""
    return {f.name: _plain(getattr(values, f.name)) for f in dataclasses.fields(values)}


def from_dict(cls: type, values: dict) -> Any:
    """A ``Settings`` from what :func:`to_dict` gave; unknown fields and bad values are refused as in the constructor."""
    hints = typing.get_type_hints(cls)
    return cls(
        **{
            name: from_dict(hints[name], v) if name in hints and dataclasses.is_dataclass(hints[name]) else _tuples(v)
            for name, v in values.items()
        }
    )


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _check(self: Any) -> None:
    hints = typing.get_type_hints(type(self))
    owner = type(self).__module__.removeprefix("workbench.")
    for f in dataclasses.fields(self):
        value, kind = getattr(self, f.name), hints[f.name]
        where = f"{owner}.{type(self).__name__}.{f.name} = {value!r}"
        value = _as_kind(value, kind, where)
        object.__setattr__(self, f.name, value)
        choices = f.metadata.get("choices", ())
        if choices and value not in choices:
            raise ValueError(f"{where}: choose one of {', '.join(map(repr, choices))}.")
        low, high = f.metadata.get("bounds", NO_BOUNDS)
        unit = f.metadata.get("unit", "")
        for number in _numbers(value):
            if number != number or (low is not None and number < low) or (high is not None and number > high):
                if None not in (low, high):
                    wanted = f"between {low} and {high}"
                else:
                    wanted = f"at least {low}" if high is None else f"at most {high}"
                raise ValueError(f"{where}: must be {wanted}{' ' + unit if unit else ''}.")


def _as_kind(value: Any, kind: Any, where: str) -> Any:
    """``value`` as the annotated type: an int where a float is wanted becomes one, a list a tuple; all else must fit."""
    options = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    for option in options:
        base = typing.get_origin(option) or option
        if base is type(None) and value is None:
            return value
        if base is float and isinstance(value, numbers.Real) and not isinstance(value, bool):
            return float(value)
        if base is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return int(value)
        if base is tuple and isinstance(value, (tuple, list)):
            return _tuples(list(value))
        if isinstance(base, type) and base is not int and isinstance(value, base):
            return value
    names = " or ".join(getattr(o, "__name__", str(o)) if o is not type(None) else "None" for o in options)
    raise ValueError(f"{where}: must be {names}, not {type(value).__name__}.")


def _numbers(value: Any) -> list[float]:
    if isinstance(value, tuple):
        return [n for v in value for n in _numbers(v)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []
