"""Any system from the files of other programs: a topology, with the trajectory that it belongs to or with a force field.

GRO, PSF, PRMTOP and PDB files with a DCD, XTC, TRR, H5, LAMMPS dump or npz; ``systems.from_files`` and ``systems.from_pdb`` are the
same as calls, and ``reference.read`` gives all frames of the trajectory.
"""

from workbench.settings import field, settings
from workbench.systems import _from_files
from workbench.types import System


@settings
class Settings:
    """Which files, and what they do not say."""

    topology: str = field("", "PDB, GRO, PSF or PRMTOP file.")
    trajectory: str = field("", "Trajectory of the same atoms, or nothing; positions and box come from its first frame.")
    force_field: tuple[str, ...] = field((), "Force-field files of OpenMM for a PDB, such as amber14-all.xml; none: only read.")
    bonds: str = field("file", "Bonds of the file and of standard residues, or also found by distance.", choices=("file", "distance"))
    constraints: str = field("water", "What the run of the trajectory held rigid.", choices=_from_files.CONSTRAINTS)
    box: tuple[float, ...] = field((), "Box lengths; none: those of the file.", unit="nm", bounds=(1e-3, None))
    vacuum: bool = field(False, "Leave the box of the file out.")
    cutoff_nm: float = field(1.0, "Cut-off with a force field of OpenMM.", unit="nm", bounds=(0.3, 3.0))
    temperature: float = field(300.0, "Temperature of the run.", unit="K", bounds=(1.0, 5000.0))
    lammps_units: str | None = field(None, "real or metal, for a LAMMPS dump that does not state its units.")


def load(settings: Settings) -> System:
    """The system of the files, molecules whole across the box. Raises ``ValueError`` as ``systems.from_files`` and ``from_pdb`` do."""
    if not settings.topology:
        raise ValueError("systems.files: choose a topology file (PDB, GRO, PSF or PRMTOP).")
    box = "vacuum" if settings.vacuum else settings.box or None
    if settings.force_field:
        return _from_files.from_pdb(settings.topology, settings.force_field, settings.cutoff_nm, box, settings.temperature)
    return _from_files.from_files(
        settings.topology,
        settings.trajectory or None,
        settings.bonds,
        settings.constraints,
        box,
        settings.temperature,
        settings.lammps_units,
    )
