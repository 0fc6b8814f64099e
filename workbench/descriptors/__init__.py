"""ROOM: invariant features of beads. Every file has ``Settings`` and ``build(data, settings) -> Descriptor``."""

from workbench.rooms import lazy

__getattr__, __dir__ = lazy(__name__)
