"""What is simulated at full resolution, and in which state."""

import hashlib
from collections.abc import Callable

import numpy as np

from workbench.types._fields import check_array, check_indices, noun


@noun
class State:
    """A thermodynamic state."""

    temperature: float = 300.0
    """Temperature [K]."""
    pressure: float | None = None
    """Pressure [bar], or None at constant volume."""

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"State.temperature = {self.temperature} K: must be above 0.")


@noun
class System:
    """What is simulated at full resolution."""

    name: str
    """A short name, used for labels and folders."""
    elements: tuple[str, ...]
    """Element symbols, N of them; '' for a virtual site."""
    atom_names: tuple[str, ...]
    """Atom names as in a PDB file, N of them."""
    residue_names: tuple[str, ...]
    """Residue name of every atom, N of them."""
    residue: np.ndarray
    """Index of the residue of every atom, (N,)."""
    molecule: np.ndarray
    """Index of the molecule of every atom, (N,); the atoms of a molecule stand together."""
    masses: np.ndarray
    """Masses [amu], (N,); 0 for a virtual site."""
    charges: np.ndarray
    """Charges [e], (N,): partial, or formal where partial ones are made with the force field (see :meth:`partial_charges`)."""
    bonds: np.ndarray
    """Bonded pairs of atoms, (any, 2)."""
    constraints: np.ndarray
    """Pairs of atoms held at fixed distance, (any, 2)."""
    virtual_sites: np.ndarray
    """Indices of massless sites, (any,)."""
    positions: np.ndarray
    """A starting configuration [nm], (N, 3)."""
    box: np.ndarray | None
    """Box lengths [nm], (3,), or None in vacuum."""
    force_field: Callable[[], str]
    """Makes the force field, an ``openmm.System`` as XML, when first needed."""
    state: State
    """The state that the system is meant for."""
    experimental_density: float | None = None
    """Experimental density [g/cm^3] at ``state``, or None."""
    source: str = ""
    """Where force field and density come from."""

    def __post_init__(self):
        n = len(self.elements)
        if n == 0:
            raise ValueError("System has no atoms.")
        for name in ("atom_names", "residue_names"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"System.{name} has {len(getattr(self, name))} entries; there are {n} atoms.")
        for name, kind in (("residue", np.int64), ("molecule", np.int64), ("masses", np.float64), ("charges", np.float64)):
            check_array(self, name, (n,), kind)
        if np.any(np.diff(self.molecule) < 0) or np.any(np.diff(self.molecule) > 1) or self.molecule[0] != 0:
            raise ValueError("System.molecule must count 0, 1, 2 ... with the atoms of a molecule side by side.")
        check_indices(self, "bonds", 2, n)
        check_indices(self, "constraints", 2, n)
        check_array(self, "virtual_sites", (None,), np.int64)
        check_array(self, "positions", (n, 3))
        if self.box is not None:
            check_array(self, "box", (3,))

    @property
    def n_atoms(self) -> int:
        """N."""
        return len(self.elements)

    def parameters(self) -> str:
        """The force field, an ``openmm.System`` as XML. Raises ``ValueError`` for a system that has none."""
        xml = self.force_field()
        if not xml:
            raise ValueError(
                f"'{self.name}' has no force field, only atoms: its trajectories can be read and projected, but it cannot be simulated; "
                "systems.from_pdb gives it one."
            )
        return xml

    def partial_charges(self) -> np.ndarray:
        """Partial charges [e], (N,): those of the force field, which is made now if need be; ``charges`` where it states none."""
        xml = self.force_field()
        if 'type="NonbondedForce"' not in xml:
            return self.charges
        from workbench.systems._openmm import charges

        return charges(xml)

    def kinds(self) -> dict[str, np.ndarray]:
        """Kinds of molecule: hash of the topology -> atoms of every copy, (copies, n). Order of first appearance."""
        starts = np.flatnonzero(np.r_[True, np.diff(self.molecule) > 0])
        ends = np.r_[starts[1:], self.n_atoms]
        by_molecule: list[list] = [[] for _ in starts]
        for i, j in self.bonds:
            m = self.molecule[i]
            by_molecule[m].append(tuple(sorted((int(i - starts[m]), int(j - starts[m])))))
        copies: dict[str, list] = {}
        for m, (start, end) in enumerate(zip(starts, ends, strict=True)):
            text = repr((self.elements[start:end], sorted(by_molecule[m])))
            key = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
            copies.setdefault(key, []).append(np.arange(start, end))
        return {key: np.array(atoms) for key, atoms in copies.items()}
