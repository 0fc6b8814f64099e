"""ROOM: which atoms make a bead. Every file has ``Settings`` and ``build(system, trajectory, settings) -> Mapping``."""

from workbench.rooms import lazy

__getattr__, __dir__ = lazy(__name__)
