"""MMFF94 of a single molecule as OpenMM forces, with RDKit's atom types and parameters.

With d = r - r0 [angstrom], t = theta - theta0 [degrees], chi the Wilson angle [degrees], k in md/angstrom or md angstrom/rad^2:

    bond          143.9325 k/2 d^2 (1 - 2 d + 7/3 d^2)
    angle         143.9325 (pi/180)^2 k/2 t^2 (1 - 0.4 pi/180 t); at a linear atom 143.9325 k (1 + cos theta)
    stretch-bend  143.9325 pi/180 (k_ij d_ij + k_kj d_kj) t
    out of plane  143.9325 (pi/180)^2 k/2 chi^2
    torsion       1/2 [V1 (1 + cos phi) + V2 (1 - cos 2 phi) + V3 (1 + cos 3 phi)]
    dispersion    eps (1.07 R / (r + 0.07 R))^7 (1.12 R^7 / (r^7 + 0.12 R^7) - 2), atoms three bonds apart or more
    charges       332.0716 s q_i q_j / (r + 0.05), with s = 0.75 for atoms three bonds apart, 1 beyond

in kcal/mol. Halgren, J. Comput. Chem. 17, 490 (1996); in RDKit: Tosco, Stiefl, Landrum, J. Cheminform. 6, 37 (2014).
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import openmm
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers
from rdkit.ForceField.rdForceField import MMFFMolProperties

LINEAR_TYPES = (4, 42, 53, 61)
"""Atom types whose bond angle is 180 degrees: CSP, NSP, =N=, NR%."""
TURNING = (Chem.HybridizationType.SP2, Chem.HybridizationType.SP3)
CHARGE_TOLERANCE = 1e-9
"""By how much the sum of the charges may miss the charge of the molecule [e]."""
UNITS = "kcal=4.184; md=143.9325; degree=0.017453292519943295"
EXPRESSIONS = {
    "bond": "kcal*md/2*k*d^2*(1-2*d+7/3*d^2); d=10*r-r0",
    "angle": "kcal*md*degree^2/2*k*t^2*(1-0.4*degree*t); t=theta/degree-theta0",
    "linear angle": "kcal*md*k*(1+(a^2+b^2-c^2)/(2*a*b)); a=distance(p1,p2); b=distance(p3,p2); c=distance(p1,p3)",
    "stretch-bend": "kcal*md*degree*(k1*(10*distance(p1,p2)-r1)+k2*(10*distance(p3,p2)-r2))*(angle(p1,p2,p3)/degree-theta0)",
    "out of plane": "kcal*md/2*k*asin(sin(angle(p1,p2,p4))*sin(dihedral(p3,p2,p1,p4)))^2",
    "torsion": "kcal/2*(v1*(1+cos(theta))+v2*(1-cos(2*theta))+v3*(1+cos(3*theta)))",
    "pairs": "kcal*(eps*(1.07*R/(d+0.07*R))^7*(1.12*R^7/(d^7+0.12*R^7)-2)+332.0716*qq/(d+0.05)); d=10*r",
}


def properties(molecule: Chem.Mol) -> MMFFMolProperties | None:
    """Atom types and partial charges, or None where an atom of ``molecule`` (hydrogens included) has no type."""
    return rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule, mmffVariant="MMFF94")


def charges(molecule: Chem.Mol) -> np.ndarray:
    """Partial charges [e], (N,), whose sum is the charge of ``molecule`` (hydrogens included).

    Raises ``ValueError`` where MMFF94 has no type for one of its atoms, or RDKit's charges add up to something else.
    """
    types, smiles, total = properties(molecule), _smiles(molecule), Chem.GetFormalCharge(molecule)
    if types is None:
        elements = ", ".join(sorted({atom.GetSymbol() for atom in molecule.GetAtoms()}))
        raise ValueError(f"MMFF94 has no atom type for an atom of '{smiles}' (elements {elements}): choose another molecule.")
    partial = np.array([types.GetMMFFPartialCharge(i) for i in range(molecule.GetNumAtoms())])
    if abs(partial.sum() - total) > CHARGE_TOLERANCE:
        raise ValueError(f"RDKit's MMFF94 charges of '{smiles}' add up to {partial.sum():+.3f} e, not {total}: choose another molecule.")
    return partial


def force_field(molecule: Chem.Mol) -> openmm.System:
    """The force field of ``molecule`` (hydrogens included, one fragment) in vacuum, one named force for each kind of term.

    Raises ``ValueError`` as :func:`charges` does.
    """
    partial, types = charges(molecule), properties(molecule)
    system = openmm.System()
    for atom in molecule.GetAtoms():
        system.addParticle(atom.GetMass())
    for force in (
        _bonds(molecule, types),
        *_angles(molecule, types),
        _stretch_bends(molecule, types),
        _out_of_plane(molecule, types),
        _torsions(molecule, types),
        _pairs(molecule, types, partial),
    ):
        system.addForce(force)
    return system


def _bonds(molecule: Chem.Mol, types: MMFFMolProperties) -> openmm.CustomBondForce:
    force = openmm.CustomBondForce(_text("bond"))
    _name(force, "bond", force.addPerBondParameter, ("k", "r0"))
    for bond in molecule.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        force.addBond(i, j, types.GetMMFFBondStretchParams(molecule, i, j)[1:])
    return force


def _angles(molecule: Chem.Mol, types: MMFFMolProperties) -> tuple[openmm.CustomAngleForce, openmm.CustomCompoundBondForce]:
    """Bent and linear; the cosine of a linear one by distances, whose gradient is finite at 180 degrees."""
    bent, linear = openmm.CustomAngleForce(_text("angle")), openmm.CustomCompoundBondForce(3, _text("linear angle"))
    _name(bent, "angle", bent.addPerAngleParameter, ("k", "theta0"))
    _name(linear, "linear angle", linear.addPerBondParameter, ("k",))
    for i, j, k in _triples(molecule):
        _, stiffness, rest = types.GetMMFFAngleBendParams(molecule, i, j, k)
        if types.GetMMFFAtomType(j) in LINEAR_TYPES:
            linear.addBond((i, j, k), (stiffness,))
        else:
            bent.addAngle(i, j, k, (stiffness, rest))
    return bent, linear


def _stretch_bends(molecule: Chem.Mol, types: MMFFMolProperties) -> openmm.CustomCompoundBondForce:
    force = openmm.CustomCompoundBondForce(3, _text("stretch-bend"))
    _name(force, "stretch-bend", force.addPerBondParameter, ("k1", "k2", "r1", "r2", "theta0"))
    for i, j, k in _triples(molecule):
        coupling = types.GetMMFFStretchBendParams(molecule, i, j, k)
        if coupling is not None and types.GetMMFFAtomType(j) not in LINEAR_TYPES:
            rests = [types.GetMMFFBondStretchParams(molecule, a, j)[2] for a in (i, k)]
            force.addBond((i, j, k), (*coupling[1:], *rests, types.GetMMFFAngleBendParams(molecule, i, j, k)[2]))
    return force


def _out_of_plane(molecule: Chem.Mol, types: MMFFMolProperties) -> openmm.CustomCompoundBondForce:
    """Each of the three bonds of a planar atom against the plane of the other two."""
    force = openmm.CustomCompoundBondForce(4, _text("out of plane"))
    _name(force, "out of plane", force.addPerBondParameter, ("k",))
    for atom in molecule.GetAtoms():
        if atom.GetDegree() == 3:
            a, b, c = _neighbours(atom)
            stiffness = types.GetMMFFOopBendParams(molecule, a, atom.GetIdx(), b, c)
            if stiffness is not None:
                for i, k, lifted in ((a, b, c), (a, c, b), (b, c, a)):
                    force.addBond((i, atom.GetIdx(), k, lifted), (stiffness,))
    return force


def _torsions(molecule: Chem.Mol, types: MMFFMolProperties) -> openmm.CustomTorsionForce:
    force = openmm.CustomTorsionForce(_text("torsion"))
    _name(force, "torsion", force.addPerTorsionParameter, ("v1", "v2", "v3"))
    for bond in molecule.GetBonds():
        middle = bond.GetBeginAtom(), bond.GetEndAtom()
        if all(atom.GetHybridization() in TURNING for atom in middle):
            j, k = (atom.GetIdx() for atom in middle)
            for i, l in itertools.product(_neighbours(middle[0]), _neighbours(middle[1])):
                amplitudes = types.GetMMFFTorsionParams(molecule, i, j, k, l) if i != k and l not in (i, j) else None
                if amplitudes is not None:
                    force.addTorsion(i, j, k, l, amplitudes[1:])
    return force


def _pairs(molecule: Chem.Mol, types: MMFFMolProperties, partial: np.ndarray) -> openmm.CustomBondForce:
    apart = Chem.GetDistanceMatrix(molecule).astype(int)
    force = openmm.CustomBondForce(_text("pairs"))
    _name(force, "pairs", force.addPerBondParameter, ("R", "eps", "qq"))
    for i, j in np.argwhere(np.triu(apart >= 3)).tolist():
        scale = 0.75 if apart[i, j] == 3 else 1.0
        force.addBond(i, j, (*types.GetMMFFVdWParams(i, j)[2:], scale * partial[i] * partial[j]))
    return force


def _text(term: str) -> str:
    return f"{EXPRESSIONS[term]}; {UNITS}"


def _name(force: openmm.Force, term: str, add: Callable[[str], int], parameters: tuple[str, ...]) -> None:
    force.setName(term)
    for parameter in parameters:
        add(parameter)


def _smiles(molecule: Chem.Mol) -> str:
    return Chem.MolToSmiles(Chem.RemoveHs(molecule))


def _neighbours(atom: Chem.Atom) -> list[int]:
    return [other.GetIdx() for other in atom.GetNeighbors()]


def _triples(molecule: Chem.Mol) -> Iterator[tuple[int, int, int]]:
    for atom in molecule.GetAtoms():
        for i, k in itertools.combinations(_neighbours(atom), 2):
            yield i, atom.GetIdx(), k
