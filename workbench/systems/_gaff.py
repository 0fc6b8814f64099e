"""GAFF2 with AM1-BCC charges of a single molecule as OpenMM forces.

    E = sum_bonds k (r - r0)^2 + sum_angles k (theta - theta0)^2 + sum_torsions,impropers V/d [1 + cos(n phi - gamma)]
        + sum_pairs eps [(R/r)^12 - 2 (R/r)^6] + q_i q_j / (4 pi eps0 r)

Pairs three bonds apart count 1/2 (dispersion) and 1/1.2 (charges); nearer ones not at all. Wang, Wolf, Caldwell, Kollman,
Case, J. Comput. Chem. 25, 1157 (2004).
"""

import itertools

import numpy as np
import openmm
from rdkit import Chem

from workbench import units
from workbench.systems import _antechamber

SCALE_CHARGES, SCALE_DISPERSION = 1 / 1.2, 1 / 2
LARGEST_CORRECTION = 0.01
"""By how much the charges as printed may miss the charge of the molecule [e]."""
SECTIONS = {"BOND": 2, "ANGLE": 3, "DIHE": 4, "IMPROPER": 4, "NONBON": 1}
Table = dict[str, dict[tuple[str, ...], list[list[float]]]]


def check(molecule: Chem.Mol, smiles: str) -> None:
    """Refuse an element that GAFF2 does not cover, with a ``ValueError``."""
    for atom in molecule.GetAtoms():
        if atom.GetSymbol() not in _antechamber.ELEMENTS:
            covered = ", ".join(_antechamber.ELEMENTS)
            raise ValueError(f"GAFF2 has no parameters for the element {atom.GetSymbol()} of '{smiles}': it covers {covered}.")


def covers(molecule: Chem.Mol) -> bool:
    """Whether parameters of ``molecule`` (hydrogens included) are at hand or can be made here."""
    return all(atom.GetSymbol() in _antechamber.ELEMENTS for atom in molecule.GetAtoms()) and _antechamber.available(molecule)


def force_field(molecule: Chem.Mol) -> openmm.System:
    """The force field of ``molecule`` (hydrogens included, one fragment) in vacuum.

    Charges add up to that of the molecule: what rounding leaves is shared by all atoms. Raises ``ValueError`` where parameters
    cannot be made.
    """
    made, order = _antechamber.parameters(molecule)
    types, charges = [""] * len(order), np.zeros(len(order))
    for atom, kind, charge in zip(order, made.types, made.charges, strict=True):
        types[atom], charges[atom] = kind, charge
    missing = Chem.GetFormalCharge(molecule) - charges.sum()
    if abs(missing) > LARGEST_CORRECTION:
        raise ValueError(f"the AM1-BCC charges of '{made.smiles}' miss its charge by {missing:.3f} e: choose force_field='mmff94'.")
    return assemble(molecule, types, charges + missing / len(charges), made.table)


def assemble(molecule: Chem.Mol, types: list[str], charges: np.ndarray, text: str) -> openmm.System:
    """The force field of ``molecule`` whose atoms have these types and charges [e]; ``text`` is an Amber ``frcmod`` file."""
    table = _parse(text)
    system = openmm.System()
    for atom in molecule.GetAtoms():
        system.addParticle(atom.GetMass())
    for force in (_bonds(molecule, types, table), _angles(molecule, types, table), _torsions(molecule, types, table)):
        system.addForce(force)
    system.addForce(_impropers(molecule, types, table))
    system.addForce(_pairs(molecule, types, charges, table))
    return system


def _parse(text: str) -> Table:
    """Numbers by section and atom types of an Amber ``frcmod`` file, whose types stand in fixed columns."""
    table: Table = {section: {} for section in SECTIONS}
    section = ""
    for line in text.splitlines():
        if line.strip() in (*SECTIONS, "MASS"):
            section = line.strip()
        elif line.strip() and section in SECTIONS:
            width = 3 * SECTIONS[section] - 1
            row = line.lstrip() if section == "NONBON" else line
            kinds = tuple(row[:width][3 * i : 3 * i + 2].strip() for i in range(SECTIONS[section]))
            numbers = list(itertools.takewhile(_is_number, row[width:].split()))
            table[section].setdefault(kinds, []).append([float(n) for n in numbers])
    return table


def _is_number(word: str) -> bool:
    return word.replace(".", "").replace("-", "").isdigit()


def _find(table: Table, section: str, kinds: tuple[str, ...]) -> list[list[float]]:
    found = table[section].get(kinds) or table[section].get(kinds[::-1])
    if found is None:
        raise ValueError(f"GAFF2 has no {section} parameters for the atom types {'-'.join(kinds)}: choose force_field='mmff94'.")
    return found


def _bonds(molecule: Chem.Mol, types: list[str], table: Table) -> openmm.HarmonicBondForce:
    force = openmm.HarmonicBondForce()
    for i, j in _pairs_bonded(molecule):
        k, rest = _find(table, "BOND", (types[i], types[j]))[0][:2]
        force.addBond(i, j, rest * units.ANGSTROM, 2 * k * units.KCAL / units.ANGSTROM**2)
    return force


def _angles(molecule: Chem.Mol, types: list[str], table: Table) -> openmm.HarmonicAngleForce:
    force = openmm.HarmonicAngleForce()
    for atom in molecule.GetAtoms():
        j = atom.GetIdx()
        for i, k in itertools.combinations(_neighbours(atom), 2):
            stiffness, rest = _find(table, "ANGLE", (types[i], types[j], types[k]))[0][:2]
            force.addAngle(i, j, k, np.deg2rad(rest), 2 * stiffness * units.KCAL)
    return force


def _torsions(molecule: Chem.Mol, types: list[str], table: Table) -> openmm.PeriodicTorsionForce:
    force = openmm.PeriodicTorsionForce()
    force.setName("torsion")
    for j, k in _pairs_bonded(molecule):
        ends = (_neighbours(molecule.GetAtomWithIdx(a)) for a in (j, k))
        for i, l in itertools.product(*ends):
            if i != k and l not in (i, j):
                for divisor, barrier, phase, period in _find(table, "DIHE", (types[i], types[j], types[k], types[l])):
                    force.addTorsion(i, j, k, l, abs(round(period)), np.deg2rad(phase), barrier / divisor * units.KCAL)
    return force


def _impropers(molecule: Chem.Mol, types: list[str], table: Table) -> openmm.PeriodicTorsionForce:
    """One for each atom of three bonds that the table names, third in it; the others as LEaP orders them, by type, then by index."""
    force = openmm.PeriodicTorsionForce()
    force.setName("improper")
    named = {(kinds[2], tuple(sorted((*kinds[:2], kinds[3])))): rows[0] for kinds, rows in table["IMPROPER"].items()}
    for atom in molecule.GetAtoms():
        around = sorted(_neighbours(atom), key=lambda a: (types[a], a))
        row = named.get((types[atom.GetIdx()], tuple(types[a] for a in around))) if len(around) == 3 else None
        if row is not None:
            barrier, phase, period = row
            i, j, l = around
            force.addTorsion(i, j, atom.GetIdx(), l, round(period), np.deg2rad(phase), barrier * units.KCAL)
    return force


def _pairs(molecule: Chem.Mol, types: list[str], charges: np.ndarray, table: Table) -> openmm.NonbondedForce:
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    for kind, charge in zip(types, charges, strict=True):
        radius, depth = _find(table, "NONBON", (kind,))[0][:2]
        force.addParticle(charge, radius * 2 ** (5 / 6) * units.ANGSTROM, depth * units.KCAL)
    force.createExceptionsFromBonds(_pairs_bonded(molecule), SCALE_CHARGES, SCALE_DISPERSION)
    return force


def _pairs_bonded(molecule: Chem.Mol) -> list[tuple[int, int]]:
    return [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]


def _neighbours(atom: Chem.Atom) -> list[int]:
    return [other.GetIdx() for other in atom.GetNeighbors()]
