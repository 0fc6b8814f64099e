"""Beads picked by hand: every bead is a list of atoms of one molecule; all like molecules get the same beads.

A bead stands at the centre of mass (or the geometric centre) of its atoms: R_I = sum_i c_Ii r_i with sum_i c_Ii = 1,
Noid et al., J. Chem. Phys. 128, 244114 (2008). Atoms in no bead are left out of the model.
"""

import numpy as np

from workbench.settings import field, settings
from workbench.types import Mapping, System, Template, Trajectory


@settings
class Settings:
    """Which atoms make which bead."""

    atoms: tuple[tuple[int, ...], ...] = field((), "Atoms of every bead, counted from 0 within the molecule.", bounds=(0, None))
    names: tuple[str, ...] = field((), "Bead names, each used once; empty for B1, B2, ...")
    types: tuple[str, ...] = field((), "Bead types: beads of one type share their interactions; empty to take the names.")
    molecule: int = field(0, "Which molecule of the system the atoms belong to, counted from 0.", bounds=(0, None))
    weights: str = field("mass", "Where a bead stands: centre of mass or geometric centre of its atoms.", choices=("mass", "geometric"))


def build(system: System, trajectory: Trajectory | None, settings: Settings) -> Mapping:
    """The mapping; ``trajectory`` is not used and may be None.

    Raises ``ValueError`` for an atom picked twice or out of range, an empty bead, a name used twice, names or types of another count.
    """
    n_molecules = int(system.molecule[-1]) + 1
    if settings.molecule >= n_molecules:
        raise ValueError(f"there is no molecule {settings.molecule} in '{system.name}': it has {n_molecules}, counted from 0.")
    first = int(np.flatnonzero(system.molecule == settings.molecule)[0])
    topology, size = next((key, copies.shape[1]) for key, copies in system.kinds().items() if first in copies[:, 0])
    names = settings.names or tuple(f"B{bead}" for bead in range(1, len(settings.atoms) + 1))
    if len(names) != len(settings.atoms):
        raise ValueError(f"{len(names)} bead names for {len(settings.atoms)} beads: give one each, or none.")
    _check_picks(settings.atoms, names, size)
    weights = np.zeros((len(names), size))
    for bead, atoms in enumerate(settings.atoms):
        chosen = list(atoms)
        share = system.masses[first + np.array(chosen)] if settings.weights == "mass" else np.ones(len(chosen))
        if not share.sum() > 0:
            raise ValueError(f"bead '{names[bead]}' holds massless sites only: add an atom or choose weights='geometric'.")
        weights[bead, chosen] = share / share.sum()
    template = Template(topology=topology, names=names, types=settings.types or names, weights=weights)
    return Mapping(templates=(template,))


def _check_picks(beads: tuple, names: tuple[str, ...], size: int) -> None:
    owner: dict[int, str] = {}
    for name, atoms in zip(names, beads, strict=True):
        if not isinstance(atoms, tuple) or not all(isinstance(atom, (int, np.integer)) for atom in atoms):
            raise ValueError(f"bead '{name}' = {atoms!r}: give the numbers of its atoms, as in atoms=((4,), (6, 7)).")
        if not atoms:
            raise ValueError(f"bead '{name}' is empty: give it at least one atom.")
        for atom in atoms:
            if not 0 <= atom < size:
                raise ValueError(f"bead '{name}' names atom {atom}; the molecule has {size}, counted from 0.")
            if atom in owner:
                where = f"in bead '{name}'" if owner[atom] == name else f"in beads '{owner[atom]}' and '{name}'"
                raise ValueError(f"atom {atom} is picked twice, {where}: an atom belongs to one bead at most.")
            owner[int(atom)] = name
