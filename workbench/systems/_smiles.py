"""One molecule in vacuum from its SMILES.

Coordinates: RDKit's distance geometry with torsion preferences (ETKDGv3; Riniker and Landrum, J. Chem. Inf. Model. 55, 2562
(2015); Wang et al., ibid. 60, 2044 (2020)), then minimised in MMFF94 where it covers the molecule. Stereocentres that the SMILES
leaves open are chosen by the seed. GAFF2's charges are made with its force field: until then a system holds formal charges.
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
from workbench.systems import _gaff, _mmff
from workbench.types import State, System

MINIMISE_STEPS = 200
SOURCES = {"mmff94": f"MMFF94 as in RDKit {rdkit.__version__}", "gaff2": "GAFF2 with AM1-BCC charges, by AmberTools"}


@settings
class Settings:
    """Which molecule, and what describes its forces."""

    smiles: str = field("CCO", "The molecule; hydrogens may be left out.")
    force_field: str = field("mmff94", "MMFF94 by RDKit, or GAFF2 with AM1-BCC charges by AmberTools.", choices=("mmff94", "gaff2"))
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of the coordinates.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The molecule, atoms in the order of the SMILES and the hydrogens that it leaves out after them.

    The same settings give the same coordinates. Raises ``ValueError`` for an impossible SMILES, several fragments, a radical, and a
    molecule without parameters.
    """
    molecule = _molecule(settings)
    atoms = list(molecule.GetAtoms())
    counts: collections.Counter[str] = collections.Counter()
    names = []
    for atom in atoms:
        counts[atom.GetSymbol()] += 1
        names.append(f"{atom.GetSymbol()}{counts[atom.GetSymbol()]}")
    bonds = sorted(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())) for bond in molecule.GetBonds())
    return System(
        name=rdMolDescriptors.CalcMolFormula(molecule),
        elements=tuple(atom.GetSymbol() for atom in atoms),
        atom_names=tuple(names),
        residue_names=("MOL",) * len(atoms),
        residue=np.zeros(len(atoms), np.int64),
        molecule=np.zeros(len(atoms), np.int64),
        masses=np.array([atom.GetMass() for atom in atoms]),
        charges=_charges(settings, molecule),
        bonds=np.array(bonds, np.int64).reshape(-1, 2),
        constraints=np.zeros((0, 2), np.int64),
        virtual_sites=np.zeros(0, np.int64),
        positions=molecule.GetConformer().GetPositions() * units.ANGSTROM,
        box=None,
        force_field=functools.partial(_xml, settings),
        state=State(temperature=settings.temperature),
        source=f"{SOURCES[settings.force_field]}, {Chem.MolToSmiles(Chem.RemoveHs(molecule))}",
    )


def read(smiles: str) -> Chem.Mol:
    """The molecule of ``smiles`` with hydrogens, without coordinates. Raises ``ValueError`` as :func:`load` does."""
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, sanitize=False)
        if molecule is None or molecule.GetNumAtoms() == 0:
            raise ValueError(f"'{smiles}' is not a SMILES: write one such as 'CCO' for ethanol.")
        problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
        if problems:
            raise ValueError(f"the SMILES '{smiles}' is of no possible molecule: {problems[0].strip().rstrip('.')}.")
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    fragments = len(Chem.GetMolFrags(molecule))
    if fragments > 1:
        raise ValueError(f"the SMILES '{smiles}' holds {fragments} molecules, parted by '.': give one at a time.")
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        raise ValueError(f"the SMILES '{smiles}' is of a radical, which the force fields do not cover: add hydrogens or a charge.")
    return molecule


def _charges(settings: Settings, molecule: Chem.Mol) -> np.ndarray:
    """Partial charges of MMFF94; formal ones before GAFF2's are made. Raises ``ValueError`` where an element is not covered."""
    if settings.force_field == "mmff94":
        return _mmff.charges(molecule)
    _gaff.check(molecule, settings.smiles)
    return np.array([float(atom.GetFormalCharge()) for atom in molecule.GetAtoms()])


@functools.lru_cache(maxsize=4)
def _molecule(settings: Settings) -> Chem.Mol:
    """With hydrogens and coordinates [angstrom]."""
    molecule = read(settings.smiles)
    with rdBase.BlockLogs():
        _charges(settings, molecule)
        options = rdDistGeom.ETKDGv3()
        options.randomSeed = settings.seed
        if rdDistGeom.EmbedMolecule(molecule, options) < 0:
            options.useRandomCoords = True
            if rdDistGeom.EmbedMolecule(molecule, options) < 0:
                raise ValueError(f"no coordinates could be found for the SMILES '{settings.smiles}': check its rings and stereocentres.")
        if _mmff.properties(molecule) is not None:
            rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, maxIters=MINIMISE_STEPS)
    return molecule


@functools.lru_cache(maxsize=4)
def _xml(settings: Settings) -> str:
    method = _mmff if settings.force_field == "mmff94" else _gaff
    return openmm.XmlSerializer.serialize(method.force_field(_molecule(settings)))
