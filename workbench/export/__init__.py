"""ROOM: other engines. Every file has ``Settings``, ``write(potential, start, folder, settings) -> paths`` and ``parity``, its proof."""

from workbench.export._base import Parity
from workbench.rooms import lazy

__getattr__, __dir__ = lazy(__name__)
__all__ = ["Parity"]
