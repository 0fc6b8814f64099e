"""From atoms to beads: positions, forces, velocities and virial of a trajectory seen through a mapping.

Positions R_I = sum_i c_Ii r_i and velocities go by the mapping, forces F_I = sum_i w_Ii f_i by a force map of their own (see
``force_maps``): summed over the bead, summed over the molecule, or combined so that they are least noisy.

The virial gets its ideal term: a model with fewer particles has the pressure of the all-atom system, (N kBT + tr W / 3) / V, where
W_beads = W_atoms + (N_atoms - N_beads) kBT on the diagonal; N_atoms counts atoms with mass. That of ``reference.sample`` comes from
moving molecules as they are, so that rigid constraints, which act inside them, change nothing.
"""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse

from workbench import force_maps, store, units
from workbench.recorder import allocate
from workbench.types import Beads, Mapping, ReferenceData, System, Trajectory

CHUNK_BYTES = 32 << 20


def project(all_atom: Trajectory, mapping: Mapping, *, force_map: str = "basic", folder: Any = None) -> ReferenceData:
    """The frames of ``all_atom`` (F, N, 3) as frames of beads (F, B, 3), molecules made whole first; float32.

    Read and written in pieces, so that a million frames need no more memory than the result; with ``folder`` the result is saved
    there too and read from the disk, and taken from there the next time. ``force_map`` is basic (forces summed over the bead),
    molecule (over the whole molecule, for one bead a molecule) or optimal (least noise over these frames). The basic map leaves
    forces out where ``all_atom`` has none.

    Raises ``ValueError`` for a trajectory that does not know its system, a mapping of another molecule, a force map that is not
    known or needs forces that are missing, and beads that the map cannot serve (they share atoms or rigid constraints).
    """
    if force_map not in ("basic", "molecule", "optimal"):
        raise ValueError(f"projection.project: force_map = '{force_map}': choose basic, molecule or optimal.")
    system = all_atom.system
    if system is None:
        raise ValueError(
            "projection.project: this trajectory does not know its system: give it one by dataclasses.replace(trajectory, system=...)."
        )
    parents = (store.identity("projection.project", force_map, all_atom, mapping), *all_atom.parents)
    if folder is not None and (pathlib.Path(folder) / "manifest.json").exists():
        return _reload(folder, parents)
    weights = mapping.expand(system)
    maps = {"positions": weights}
    if all_atom.forces is None and force_map != "basic":
        raise ValueError(f"projection.project: force_map = '{force_map}' needs forces: this trajectory has none.")
    if all_atom.velocities is not None:
        maps["velocities"] = weights
    if all_atom.forces is not None:
        maps["forces"] = force_maps.matrix(force_map, all_atom, mapping)
    with _arrays(maps, (len(all_atom), weights.shape[0], 3), folder) as arrays:
        _fill(arrays, maps, all_atom, system)
        data = ReferenceData(
            **arrays,
            **{name: getattr(all_atom, name) for name in ("box", "time", "state", "replica", "states")},
            virial=None if all_atom.virial is None else _bead_virial(all_atom, system, weights.shape[0]),
            parents=parents,
            beads=mapping.beads(system),
            force_kind="none" if all_atom.forces is None else "optimal" if force_map == "optimal" else "basic",
        )
        return data if folder is None else store.load(store.save(data, folder))


def whole(positions: np.ndarray, box: np.ndarray, system: System | Beads) -> np.ndarray:
    """Positions (F, N, 3) [nm] with every molecule in one piece, walking along its bonds by the minimum image in ``box`` (F, 3)."""
    return _make_whole(np.array(positions, np.float64), np.asarray(box, np.float64), _bond_tree(system, np.arange(len(system.molecule))))


def _make_whole(positions: np.ndarray, box: np.ndarray, tree: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    lengths = box[:, None]
    for atoms, parents in tree:
        step = positions[:, atoms] - positions[:, parents]
        positions[:, atoms] -= np.round(step / lengths) * lengths
    return positions


def _bond_tree(system: System | Beads, atoms: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Atoms one bond further from the first of their molecule, with the atom they hang on, level by level; indices into ``atoms``.

    ``atoms`` are those of whole molecules. Atoms without bonds (virtual sites) hang on the first of their molecule.
    """
    index = {int(atom): i for i, atom in enumerate(atoms)}
    neighbours: list[list[int]] = [[] for _ in atoms]
    for i, j in system.bonds.tolist():
        if i in index:
            neighbours[index[i]].append(index[j])
            neighbours[index[j]].append(index[i])
    molecule = system.molecule[atoms]
    first = np.searchsorted(molecule, molecule)
    reached = set(first.tolist())
    edge, tree = sorted(reached), []
    while edge:
        level = {other: atom for atom in edge for other in neighbours[atom] if other not in reached}
        reached |= level.keys()
        edge = sorted(level)
        if level:
            tree.append((np.array(edge), np.array([level[atom] for atom in edge])))
    loose = np.array([i for i in range(len(atoms)) if i not in reached], np.int64)
    return [*tree, (loose, first[loose])] if loose.size else tree


def _fill(arrays: dict[str, np.ndarray], maps: dict[str, scipy.sparse.csr_array], all_atom: Trajectory, system: System) -> None:
    """Apply every map to its array, in pieces of at most ``CHUNK_BYTES``."""
    for name, matrix in maps.items():
        atoms = np.unique(matrix.nonzero()[1])
        unwrap = name == "positions" and all_atom.box is not None
        if unwrap:
            atoms = np.flatnonzero(np.isin(system.molecule, system.molecule[atoms]))
            tree = _bond_tree(system, atoms)
        part = matrix[:, atoms]
        size = max(1, CHUNK_BYTES // (24 * len(atoms)))
        for start in range(0, len(all_atom), size):
            frames = slice(start, start + size)
            values = getattr(all_atom, name)[frames][:, atoms].astype(np.float64)
            if unwrap:
                values = _make_whole(values, np.asarray(all_atom.box[frames], np.float64), tree)
            columns = values.transpose(1, 0, 2).reshape(len(atoms), -1)
            arrays[name][frames] = (part @ columns).reshape(part.shape[0], -1, 3).transpose(1, 0, 2)


@contextlib.contextmanager
def _arrays(maps: dict, shape: tuple[int, ...], folder: Any) -> Iterator[dict[str, np.ndarray]]:
    """Room for the result: in memory, or in files that are gone afterwards."""
    if folder is None:
        yield {name: np.empty(shape, np.float32) for name in maps}
        return
    parent = pathlib.Path(folder).parent
    with store.room_on_disk(parent):
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=".writing-") as scratch:
            yield {name: allocate(pathlib.Path(scratch) / f"{name}.npy", shape, np.dtype(np.float32)) for name in maps}


def _bead_virial(all_atom: Trajectory, system: System, n_beads: int) -> np.ndarray:
    """The virial of the beads [kJ/mol], (F, 3, 3)."""
    temperatures = np.array([state.temperature for state in all_atom.states])
    per_frame = temperatures[np.zeros(len(all_atom), int) if all_atom.state is None else all_atom.state]
    ideal = (np.count_nonzero(system.masses) - n_beads) * units.BOLTZMANN * per_frame
    return all_atom.virial + ideal[:, None, None] * np.eye(3)


def _reload(folder: Any, parents: tuple[str, ...]) -> ReferenceData:
    data = store.load(folder)
    if not isinstance(data, ReferenceData) or data.parents != parents:
        raise ValueError(f"{folder} holds something else (other frames, mapping or code): choose another folder or delete it.")
    return data
