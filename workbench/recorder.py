"""A trajectory written frame by frame: preallocated, committed in blocks with checksums, cut back to the last checkpoint.

``store.load(folder)`` reads what is committed at any time, also while the writer runs or after it was killed.
"""

import contextlib
import os
import pathlib
from typing import Any

import numpy as np

from workbench import store, types

ARRAYS = ("positions", "forces", "velocities", "box", "time", "state", "replica", "energy", "virial")


class Recorder:
    """Collects up to ``n_frames`` frames, in a folder or (``folder=None``) in memory.

    ``shapes`` gives the per-frame shape of every array that is kept. Arrays are float32 unless named in ``dtypes``.
    ``system`` is the one whose atoms the frames hold, where they are atoms.
    Raises ``ValueError`` where the folder holds another run, ``store.DiskFull`` where there is no room for all frames.
    """

    def __init__(
        self, folder: Any, identity: str, n_frames: int, shapes: dict[str, tuple], dtypes: dict[str, Any], states, parents, system=None
    ):
        self.folder = None if folder is None else pathlib.Path(folder)
        self.identity, self.n_frames = identity, n_frames
        self.states, self.parents, self.system = tuple(states), tuple(parents), system
        self.blocks: list[int] = []
        self.checksums: dict[str, list[str]] = {name: [] for name in shapes}
        self.done = 0
        specs = {name: ((n_frames, *shape), np.dtype(dtypes.get(name, np.float32))) for name, shape in shapes.items()}
        if self.folder is None:
            self.arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in specs.items()}
            self.commit()
            return
        with store.room_on_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.system_arrays: dict[str, dict] = {}
        if (self.folder / "manifest.json").exists():
            self._reopen(specs)
        else:
            with store.room_on_disk(self.folder):
                self.system_body = store.encode(system, self.folder, self.system_arrays, "system")
            self.arrays = {name: allocate(self.folder / f"{name}.npy", *spec) for name, spec in specs.items()}
            self.commit()

    def append(self, **frames: np.ndarray) -> None:
        """Add frames: every array (f, ...) of the shapes given at the start."""
        count = len(next(iter(frames.values())))
        for name, values in frames.items():
            self.arrays[name][self.done : self.done + count] = values
        self.done += count

    def commit(self) -> None:
        """Make all frames so far durable."""
        start = self.blocks[-1] if self.blocks else 0
        if self.done > start or not self.blocks:
            self.blocks.append(self.done)
            for name, array in self.arrays.items():
                self.checksums[name].append(store.checksum(array[start : self.done]))
        if self.folder is None:
            return
        with store.room_on_disk(self.folder):
            for array in self.arrays.values():
                array.flush()
        self._write_manifest()

    def rewind(self, n_frames: int) -> None:
        """Forget frames after the first ``n_frames``, which must have been committed together."""
        if n_frames not in self.blocks:
            raise store.Damaged(
                f"{self.folder}: the checkpoint belongs to frame {n_frames}, which was never saved: delete the folder to start anew."
            )
        keep = self.blocks.index(n_frames) + 1
        self.blocks = self.blocks[:keep]
        self.checksums = {name: sums[:keep] for name, sums in self.checksums.items()}
        self.done = n_frames
        if self.folder is not None:
            self._write_manifest()

    def trajectory(self) -> types.Trajectory:
        """All frames so far (committed first), from disk where there is a folder."""
        self.commit()
        if self.folder is not None:
            return store.load(self.folder)
        arrays = {name: array[: self.done] for name, array in self.arrays.items()}
        return types.Trajectory(**arrays, states=self.states, parents=self.parents, system=self.system)

    @property
    def complete(self) -> bool:
        """Whether all frames are there."""
        return self.done == self.n_frames

    def _write_manifest(self) -> None:
        starts = [0, *self.blocks[:-1]]
        arrays = {
            name: {"blocks": [[a, b, c] for a, b, c in zip(starts, self.blocks, sums, strict=True)]}
            for name, sums in self.checksums.items()
        }
        fields: dict[str, Any] = {name: {"array": name, "scalar": False} for name in self.arrays}
        arrays |= self.system_arrays
        fields["system"] = self.system_body
        fields["states"] = store.encode(self.states, self.folder, arrays, "states")
        fields["parents"] = store.encode(self.parents, self.folder, arrays, "parents")
        body = {"value": {"noun": "Trajectory", "fields": fields}, "arrays": arrays, "identity": self.identity, "n_frames": self.n_frames}
        store.write_manifest(self.folder, body)

    def _reopen(self, specs: dict) -> None:
        manifest = store.read_manifest(self.folder)
        if manifest.get("identity") != self.identity:
            raise ValueError(f"{self.folder} holds another run (other settings, inputs or code): choose another folder or delete it.")
        store.load(self.folder)
        self.system_body = manifest["value"]["fields"]["system"]
        self.system_arrays = {name: entry for name, entry in manifest["arrays"].items() if name.startswith("system.")}
        self.arrays = {name: np.load(self.folder / f"{name}.npy", mmap_mode="r+", allow_pickle=False) for name in specs}
        for name in specs:
            entries = manifest["arrays"][name]["blocks"]
            self.blocks = [stop for _, stop, _ in entries]
            self.checksums[name] = [checksum for _, _, checksum in entries]
        self.done = self.blocks[-1]


def allocate(path: pathlib.Path, shape: tuple, dtype: np.dtype) -> np.memmap:
    """A zeroed ``.npy`` file whose room on the disk is taken at once, so that a full disk shows here and not halfway."""
    with store.room_on_disk(path):
        try:
            with open(path, "wb") as file:
                header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                size = int(np.prod(shape)) * dtype.itemsize
                if size:
                    os.posix_fallocate(file.fileno(), file.tell(), size)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            raise
    return np.load(path, mmap_mode="r+", allow_pickle=False)
