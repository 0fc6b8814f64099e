"""Bonds of atoms read from a file: complete or not, found from distances, held rigid or not.

Two atoms are bonded by 'distance' where they are nearer than 1.3 times the sum of their covalent radii, Cordero et al., Dalton
Trans. 2832 (2008).
"""

import numpy as np
import scipy.spatial
from openmm import app

RADII = {"H": 0.031, "B": 0.084, "C": 0.076, "N": 0.071, "O": 0.066, "F": 0.057, "Si": 0.111, "P": 0.107, "S": 0.105, "Cl": 0.102}
RADII |= {"Br": 0.120, "I": 0.139}
"""Covalent radii [nm]."""


def complete(where: str, atoms: app.Topology, pairs: np.ndarray) -> np.ndarray:
    """The bonds, where every atom that shares its residue with others has one."""
    bonded = set(pairs.ravel().tolist())
    for residue in atoms.residues():
        real = [a for a in residue.atoms() if a.element is not None]
        loose = [a for a in real if a.index not in bonded]
        if len(real) > 1 and loose:
            raise ValueError(
                f"{where} gives no bonds for atom {loose[0].index} ('{loose[0].name}') of residue {residue.name}: add CONECT records, "
                "take a PSF or PRMTOP, or find them by bonds='distance'."
            )
    return pairs


def by_distance(where: str, atoms: app.Topology, pairs: np.ndarray, positions: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """Pairs nearer than 1.3 times the sum of their covalent radii, with the bonds of the file."""
    elements = [a.element.symbol if a.element is not None else "" for a in atoms.atoms()]
    unknown = sorted(set(elements) - set(RADII) - {""})
    if unknown:
        raise ValueError(f"{where}: no covalent radius of {unknown[0]} is known: give its bonds in the file (CONECT, PSF or PRMTOP).")
    radii = np.array([RADII.get(e, 0.0) for e in elements])
    pairs_near, distances = near(positions, box, 2.6 * radii.max())
    bonded = distances < 1.3 * radii[pairs_near].sum(1) * np.all(radii[pairs_near] > 0, axis=1)
    return np.unique(np.concatenate([pairs, pairs_near[bonded]]), axis=0)


def near(positions: np.ndarray, box: np.ndarray | None, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (P, 2) nearer than ``cutoff`` under the minimum image, with their distances (P,) [nm]."""
    inside = positions if box is None else np.minimum(positions % box, np.nextafter(box, 0))
    pairs = scipy.spatial.cKDTree(inside, boxsize=box).query_pairs(cutoff, output_type="ndarray")
    step = inside[pairs[:, 1]] - inside[pairs[:, 0]]
    step = step if box is None else step - np.round(step / box) * box
    return np.sort(pairs, axis=1), np.linalg.norm(step, axis=1)


def waters(atoms: app.Topology, pairs: np.ndarray) -> tuple[list[list[int]], np.ndarray]:
    """O, H, H of every water, and the bonds without those between its hydrogens, which some formats list."""
    found = []
    for residue in atoms.residues():
        real = [a for a in residue.atoms() if a.element is not None]
        if sorted(a.element.symbol for a in real) == ["H", "H", "O"]:
            found.append([a.index for a in sorted(real, key=lambda a: a.element.symbol, reverse=True)])
    between = {tuple(sorted(water[1:])) for water in found}
    return found, np.array([pair for pair in pairs.tolist() if tuple(pair) not in between], np.int64).reshape(-1, 2)


def held(atoms: app.Topology, pairs: np.ndarray, triples: list[list[int]], constraints: str) -> set[tuple[int, int]]:
    """Pairs of atoms at fixed distance."""
    if constraints == "none":
        return set()
    rigid = {tuple(sorted(pair)) for o, h, k in triples for pair in ((o, h), (o, k), (h, k))}
    if constraints == "water":
        return rigid
    hydrogen = np.array([a.element is not None and a.element.symbol == "H" for a in atoms.atoms()])
    return rigid | {tuple(pair) for pair in pairs.tolist() if constraints == "all-bonds" or hydrogen[pair].any()}


def rebuilt(atoms: app.Topology, pairs: np.ndarray) -> app.Topology:
    """The same atoms with these bonds."""
    made = app.Topology()
    chain = made.addChain()
    added = []
    for residue in atoms.residues():
        new = made.addResidue(residue.name, chain, residue.id)
        added += [made.addAtom(atom.name, atom.element, new) for atom in residue.atoms()]
    for i, j in pairs:
        made.addBond(added[i], added[j])
    return made
