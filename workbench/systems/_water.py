"""What the rigid water models share: a cubic periodic box of molecules on a lattice, in random orientations."""

import dataclasses
import functools

import numpy as np
import openmm
import scipy.spatial.transform
from openmm import app, unit

from workbench import units
from workbench.settings import field, settings
from workbench.systems import _openmm
from workbench.types import State, System

EXPERIMENT = {298.15: 0.99705}
"""Density of water [g/cm^3] by temperature [K] at 1 bar: Wagner and Pruss, J. Phys. Chem. Ref. Data 31, 387 (2002)."""


@settings
class Settings:
    """Size and state of the box."""

    n_molecules: int = field(64, "Number of water molecules.", bounds=(1, 100_000))
    density: float = field(0.997, "Density, which sets the box.", unit="g/cm^3", bounds=(0.1, 1.5))
    cutoff_nm: float = field(0.55, "Cut-off of the direct-space interactions; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of the random orientations.", bounds=(0, 2**31 - 2))


@dataclasses.dataclass(frozen=True)
class Model:
    """A rigid water model."""

    name: str
    """Name of its file in ``systems``."""
    bond: float
    """O-H distance [nm]."""
    angle: float
    """H-O-H angle [degrees]."""
    force_field: str
    """OpenMM force-field file, shipped with OpenMM or beside this file (absolute path)."""
    source: str
    """Where it was published and where its file comes from."""
    site: float | None = None
    """Distance of a massless charge from the oxygen along the bisector [nm], or None."""
    hydrogen: str = "H"
    """Element symbol of the hydrogens: H or D."""
    experiment: tuple[tuple[float, float], ...] = tuple(EXPERIMENT.items())
    """Temperatures [K] with the experimental density [g/cm^3] there."""

    def atoms(self) -> np.ndarray:
        """Positions of O, H, H and the site where there is one [nm]."""
        angle = np.deg2rad(self.angle)
        rows = [[0, 0, 0], [self.bond, 0, 0], [self.bond * np.cos(angle), self.bond * np.sin(angle), 0]]
        if self.site is not None:
            rows.append([self.site * np.cos(angle / 2), self.site * np.sin(angle / 2), 0])
        return np.array(rows)


def box(model: Model, settings: Settings) -> System:
    """The periodic box of ``model``. Raises ``ValueError`` where the cut-off exceeds half of it."""
    mass = sum(atom.element.mass._value for atom in _topology(model, 1).atoms() if atom.element is not None)
    edge = (settings.n_molecules * mass / (settings.density * units.GRAM_PER_CM3)) ** (1 / 3)
    if settings.cutoff_nm > edge / 2:
        raise ValueError(
            f"systems.{model.name}: the cut-off of {settings.cutoff_nm} nm exceeds half the box of {edge:.3f} nm: "
            "take more molecules or a shorter cut-off."
        )
    topology, force_field = _parts(model, settings, edge)
    system = _openmm.to_system(
        name=model.name,
        topology=topology,
        positions=lattice(model.atoms(), settings.n_molecules, edge, settings.seed),
        force_field=force_field,
        make_xml=functools.partial(_xml, model, settings, edge),
        state=State(temperature=settings.temperature),
        source=model.source,
    )
    return dataclasses.replace(system, experimental_density=dict(model.experiment).get(settings.temperature))


def molecule(model: Model) -> System:
    """One rigid molecule of ``model`` in vacuum, a component of mixtures."""
    topology = _topology(model, 1)
    force_field = app.ForceField(model.force_field).createSystem(topology, nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=True)
    xml = openmm.XmlSerializer.serialize(force_field)
    return _openmm.to_system(
        name=model.name,
        topology=topology,
        positions=model.atoms(),
        force_field=force_field,
        make_xml=lambda: xml,
        state=State(),
        source=model.source,
    )


def lattice(molecule: np.ndarray, n_molecules: int, edge: float, seed: int) -> np.ndarray:
    """Copies of ``molecule`` (n, 3) on a cubic lattice of side ``edge``, randomly turned: (n n_molecules, 3) [nm]."""
    per_edge = int(np.ceil(n_molecules ** (1 / 3) - 1e-9))
    sites = np.stack(np.meshgrid(*(np.arange(per_edge),) * 3, indexing="ij"), -1).reshape(-1, 3)[:n_molecules]
    turns = scipy.spatial.transform.Rotation.from_quat(np.random.default_rng(seed).normal(size=(n_molecules, 4))).as_matrix()
    return ((sites[:, None] + 0.5) * edge / per_edge + np.einsum("mij,aj->mai", turns, molecule)).reshape(-1, 3)


def _topology(model: Model, n_molecules: int) -> app.Topology:
    topology = app.Topology()
    chain = topology.addChain()
    for _ in range(n_molecules):
        residue = topology.addResidue("HOH", chain)
        oxygen = topology.addAtom("O", app.element.oxygen, residue)
        for name in ("H1", "H2"):
            topology.addBond(oxygen, topology.addAtom(name, app.Element.getBySymbol(model.hydrogen), residue))
        if model.site is not None:
            topology.addAtom("M", None, residue)
    return topology


@functools.lru_cache(maxsize=4)
def _parts(model: Model, settings: Settings, edge: float) -> tuple[app.Topology, openmm.System]:
    topology = _topology(model, settings.n_molecules)
    topology.setUnitCellDimensions(openmm.Vec3(edge, edge, edge) * unit.nanometer)
    cutoff = settings.cutoff_nm * unit.nanometer
    files = app.ForceField(model.force_field)
    return topology, files.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=cutoff, constraints=None, rigidWater=True)


@functools.lru_cache(maxsize=4)
def _xml(model: Model, settings: Settings, edge: float) -> str:
    return openmm.XmlSerializer.serialize(_parts(model, settings, edge)[1])
