"""ROOM: what is simulated. Every file has ``Settings`` and ``load(settings) -> System``."""

from typing import Any

from workbench import rooms
from workbench.types import System

__getattr__, __dir__ = rooms.lazy(__name__)


def load(name: str, **options: Any) -> System:
    """The named system: ``systems.load("alanine_dipeptide", solvent="obc2")``. Options are the fields of its ``Settings``."""
    method = rooms.method("systems", name)
    return method.load(method.Settings(**options))
