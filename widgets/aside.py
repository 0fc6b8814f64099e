"""Work beside the event loop: the notebook stays usable while it is done."""

import asyncio
from collections.abc import Callable
from typing import Any

from workbench import store

REFUSALS = (ValueError, OSError, store.DiskFull)
_tasks: set[asyncio.Task] = set()


def do(work: Callable[[], Any], done: Callable[[Any], None], refused: Callable[[str], None]) -> None:
    """``done(work())``, or ``refused(reason)``: ``work`` in a thread, what follows on the event loop; without a loop all of it at once."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _tell(lambda: done(work()), refused)
        return
    task = loop.create_task(_wait(work, done, refused))
    _tasks.add(task)  # a loop keeps no hold of its tasks
    task.add_done_callback(_tasks.discard)


async def _wait(work: Callable[[], Any], done: Callable[[Any], None], refused: Callable[[str], None]) -> None:
    try:
        result = await asyncio.to_thread(work)
    except REFUSALS as refusal:
        refused(str(refusal))
        return
    _tell(lambda: done(result), refused)


def _tell(act: Callable[[], None], refused: Callable[[str], None]) -> None:
    try:
        act()
    except REFUSALS as refusal:
        refused(str(refusal))
