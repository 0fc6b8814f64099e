"""ROOM: what is measured. Every file has ``Settings`` and ``compute(trajectory, settings) -> Observation``."""

from workbench.rooms import lazy

__getattr__, __dir__ = lazy(__name__)
