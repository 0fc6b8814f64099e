"""ROOM: what is simulated. Every file has ``Settings`` and ``load(settings) -> System``."""

from collections.abc import Sequence
from typing import Any

from workbench import rooms
from workbench.types import System

__getattr__, __dir__ = rooms.lazy(__name__)


def load(name: str, **options: Any) -> System:
    """The named system: ``systems.load("alanine_dipeptide", solvent="obc2")``. Options are the fields of its ``Settings``."""
    method = rooms.method("systems", name)
    return method.load(method.Settings(**options))


def from_smiles(smiles: str, *, force_field: str = "mmff94", temperature: float = 300.0, seed: int = 0) -> System:
    """One molecule in vacuum from its SMILES, in three dimensions: ``systems.from_smiles("CC(=O)N")``.

    Atoms stand in the order of the SMILES, hydrogens that it leaves out after them. The force field is made when forces are first
    asked for: "mmff94" by RDKit, or "gaff2" with AM1-BCC charges by AmberTools (extra ``gaff``), kept in the user's cache folder.
    Raises ``ValueError`` for an impossible SMILES, several fragments, and a molecule that ``force_field`` does not cover.
    """
    from workbench.systems import _smiles

    return _smiles.load(_smiles.Settings(smiles=smiles, force_field=force_field, temperature=temperature, seed=seed))


def from_pdb(
    path: Any,
    *,
    force_field: Sequence[str] = ("amber14-all.xml", "amber14/tip3p.xml"),
    cutoff_nm: float = 1.0,
    box: Any = None,
    temperature: float = 300.0,
) -> System:
    """The atoms of a PDB file with a force field of OpenMM (names of its XML files), ready for ``reference.sample``.

    Bonds are flexible, so that forces can be mapped; water is rigid. ``box`` is that of the file (None), three lengths [nm] or
    'vacuum'; in a box, electrostatics by PME with ``cutoff_nm``. Positions become nm, molecules are made whole across the box.

    Raises ``ValueError`` for a file that is missing or cannot be read, atoms that the force field does not know (hydrogens must be
    there), several molecules without a box, a box that is not orthorhombic, a cut-off above half of it, and overlapping atoms.
    """
    from workbench.systems import _from_files

    return _from_files.from_pdb(path, force_field, cutoff_nm, box, temperature)


def from_files(
    topology: Any,
    trajectory: Any = None,
    *,
    bonds: str = "file",
    constraints: str = "water",
    box: Any = None,
    temperature: float = 300.0,
    lammps_units: str | None = None,
) -> System:
    """The system of a PDB, GRO, PSF or PRMTOP file, for trajectories that another program wrote.

    ``from_files("water.gro", "water.trr")`` takes positions and box from the first frame; ``reference.read(system, "water.trr")``
    then gives all frames, with forces where the format has them. Lengths become nm, masses amu, charges e; a PDB or GRO has neither
    masses (they are those of the elements) nor charges (0). Only a PRMTOP brings a force field: other systems can be read and
    projected, not sampled. Molecules are made whole across the box.

    ``bonds`` are those of the file and of standard residues, or also found by 'distance'. ``constraints`` says what the run held
    rigid, since no file tells and force maps must know: 'none', 'water', 'h-bonds' or 'all-bonds' (water is rigid in both).
    ``box`` is that of the file (None), three lengths [nm] or 'vacuum'. ``temperature`` [K] is that of the run. ``lammps_units`` is
    real or metal for a LAMMPS dump that does not state its units.

    Raises ``ValueError`` for a file that is missing, cannot be read or has an unknown ending, a topology that does not fit its
    trajectory, bonds or coordinates that are missing, several molecules without a box, and overlapping atoms.
    """
    from workbench.systems import _from_files

    return _from_files.from_files(topology, trajectory, bonds, constraints, box, temperature, lammps_units)
