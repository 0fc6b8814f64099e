"""How a noun is made and how its fields are checked."""

import dataclasses
from typing import Any

import numpy as np

noun = dataclasses.dataclass(frozen=True, eq=False, kw_only=True)


def check_array(owner: Any, name: str, shape: tuple, dtype: Any = np.float64, *, finite: bool = True) -> np.ndarray:
    """Set field ``name`` to a read-only array of ``shape`` (None: any length there), or say what is wrong with it."""
    value = getattr(owner, name)
    array = value if isinstance(value, np.ndarray) and value.dtype.kind == np.dtype(dtype).kind else np.asarray(value, dtype)
    if array.size == 0 and array.ndim == 1 and len(shape) > 1:
        array = array.reshape([0 if s is None else s for s in shape])
    what = f"{type(owner).__name__}.{name}"
    if array.ndim != len(shape) or any(w is not None and w != s for w, s in zip(shape, array.shape, strict=True)):
        wanted = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
        raise ValueError(f"{what} has shape {array.shape}; wanted {wanted}.")
    if finite and array.dtype.kind == "f":
        for start in range(0, len(array), 65536):
            bad = ~np.isfinite(array[start : start + 65536])
            if bad.any():
                where = start + int(np.argwhere(bad)[0][0])
                raise ValueError(f"{what} holds NaN or infinity, first in row {where}: leave out such rows or make them anew.")
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    object.__setattr__(owner, name, array)
    return array


def check_indices(owner: Any, name: str, width: int, size: int) -> None:
    """An integer field (any, width) whose entries lie in 0..size-1."""
    array = check_array(owner, name, (None, width), np.int64)
    if array.size and (array.min() < 0 or array.max() >= size):
        raise ValueError(f"{type(owner).__name__}.{name} names particle {int(array.max())}; there are {size}, counted from 0.")
