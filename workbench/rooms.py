"""The catalogue: a room is a folder, a method is a file; nothing is registered."""

import importlib
import importlib.util
import pkgutil
from types import ModuleType


def available(room: ModuleType | str) -> tuple[str, ...]:
    """Names of the methods of a room, sorted: its files, less those whose name starts with an underscore.

    ``room`` is the package or its name within the workbench: ``available("potentials")``.
    """
    package = importlib.import_module(f"workbench.{room}") if isinstance(room, str) else room
    return tuple(sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")))


def method(room: ModuleType | str, name: str) -> ModuleType:
    """The module of one method, imported now. Raises ``ValueError`` for a name that the room does not hold."""
    package = importlib.import_module(f"workbench.{room}") if isinstance(room, str) else room
    if name not in available(package):
        short = package.__name__.removeprefix("workbench.")
        raise ValueError(f"there is no method '{name}' in {short}; it has {', '.join(available(package)) or 'none yet'}")
    return importlib.import_module(f"{package.__name__}.{name}")


def file(room: str, name: str) -> ModuleType:
    """The module of any file of a room, also one that is no method (a class may live in it). Raises ``ValueError`` as :func:`method`."""
    package = importlib.import_module(f"workbench.{room}")
    if name in {m.name for m in pkgutil.iter_modules(package.__path__)}:
        return importlib.import_module(f"{package.__name__}.{name}")
    return method(room, name)


def lazy(package: str) -> tuple:
    """``__getattr__`` and ``__dir__`` for a room, so that its files are imported when first named."""

    def __getattr__(name: str):
        if name.startswith("__") or importlib.util.find_spec(f"{package}.{name}") is None:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return importlib.import_module(f"{package}.{name}")

    def __dir__():
        return list(available(importlib.import_module(package)))

    return __getattr__, __dir__
