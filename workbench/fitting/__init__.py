"""ROOM: how U is found. Every file has ``Settings`` and ``fit(potential, data, settings, *, on_step, checkpoint) -> Fit``."""

from workbench.rooms import lazy

__getattr__, __dir__ = lazy(__name__)
