"""Molecules for tests of mappings: no coordinates, no force field, only atoms and bonds."""

import dataclasses

import numpy as np
from rdkit import Chem

from workbench.types import State, System

MASSES = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "": 0.0}


def system(elements, bonds, molecule=None, residues=None, masses=None) -> System:
    """A system at the origin; ``residues`` names the residue of every atom, a new one where the name changes."""
    n = len(elements)
    residues = residues or ("MOL",) * n
    molecule = np.zeros(n, int) if molecule is None else np.asarray(molecule)
    new = [i > 0 and (residues[i] != residues[i - 1] or molecule[i] != molecule[i - 1]) for i in range(n)]
    return System(
        name="drawn",
        elements=tuple(elements),
        atom_names=tuple(elements),
        residue_names=tuple(residues),
        residue=np.cumsum(new),
        molecule=molecule,
        masses=np.array([MASSES[e] for e in elements] if masses is None else masses),
        charges=np.zeros(n),
        bonds=np.array(bonds, int).reshape(-1, 2),
        constraints=np.zeros((0, 2), int),
        virtual_sites=np.zeros(0, int),
        positions=np.zeros((n, 3)),
        box=None,
        force_field=str,
        state=State(),
    )


def drawn(smiles: str) -> System:
    """The molecule, or several parted by '.', in the order of the SMILES, hydrogens of each after its heavy atoms."""
    elements, bonds, molecule, masses = [], [], [], []
    for number, part in enumerate(smiles.split(".")):
        whole = Chem.AddHs(Chem.MolFromSmiles(part))
        bonds += [(len(elements) + b.GetBeginAtomIdx(), len(elements) + b.GetEndAtomIdx()) for b in whole.GetBonds()]
        masses += [atom.GetMass() for atom in whole.GetAtoms()]
        elements += [atom.GetSymbol() for atom in whole.GetAtoms()]
        molecule += [number] * whole.GetNumAtoms()
    return system(elements, bonds, molecule, masses=masses)


def shuffled(molecule: System, seed: int) -> tuple[System, np.ndarray]:
    """One molecule with its atoms and bonds in another order, and the old number of every atom, (N,)."""
    rng = np.random.default_rng(seed)
    old = rng.permutation(molecule.n_atoms)
    bonds = np.argsort(old)[molecule.bonds]
    bonds = np.where(rng.random((len(bonds), 1)) < 0.5, bonds, bonds[:, ::-1])[rng.permutation(len(bonds))]
    texts = {name: tuple(getattr(molecule, name)[i] for i in old) for name in ("elements", "atom_names", "residue_names")}
    arrays = {name: getattr(molecule, name)[old] for name in ("residue", "masses", "charges", "positions")}
    return dataclasses.replace(molecule, bonds=bonds, **texts, **arrays), old


def chain(units: int, elements: str, bonds, valences, link: tuple[int, int], start: str = "", before=()) -> System:
    """A polymer of ``units``: ``link`` (last, first) joins a unit to the next; ``start`` and ``before`` are an end group, joined by its
    last atom; valences are filled with hydrogens."""
    heavy, pairs, wanted = list(start), list(before), [4 if e == "C" else 2 for e in start]
    for unit in range(units):
        first = len(heavy)
        pairs += [(first + i, first + j) for i, j in bonds]
        pairs += [(first - len(elements) + link[0], first + link[1])] if unit else [(first - 1, first + link[1])] if start else []
        heavy += elements
        wanted += valences
    free = np.array(wanted) - np.bincount(np.ravel(pairs), minlength=len(heavy))
    hydrogens = np.repeat(np.arange(len(heavy)), np.maximum(free, 0))
    pairs += [(int(a), len(heavy) + i) for i, a in enumerate(hydrogens)]
    return system(heavy + ["H"] * len(hydrogens), pairs)


RING = [(i, (i + 1) % 6) for i in range(6)]


def polyethylene(carbons: int) -> System:
    """CH3-(CH2)-CH3, one carbon after the other."""
    return chain(carbons, "C", [], [4], (0, 0))


def polystyrene(units: int) -> System:
    """H-(CH2-CHPh)-H: eight heavy atoms a unit, the backbone first, then the ring."""
    return chain(units, "C" * 8, [(0, 1), (1, 2), *((2 + i, 2 + j) for i, j in RING)], [4, 4, 3, 3, 3, 3, 3, 3], (1, 0))
