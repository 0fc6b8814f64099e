"""Is the model any good? Every observable of a model against the reference, with error bars, a floor and a plain pass or fail.

Scores, all of them better when lower:
- a bond, angle or dihedral: the Jensen-Shannon divergence of the two distributions, natural logarithm, 0 to ln 2 (Lin, IEEE Trans.
  Inf. Theory 37, 145 (1991)); what lies outside the bins counts as two more bins;
- the surface over the first two dihedrals phi and psi: its Jensen-Shannon divergence; its mean-squared free-energy difference in
  (kBT)^2 over bins with enough counts in both, after the optimal shift (Wang et al., ACS Cent. Sci. 5, 755 (2019)); the share of the
  reference's well-sampled population in bins that the model never visits;
- a liquid: the root-mean-square difference of the radial distributions, weighted by the volume of the shells.

Errors are standard deviations over a block bootstrap of reference and model (blocks are replicas or contiguous pieces). The floor is the
score of one half of the reference's blocks (the even ones) against the other: no model can be told to be better than that. A model
that blew up (a value that is not finite, a bead a millimetre away) gets the worst score there is.
"""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from workbench.mapping_score import MappingScore as MappingScore
from workbench.mapping_score import score_mapping as score_mapping
from workbench.observables import _base, bonded, free_energy, rdf
from workbench.settings import field, settings
from workbench.types import Observation, ReferenceData, Trajectory

DIVERGENCE = "Jensen-Shannon divergence"
FARTHEST = 1e6
"""A model with a bead further out than this [nm] has blown up."""


@settings
class Settings:
    """Thresholds, bins and blocks."""

    max_bond: float = field(0.02, "Largest divergence of a bond length that passes.", bounds=(0.0, 0.7))
    max_angle: float = field(0.02, "Largest divergence of an angle that passes.", bounds=(0.0, 0.7))
    max_dihedral: float = field(0.05, "Largest divergence of a dihedral that passes.", bounds=(0.0, 0.7))
    max_surface: float = field(0.15, "Largest divergence of the phi/psi surface that passes.", bounds=(0.0, 0.7))
    max_free_energy: float = field(1.0, "Largest mean-squared free-energy difference that passes.", unit="(kBT)^2", bounds=(0.0, None))
    max_unvisited: float = field(0.05, "Largest share of the reference's population that the model may never visit.", bounds=(0.0, 1.0))
    max_rdf: float = field(0.05, "Largest root-mean-square difference of g(r) that passes.", bounds=(0.0, None))
    n_bins: int = field(60, "Number of bins along each dihedral of the surface.", bounds=(4, None))
    n_bins_bonded: int = field(60, "Number of bins of a bond, angle or dihedral.", bounds=(4, None))
    n_bins_rdf: int = field(100, "Number of bins of g(r).", bounds=(4, None))
    r_max: float | None = field(None, "Largest distance of g(r); None: half of the smallest box length.", unit="nm", bounds=(1e-3, None))
    min_counts: int = field(10, "Counts that a bin needs in both for the free-energy difference.", bounds=(1, None))
    n_blocks: int = field(20, "Number of blocks for the errors.", bounds=(4, None))
    n_bootstrap: int = field(200, "Number of bootstrap samples.", bounds=(10, None))
    seed: int = field(0, "Seed of the bootstrap.", bounds=(0, None))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """One observable of the model against the reference."""

    name: str
    """What is compared."""
    observable: str
    """File of ``observables`` that measured it."""
    measure: str
    """What the score is."""
    score: float
    """How far apart they are, in ``unit``; lower is better."""
    error: float
    """Standard error of the score; NaN where none can be told."""
    floor: float
    """The score between two halves of the reference."""
    threshold: float
    """Largest score that passes."""
    unit: str
    """Unit of score, error, floor and threshold; '' for a plain number."""
    reference: Observation
    """The observable of the reference."""
    model: Observation
    """The observable of the model."""
    shared: np.ndarray | None = None
    """Bins that the score is over, as a mask; None: all."""

    @property
    def passed(self) -> bool:
        """Whether the score is at most the threshold."""
        return bool(self.score <= self.threshold)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """A report on disk."""

    folder: pathlib.Path
    """Where it lies, with its figures as PNG files."""
    html: pathlib.Path
    """The page, complete in one file."""
    json: pathlib.Path
    """Every number of it."""
    comparisons: tuple[Comparison, ...]
    """What was compared."""

    @property
    def passed(self) -> bool:
        """Whether every observable passed."""
        return all(comparison.passed for comparison in self.comparisons)


def compare(data: ReferenceData, model: Trajectory, settings: Settings = Settings()) -> tuple[Comparison, ...]:  # noqa: B008 - frozen
    """Every observable that the beads of ``data`` have, of the model against the reference.

    Like terms of like molecules are pooled. Raises ``ValueError`` where the two have not the same beads, temperature or kind of box.
    """
    _check(data, model)
    both = (data, model)
    labels = tuple(_base.block_labels(trajectory, settings.n_blocks) for trajectory in both)
    pair = _Pair(both=both, labels=labels, settings=settings, exploded=_exploded(model))
    found = [_bonded(pair, name, terms) for name, terms in bonded.named_terms(data.beads)]
    found += _surface(pair)
    found += _radial(pair)
    if not found:
        raise ValueError("there is nothing to compare: the beads have no bonds, angles or dihedrals, and there is no liquid in a box.")
    return tuple(found)


def report(
    data: ReferenceData,
    model: Trajectory,
    folder: str | pathlib.Path,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    details: dict[str, str] | None = None,
) -> Report:
    """Compare, and write report.html, report.json and the figures into ``folder``; ``details`` are printed at the end of the page."""
    from workbench import report as page

    comparisons = compare(data, model, settings)
    html, json = page.write(comparisons, data, model, pathlib.Path(folder), settings, details or {})
    return Report(folder=pathlib.Path(folder), html=html, json=json, comparisons=comparisons)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pair:
    """Reference and model with the block of every frame."""

    both: tuple[ReferenceData, Trajectory]
    labels: tuple[np.ndarray, np.ndarray]
    settings: Settings
    exploded: bool

    def measure(self, function: Callable) -> list:
        """``function(trajectory, labels)`` of the reference and of the model."""
        return [function(trajectory, labels) for trajectory, labels in zip(self.both, self.labels, strict=True)]


def _exploded(model: Trajectory) -> bool:
    """Whether a bead is not finite or further than ``FARTHEST`` from the origin."""
    return any(not np.all(np.abs(model.positions[start : start + 65536]) < FARTHEST) for start in range(0, len(model), 65536))


def _check(data: ReferenceData, model: Trajectory) -> None:
    if model.n_particles != data.n_particles:
        raise ValueError(f"the model has {model.n_particles} beads, the reference {data.n_particles}: compare runs of the same beads.")
    kelvin = _base.one_state(data).temperature, _base.one_state(model).temperature
    if abs(kelvin[0] - kelvin[1]) > 1e-6 * kelvin[0]:
        raise ValueError(
            f"the reference is at {kelvin[0]:g} K, the model at {kelvin[1]:g} K: run the model at the temperature of the reference."
        )
    if (data.box is None) != (model.box is None):
        raise ValueError("one of reference and model has a periodic box and the other has none: run the model as the reference was run.")


def _score(function: Callable, reference: np.ndarray, model: np.ndarray, worst: float | None, settings: Settings) -> dict[str, float]:
    """Score, error and floor from the sums of the blocks (n, ...) of both; ``worst`` is the score of a model that blew up."""
    floor = function(reference[0::2].sum(0), reference[1::2].sum(0))
    if worst is not None:
        return {"score": worst, "error": float("nan"), "floor": floor}
    generator = np.random.default_rng(settings.seed)
    drawn = (_base.resample(blocks, settings.n_bootstrap, generator) for blocks in (reference, model))
    scores = np.array([function(p, q) for p, q in zip(*drawn, strict=True)])
    told = scores[np.isfinite(scores)]
    error = float(told.std(ddof=1)) if len(told) > len(scores) / 2 else float("nan")
    return {"score": float(function(reference.sum(0), model.sum(0))), "error": error, "floor": floor}


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    return float(free_energy.jensen_shannon(p, q))


def _bonded(pair: _Pair, name: str, terms: tuple) -> Comparison:
    """A distribution; the bins reach 15 % of the reference's spread beyond it, so that a wider model shows."""
    settings, width = pair.settings, len(terms[0])
    chosen = bonded.Settings(beads=terms, n_bins=settings.n_bins_bonded)
    low, high = bonded.limits(pair.both[0], chosen)
    if width < 4:
        spread = high - low
        low, high = max(0.0, low - 0.15 * spread), high + 0.15 * spread
    if width == 3:
        high = min(high, np.pi)
    counts = pair.measure(lambda trajectory, labels: bonded.counts(trajectory, chosen, (low, high), labels))
    _refuse_broken(counts[0][:, -1].sum(), name)
    worst = np.log(2) if pair.exploded or counts[1][:, -1].any() else None
    reference, model = (bonded.observation(c, t, chosen, (low, high)) for c, t in zip(counts, pair.both, strict=True))
    return Comparison(
        name=name,
        observable="bonded",
        measure=DIVERGENCE,
        threshold={2: settings.max_bond, 3: settings.max_angle, 4: settings.max_dihedral}[width],
        unit="",
        reference=reference,
        model=model,
        **_score(_divergence, *counts, worst, settings),
    )


def _surface(pair: _Pair) -> list[Comparison]:
    """The three scores of the surface over the first two dihedrals of the first molecule that has two, and of those like it."""
    settings, beads = pair.settings, pair.both[0].beads
    dihedrals = [terms for _, terms in bonded.named_terms(beads) if len(terms[0]) == 4]
    molecule = [beads.molecule[terms[0][0]] for terms in dihedrals]
    first = next((k for k in range(len(dihedrals) - 1) if molecule[k] == molecule[k + 1]), None)
    if first is None:
        return []
    pairs = tuple(term for phi_psi in zip(dihedrals[first], dihedrals[first + 1], strict=True) for term in phi_psi)
    chosen = free_energy.Settings(dihedrals=pairs, n_bins=settings.n_bins, n_bootstrap=settings.n_bootstrap, seed=settings.seed)
    (reference, lost), (model, broken) = pair.measure(lambda trajectory, labels: free_energy.counts(trajectory, chosen, labels))
    _refuse_broken(lost, "phi/psi")
    observations = [free_energy.observation(counts, t, chosen) for counts, t in zip((reference, model), pair.both, strict=True)]
    _, shared = free_energy.optimal_shift(reference.sum(0), model.sum(0), settings.min_counts)

    def difference(p: np.ndarray, q: np.ndarray) -> float:
        return free_energy.mean_squared_difference(p, q, settings.min_counts)

    def unvisited(p: np.ndarray, q: np.ndarray) -> float:
        sampled = p >= settings.min_counts
        return float(p[sampled & (q == 0)].sum() / p[sampled].sum()) if sampled.any() else 0.0

    def comparison(name, measure, threshold, unit, function, worst, mask=None) -> Comparison:
        return Comparison(
            name=name,
            observable="free_energy",
            measure=measure,
            threshold=threshold,
            unit=unit,
            reference=observations[0],
            model=observations[1],
            shared=mask,
            **_score(function, reference, model, worst if pair.exploded or broken else None, settings),
        )

    return [
        comparison("surface phi/psi", DIVERGENCE, settings.max_surface, "", _divergence, np.log(2)),
        comparison("free energy phi/psi", "mean-squared difference", settings.max_free_energy, "(kBT)^2", difference, np.inf, shared),
        comparison("population never visited", "share of the reference", settings.max_unvisited, "", unvisited, 1.0),
    ]


def _radial(pair: _Pair) -> list[Comparison]:
    """g(r) between every two types of beads of different molecules, where there is a box."""
    settings, (data, model), found = pair.settings, pair.both, []
    if data.box is None or len(np.unique(data.beads.molecule)) < 2:
        return []
    half = float(min(np.min(data.box), np.min(model.box))) / 2
    r_max = half if settings.r_max is None else min(half, settings.r_max)
    molecule, kinds = data.beads.molecule, sorted(set(data.beads.types))
    for first, second in ((a, b) for i, a in enumerate(kinds) for b in kinds[i:]):
        one, other = (tuple(bead for bead, kind in enumerate(data.beads.types) if kind == chosen) for chosen in (first, second))
        if len(np.unique(molecule[list(one + other)])) < 2:
            continue
        chosen = rdf.Settings(first=one, second=other, molecule=tuple(molecule.tolist()), r_max=r_max, n_bins=settings.n_bins_rdf)
        sums = pair.measure(lambda trajectory, labels, chosen=chosen: rdf.shells(trajectory, chosen, r_max, labels))
        _refuse_broken(int(np.isnan(sums[0]).any()), f"g(r) {first}-{second}")
        worst = np.inf if pair.exploded or np.isnan(sums[1]).any() else None
        with_frames = [np.c_[s[:, 0], np.bincount(labels)] for s, labels in zip(sums, pair.labels, strict=True)]
        reference, modelled = (rdf.observation(s, l, t, chosen, r_max) for s, l, t in zip(sums, pair.labels, pair.both, strict=True))
        found.append(
            Comparison(
                name=f"g(r) {first}-{second}",
                observable="rdf",
                measure="root-mean-square difference",
                threshold=settings.max_rdf,
                unit="",
                reference=reference,
                model=modelled,
                **_score(_root_mean_square, *with_frames, worst, settings),
            )
        )
    return found


def _root_mean_square(p: np.ndarray, q: np.ndarray) -> float:
    """Of two g(r) given as sums over frames, with the number of frames as the last entry; shells weigh as their volume."""
    volume = np.diff(np.arange(len(p), dtype=float) ** 3)
    return float(np.sqrt(np.average((p[:-1] / p[-1] - q[:-1] / q[-1]) ** 2, weights=volume)))


def _refuse_broken(count: float, name: str) -> None:
    if count:
        raise ValueError(f"{name} of the reference is not finite in {int(count)} frames: leave those out of the reference.")
