"""ROOM: what U(x) is. Every file has ``Settings`` and ``build(data, settings) -> Potential``."""

from workbench import rooms
from workbench.potentials._base import Potential, Sum, evaluate, forces, mean

_method, __dir__ = rooms.lazy(__name__)


def __getattr__(name: str):
    return _method(name)


__all__ = ["Potential", "Sum", "evaluate", "forces", "mean"]
