"""A melt of short chains, polyethylene or polystyrene, in GAFF2 (Wang et al., J. Comput. Chem. 25, 1157 (2004)).

Charges come unit by unit from a trimer with AM1-BCC charges (Jakalian et al., ibid. 23, 1623 (2002)): the ends from its ends, every
unit between them from its middle, each made neutral, so that a chain of any length costs no quantum chemistry. Polystyrene is
atactic: its stereocentres are chosen by the seed. Units are residues.

The melt starts as a loose random packing of different conformers: sample it at constant pressure and give it time, chains relax
slowly. Experimental density: eicosane (ten ethylene units) at 450 K, 0.683 g/cm^3, DIPPR and VDI correlations, good to 0.5 %.
"""

import dataclasses
import functools

import numpy as np
import openmm
from rdkit import Chem

from workbench.settings import field, settings
from workbench.systems import _antechamber, _gaff, _liquid, smiles
from workbench.types import System

UNITS = {"ethylene": ("CC", "ETH"), "styrene": ("CC(c1ccccc1)", "STY")}
"""SMILES of a repeat unit, and its residue name."""
N_CONFORMERS = 10
"""Most different conformers that are packed."""
EICOSANE = ("ethylene", 10, 450.0, 0.683)


@settings
class Settings:
    """The chains and their state."""

    monomer: str = field("ethylene", "Repeat unit.", choices=tuple(UNITS))
    n_units: int = field(10, "Repeat units of a chain.", bounds=(3, 100))
    n_chains: int = field(20, "Number of chains; 1 is a chain in vacuum.", bounds=(1, 10_000))
    density: float = field(0.5, "Density of the packing, for pressure to compress.", unit="g/cm^3", bounds=(0.01, 1.5))
    cutoff_nm: float = field(0.9, "Cut-off of the direct-space interactions; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    constraints: str = field("none", "Bonds to hydrogen: flexible (time step 1 fs) or rigid (2 fs).", choices=_liquid.CONSTRAINTS)
    temperature: float = field(450.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of conformers and packing.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The melt. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    different = min(settings.n_chains, N_CONFORMERS)
    counts = np.bincount(np.arange(settings.n_chains) % different)
    chains = [(_chain(settings.monomer, settings.n_units, settings.seed + i), int(count)) for i, count in enumerate(counts)]
    if settings.n_chains == 1:
        return chains[0][0]
    state = settings.monomer, settings.n_units, settings.temperature
    return _liquid.liquid(
        chains,
        name="polymer_melt",
        density=settings.density,
        cutoff_nm=settings.cutoff_nm,
        temperature=settings.temperature,
        constraints=settings.constraints,
        seed=settings.seed,
        experimental_density=EICOSANE[3] if state == EICOSANE[:3] else None,
    )


def _chain(monomer: str, n_units: int, seed: int) -> System:
    """One chain in vacuum, its units as residues, the hydrogens of a unit after its heavy atoms."""
    text, residue = UNITS[monomer]
    chain = smiles.molecule(text * n_units, "gaff2", seed=seed)
    unit, _ = _places(smiles.draw(text * n_units, "gaff2", seed), n_units)
    order = np.argsort(unit, kind="stable")
    return dataclasses.replace(
        chain,
        name=f"poly{monomer}",
        elements=tuple(chain.elements[i] for i in order),
        atom_names=tuple(chain.atom_names[i] for i in order),
        residue_names=(residue,) * chain.n_atoms,
        residue=unit[order],
        masses=chain.masses[order],
        charges=chain.charges[order],
        bonds=np.argsort(order)[chain.bonds],
        positions=chain.positions[order],
        force_field=functools.partial(_xml, monomer, n_units),
        source=f"GAFF2, AM1-BCC charges by repeat unit, poly{monomer} of {n_units} units",
    )


@functools.lru_cache(maxsize=4)
def _xml(monomer: str, n_units: int) -> str:
    text, _ = UNITS[monomer]
    chain = smiles.draw(text * n_units, "gaff2", 0)
    unit, places = _places(chain, n_units)
    order = np.argsort(unit, kind="stable").tolist()
    kind = np.where(unit == 0, 0, np.where(unit == n_units - 1, 2, 1))
    types, charges, table = _by_place(text)
    keys = [(int(kind[i]), *places[i]) for i in order]
    ordered = Chem.RenumberAtoms(chain, order)
    physics = _gaff.assemble(ordered, [types[key] for key in keys], np.array([charges[key] for key in keys]), table)
    return openmm.XmlSerializer.serialize(physics)


def _places(chain: Chem.Mol, n_units: int) -> tuple[np.ndarray, list[tuple[int, bool]]]:
    """Unit of every atom (N,), and its place: the heavy atom of the unit that it is or hangs on, and whether it is a hydrogen."""
    per_unit = chain.GetNumHeavyAtoms() // n_units
    hydrogen = [atom.GetAtomicNum() == 1 for atom in chain.GetAtoms()]
    heavy = [atom.GetNeighbors()[0].GetIdx() if light else atom.GetIdx() for atom, light in zip(chain.GetAtoms(), hydrogen, strict=True)]
    unit, place = np.divmod(heavy, per_unit)
    return unit, list(zip(place.tolist(), hydrogen, strict=True))


def _by_place(text: str) -> tuple[dict, dict, str]:
    """Types and charges [e] in a chain by unit (0 first, 1 between, 2 last) and place, from a trimer; then its parameters."""
    trimer = Chem.AddHs(Chem.MolFromSmiles(text * 3))
    made, order = _antechamber.parameters(trimer)
    unit, places = _places(trimer, 3)
    charges = np.zeros(len(order))
    charges[order] = made.charges
    charges -= (np.bincount(unit, charges) / np.bincount(unit))[unit]
    kinds = dict(zip(order, made.types, strict=True))
    keys = [(int(u), *place) for u, place in zip(unit, places, strict=True)]
    like = {key: [i for i, other in enumerate(keys) if other == key] for key in keys}
    return {key: kinds[i[0]] for key, i in like.items()}, {key: float(charges[i].mean()) for key, i in like.items()}, made.table
