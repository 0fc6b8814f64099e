"""A small periodic box of rigid TIP3P water, for liquids in tests and first trials.

Jorgensen et al., J. Chem. Phys. 79, 926 (1983): O-H 0.09572 nm, H-O-H 104.52 degrees. The molecules start on a cubic lattice
in random orientations: minimise and equilibrate before use, as :func:`reference.sample` does.
"""

import functools

import numpy as np
import openmm
import scipy.spatial.transform
from openmm import app, unit

from workbench import units
from workbench.settings import field, settings
from workbench.systems import _openmm
from workbench.types import State, System

MOLAR_MASS = 18.01528
BOND = 0.09572
ANGLE = np.deg2rad(104.52)


@settings
class Settings:
    """Size and state of the box."""

    n_molecules: int = field(64, "Number of water molecules.", bounds=(1, 100_000))
    density: float = field(0.997, "Density, which sets the box.", unit="g/cm^3", bounds=(0.1, 1.5))
    cutoff_nm: float = field(0.55, "Cut-off of the direct-space interactions; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of the random orientations.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The box. Raises ``ValueError`` where the cut-off exceeds half of it."""
    edge = (settings.n_molecules * MOLAR_MASS / (settings.density * units.GRAM_PER_CM3)) ** (1 / 3)
    if settings.cutoff_nm > edge / 2:
        raise ValueError(
            f"systems.water_tip3p: the cut-off of {settings.cutoff_nm} nm exceeds half the box of {edge:.3f} nm: "
            "take more molecules or a shorter cut-off."
        )
    topology, force_field = _parts(settings, edge)
    return _openmm.to_system(
        name="water_tip3p",
        topology=topology,
        positions=lattice(settings.n_molecules, edge, settings.seed),
        force_field=force_field,
        make_xml=functools.partial(_xml, settings, edge),
        state=State(temperature=settings.temperature),
        source="TIP3P, as distributed with OpenMM",
    )


def lattice(n_molecules: int, edge: float, seed: int) -> np.ndarray:
    """Positions of O, H, H of molecules on a cubic lattice in random orientations: (3 n_molecules, 3) [nm]."""
    per_edge = int(np.ceil(n_molecules ** (1 / 3) - 1e-9))
    sites = np.stack(np.meshgrid(*(np.arange(per_edge),) * 3, indexing="ij"), -1).reshape(-1, 3)[:n_molecules]
    molecule = np.array([[0, 0, 0], [BOND, 0, 0], [BOND * np.cos(ANGLE), BOND * np.sin(ANGLE), 0]])
    turns = scipy.spatial.transform.Rotation.from_quat(np.random.default_rng(seed).normal(size=(n_molecules, 4))).as_matrix()
    return ((sites[:, None] + 0.5) * edge / per_edge + np.einsum("mij,aj->mai", turns, molecule)).reshape(-1, 3)


@functools.lru_cache(maxsize=4)
def _parts(settings: Settings, edge: float) -> tuple[app.Topology, openmm.System]:
    topology = app.Topology()
    chain = topology.addChain()
    for _ in range(settings.n_molecules):
        residue = topology.addResidue("HOH", chain)
        oxygen = topology.addAtom("O", app.element.oxygen, residue)
        for name in ("H1", "H2"):
            topology.addBond(oxygen, topology.addAtom(name, app.element.hydrogen, residue))
    topology.setUnitCellDimensions(openmm.Vec3(edge, edge, edge) * unit.nanometer)
    cutoff = settings.cutoff_nm * unit.nanometer
    files = app.ForceField("amber14/tip3p.xml")
    return topology, files.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=cutoff, constraints=None, rigidWater=True)


@functools.lru_cache(maxsize=4)
def _xml(settings: Settings, edge: float) -> str:
    return openmm.XmlSerializer.serialize(_parts(settings, edge)[1])
