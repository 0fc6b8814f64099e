"""One bead at the centre of mass of every molecule, or of every residue: R_I = sum_i m_i r_i / sum_i m_i."""

import numpy as np

from workbench.settings import field, settings
from workbench.types import Mapping, System, Template, Trajectory


@settings
class Settings:
    """What becomes a bead."""

    group: str = field("molecule", "One bead per molecule or per residue.", choices=("molecule", "residue"))
    residue_names: tuple[str, ...] = field((), "Keep only what has one of these residue names; empty keeps all.")


def build(system: System, trajectory: Trajectory | None, settings: Settings) -> Mapping:
    """The mapping; ``trajectory`` is not used and may be None. Beads are named and typed after their residues.

    Raises ``ValueError`` where a residue name does not occur in the system.
    """
    for name in settings.residue_names:
        if name not in system.residue_names:
            raise ValueError(f"no residue '{name}' in '{system.name}': it has {', '.join(sorted(set(system.residue_names)))}.")
    templates, taken = [], set()
    for topology, copies in system.kinds().items():
        groups = _groups(system, copies[0], settings)
        if not groups:
            continue
        labels = ["-".join(dict.fromkeys(system.residue_names[copies[0][a]] for a in group)) for group in groups]
        names = [label if labels.count(label) == 1 else f"{label}{i}" for i, label in enumerate(labels, start=1)]
        if settings.group == "molecule":
            labels = [_unused(label, taken) for label in labels]
            taken |= set(labels)
        weights = np.zeros((len(groups), copies.shape[1]))
        for row, group in zip(weights, groups, strict=True):
            masses = system.masses[copies[0][group]]
            row[group] = masses / masses.sum()
        templates.append(Template(topology=topology, names=tuple(names), types=tuple(labels), weights=weights))
    return Mapping(templates=tuple(templates))


def _groups(system: System, atoms: np.ndarray, settings: Settings) -> list[np.ndarray]:
    """Atoms of every bead, counted within the molecule ``atoms`` (n,)."""
    wanted = set(settings.residue_names) or set(system.residue_names)
    if settings.group == "molecule":
        return [np.arange(len(atoms))] if wanted & {system.residue_names[a] for a in atoms} else []
    residues = system.residue[atoms]
    groups = [np.flatnonzero(residues == residue) for residue in dict.fromkeys(residues.tolist())]
    return [group for group in groups if system.residue_names[atoms[group[0]]] in wanted]


def _unused(label: str, taken: set[str]) -> str:
    """``label``, numbered where molecules of another kind bear it already."""
    number, free = 1, label
    while free in taken:
        number += 1
        free = f"{label}_{number}"
    return free
