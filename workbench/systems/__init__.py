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


def from_smiles(smiles: str, *, n_molecules: int = 1, **options: Any) -> System:
    """A molecule in vacuum, or a liquid of ``n_molecules`` of it: ``systems.from_smiles("Cc1ccccc1", n_molecules=150)``.

    ``options`` are the other fields of ``systems.smiles.Settings``: force_field ("gaff2" with AM1-BCC charges by AmberTools, the extra
    ``gaff``, or "mmff94" by RDKit), density [g/cm^3], cutoff_nm, constraints, temperature [K], seed. Atoms stand in the order of the
    SMILES, hydrogens that it leaves out after them. The force field is made when forces are first asked for and kept in the user's
    cache folder; ``System.source`` says which it is. Dots part the molecules of a mixture: "CO.O" is equimolar.

    Raises ``ValueError`` for an impossible SMILES, a molecule that the force field does not cover, several molecules in vacuum, a
    liquid with a net charge and a density that cannot be packed.
    """
    return load("smiles", smiles=smiles, n_molecules=n_molecules, **options)


def liquid(
    components: Sequence[tuple[System, int]],
    *,
    density: float,
    name: str = "liquid",
    cutoff_nm: float = 1.0,
    temperature: float = 300.0,
    constraints: str = "none",
    seed: int = 0,
) -> System:
    """A periodic box of ``density`` [g/cm^3] with copies of single molecules: ``systems.liquid([(methanol, 50), (water, 150)], ...)``.

    ``components`` are systems of one molecule without a box, with their numbers. ``constraints`` 'h-bonds' makes bonds to hydrogen rigid.
    Raises ``ValueError`` for components that are something else, a net charge, a cut-off above half the box and a density that cannot
    be packed.
    """
    from workbench.systems import _liquid

    return _liquid.liquid(
        components,
        name=name,
        density=density,
        cutoff_nm=cutoff_nm,
        temperature=temperature,
        constraints=constraints,
        seed=seed,
    )


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
