"""Files written whole or not at all, and what can go wrong with them."""

import contextlib
import errno
import json
import os
import pathlib
import secrets
from collections.abc import Iterator
from typing import Any


class Damaged(ValueError):
    """A file does not hold what was written into it, or is no file of ours."""


class DiskFull(RuntimeError):
    """The disk has no room for what was to be written; what lay there before is unharmed."""


@contextlib.contextmanager
def room_on_disk(path: Any) -> Iterator[None]:
    """Turn the operating system's 'no room' into one sentence about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(
                f"no room left on the disk while writing {path}: free some space and start again; what was saved before is unharmed."
            ) from None
        raise


def write_bytes(path: Any, data: bytes, *, keep_previous: bool = False) -> None:
    """Write a file whole or not at all. ``keep_previous`` keeps the old one as ``<name>_prev``."""
    path = pathlib.Path(path)
    with room_on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        name = path.parent / f".writing-{secrets.token_hex(8)}"
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if keep_previous and path.exists():
                os.replace(path, previous(path))
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise


def previous(path: Any) -> pathlib.Path:
    """Where the checkpoint before ``path`` is kept."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.stem}_prev{path.suffix}")


def read_json(path: Any) -> Any:
    """The content of a JSON file. Raises ``ValueError`` with one sentence where it is missing or not JSON."""
    try:
        return json.loads(pathlib.Path(path).read_text())
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"{path} is not a readable JSON file ({error}).") from None
