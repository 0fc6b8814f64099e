"""Iterative Boltzmann inversion: u <- u + alpha kBT ln(g_n / g_target), for every table, until the distributions agree.

Sources: Soper, Chem. Phys. 202, 295 (1996); Reith, Pütz and Müller-Plathe, J. Comput. Chem. 24, 1624 (2003), equation 8; several states
at once: Moore, Iacovella and McCabe, J. Chem. Phys. 140, 224104 (2014). Pressure: a ramp A (1 - r / rc) is added to all pairs (Wang,
Junghans and Kremer, Eur. Phys. J. E 28, 221 (2009), equations 8-10). Here A makes the pressure right for the whole change du, ramp and
update, if g(r) stays: P_target - P = -(2 pi / 3) sum_ab rho_a rho_b int_0^rc r^3 g_ab du_ab/dr dr.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench import units
from workbench.fitting import _histograms, _loop, _measured, _tables, boltzmann_inversion
from workbench.potentials._base import Potential
from workbench.potentials.tabulated import BondedTables, PairTables, parts
from workbench.settings import field, settings
from workbench.simulation import replicas
from workbench.types import Fit, ReferenceData

LARGEST_RAMP = 0.1
"""Largest height of the pressure's ramp in one update, in kBT."""


@settings
class Settings:
    """The update, when to stop, and the simulation of an iteration."""

    n_iterations: int = field(30, "Updates, at most.", bounds=(0, 10_000))
    scale: float = field(1.0, "alpha: below 1 the update is damped.", bounds=(1e-3, 2.0))
    smoothing: int = field(0, "Times that an update is averaged with its neighbours, 1/4, 1/2, 1/4.", bounds=(0, 20))
    start: str = field("boltzmann", "Begin with the direct inversion, or with the tables as given.", choices=("boltzmann", "given"))
    one_at_a_time: bool = field(False, "Update one pair of types an iteration, in turn; bonded terms always.")
    update_bonded: bool = field(True, "Update bonded tables too; else they stay as they begin.")
    pressure: float | None = field(None, "Pressure to reach; None: left alone.", unit="bar", bounds=(-1e5, 1e6))
    pressure_scale: float = field(0.5, "Share of the ramp that the virial asks for.", bounds=(1e-3, 2.0))
    pressure_tolerance: float = field(50.0, "Deviation of the pressure that weighs as ``tolerance``.", unit="bar", bounds=(1e-3, None))
    tolerance: float = field(0.01, "Error at which it has converged: RMS of g(r), divergence of bonded terms.", bounds=(0.0, 1.0))
    patience: int = field(15, "Iterations without a better error before stopping.", bounds=(1, None))
    equilibration_steps: int = field(200, "Steps of every iteration before its first frame.", bounds=(0, None))
    shortest: float = field(0.02, "Least share of the simulation's length that an iteration has; 1: always all.", bounds=(1e-3, 1.0))
    simulation: replicas.Settings = field(
        replicas.Settings(n_steps=30_000, save_every=20, timestep_fs=6.0, friction=2.0),
        "The simulation of an iteration, at its longest; its temperature is that of the data.",
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
    also = None if settings.pressure is None else functools.partial(_pressure_error, settings=settings)
    return _loop.run("iterative_boltzmann.fit", bound, data, settings, update, on_step, checkpoint, shortest=settings.shortest, also=also)


def update(
    potential: Potential, measured: list[_measured.Measured], target: list[_measured.Measured], iteration: int, settings: Settings
) -> tuple[Potential, dict[str, float]]:
    """The tables after one step, means over the states."""
    pairs, bonded = parts(potential)
    if pairs is not None:
        steps = [_pair_step(pairs, m, t, settings) for m, t in zip(measured, target, strict=True)]
        change = _tables.smooth(np.mean(steps, 0), settings.smoothing)
        if settings.one_at_a_time:
            change[np.arange(len(change)) != iteration % len(change)] = 0
        if settings.pressure is not None:
            change = change + np.mean([_ramp(pairs, change, m, settings) for m in measured], 0)
        sampled = functools.reduce(np.logical_or, (_tables.sampled_pairs(t.pairs) for t in target))
        pairs = pairs.with_values(_tables.continue_pairs(pairs.values() + change, sampled, pairs.knots()))
    if bonded is not None and settings.update_bonded:
        bonded = bonded.with_values(
            {kind: _bonded_step(kind, bonded, measured, target, settings) for kind in bonded.tables if bonded.tables[kind]}
        )
    return _loop.replace(potential, pairs, bonded), {}


def _pair_step(pairs: PairTables, measured: _measured.Measured, target: _measured.Measured, settings: Settings) -> np.ndarray:
    kT = units.thermal_energy(target.state.temperature)
    return settings.scale * kT * _tables.log_ratio(measured.rdf, target.rdf, _tables.sampled_pairs(target.pairs))


def _bonded_step(kind: str, bonded: BondedTables, measured: list, target: list, settings: Settings) -> np.ndarray:
    """New values (T, n + 1) of the tables of one kind."""
    found, everywhere, stiff = [], [], []
    for m, t in zip(measured, target, strict=True):
        kT = units.thermal_energy(t.state.temperature)
        sampled = _tables.sampled_terms(t.bonded[kind])
        one = np.full((1, *sampled.shape), 1 / len(m.bonded[kind]))
        least = _tables.LEAST_COUNT * _histograms.densities({kind: one}, bonded)[kind]
        found.append(settings.scale * kT * _tables.log_ratio(m.densities[kind], t.densities[kind], sampled, least))
        everywhere.append(sampled)
        stiff.append(_tables.curvature(t.densities[kind], bonded.knots(kind), kT))
    change = _tables.smooth(np.mean(found, 0), settings.smoothing, kind == "dihedral")
    sampled = functools.reduce(np.logical_or, everywhere)
    return _tables.continue_terms(kind, bonded.values(kind) + change, sampled, bonded.knots(kind), np.mean(stiff, 0))


def _pressure_error(measured: list[_measured.Measured], settings: Settings) -> float:
    """How far the pressure is from the one wanted, in the measure of the other errors."""
    worst = max(abs(m.pressure - settings.pressure) for m in measured)
    return settings.tolerance * worst / settings.pressure_tolerance


def _ramp(pairs: PairTables, change: np.ndarray, measured: _measured.Measured, settings: Settings) -> np.ndarray:
    """The pressure's ramp (n + 1,) [kJ/mol] beside ``change`` (T, n + 1)."""
    shape = 1 - pairs.knots() / pairs.cutoff
    wanted = settings.pressure_scale * (settings.pressure - measured.pressure) * units.BAR
    height = (wanted - _pressure_of(change, pairs, measured)) / _pressure_of(np.broadcast_to(shape, change.shape), pairs, measured)
    limit = LARGEST_RAMP * units.thermal_energy(measured.state.temperature)
    return float(np.clip(height, -limit, limit)) * shape


def _pressure_of(change: np.ndarray, pairs: PairTables, measured: _measured.Measured) -> float:
    """What ``change`` (T, n + 1) adds to the pressure [kJ/mol/nm^3] if g(r) stays."""
    volume = float(np.mean(np.prod(np.asarray(measured.frames.box, np.float64), 1)))
    densities = 2 * _histograms.n_pairs(pairs) / volume**2  # rho_a rho_b, of both orders of two types
    work = np.trapezoid(pairs.knots() ** 3 * measured.rdf * np.gradient(change, pairs.spacing, axis=1), dx=pairs.spacing, axis=1)
    return float(-2 * np.pi / 3 * densities @ work)
