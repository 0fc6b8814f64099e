"""ROOM: how U is run. Every file has ``Settings`` and ``run(potential, start, settings, *, on_step, checkpoint) -> Trajectory``."""

from workbench.rooms import lazy

__getattr__, __dir__ = lazy(__name__)
