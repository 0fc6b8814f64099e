"""Distribution of a distance, an angle or a dihedral: rho(q) = <delta(q - q(x))>, as a density over bins.

Bins lie over ``range``; values outside of it count in the normalisation but in no bin. Errors are over blocks of frames
(Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)). No Jacobian (r^2, sin) is divided out.
"""

import numpy as np

from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Beads, Observation, Trajectory

KINDS = {2: ("distance", "nm"), 3: ("angle", "rad"), 4: ("dihedral", "rad")}


@settings
class Settings:
    """Which term is measured, and the bins."""

    beads: tuple[int | tuple[int, ...], ...] = field(
        (0, 1), "Beads of the term: 2 for a distance, 3 for an angle, 4 for a dihedral; or several such tuples, pooled.", bounds=(0, None)
    )
    n_bins: int = field(60, "Number of bins.", bounds=(2, None))
    range: tuple[float, float] | None = field(None, "Lowest and highest value, in nm or rad; None: that of the data, a dihedral -pi to pi.")
    n_blocks: int = field(20, "Number of blocks for the error.", bounds=(2, None))


def terms(settings: Settings) -> tuple[tuple[int, ...], ...]:
    """The terms of ``settings.beads``, all of one length: 2, 3 or 4."""
    flat = bool(settings.beads) and not isinstance(settings.beads[0], tuple)
    found = (settings.beads,) if flat else settings.beads
    widths = {len(term) if isinstance(term, tuple) else 0 for term in found}
    if len(widths) != 1 or not widths <= set(KINDS):
        raise ValueError(f"beads = {settings.beads}: name 2 beads for a distance, 3 for an angle, 4 for a dihedral.")
    return found


def named_terms(beads: Beads) -> list[tuple[str, tuple[tuple[int, ...], ...]]]:
    """All bonds, angles and dihedrals: a name, and the terms at that place in every molecule with the same beads, to be pooled."""
    inside: dict[int, list[int]] = {}
    for bead, molecule in enumerate(beads.molecule.tolist()):
        inside.setdefault(molecule, []).append(bead)
    place = {bead: k for members in inside.values() for k, bead in enumerate(members)}  # within its molecule
    like = {molecule: tuple(beads.names[bead] for bead in members) for molecule, members in inside.items()}
    pooled: dict[tuple, list[tuple[int, ...]]] = {}
    for kind, rows in (("bond", beads.bonds), ("angle", beads.angles), ("dihedral", beads.dihedrals)):
        for term in map(tuple, rows.tolist()):
            key = (kind, like[int(beads.molecule[term[0]])], tuple(place[bead] for bead in term))
            pooled.setdefault(key, []).append(term)
    names = [f"{kind} {'-'.join(molecule[k] for k in places)}" for kind, molecule, places in pooled]
    first = ["-".join(map(str, terms[0])) for terms in pooled.values()]
    unique = [f"{name} ({where})" if names.count(name) > 1 else name for name, where in zip(names, first, strict=True)]
    return list(zip(unique, map(tuple, pooled.values()), strict=True))


def limits(trajectory: Trajectory, settings: Settings) -> tuple[float, float]:
    """Lowest and highest edge of the bins [nm or rad]: as set, or that of the data; a dihedral's is -pi to pi."""
    named = terms(settings)
    if settings.range is not None:
        if len(settings.range) != 2 or not settings.range[0] < settings.range[1]:
            raise ValueError(f"range = {settings.range}: give two values, the lower one first.")
        return settings.range
    if len(named[0]) == 4:
        return -np.pi, np.pi
    low, high = np.inf, -np.inf
    for _, values in _base.measure(trajectory, named):
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        raise ValueError(f"no value of {KINDS[len(named[0])][0]} {named[0]} is finite: leave out the frames that blew up.")
    pad = 0.01 * (high - low) or 0.01  # one that never changes is shown 0.01 nm or rad around it
    return low - pad, high + pad


def counts(trajectory: Trajectory, settings: Settings, edges: tuple[float, float], labels: np.ndarray) -> np.ndarray:
    """Counts per block, (n, n_bins + 3): below ``edges``, the bins, above, and values that are not finite.

    ``labels`` (F,) is the block of every frame, as from ``_base.block_labels``.
    """
    low, high = edges
    width = settings.n_bins + 3
    found = np.zeros((int(labels.max()) + 1) * width)
    for frames, values in _base.measure(trajectory, terms(settings)):
        finite = np.isfinite(values)
        scaled = np.floor((np.where(finite, values, low) - low) * (settings.n_bins / (high - low)))
        column = np.clip(scaled, -1, settings.n_bins).astype(np.int64) + 1
        column[values == high] = settings.n_bins
        column[~finite] = width - 1
        found += np.bincount((labels[frames, None] * width + column).ravel(), minlength=found.size)
    return found.reshape(-1, width)


def observation(counts: np.ndarray, trajectory: Trajectory, settings: Settings, edges: tuple[float, float]) -> Observation:
    """The density over the bins from what :func:`counts` gave."""
    named = terms(settings)
    kind, unit = KINDS[len(named[0])]
    border = np.linspace(*edges, settings.n_bins + 1)
    probability, error = _base.ratio(counts, counts.sum(1))
    inside, width = slice(1, settings.n_bins + 1), border[1] - border[0]
    return Observation(
        name=f"{kind} {'-'.join(map(str, named[0]))}" + (f" and {len(named) - 1} more" if len(named) > 1 else ""),
        x=((border[1:] + border[:-1]) / 2,),
        value=probability[inside] / width,
        error=error[inside] / width,
        unit=f"1/{unit}",
        x_unit=unit,
        n_effective=_base.effective_samples(probability, error, counts.sum()),
        state=_base.one_state(trajectory),
    )


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """Density [1/nm or 1/rad] over the bins, with standard errors. Raises ``ValueError`` where a value is not finite."""
    labels = _base.block_labels(trajectory, settings.n_blocks)
    edges = limits(trajectory, settings)
    found = counts(trajectory, settings, edges, labels)
    if found[:, -1].any():
        raise ValueError(f"{int(found[:, -1].sum())} values of beads {settings.beads} are not finite: leave out the frames that blew up.")
    return observation(found, trajectory, settings, edges)
