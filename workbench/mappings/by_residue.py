"""One bead a residue, at its centre of mass: R_I = sum_i m_i r_i / sum_i m_i. Residues are those of the file or the library.

Caps and other small end groups can be made part of the residue that they are bonded to.
"""

import numpy as np

from workbench.settings import field, settings
from workbench.types import Mapping, System, Template, Trajectory


@settings
class Settings:
    """Which residues become beads."""

    residue_names: tuple[str, ...] = field((), "Keep only residues of these names; empty keeps all.")
    join: tuple[str, ...] = field((), "Residues of these names, caps such as ACE and NME, join the residue that they are bonded to.")


def build(system: System, trajectory: Trajectory | None, settings: Settings) -> Mapping:
    """The mapping; ``trajectory`` is not used and may be None. Beads are typed after their residues, ACE-ALA where a cap joined.

    Raises ``ValueError`` for a residue name that does not occur, a cap bonded to no residue that is kept, and a residue without mass.
    """
    for name in (*settings.residue_names, *settings.join):
        if name not in system.residue_names:
            raise ValueError(f"no residue '{name}' in '{system.name}': it has {', '.join(sorted(set(system.residue_names)))}.")
    templates = []
    for topology, copies in system.kinds().items():
        groups = _groups(system, copies[0], settings)
        if not groups:
            continue
        labels = ["-".join(dict.fromkeys(system.residue_names[copies[0][atom]] for atom in group)) for group in groups]
        weights = np.zeros((len(groups), copies.shape[1]))
        for row, group, label in zip(weights, groups, labels, strict=True):
            masses = system.masses[copies[0][group]]
            if not masses.sum() > 0:
                raise ValueError(f"residue '{label}' of '{system.name}' has no mass: name it in join, or leave it out by residue_names.")
            row[group] = masses / masses.sum()
        names = tuple(label if labels.count(label) == 1 else f"{label}{i}" for i, label in enumerate(labels, start=1))
        templates.append(Template(topology=topology, names=names, types=tuple(labels), weights=weights))
    return Mapping(templates=tuple(templates))


def _groups(system: System, atoms: np.ndarray, settings: Settings) -> list[np.ndarray]:
    """Atoms of every bead, counted within the molecule ``atoms`` (n,), in the order of the residues."""
    residue = system.residue[atoms]
    name = dict(zip(residue.tolist(), (system.residue_names[atom] for atom in atoms), strict=True))
    inside = system.bonds[np.isin(system.bonds, atoms).all(1)] - atoms[0]
    kept = [r for r in name if name[r] not in settings.join and (not settings.residue_names or name[r] in settings.residue_names)]
    caps = [r for r in name if name[r] in settings.join]
    host = {r: r for r in kept}
    pairs = np.unique(residue[inside], axis=0).tolist()
    while waiting := [cap for cap in caps if cap not in host]:
        bonded = {cap: [b if a == cap else a for a, b in pairs if cap in (a, b)] for cap in waiting}
        found = {cap: host[next(r for r in bonded[cap] if r in host)] for cap in waiting if any(r in host for r in bonded[cap])}
        if not found and kept:
            raise ValueError(f"residue '{name[waiting[0]]}' of '{system.name}' is bonded to none that is kept: take it out of join.")
        if not found:
            return []
        host |= found
    owner = np.array([host.get(r, -1) for r in residue.tolist()])
    return [np.flatnonzero(owner == r) for r in kept]
