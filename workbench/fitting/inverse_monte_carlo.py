"""Inverse Monte Carlo: all values of all tables at once, from how the counts S of pairs and terms in bins fluctuate together.

To first order a change dU of the energies at the knots moves the mean counts by -sum_g A_ag dU_g, so that
sum_g A_ag dU_g = <S_a> - S_a,target with A_ag = (<S_a S_g> - <S_a> <S_g>) / kBT (Lyubartsev and Laaksonen, Phys. Rev. E 52, 3730
(1995), equations 5-8), over the bins of every pair of types and of every kind of bonded term.

How the equations are kept from following noise: ``_response``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench import units
from workbench.fitting import _histograms, _loop, _measured, _response, _tables, boltzmann_inversion
from workbench.potentials._base import Potential
from workbench.potentials.tabulated import PairTables, parts
from workbench.settings import field, settings
from workbench.simulation import replicas
from workbench.types import Fit, ReferenceData


@settings
class Settings:
    """The update, when to stop, and the simulation of an iteration."""

    n_iterations: int = field(12, "Updates, at most.", bounds=(0, 10_000))
    regularization: float = field(0.5, "Tikhonov parameter, times bins per frame; 0: the bare equations.", bounds=(0.0, 1e6))
    largest_step: float = field(2.0, "Largest change of a value in one update, in kBT.", bounds=(1e-3, 100.0))
    scale: float = field(1.0, "Share of the step that is taken.", bounds=(1e-3, 1.0))
    smoothing: int = field(0, "Times that an update is averaged with its neighbours, 1/4, 1/2, 1/4.", bounds=(0, 20))
    start: str = field("boltzmann", "Begin with the direct inversion, or with the tables as given.", choices=("boltzmann", "given"))
    tolerance: float = field(0.01, "Error at which it has converged: RMS of g(r), divergence of bonded terms.", bounds=(0.0, 1.0))
    patience: int = field(6, "Iterations without a better error before stopping.", bounds=(1, None))
    equilibration_steps: int = field(1000, "Steps of every iteration before its first frame.", bounds=(0, None))
    simulation: replicas.Settings = field(
        replicas.Settings(n_steps=10_000, save_every=10, timestep_fs=4.0, friction=2.0),
        "The simulation of an iteration, with many more frames than there are bins; its temperature is that of the data.",
    )


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Fit the tables of ``potential`` to the distributions of ``data``; other parts of a sum stay. See ``_loop.run`` for ``on_step``.

    History: error, rms_rdf, js_bonded, pressure [bar], seconds and, per iteration, the values at the knots and the distributions.
    Raises ``ValueError`` for targets that no potential can be told from, ``_loop.Diverged`` with the last good potential.
    """
    bound = potential.bind(data.beads)
    if settings.start == "boltzmann":
        bound = boltzmann_inversion.invert(bound, _measured.targets(bound, data), 0)
    return _loop.run("inverse_monte_carlo.fit", bound, data, settings, update, on_step, checkpoint)


def update(
    potential: Potential, measured: list[_measured.Measured], target: list[_measured.Measured], iteration: int, settings: Settings
) -> tuple[Potential, dict[str, float]]:
    """The tables after one step, means over the states."""
    pairs, bonded = parts(potential)
    where = sampled(target)
    steps = [_step(pairs, m, t, where, settings) for m, t in zip(measured, target, strict=True)]
    change = {name: _tables.smooth(np.mean([step[name] for step in steps], 0), settings.smoothing, name == "dihedral") for name in where}
    values = {name: (pairs.values() if name == "pair" else bonded.values(name)) + change[name] for name in where}
    return continued(potential, values, where, target), {}


def continued(potential: Potential, values: dict, where: dict, target: list[_measured.Measured]) -> Potential:
    """The tables through ``values`` (T, n + 1) [kJ/mol] by name where sampled, ``where``, and continued beyond."""
    pairs, bonded = parts(potential)
    if pairs is not None:
        pairs = pairs.with_values(_tables.continue_pairs(values["pair"], where["pair"], pairs.knots()))
    if bonded is not None:
        new = {}
        for kind in [kind for kind in bonded.tables if bonded.tables[kind]]:
            knots = bonded.knots(kind)
            stiff = [_tables.curvature(t.densities[kind], knots, units.thermal_energy(t.state.temperature)) for t in target]
            new[kind] = _tables.continue_terms(kind, values[kind], where[kind], knots, np.mean(stiff, 0))
        bonded = bonded.with_values(new)
    return _loop.replace(potential, pairs, bonded)


def sampled(target: list[_measured.Measured]) -> dict[str, np.ndarray]:
    """Which bins (T, n + 1) hold enough of some state to tell an energy from, by name of the table: 'pair' or the kind of a term."""
    found = {}
    if target[0].pairs is not None:
        found["pair"] = np.any([_tables.sampled_pairs(t.pairs) for t in target], 0)
    return found | {kind: np.any([_tables.sampled_terms(t.bonded[kind]) for t in target], 0) for kind in target[0].bonded}


def _step(
    pairs: PairTables | None, measured: _measured.Measured, target: _measured.Measured, where: dict, settings: Settings
) -> dict[str, np.ndarray]:
    """Changes [kJ/mol] at the knots (T, n + 1), by name; none where nothing was sampled, and at the last knot, which is given."""
    counts, wanted = dict(measured.bonded), {kind: counts.mean(0) for kind, counts in target.bonded.items()}
    if pairs is not None:
        counts["pair"] = measured.pairs
        wanted["pair"] = target.rdf * _histograms.ideal(measured.frames, pairs)
    free = {name: seen.copy() for name, seen in where.items()}
    for name in free:
        if name in ("pair", "dihedral"):
            free[name][:, -1] = False
    solved = _response.solve(
        np.concatenate([counts[name][:, seen] for name, seen in free.items()], 1).astype(float),
        np.concatenate([wanted[name][seen] for name, seen in free.items()]),
        settings.regularization,
        settings.largest_step,
    )
    kT, change, first = units.thermal_energy(target.state.temperature), {}, 0
    for name, seen in free.items():
        change[name] = np.zeros(seen.shape)
        change[name][seen] = settings.scale * kT * solved[first : first + seen.sum()]
        first += int(seen.sum())
        if name == "dihedral" and len(seen):
            change[name][:, -1] = change[name][:, 0]
    return change
