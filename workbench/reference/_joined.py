"""Frames of several states as one trajectory, written in pieces."""

import pathlib
import shutil
from collections.abc import Iterable

import numpy as np

from workbench import store
from workbench.recorder import ARRAYS, Recorder
from workbench.types import State, Trajectory

CHUNK_BYTES = 32 << 20


def finished(folder: pathlib.Path | None, identity: str, n_frames: int) -> Trajectory | None:
    """What :func:`join` wrote into ``folder``, or None where it has not, not yet in full, or for another grid."""
    if folder is None or not (folder / "manifest.json").exists() or store.read_manifest(folder).get("identity") != identity:
        return None
    joined = store.load(folder)
    return joined if len(joined) == n_frames else None


def join(parts: Iterable[Trajectory], states: tuple[State, ...], identity: str, n_frames: int, folder: pathlib.Path | None) -> Trajectory:
    """The frames of ``parts``, one for each of ``states``, one after the other, with ``state`` (F,); on disk where there is a folder.

    A folder that holds another grid is written anew: all that it held can be made again from its states.
    """
    if folder is not None and (folder / "manifest.json").exists() and store.read_manifest(folder).get("identity") != identity:
        shutil.rmtree(folder)
    recorder = None
    for index, part in enumerate(parts):
        arrays = {name: array for name in ARRAYS if (array := getattr(part, name)) is not None}
        if recorder is None:
            shapes = {"state": (), **{name: array.shape[1:] for name, array in arrays.items()}}
            dtypes = {"state": np.int64, **{name: array.dtype for name, array in arrays.items()}}
            recorder = Recorder(folder, identity, n_frames, shapes, dtypes, states, (identity,), part.system)
            recorder.rewind(0)
        recorder.parents += part.parents
        size = max(1, CHUNK_BYTES // sum(array[:1].nbytes for array in arrays.values()))
        for start in range(0, len(part), size):
            piece = {name: array[start : start + size] for name, array in arrays.items()}
            recorder.append(**piece, state=np.full(len(piece["positions"]), index))
            recorder.commit()
    return recorder.trajectory()
