"""ROOM: what U(x) is. Every file has ``Settings`` and ``build(data, settings) -> Potential``."""

from workbench.potentials._base import Potential, Sum, at, evaluate, forces, mean
from workbench.rooms import lazy

__getattr__, __dir__ = lazy(__name__)
__all__ = ["Potential", "Sum", "at", "evaluate", "forces", "mean"]
