"""What is wanted, what is measured, what is fitted."""

from typing import Any

import numpy as np

from workbench.types._fields import check_array, noun
from workbench.types.system import State


@noun
class Target:
    """A value that a model should meet."""

    observable: str
    """Name of a file of ``observables``."""
    settings: Any
    """Its settings."""
    value: np.ndarray
    """The value wanted, in ``unit``."""
    error: np.ndarray
    """Its standard error, same shape."""
    unit: str
    """Unit of value and error."""
    weight: float = 1.0
    """Weight in an objective."""
    state: State = State()
    """Where it was measured."""
    source: str = ""
    """Who measured it."""


@noun
class Observation:
    """A measured quantity with its error."""

    name: str
    """What was measured."""
    x: tuple[np.ndarray, ...]
    """Axes: bin centres, one array per dimension; empty for a single number."""
    value: np.ndarray
    """The values."""
    error: np.ndarray
    """Standard errors, same shape."""
    unit: str
    """Unit of the values."""
    x_unit: str = ""
    """Unit of the axes."""
    n_effective: float
    """Effective number of independent samples."""
    state: State = State()
    """Where it was measured."""

    def __post_init__(self):
        object.__setattr__(self, "x", tuple(np.asarray(axis, float) for axis in self.x))
        value = check_array(self, "value", (None,) * np.ndim(self.value), finite=False)
        check_array(self, "error", value.shape, finite=False)


@noun
class Fit:
    """A fitted potential and how it came about."""

    potential: Any
    """The potential, which knows nothing of fitting."""
    settings: Any
    """Settings of the fit."""
    history: dict[str, np.ndarray]
    """One array per metric, one entry per record (epoch or iteration)."""
    parents: tuple[str, ...] = ()
    """Identities of the data and of the potential before the fit."""
