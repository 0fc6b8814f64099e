"""The topology of a coarse-grained system."""

import numpy as np

from workbench.types._fields import check_array, check_indices, noun


@noun
class Beads:
    """The topology of a coarse-grained system."""

    names: tuple[str, ...]
    """Bead names, B of them."""
    types: tuple[str, ...]
    """Bead types, B of them."""
    masses: np.ndarray
    """Masses [amu], (B,)."""
    charges: np.ndarray
    """Charges [e], (B,)."""
    molecule: np.ndarray
    """Index of the molecule of every bead, (B,)."""
    bonds: np.ndarray
    """Bonded pairs, (any, 2)."""
    angles: np.ndarray
    """Angles, the middle bead in the middle, (any, 3)."""
    dihedrals: np.ndarray
    """Proper dihedrals along bonds, (any, 4)."""
    exclusions: np.ndarray
    """Pairs without non-bonded interaction, (any, 2)."""

    def __post_init__(self):
        b = len(self.names)
        if b == 0:
            raise ValueError("Beads: there are none.")
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "types", tuple(self.types))
        if len(self.types) != b:
            raise ValueError(f"Beads.types has {len(self.types)} entries; there are {b} beads.")
        for name, kind in (("masses", np.float64), ("charges", np.float64), ("molecule", np.int64)):
            check_array(self, name, (b,), kind)
        if np.any(self.masses <= 0):
            raise ValueError("Beads.masses must be above 0.")
        for name, width in (("bonds", 2), ("angles", 3), ("dihedrals", 4), ("exclusions", 2)):
            check_indices(self, name, width, b)

    @property
    def n_beads(self) -> int:
        """B."""
        return len(self.names)

    @classmethod
    def from_bonds(cls, *, names, types, masses, molecule, bonds, charges=None, excluded_bonds: int = 2) -> "Beads":
        """Angles, dihedrals and exclusions (beads up to ``excluded_bonds`` bonds apart) follow from the bonds."""
        bonds = sorted({tuple(sorted((int(i), int(j)))) for i, j in bonds})
        around: list[list[int]] = [[] for _ in names]
        for i, j in bonds:
            around[i].append(j)
            around[j].append(i)
        angles = [(i, j, k) for j in range(len(around)) for i in sorted(around[j]) for k in sorted(around[j]) if i < k]
        dihedrals = [(i, j, k, m) for j, k in bonds for i in sorted(around[j]) for m in sorted(around[k]) if i != k and m != j and i != m]
        exclusions = set()
        for start in range(len(around)):
            reached, edge = {start}, {start}
            for _ in range(excluded_bonds):
                edge = {other for bead in edge for other in around[bead]} - reached
                reached |= edge
            exclusions |= {(start, other) for other in reached if other > start}
        return cls(
            names=tuple(names),
            types=tuple(types),
            masses=np.asarray(masses, float),
            charges=np.zeros(len(around)) if charges is None else np.asarray(charges, float),
            molecule=np.asarray(molecule),
            bonds=np.array(bonds, np.int64),
            angles=np.array(angles, np.int64),
            dihedrals=np.array(dihedrals, np.int64),
            exclusions=np.array(sorted(exclusions), np.int64),
        )
