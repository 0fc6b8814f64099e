"""A molecule in vacuum, or a liquid of one or more kinds of molecule, from a SMILES.

Coordinates: RDKit's distance geometry with torsion preferences (ETKDGv3; Riniker and Landrum, J. Chem. Inf. Model. 55, 2562
(2015); Wang et al., ibid. 60, 2044 (2020)), then minimised in MMFF94 where it covers the molecule. Stereocentres that the SMILES
leaves open are chosen by the seed. GAFF2's charges are made with its force field: until then a system holds formal charges.

A SMILES with dots is a mixture: "CO.O.O" has two waters to a methanol. Water in a liquid is TIP3P, with which GAFF is used.
"""

import collections
import functools

import numpy as np
import openmm
import rdkit
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers, rdMolDescriptors

from workbench import units
from workbench.settings import field, settings
from workbench.systems import _gaff, _liquid, _mmff, _water, water_tip3p
from workbench.types import State, System

MINIMISE_STEPS = 200
SOURCES = {"mmff94": f"MMFF94 as in RDKit {rdkit.__version__}", "gaff2": "GAFF2 with AM1-BCC charges, by AmberTools"}
PACKING = 0.5
"""Share of its van der Waals volume in the box of a liquid of unknown density: loose, organic liquids have 0.55 to 0.6."""


@settings
class Settings:
    """Which molecules, how many, and what describes their forces."""

    smiles: str = field("CCO", "The molecule, or several parted by dots; hydrogens may be left out.")
    n_molecules: int = field(1, "Copies of every molecule of the SMILES; 1 is a molecule in vacuum, more a liquid.", bounds=(1, 100_000))
    force_field: str = field(
        "auto",
        "GAFF2 with AM1-BCC charges by AmberTools; MMFF94 by RDKit (single molecules); auto: GAFF2 where it can be had.",
        choices=("auto", "gaff2", "mmff94"),
    )
    density: float | None = field(
        None, "Density of a liquid's box; none: a loose packing, for pressure to compress.", unit="g/cm^3", bounds=(0.001, 10.0)
    )
    cutoff_nm: float = field(1.0, "Cut-off in a liquid; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    constraints: str = field(
        "none", "Bonds to hydrogen of a liquid: flexible (time step 1 fs) or rigid (2 fs).", choices=_liquid.CONSTRAINTS
    )
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of coordinates and packing.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The system; atoms of a molecule in the order of the SMILES, the hydrogens that it leaves out after them.

    The same settings give the same coordinates. Raises ``ValueError`` for an impossible SMILES, a radical, a molecule without
    parameters, several molecules in vacuum, a liquid that is not neutral, cannot be packed or would need MMFF94.
    """
    molecules = [read(part) for part in settings.smiles.split(".")]
    if settings.n_molecules > 1:
        return _mixture(settings, molecules)
    if len(molecules) > 1:
        raise ValueError(
            f"the SMILES '{settings.smiles}' holds {len(molecules)} molecules, parted by '.': give one at a time, or n_molecules "
            "above 1 for a liquid."
        )
    return molecule(settings.smiles, settings.force_field, settings.temperature, settings.seed)


def molecule(smiles: str, force_field: str = "auto", temperature: float = 300.0, seed: int = 0) -> System:
    """One molecule in vacuum; ``force_field`` is gaff2, mmff94 or auto. Raises ``ValueError`` as :func:`load` does."""
    if force_field == "auto":
        force_field = "gaff2" if _gaff.covers(read(smiles)) else "mmff94"
    drawn = draw(smiles, force_field, seed)
    atoms = list(drawn.GetAtoms())
    counts: collections.Counter[str] = collections.Counter()
    names = []
    for atom in atoms:
        counts[atom.GetSymbol()] += 1
        names.append(f"{atom.GetSymbol()}{counts[atom.GetSymbol()]}")
    bonds = sorted(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())) for bond in drawn.GetBonds())
    return System(
        name=rdMolDescriptors.CalcMolFormula(drawn),
        elements=tuple(atom.GetSymbol() for atom in atoms),
        atom_names=tuple(names),
        residue_names=("MOL",) * len(atoms),
        residue=np.zeros(len(atoms), np.int64),
        molecule=np.zeros(len(atoms), np.int64),
        masses=np.array([atom.GetMass() for atom in atoms]),
        charges=_charges(smiles, force_field, drawn),
        bonds=np.array(bonds, np.int64).reshape(-1, 2),
        constraints=np.zeros((0, 2), np.int64),
        virtual_sites=np.zeros(0, np.int64),
        positions=drawn.GetConformer().GetPositions() * units.ANGSTROM,
        box=None,
        force_field=functools.partial(_xml, smiles, force_field, seed),
        state=State(temperature=temperature),
        source=f"{SOURCES[force_field]}, {Chem.MolToSmiles(Chem.RemoveHs(drawn))}",
    )


def read(smiles: str) -> Chem.Mol:
    """The one molecule of ``smiles`` with hydrogens, without coordinates. Raises ``ValueError`` as :func:`load` does."""
    with rdBase.BlockLogs():
        parsed = Chem.MolFromSmiles(smiles, sanitize=False)
        if parsed is None or parsed.GetNumAtoms() == 0:
            raise ValueError(f"'{smiles}' is not a SMILES: write one such as 'CCO' for ethanol.")
        problems = [problem.Message() for problem in Chem.DetectChemistryProblems(parsed)]
        if problems:
            raise ValueError(f"the SMILES '{smiles}' is of no possible molecule: {problems[0].strip().rstrip('.')}.")
        parsed = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if any(atom.GetNumRadicalElectrons() for atom in parsed.GetAtoms()):
        raise ValueError(f"the SMILES '{smiles}' is of a radical, which the force fields do not cover: add hydrogens or a charge.")
    return parsed


def _mixture(settings: Settings, molecules: list[Chem.Mol]) -> System:
    """``n_molecules`` of every molecule in a periodic box."""
    if settings.force_field == "mmff94":
        raise ValueError("systems.smiles: MMFF94 is for a single molecule: choose force_field='gaff2' for a liquid.")
    amounts = collections.Counter(Chem.MolToSmiles(Chem.RemoveHs(one)) for one in molecules)
    written = {Chem.MolToSmiles(Chem.RemoveHs(one)): part for one, part in zip(molecules, settings.smiles.split("."), strict=True)}
    components = []
    for canonical, amount in amounts.items():
        water = canonical == "O"
        part = _water.molecule(water_tip3p.MODEL) if water else molecule(written[canonical], "gaff2", settings.temperature, settings.seed)
        components.append((part, amount * settings.n_molecules))
    density = settings.density or _loose(molecules, settings.seed)
    return _liquid.liquid(
        components,
        name=" + ".join(part.name for part, _ in components),
        density=density,
        cutoff_nm=settings.cutoff_nm,
        temperature=settings.temperature,
        constraints=settings.constraints,
        seed=settings.seed,
    )


def _loose(molecules: list[Chem.Mol], seed: int) -> float:
    """A density [g/cm^3] at which van der Waals volumes fill the share ``PACKING`` of the box."""
    mass = sum(atom.GetMass() for one in molecules for atom in one.GetAtoms())
    drawn = [draw(Chem.MolToSmiles(Chem.RemoveHs(one)), "gaff2", seed) for one in molecules]
    volume = sum(rdMolDescriptors.DoubleCubicLatticeVolume(one).GetVDWVolume() for one in drawn) * units.ANGSTROM**3
    return PACKING * mass / volume / units.GRAM_PER_CM3


def _charges(smiles: str, force_field: str, drawn: Chem.Mol) -> np.ndarray:
    """Partial charges of MMFF94; formal ones before GAFF2's are made. Raises ``ValueError`` where an element is not covered."""
    if force_field == "mmff94":
        return _mmff.charges(drawn)
    _gaff.check(drawn, smiles)
    return np.array([float(atom.GetFormalCharge()) for atom in drawn.GetAtoms()])


@functools.lru_cache(maxsize=32)
def draw(smiles: str, force_field: str, seed: int) -> Chem.Mol:
    """With hydrogens and coordinates [angstrom]."""
    drawn = read(smiles)
    with rdBase.BlockLogs():
        _charges(smiles, force_field, drawn)
        options = rdDistGeom.ETKDGv3()
        options.randomSeed = seed + 1  # RDKit takes 0 for 1
        if rdDistGeom.EmbedMolecule(drawn, options) < 0:
            options.useRandomCoords = True
            if rdDistGeom.EmbedMolecule(drawn, options) < 0:
                raise ValueError(f"no coordinates could be found for the SMILES '{smiles}': check its rings and stereocentres.")
        if _mmff.properties(drawn) is not None:
            rdForceFieldHelpers.MMFFOptimizeMolecule(drawn, maxIters=MINIMISE_STEPS)
    return drawn


@functools.lru_cache(maxsize=32)
def _xml(smiles: str, force_field: str, seed: int) -> str:
    method = _mmff if force_field == "mmff94" else _gaff
    return openmm.XmlSerializer.serialize(method.force_field(draw(smiles, force_field, seed)))
