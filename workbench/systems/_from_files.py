"""Systems from the files of other programs: ``systems.from_pdb`` (with a force field) and ``systems.from_files`` (with a trajectory).

GRO is read by mdtraj; PDB (wwPDB 3.3), PSF (CHARMM, NAMD) and PRMTOP (Amber) by OpenMM. Bonds that a PDB or GRO does not give are
those of the standard residues, or found from distances.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from workbench import projection, trajectory_files
from workbench.systems import _file_bonds, _openmm
from workbench.types import State, System

ENDINGS = ("pdb", "gro", "psf", "prmtop", "parm7")
CLOSEST = 0.05
"""Two atoms nearer than this overlap [nm]."""
CONSTRAINTS = ("none", "water", "h-bonds", "all-bonds")
AMBER = {"none": None, "water": None, "h-bonds": app.HBonds, "all-bonds": app.AllBonds}


def from_pdb(path: Any, force_field: Sequence[str], cutoff_nm: float, box: Any, temperature: float) -> System:
    """See ``systems.from_pdb``."""
    path = _existing(path, ("pdb",))
    pdb = _pdb(path)
    positions = np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    lengths = _box(path.name, box, pdb.topology.getPeriodicBoxVectors())
    if lengths is not None and cutoff_nm > lengths.min() / 2:
        raise ValueError(f"systems.from_pdb: the cut-off of {cutoff_nm} nm exceeds half the box of {lengths.min():.3f} nm: shorten it.")
    make = functools.partial(_parametrised, str(path), tuple(force_field), cutoff_nm, None if lengths is None else tuple(lengths))
    system = _openmm.to_system(
        name=path.stem,
        topology=pdb.topology,
        positions=positions,
        force_field=make(),
        make_xml=functools.partial(_xml, make),
        state=State(temperature=temperature),
        source=f"{path.name}; {', '.join(force_field)}, as distributed with OpenMM",
    )
    return _checked(system, lengths, box)


def from_files(
    topology: Any, trajectory: Any, bonds: str, constraints: str, box: Any, temperature: float, lammps_units: str | None
) -> System:
    """See ``systems.from_files``."""
    if constraints not in CONSTRAINTS:
        raise ValueError(f"systems.from_files: constraints = '{constraints}': choose {', '.join(CONSTRAINTS)}.")
    if bonds not in ("file", "distance"):
        raise ValueError(f"systems.from_files: bonds = '{bonds}': choose file or distance.")
    path = _existing(topology, ENDINGS)
    atoms, masses, charges, positions, vectors = _read(path)
    lengths = _box(path.name, box, vectors)
    if trajectory is not None:
        positions, lengths = _first_frame(path, len(masses), trajectory, lengths, box, lammps_units)
    if positions is None:
        raise ValueError(f"{path.name} holds no coordinates: give a trajectory too, whose first frame they are taken from.")
    pairs = np.array(sorted({tuple(sorted((a.index, b.index))) for a, b in atoms.bonds()}), np.int64).reshape(-1, 2)
    pairs = (
        _file_bonds.by_distance(path.name, atoms, pairs, positions, lengths)
        if bonds == "distance"
        else _file_bonds.complete(path.name, atoms, pairs)
    )
    waters, pairs = _file_bonds.waters(atoms, pairs)
    held = _file_bonds.held(atoms, pairs, waters, constraints)
    system = _openmm.to_system(
        name=path.stem,
        topology=_file_bonds.rebuilt(atoms, pairs),
        positions=positions,
        force_field=_particles(path.name, atoms, masses, held),
        make_xml=_amber(path, lengths, constraints) if path.suffix in (".prmtop", ".parm7") else functools.partial(str, ""),
        state=State(temperature=temperature),
        source=", ".join(pathlib.Path(file).name for file in (topology, trajectory) if file is not None) + ", converted to nm",
    )
    return _checked(dataclasses.replace(system, charges=charges), lengths, box)


def _existing(path: Any, endings: tuple[str, ...]) -> pathlib.Path:
    path = pathlib.Path(path)
    if path.suffix.lower().removeprefix(".") not in endings:
        raise ValueError(f"{path.name}: topologies end in {', '.join(endings)}, not in '{path.suffix}'.")
    if not path.is_file():
        raise ValueError(f"there is no topology file {path}: check the path.")
    return path


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _pdb(path: pathlib.Path) -> app.PDBFile:
    try:
        return app.PDBFile(str(path))
    except Exception as error:  # the reader lets errors of every kind through
        raise ValueError(f"{path.name} cannot be read as a PDB file ({_sentence(error)}): check the file.") from None


def _read(path: pathlib.Path) -> tuple[app.Topology, np.ndarray, np.ndarray, np.ndarray | None, Any]:
    """Atoms, masses [amu], charges [e] (0 where the format has none), positions [nm] or None and box vectors or None."""
    if path.suffix.lower() == ".pdb":
        pdb = _pdb(path)
        positions = np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
        return pdb.topology, _masses(path.name, pdb.topology), np.zeros(len(positions)), positions, pdb.topology.getPeriodicBoxVectors()
    try:
        if path.suffix.lower() == ".gro":
            import mdtraj

            frame = mdtraj.load(str(path))[0]
            topology = frame.topology.to_openmm()
            vectors = None if frame.unitcell_vectors is None else frame.unitcell_vectors[0] * unit.nanometer
            return topology, _masses(path.name, topology), np.zeros(frame.n_atoms), frame.xyz[0].astype(float), vectors
        if path.suffix.lower() == ".psf":
            psf = app.CharmmPsfFile(str(path))
            masses = np.array([atom.mass.value_in_unit(unit.dalton) for atom in psf.atom_list])
            return psf.topology, masses, np.array([float(atom.charge) for atom in psf.atom_list]), None, psf.boxVectors
        amber = app.AmberPrmtopFile(str(path))
        physics = amber.createSystem(nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False)
        masses = np.array([physics.getParticleMass(i).value_in_unit(unit.dalton) for i in range(physics.getNumParticles())])
        return amber.topology, masses, _openmm.charges(physics), None, amber.topology.getPeriodicBoxVectors()
    except Exception as error:  # the readers let errors of every kind through
        raise ValueError(f"{path.name} cannot be read as what its ending says ({_sentence(error)}): check the file.") from None


def _masses(where: str, topology: app.Topology) -> np.ndarray:
    """Masses of the elements [amu]; 0 for virtual sites, whose names begin with M, EP, LP or VS."""
    for atom in topology.atoms():
        if atom.element is None and not atom.name.startswith(("M", "EP", "LP", "VS")):
            raise ValueError(f"{where}: the element of atom {atom.index} ('{atom.name}') cannot be told: give it in a PDB's columns 77-78.")
    return np.array([0.0 if a.element is None else a.element.mass.value_in_unit(unit.dalton) for a in topology.atoms()])


def _box(where: str, given: Any, vectors: Any) -> np.ndarray | None:
    """Lengths [nm] as given or as in the file; None for 'vacuum', no box, or the unit cube that stands for none in a PDB."""
    if isinstance(given, str):
        if given != "vacuum":
            raise ValueError(f"box = '{given}': give three lengths in nm, 'vacuum', or None for that of the file.")
        return None
    if given is not None:
        lengths = np.asarray(given, float)
        if lengths.shape != (3,) or not np.all(lengths > 0):
            raise ValueError(f"box = {given}: give three lengths above 0, in nm.")
        return lengths
    if vectors is None:
        return None
    rows = np.array(vectors.value_in_unit(unit.nanometer))
    if np.all(np.diag(rows) < 0.2):
        return None
    return trajectory_files.box_lengths(rows[None], where)[0]


def _first_frame(path: pathlib.Path, n_atoms: int, trajectory: Any, lengths: Any, box: Any, lammps_units: str | None) -> tuple:
    """Positions [nm] and box of the first frame."""
    source = trajectory_files.open_file(trajectory, lammps_units=lammps_units)
    name = pathlib.Path(trajectory).name
    if source.n_atoms != n_atoms:
        raise ValueError(
            f"{name} holds {source.n_atoms} atoms a frame and the topology {path.name} {n_atoms}: take the one it was written with."
        )
    if source.n_frames == 0:
        raise ValueError(f"{name} holds no whole frame.")
    frame = next(source.pieces(1))
    if box is None and "box" in frame:
        lengths = np.asarray(frame["box"][0], float)
    return np.asarray(frame["positions"][0], float), lengths if lengths is None or np.all(lengths > 0) else None


def _particles(where: str, atoms: app.Topology, masses: np.ndarray, held: set[tuple[int, int]]) -> openmm.System:
    """Masses, constraints and virtual sites; where a site stands is read from the trajectory, so that its place here is nominal."""
    physics = openmm.System()
    for mass in masses:
        physics.addParticle(mass)
    for atom in (a for a in atoms.atoms() if masses[a.index] == 0):
        real = [a.index for a in atom.residue.atoms() if masses[a.index] > 0]
        if not real:
            raise ValueError(f"{where}: the site {atom.index} ('{atom.name}') stands in a residue without atoms.")
        physics.setVirtualSite(atom.index, openmm.TwoParticleAverageSite(real[0], real[-1], 1.0, 0.0))
    for i, j in sorted(held):
        physics.addConstraint(i, j, 0.0)
    return physics


def _checked(system: System, box: np.ndarray | None, given: Any) -> System:
    """The system in its box, molecules whole. Refuses a liquid without box and atoms that overlap."""
    molecules = int(system.molecule[-1]) + 1
    if box is None and molecules > 1 and given != "vacuum":
        raise ValueError(
            f"'{system.name}' has {molecules} molecules but no box: give box=(a, b, c) in nm, or box='vacuum' for a cluster in vacuum."
        )
    real = np.flatnonzero(system.masses > 0)
    near, distances = _file_bonds.near(system.positions[real], box, CLOSEST)
    if len(near):
        i, j = real[near[np.argmin(distances)]]
        raise ValueError(
            f"'{system.name}': atoms {i} and {j} are {distances.min():.4f} nm apart: atoms overlap, or lengths are not in the unit of "
            "the format."
        )
    positions = system.positions if box is None else projection.whole(system.positions[None], box[None], system)[0]
    return dataclasses.replace(system, positions=positions, box=box)


@functools.lru_cache(maxsize=4)
def _parametrised(path: str, files: tuple[str, ...], cutoff_nm: float, box: tuple[float, ...] | None) -> openmm.System:
    """The PDB's atoms with a force field, bonds flexible, water rigid."""
    topology = app.PDBFile(path).topology
    options: dict[str, Any] = {"nonbondedMethod": app.NoCutoff}
    if box is not None:
        topology.setUnitCellDimensions(openmm.Vec3(*box) * unit.nanometer)
        options = {"nonbondedMethod": app.PME, "nonbondedCutoff": cutoff_nm * unit.nanometer}
    try:
        return app.ForceField(*files).createSystem(topology, constraints=None, rigidWater=True, **options)
    except ValueError as error:
        raise ValueError(
            f"{pathlib.Path(path).name}: {', '.join(files)} cannot describe it ({_sentence(error)}): add what is missing (hydrogens, caps) "
            "or choose another force_field."
        ) from None


def _xml(make: Any) -> str:
    return openmm.XmlSerializer.serialize(make())


def _amber(path: pathlib.Path, box: np.ndarray | None, constraints: str) -> Any:
    return functools.partial(_amber_xml, str(path), None if box is None else tuple(box.tolist()), constraints)


@functools.lru_cache(maxsize=4)
def _amber_xml(path: str, box: tuple[float, ...] | None, constraints: str) -> str:
    """The force field of a PRMTOP; cut-off 1 nm, or half the box where that is less."""
    amber = app.AmberPrmtopFile(path)
    options: dict[str, Any] = {"nonbondedMethod": app.NoCutoff}
    if box is not None:
        amber.topology.setUnitCellDimensions(openmm.Vec3(*box) * unit.nanometer)
        options = {"nonbondedMethod": app.PME, "nonbondedCutoff": min(1.0, min(box) / 2) * unit.nanometer}
    physics = amber.createSystem(constraints=AMBER[constraints], rigidWater=constraints != "none", **options)
    return openmm.XmlSerializer.serialize(physics)
