"""Run a verb in a process of its own: a closed tab or a restarted kernel loses nothing, and whoever comes back finds it.

    job = jobs.start("fitting.force_matching", prior + network, data, settings, folder="runs/ala2/fit")
    job.state, job.progress, job.cancel(), job.wait(), job.result()

A job is a folder: ``job.json`` (verb, identity), ``inputs`` and ``result`` (by ``store``), ``process.json`` (process id and
its start time), ``progress.json`` (step, metrics, time left), ``checkpoint`` (owned by the verb), ``state.json`` (how it
ended), ``job.log``, and ``cancel`` once somebody asked. A job that was cancelled, killed or failed goes on from its
checkpoint when it is started again with the same inputs. Nothing is unpickled; only verbs of the workbench can be named.
"""

import contextlib
import dataclasses
import fcntl
import importlib
import json
import numbers
import os
import pathlib
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import psutil

from workbench import rooms, store

MODULE_VERBS = {"reference": ("sample", "sample_states")}
ROOM_VERBS = {"fitting": "fit", "simulation": "run"}
STATES = ("running", "finished", "failed", "cancelled", "interrupted")
WRITE_EVERY = 0.5
"""Seconds between two writes of ``progress.json``."""
HISTORY = 400
"""Most points kept of every metric; beyond it every second one is dropped."""


class Cancelled(Exception):
    """Raised by ``on_step`` to stop a verb; the verb leaves its checkpoint consistent and lets it through."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of a verb, known by its folder. All that it says is read from there."""

    folder: pathlib.Path
    """Absolute path of the folder."""
    verb: str
    """What runs: 'reference.sample', 'reference.sample_states', 'fitting.<method>' or 'simulation.<method>'."""
    identity: str
    """Identity of verb, inputs and code."""

    @property
    def state(self) -> str:
        """'running', 'finished', 'failed', 'cancelled', or 'interrupted': its process is gone (killed, or the machine stopped)."""
        if not self._outcome() and _alive(self.folder):
            return "running"
        return self._outcome().get("state", "interrupted")

    @property
    def error(self) -> str | None:
        """One sentence on what went wrong and what to do, or None."""
        if self.state == "interrupted":
            return "the process was stopped from outside: start again to go on from its checkpoint."
        return self._outcome().get("error")

    @property
    def progress(self) -> dict[str, Any]:
        """``step``, ``total``, ``elapsed`` and ``left`` [s], ``metrics`` (name -> number), ``history`` (name -> numbers, with 'step').

        ``curves`` are those of the latest step, where the verb tells any: name -> x, unit, target, current. Empty until the first step.
        """
        return _read(self.folder / "progress.json")

    @property
    def checkpoint(self) -> pathlib.Path:
        """The folder in which the verb keeps what it has so far."""
        return self.folder / "checkpoint"

    def cancel(self) -> None:
        """Ask a running job to stop at its next step. It can be started again later."""
        if self.state == "running":
            store.write_bytes(self.folder / "cancel", b"")

    def wait(self, timeout: float | None = None) -> str:
        """Wait until it runs no more and return its state. Raises ``TimeoutError`` after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while (state := self.state) == "running":
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"the job in {self.folder} still runs after {timeout:g} s.")
            time.sleep(0.05)
        return state

    def result(self) -> Any:
        """What the verb returned. Raises ``ValueError`` where there is no result, with the reason."""
        if self.state != "finished":
            raise ValueError(f"{self.verb} in {self.folder} has no result: it is {self.state}{': ' + self.error if self.error else '.'}")
        return store.load(self.folder / "result")

    def _outcome(self) -> dict:
        return _read(self.folder / "state.json")


def start(verb: str, *inputs: Any, folder: Any) -> Job:
    """Run ``verb(*inputs)`` in a process of its own, in ``folder``.

    The same job running or finished there is returned as it is; cancelled, failed or interrupted it goes on from its checkpoint.
    Raises ``ValueError`` for an unknown verb and for a folder that holds another job.
    """
    _function(verb)
    folder = pathlib.Path(folder).resolve()
    identity = store.identity(verb, inputs)
    job = Job(folder, verb, identity)
    if (folder / "job.json").exists():
        if attach(folder).identity != identity:
            raise ValueError(f"{folder} holds another job (other settings, inputs or code): choose another folder or delete it.")
        if job.state in ("running", "finished"):
            return job
    else:
        folder.mkdir(parents=True, exist_ok=True)
        store.save(inputs, folder / "inputs")
        _write(folder / "job.json", {"verb": verb, "identity": identity, "made": time.time()})
    for name in ("state.json", "cancel"):
        (folder / name).unlink(missing_ok=True)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "workbench.jobs", str(folder)],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / "job.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    _write(folder / "process.json", {"pid": pid, "created": psutil.Process(pid).create_time()})
    return job


def attach(folder: Any) -> Job:
    """The job in ``folder``, whatever its state. Raises ``ValueError`` where there is none."""
    folder = pathlib.Path(folder).resolve()
    body = store.read_json(folder / "job.json")
    if not isinstance(body, dict) or not {"verb", "identity"} <= set(body):
        raise store.Damaged(f"{folder / 'job.json'} does not describe a job.")
    return Job(folder, str(body["verb"]), str(body["identity"]))


def find(root: Any) -> list[Job]:
    """All jobs below ``root``, the newest last."""
    files = sorted(pathlib.Path(root).resolve().rglob("job.json"), key=lambda path: path.stat().st_mtime)
    return [attach(path.parent) for path in files]


def _function(verb: str) -> Callable:
    """The function that ``verb`` names, or ``ValueError``."""
    room, _, method = str(verb).partition(".")
    if method in MODULE_VERBS.get(room, ()):
        return getattr(importlib.import_module(f"workbench.{room}"), method)
    if room in ROOM_VERBS:
        return getattr(rooms.method(room, method), ROOM_VERBS[room])
    known = [f"{room}.{name}" for room, names in MODULE_VERBS.items() for name in names] + [f"{room}.<method>" for room in ROOM_VERBS]
    raise ValueError(f"'{verb}' cannot run as a job: choose one of {', '.join(known)}.")


def _alive(folder: pathlib.Path) -> bool:
    """Whether the process that was started for this folder still runs (and is not a later one with its number)."""
    body = _read(folder / "process.json")
    if not body:
        return False
    try:
        process = psutil.Process(body["pid"])
        if process.create_time() != body["created"]:
            return False
        if process.status() != psutil.STATUS_ZOMBIE:
            return True
    except psutil.NoSuchProcess:
        return False
    with contextlib.suppress(ChildProcessError):  # ended, and ours to bury
        os.waitpid(body["pid"], os.WNOHANG)
    return False


def _read(path: pathlib.Path) -> dict:
    return store.read_json(path) if path.exists() else {}


def _write(path: pathlib.Path, body: dict) -> None:
    store.write_bytes(path, json.dumps(body).encode())


class _Progress:
    """The ``on_step`` of a job: writes ``progress.json`` now and then, raises :class:`Cancelled` when asked to."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.history: dict[str, list] = _read(folder / "progress.json").get("history", {"step": []})
        self.stride, self.calls, self.written = 1, 0, 0.0
        self.first: tuple[float, int] | None = None
        self.latest: dict = {}

    def __call__(self, step: int, metrics: dict) -> None:
        numbers_only = {name: float(value) for name, value in metrics.items() if isinstance(value, numbers.Real)}
        now = time.monotonic()
        if self.first is None:
            self.first = now, step
            keep = sum(s < step for s in self.history["step"])
            self.history = {name: values[:keep] for name, values in self.history.items()}
        if self.calls % self.stride == 0:
            self._remember(step, numbers_only)
        self.calls += 1
        total = int(numbers_only.pop("total", 0))
        elapsed, done = now - self.first[0], step - self.first[1]
        left = elapsed / done * (total - step) if done > 0 and total else None
        self.latest = {"step": int(step), "total": total, "elapsed": elapsed, "left": left, "metrics": numbers_only}
        if "curves" in metrics:
            self.latest["curves"] = metrics["curves"]
        if (self.folder / "cancel").exists():
            self.write()
            raise Cancelled
        if now - self.written > WRITE_EVERY:
            self.write()
            self.written = now

    def _remember(self, step: int, metrics: dict[str, float]) -> None:
        length = len(self.history["step"])
        for name, value in {"step": int(step), **metrics}.items():
            if name != "total":
                self.history.setdefault(name, [None] * length).append(value)
        for values in self.history.values():
            values.extend([None] * (length + 1 - len(values)))
        if length + 1 > HISTORY:
            self.history = {name: values[::2] for name, values in self.history.items()}
            self.stride *= 2

    def write(self) -> None:
        if self.latest:
            _write(self.folder / "progress.json", {**self.latest, "history": self.history})


def _work(folder: pathlib.Path) -> None:
    """What the process of a job does."""
    job = attach(folder)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        progress = _Progress(folder)
        outcome: dict[str, Any] = {"state": "finished", "error": None}
        try:
            result = _function(job.verb)(*store.load(folder / "inputs"), on_step=progress, checkpoint=job.checkpoint)
            store.save(result, folder / "result")
        except Cancelled:
            outcome["state"] = "cancelled"
        except Exception as error:
            traceback.print_exc()
            outcome = {"state": "failed", "error": _sentence(error, folder)}
        with contextlib.suppress(store.DiskFull):
            progress.write()
        _write(folder / "state.json", outcome)


def _sentence(error: Exception, folder: pathlib.Path) -> str:
    if isinstance(error, ValueError) or type(error).__module__.startswith("workbench."):  # a sentence already
        return str(error)
    if isinstance(error, MemoryError):
        return "there was not enough memory: use fewer frames, fewer replicas or a smaller batch."
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first} (all of it is in {folder / 'job.log'})."


if __name__ == "__main__":
    from workbench import jobs  # the module that verbs and tests know, not this copy of it called __main__

    jobs._work(pathlib.Path(sys.argv[1]))
