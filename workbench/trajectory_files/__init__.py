"""Trajectories written by other programs, as frames in project units (nm, ps, kJ/mol/nm).

| ending | written by | holds | unit in the file |
|---|---|---|---|
| dcd | NAMD, CHARMM, OpenMM, LAMMPS | positions, box | angstrom |
| xtc | GROMACS | positions, box, time | nm, ps |
| trr | GROMACS | positions, box, time, velocities, forces | nm, ps, nm/ps, kJ/mol/nm |
| h5, hdf5 | MDTraj, OpenMM | positions, box, time, velocities, energy | nm, ps, nm/ps, kJ/mol |
| lammpstrj, dump | LAMMPS | positions, box, time, velocities, forces | ``units real`` or ``units metal`` |
| npz | NumPy | arrays named as in ``Trajectory`` | nm, ps, nm/ps, kJ/mol/nm |
"""

import hashlib
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench import projection, store
from workbench.recorder import Recorder
from workbench.trajectory_files._source import Source, box_lengths
from workbench.types import System, Trajectory

__all__ = ["ENDINGS", "Source", "box_lengths", "open_file", "read"]

CHUNK_BYTES = 16 << 20
ENDINGS = ("dcd", "xtc", "trr", "h5", "hdf5", "lammpstrj", "dump", "npz")


def read(
    system: System,
    path: Any,
    *,
    lammps_units: str | None = None,
    n_frames: int | None = None,
    need_forces: bool = False,
    box: Sequence[float] | None = None,
    folder: Any = None,
) -> Trajectory:
    """The frames of the file ``path`` as a trajectory of ``system``: arrays (F, N, 3) in float32, molecules whole across the box.

    Read piece by piece. With ``folder`` the frames go to the disk as they come and memory stays small however long the file; a
    folder that holds them already is loaded. Without it they lie in memory. The ending tells the kind of the file (see the table).

    ``lammps_units`` is real or metal, for a LAMMPS dump that does not state its units; ``n_frames`` reads the first ones only;
    ``need_forces`` keeps the frames that hold forces and refuses a file that has none; ``box`` (3,) [nm] serves a file without one.

    Raises ``ValueError`` for a missing file, an unknown ending, another number of atoms than ``system`` has, a box that is missing
    or not orthorhombic, forces or units that are missing, and a file that ends in the middle of a frame (it says how many frames
    are whole: ``n_frames`` reads those); ``store.DiskFull`` where there is no room. After an error ``folder`` is as it was before.
    """
    source = open_file(path, lammps_units=lammps_units, need_forces=need_forces)
    name = pathlib.Path(path).name
    if source.n_atoms != system.n_atoms:
        raise ValueError(
            f"{name} holds {source.n_atoms} atoms a frame and the topology of '{system.name}' {system.n_atoms}: take the topology "
            "that the trajectory was written with."
        )
    if need_forces and "forces" not in source.names:
        raise ValueError(f"{name} holds no forces: write a TRR or a LAMMPS dump with forces, or read it with need_forces=False.")
    if source.some_forces:
        raise ValueError(
            f"{name} holds forces in {source.some_forces} of {source.n_frames} frames: need_forces=True keeps those and leaves the "
            "others out."
        )
    if system.box is not None and "box" not in source.names and box is None:
        raise ValueError(f"{name} holds no box but '{system.name}' is periodic: give box=(a, b, c) in nm.")
    if source.cut and (n_frames is None or n_frames > source.n_frames):
        raise ValueError(
            f"{name} ends in the middle of a frame: its first {source.n_frames} frames are whole, n_frames={source.n_frames} reads them."
        )
    if source.n_frames == 0 or (n_frames is not None and not 1 <= n_frames <= source.n_frames):
        raise ValueError(f"{name} holds {source.n_frames} frames; wanted {'at least one' if n_frames is None else n_frames}.")
    given = None if box is None else np.asarray(box, np.float64)
    if given is not None and (given.shape != (3,) or not np.all(given > 0)):
        raise ValueError(f"trajectory_files.read: box = {box}: give three lengths above 0, in nm.")
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "blake2b").hexdigest()
    identity = store.identity("trajectory_files.read", system, content, lammps_units, n_frames, need_forces, given)
    return _record(source, system, n_frames or source.n_frames, given, identity, folder)


def open_file(path: Any, *, lammps_units: str | None = None, need_forces: bool = False) -> Source:
    """The reader of one file, which has counted its whole frames. Raises ``ValueError`` as :func:`read` does."""
    path = pathlib.Path(path)
    ending = path.suffix.lower().removeprefix(".")
    if ending not in ENDINGS:
        raise ValueError(f"{path.name}: trajectories end in {', '.join(ENDINGS)}, not in '{path.suffix}'.")
    if not path.is_file():
        raise ValueError(f"there is no trajectory file {path}: check the path.")
    if ending in ("lammpstrj", "dump"):
        from workbench.trajectory_files import _lammps

        return _lammps.source(path, lammps_units)
    if lammps_units is not None:
        raise ValueError(f"lammps_units = '{lammps_units}' is for LAMMPS dumps: leave it out for {path.name}.")
    if ending in ("xtc", "trr"):
        from workbench.trajectory_files import _gromacs

        return _gromacs.xtc(path) if ending == "xtc" else _gromacs.trr(path, need_forces)
    from workbench.trajectory_files import _arrays

    return {"dcd": _arrays.dcd, "npz": _arrays.npz}.get(ending, _arrays.hdf5)(path)


def _record(source: Source, system: System, n_frames: int, box: np.ndarray | None, identity: str, folder: Any) -> Trajectory:
    """The frames, made whole, in memory or in ``folder``, which is not left half full."""
    names = (source.names - {"box"}) | ({"box"} if system.box is not None else set())
    shapes = {name: {"box": (3,), "time": (), "energy": ()}.get(name, (system.n_atoms, 3)) for name in sorted(names)}
    dtypes = {"time": np.float64, "energy": np.float64, "box": np.float64}
    new = folder is not None and not pathlib.Path(folder).exists()
    try:
        recorder = Recorder(folder, identity, n_frames, shapes, dtypes, (system.state,), (identity,), system)
        if recorder.complete:
            return recorder.trajectory()
        recorder.rewind(0)
        for piece in source.pieces(max(1, CHUNK_BYTES // (24 * system.n_atoms))):
            frames = {name: values[: n_frames - recorder.done] for name, values in piece.items()}
            if system.box is not None:
                if box is not None:
                    frames["box"] = np.tile(box, (len(frames["positions"]), 1))
                frames["positions"] = projection.whole(frames["positions"], frames["box"], system)
            recorder.append(**{name: frames[name] for name in names})
            if recorder.complete:
                break
        return recorder.trajectory()
    except BaseException:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
