"""Files that are arrays: DCD (CHARMM, NAMD; decoded by mdtraj), MDTraj's HDF5 and NumPy's npz, each read in slices."""

import functools
import math
import pathlib
import zipfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from workbench import units
from workbench.trajectory_files._source import Source, damaged, skewed

HDF5 = {"positions": "coordinates", "box": "cell_lengths", "time": "time", "velocities": "velocities", "energy": "potentialEnergy"}
NPZ = ("positions", "forces", "velocities", "box", "time", "energy")


def dcd(path: pathlib.Path) -> Source:
    """Positions and, where there is one, the box, both in angstrom in the file. The times in a DCD are not trusted: none are given."""
    from mdtraj.formats import DCDTrajectoryFile

    try:
        with DCDTrajectoryFile(str(path)) as file:
            count = len(file)
            first, lengths, _ = file.read(1)
    except (OSError, RuntimeError) as error:
        raise damaged(path.name, error) from None
    names = frozenset({"positions"} | ({"box"} if lengths is not None else set()))
    n_atoms = first.shape[1] if len(first) else 0
    cut = _dcd_rest(path, n_atoms, lengths is not None) != 0
    pieces = functools.partial(_dcd_pieces, path, names, count)
    return Source(n_atoms=n_atoms, n_frames=count, names=names, pieces=pieces, cut=cut, unit="angstrom")


def _dcd_rest(path: pathlib.Path, n_atoms: int, boxed: bool) -> int:
    """Bytes after the last whole frame. A DCD is a row of Fortran records, each between two counts of its bytes."""
    with open(path, "rb") as file:
        order = "little" if int.from_bytes(file.read(4), "little") == 84 else "big"
        at = 0
        for _ in range(3):
            file.seek(at)
            at += 8 + int.from_bytes(file.read(4), order)
    return (path.stat().st_size - at) % (3 * (8 + 4 * n_atoms) + 56 * boxed) if n_atoms else 0


def _dcd_pieces(path: pathlib.Path, names: frozenset[str], count: int, size: int) -> Iterator[dict[str, np.ndarray]]:
    from mdtraj.formats import DCDTrajectoryFile

    with DCDTrajectoryFile(str(path)) as file:
        for start in range(0, count, size):
            positions, lengths, angles = file.read(min(size, count - start))
            piece = {"positions": positions * units.ANGSTROM}
            if "box" in names:
                _check_angles(path, angles)
                piece["box"] = lengths * units.ANGSTROM
            yield piece


def _check_angles(path: pathlib.Path, angles: np.ndarray) -> None:
    if np.any(np.abs(angles - 90) > 1e-3):
        raise skewed(path.name)


def hdf5(path: pathlib.Path) -> Source:
    """MDTraj's layout ('MDTraj HDF5 format', version 1.1), units nm, ps, kJ/mol."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names = {name: key for name, key in HDF5.items() if key in file}
            n_atoms = file["coordinates"].shape[1]
            lengths = {len(file[key]) for key in names.values()}
    except (OSError, KeyError, RuntimeError) as error:
        raise damaged(path.name, error) from None
    count = min(lengths)
    cut = len(lengths) > 1
    return Source(n_atoms=n_atoms, n_frames=count, names=frozenset(names), pieces=lambda n: _hdf5_pieces(path, names, count, n), cut=cut)


def _hdf5_pieces(path: pathlib.Path, names: dict[str, str], count: int, size: int) -> Iterator[dict[str, np.ndarray]]:
    import h5py

    with h5py.File(path, "r") as file:
        for start in range(0, count, size):
            if "cell_angles" in file:
                _check_angles(path, file["cell_angles"][start : start + size])
            rows = slice(start, min(start + size, count))
            yield {name: np.asarray(file[key][rows], np.float64) for name, key in names.items()}


def npz(path: pathlib.Path) -> Source:
    """Arrays positions (F, N, 3) and any of forces, velocities, box (F, 3), time (F,), energy (F,), in project units."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if "positions" not in names or set(names) - set(NPZ):
                raise ValueError(
                    f"{path.name} holds {', '.join(names) or 'nothing'}: wanted positions (F, N, 3) in nm and any of {', '.join(NPZ[1:])}."
                )
            shapes = {}
            for name in names:
                with archive.open(f"{name}.npy") as file:
                    shapes[name] = _npy_header(file)[0]
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise damaged(path.name, f"{error}; it may have been cut off") from None
    count, n_atoms = (*shapes["positions"], 0)[:2]
    for name, shape in shapes.items():
        wanted = {"box": (count, 3), "time": (count,), "energy": (count,)}.get(name, (count, n_atoms, 3))
        if shape != wanted:
            raise ValueError(f"{path.name}: '{name}' has shape {shape}; wanted {wanted}.")
    return Source(n_atoms=n_atoms, n_frames=count, names=frozenset(names), pieces=lambda n: _npz_pieces(path, shapes, n))


def _npz_pieces(path: pathlib.Path, shapes: dict[str, tuple], size: int) -> Iterator[dict[str, np.ndarray]]:
    """Slices of every array, none of which is ever read whole."""
    count = shapes["positions"][0]
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.open(f"{name}.npy") for name in shapes}
        dtypes = {name: _npy_header(file)[1] for name, file in files.items()}
        try:
            for start in range(0, count, size):
                rows = min(size, count - start)
                piece = {}
                for name, (_, *rest) in shapes.items():
                    raw = files[name].read(rows * math.prod(rest) * dtypes[name].itemsize)
                    piece[name] = np.frombuffer(raw, dtypes[name]).reshape(rows, *rest)
                yield piece
        except (zipfile.BadZipFile, EOFError) as error:
            raise damaged(path.name, error) from None
        finally:
            for file in files.values():
                file.close()


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if fortran or dtype.kind not in "fiu":
        raise ValueError(f"an array of {dtype} or in Fortran order cannot be read: save numbers with numpy.savez.")
    return shape, dtype
