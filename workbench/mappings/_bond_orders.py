"""Molecules for pattern matching: bond orders, charges and aromaticity from elements, bonds and hydrogens alone, by RDKit.

Bond orders are those of xyz2mol (Kim and Kim, Bull. Korean Chem. Soc. 36, 1769 (2015)), so every hydrogen must be there.
"""

import networkx
import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds

from workbench.types import System


def matches(system: System, atoms: np.ndarray, graph: networkx.Graph, patterns: tuple[str, ...], charge: int | None) -> list[list[tuple]]:
    """For every SMARTS of ``patterns`` its matches in the molecule ``atoms`` (n,), as tuples of heavy atoms, ascending.

    ``charge`` [e] is that of the molecule, or None for its partial charges summed. Matches differ in some atom.
    Raises ``ValueError`` for what is no SMARTS, and for a molecule whose bond orders cannot be told.
    """
    queries = [_query(pattern) for pattern in patterns]
    sites = np.flatnonzero(system.masses[atoms] > 0)
    molecule = _molecule(system, atoms[sites], charge)
    host = {member: heavy for heavy, held in graph.nodes(data="members") for member in held}
    found = (molecule.GetSubstructMatches(query, uniquify=True, maxMatches=1_000_000) for query in queries)
    return [sorted({tuple(sorted({host[int(sites[a])] for a in match})) for match in matched}) for matched in found]


def _query(pattern: str) -> Chem.Mol:
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(pattern)
    if query is None or query.GetNumAtoms() == 0:
        raise ValueError(f"'{pattern}' is not a SMARTS: write one such as '[CX3](=O)[OX2H1]' for a carboxyl group.")
    return query


def _molecule(system: System, atoms: np.ndarray, charge: int | None) -> Chem.Mol:
    first, last = int(atoms[0]), int(atoms[-1])
    place = {atom: i for i, atom in enumerate(atoms.tolist())}
    drawn = Chem.RWMol()
    for atom in atoms:
        vertex = Chem.Atom(system.elements[atom])
        vertex.SetNoImplicit(True)
        drawn.AddAtom(vertex)
    for i, j in system.bonds[(system.bonds >= first).all(1) & (system.bonds <= last).all(1)].tolist():
        if i in place and j in place and i != j and drawn.GetBondBetweenAtoms(place[i], place[j]) is None:
            drawn.AddBond(place[i], place[j], Chem.BondType.SINGLE)
    total = round(float(system.charges[atoms].sum())) if charge is None else charge
    molecule = drawn.GetMol()
    try:
        with rdBase.BlockLogs():
            if len(atoms) == 1:
                molecule.GetAtomWithIdx(0).SetFormalCharge(total)
            else:
                rdDetermineBonds.DetermineBondOrders(molecule, charge=total, embedChiral=False)
            Chem.SanitizeMol(molecule)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"no bond orders fit the molecule of atoms {first} to {last} of '{system.name}' with charge {total}: "
            f"check its hydrogens and bonds, or set charge ({str(error).strip().splitlines()[0].rstrip('.')})."
        ) from None
    return molecule
