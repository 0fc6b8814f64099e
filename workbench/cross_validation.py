"""Cross-validation of settings by force error, and the search of Wang et al. for the shape of a network: depth, width, Lipschitz strength.

The frames are cut into k consecutive pieces, for frames that follow each other are alike; each candidate is fitted to all but one piece
and scored on that one by the mean square of its force error. Most of the score is noise of the forces, the same for all candidates:
the standard error of a *difference* of two candidates, over the pieces, tells more than that of a score.
Sources: Wang et al., ACS Cent. Sci. 5, 755 (2019), section 'Cross-validation' (one setting after the other, the others kept); Hastie,
Tibshirani and Friedman, The Elements of Statistical Learning, 2nd edition, 2009, section 7.10.
"""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from workbench import rooms, store
from workbench.fitting import force_matching
from workbench.potentials import cgnet
from workbench.potentials._base import Potential, Sum, evaluate
from workbench.settings import field, settings
from workbench.types import ReferenceData
from workbench.types._fields import noun


@settings
class Settings:
    """Folds."""

    n_folds: int = field(5, "Pieces of the data.", bounds=(2, 100))


@settings
class SearchSettings:
    """The values that the three stages try; the rest is that of the network and its training."""

    depths: tuple[int, ...] = field((1, 2, 3, 4, 5), "Hidden layers, first stage.", bounds=(1, 20))
    widths: tuple[int, ...] = field((20, 40, 80, 160), "Neurons of a layer, second stage.", bounds=(1, 4096))
    strengths: tuple[float, ...] = field(
        (1.0, 1.7, 2.5, 4.0, 10.0), "Largest spectral norm of a weight matrix, third stage.", bounds=(1e-6, None)
    )
    network: cgnet.Settings = field(cgnet.Settings(), "The network otherwise; its width is that of the first stage.")
    training: force_matching.Settings = field(
        force_matching.Settings(), "Training; its Lipschitz strength is that of the first two stages."
    )
    folds: Settings = field(Settings(), "How candidates are scored.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """A sum of potentials and how it is fitted, by settings alone."""

    parts: tuple
    """``Settings`` of files of ``potentials``, one for each part of the sum; priors are made from the training frames, too."""
    training: Any
    """``Settings`` of a file of ``fitting``."""


@noun
class Scores:
    """Force errors of candidates on frames that they were not fitted to."""

    candidates: tuple[Candidate, ...]
    """What was scored, n of them."""
    by_fold: np.ndarray
    """Mean square of the force error per component [(kJ/mol/nm)^2], (n, k)."""

    @property
    def mean(self) -> np.ndarray:
        """Score of each candidate [(kJ/mol/nm)^2], (n,)."""
        return self.by_fold.mean(1)

    @property
    def error(self) -> np.ndarray:
        """Its standard error over the folds, (n,)."""
        return self.by_fold.std(1, ddof=1) / math.sqrt(self.by_fold.shape[1])

    @property
    def best(self) -> int:
        """The candidate of the lowest score."""
        return int(self.mean.argmin())

    def behind(self) -> tuple[np.ndarray, np.ndarray]:
        """How much worse than the best each candidate is, and the standard error of that difference over the folds, both (n,)."""
        difference = self.by_fold - self.by_fold[self.best]
        return difference.mean(1), difference.std(1, ddof=1) / math.sqrt(difference.shape[1])


@noun
class Search:
    """The three stages."""

    stages: dict[str, Scores]
    """Scores by 'n_layers', 'width' and 'lipschitz'."""
    network: cgnet.Settings
    """The network that came out."""
    training: force_matching.Settings
    """Its training."""


def score(
    candidates: Sequence[Candidate],
    data: ReferenceData,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Scores:
    """Fit every candidate on every set of training frames and score it on the frames left out.

    ``on_step(done, metrics)`` comes after every fit with ``total``, ``candidate``, ``fold`` and ``force_error`` [(kJ/mol/nm)^2].
    ``checkpoint`` is a folder: finished fits are not done again, an unfinished one goes on from its own checkpoint.
    Raises ``ValueError`` without forces or candidates, and for fewer than two frames a fold.
    """
    if data.forces is None:
        raise ValueError("cross_validation needs forces: this trajectory was saved without them.")
    if not candidates:
        raise ValueError("cross_validation: there is no candidate to score; give at least one.")
    k = settings.n_folds
    if len(data) < 2 * k:
        raise ValueError(f"cross_validation: {len(data)} frames are too few for {k} folds of at least 2; take fewer folds or more frames.")
    identity = store.identity("cross_validation.score", list(candidates), data, settings)
    folder = None if checkpoint is None else pathlib.Path(checkpoint)
    found = None if folder is None else store.read_checkpoint(folder / "checkpoint.bin", identity)
    by_fold = np.full((len(candidates), k), np.nan) if found is None else found[0]["by_fold"].copy()
    label = np.arange(len(data)) * k // len(data)
    for done, (c, fold) in enumerate(np.ndindex(by_fold.shape)):
        if np.isnan(by_fold[c, fold]):
            within = None if folder is None else folder / f"{c}-{fold}"
            potential = _fitted(candidates[c], data.take(label != fold), within)
            by_fold[c, fold] = force_error(potential, data.take(label == fold))
            if folder is not None:
                store.write_checkpoint(folder / "checkpoint.bin", {"by_fold": by_fold}, {"identity": identity})
        if on_step is not None:
            on_step(done + 1, {"total": by_fold.size, "candidate": c, "fold": fold, "force_error": float(by_fold[c, fold])})
    return Scores(candidates=tuple(candidates), by_fold=by_fold)


def search(
    data: ReferenceData,
    prior: tuple = (),
    settings: SearchSettings = SearchSettings(),  # noqa: B008 (frozen)
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Search:
    """Depth, then width, then Lipschitz strength, each by the lowest score while the others are kept.

    ``prior`` are ``Settings`` of potentials that are built from the training frames and added, as in ``(harmonic.Settings(),)``.
    ``on_step`` and ``checkpoint`` as in :func:`score`; the metrics also name the ``stage`` and count over all three.
    """
    network, training, stages = settings.network, settings.training, {}
    trials = {"n_layers": settings.depths, "width": settings.widths, "lipschitz": settings.strengths}
    total = settings.folds.n_folds * sum(map(len, trials.values()))
    before = 0
    for stage, values in trials.items():
        owner = training if stage == "lipschitz" else network
        options = [dataclasses.replace(owner, **{stage: value}) for value in values]
        candidates = [
            Candidate(parts=(*prior, network), training=o) if owner is training else Candidate(parts=(*prior, o), training=training)
            for o in options
        ]

        def show(done: int, metrics: dict, stage: str = stage, before: int = before) -> None:
            if on_step is not None:
                on_step(before + done, {**metrics, "total": total, "stage": stage})

        within = None if checkpoint is None else pathlib.Path(checkpoint) / stage
        stages[stage] = score(candidates, data, settings.folds, on_step=show, checkpoint=within)
        chosen = options[stages[stage].best]
        network, training = (network, chosen) if stage == "lipschitz" else (chosen, training)
        before += stages[stage].by_fold.size
    return Search(stages=stages, network=network, training=training)


def force_error(potential: Potential, data: ReferenceData) -> float:
    """Mean square of the force error per component [(kJ/mol/nm)^2] of ``potential`` on ``data``."""
    total = 0.0
    for chunk in data.chunks():
        box = None if chunk.box is None else torch.tensor(chunk.box, dtype=torch.float64)
        force = evaluate(potential, torch.tensor(chunk.positions, dtype=torch.float64), box).forces
        total += float((force - torch.tensor(chunk.forces, dtype=torch.float64)).square().sum())
    return total / data.forces.size


def _fitted(candidate: Candidate, data: ReferenceData, checkpoint: Any) -> Potential:
    built = [_method("potentials", part).build(data, part) for part in candidate.parts]
    potential = built[0] if len(built) == 1 else Sum(built)
    return _method("fitting", candidate.training).fit(potential, data, candidate.training, checkpoint=checkpoint).potential


def _method(room: str, chosen: Any) -> Any:
    """The file of ``room`` whose ``Settings`` these are. Raises ``ValueError`` for settings of another room."""
    package, _, name = type(chosen).__module__.rpartition(".")
    if package != f"workbench.{room}":
        raise ValueError(f"cross_validation: {type(chosen).__module__}.{type(chosen).__name__} is no Settings of {room}.")
    return rooms.method(room, name)
