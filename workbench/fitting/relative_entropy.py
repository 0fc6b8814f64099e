"""Relative entropy: the tables whose distribution of configurations is nearest to that of the data, by Newton's method.

S = <ln p_ref / p_CG>_ref is convex in spline coefficients c, U = sum_k c_k S_k, with gradient beta (<S_k>_ref - <S_k>_CG) and Hessian
beta^2 (<S_k S_l>_CG - <S_k>_CG <S_l>_CG) (Shell, J. Chem. Phys. 129, 144108 (2008); Chaimovich and Shell, J. Chem. Phys. 134, 094112
(2011), equations 8-12). Several updates are made of one simulation: its frames are weighted by exp(-beta dU) as long as enough of them
count (ibid., section II D). A step is halved until S falls, dS = beta <dU>_ref + ln <exp(-beta dU)>_CG.

How the equations are kept from following noise: ``_response``.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench import units
from workbench.fitting import _loop, _measured, _response, _sums, boltzmann_inversion, inverse_monte_carlo
from workbench.potentials._base import Potential
from workbench.potentials.tabulated import parts
from workbench.settings import field, settings
from workbench.simulation import replicas
from workbench.types import Fit, ReferenceData

HALVINGS = 10
"""Times that a step is halved before there is none."""


@settings
class Settings:
    """The update, when to stop, and the simulation of an iteration."""

    n_iterations: int = field(50, "Simulations and their updates, at most.", bounds=(0, 10_000))
    regularization: float = field(0.1, "Tikhonov parameter, times coefficients per frame; 0: the bare equations.", bounds=(0.0, 1e6))
    largest_step: float = field(2.0, "Largest change of a coefficient in one update, in kBT.", bounds=(1e-3, 100.0))
    scale: float = field(1.0, "Share of the step that is taken.", bounds=(1e-3, 1.0))
    n_reweighted: int = field(3, "Updates from one simulation, at most; above 1 its frames are reweighted.", bounds=(1, 1000))
    effective_share: float = field(0.5, "Share of the frames that must still count for another update from them.", bounds=(0.0, 1.0))
    start: str = field("boltzmann", "Begin with the direct inversion, or with the tables as given.", choices=("boltzmann", "given"))
    tolerance: float = field(0.01, "Error at which it has converged: RMS of g(r), divergence of bonded terms.", bounds=(0.0, 1.0))
    patience: int = field(10, "Iterations without a better error before stopping.", bounds=(1, None))
    equilibration_steps: int = field(1000, "Steps of every iteration before its first frame.", bounds=(0, None))
    simulation: replicas.Settings = field(
        replicas.Settings(n_steps=10_000, save_every=10, timestep_fs=4.0, friction=2.0),
        "The simulation of an iteration, with many more frames than there are coefficients; its temperature is that of the data.",
    )


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Fit the tables of ``potential`` to the configurations of ``data``; other parts of a sum stay. See ``_loop.run`` for ``on_step``.

    History: error, rms_rdf, js_bonded, pressure [bar], seconds and, per iteration, the values at the knots and the distributions; of
    each update of all but the last: relative_entropy, its change, updates, their number, and effective_share of the frames at the end.
    Raises ``ValueError`` for targets that no potential can be told from, ``_loop.Diverged`` with the last good potential.
    """
    bound = potential.bind(data.beads)
    target = _measured.targets(bound, data)
    if settings.start == "boltzmann":
        bound = boltzmann_inversion.invert(bound, target, 0)
    wanted = [_sums.flat(_sums.of(bound, t.frames), 1).mean(0) for t in target]
    improve = functools.partial(update, wanted=wanted)
    return _loop.run("relative_entropy.fit", bound, data, settings, improve, on_step, checkpoint)


def update(
    potential: Potential,
    measured: list[_measured.Measured],
    target: list[_measured.Measured],
    iteration: int,
    settings: Settings,
    wanted: list[np.ndarray],
) -> tuple[Potential, dict[str, float]]:
    """The tables after all updates that the frames of ``measured`` allow; ``wanted`` are the mean sums (K,) of every state of the data."""
    sums = [_sums.flat(_sums.of(potential, m.frames), 1) for m in measured]
    kT = [units.thermal_energy(m.state.temperature) for m in measured]
    begin, total, updates, share = _row(potential), 0.0, 0, 1.0
    while updates < settings.n_reweighted and share >= settings.effective_share:
        energies = [s @ (_row(potential) - begin) / t for s, t in zip(sums, kT, strict=True)]
        weights = [boltzmann_weights(energy) for energy in energies]
        step = newton(potential, sums, wanted, kT, weights, target, settings)
        found, fallen = _searched(potential, step, sums, wanted, kT, weights, target)
        if found is None:
            break
        potential, total, updates = found, total + fallen, updates + 1
        share = min(effective_share(s @ (_row(potential) - begin) / t) for s, t in zip(sums, kT, strict=True))
    return potential, {"relative_entropy": total, "updates": updates, "effective_share": share}


def newton(
    potential: Potential, sums: list, wanted: list, kT: list, weights: list, target: list[_measured.Measured], settings: Settings
) -> np.ndarray:
    """Newton step (K,) [kJ/mol] of the coefficients that are sampled, mean over the states; the others stay."""
    free = np.flatnonzero(_free(potential, target))
    step = np.zeros(len(wanted[0]))
    for s, aim, t, weight in zip(sums, wanted, kT, weights, strict=True):
        solved = _response.solve(s[:, free], aim[free], settings.regularization, settings.largest_step, weight)
        step[free] += settings.scale * t * solved / len(sums)
    return step


def entropy_change(change: np.ndarray, sums: np.ndarray, wanted: np.ndarray, kT: float, weights: np.ndarray) -> float:
    """dS of a ``change`` (K,) [kJ/mol] of the coefficients from frames with ``sums`` (F, K) and ``weights`` (F,)."""
    energy = sums @ change / kT
    least = energy.min()
    return float(wanted @ change / kT - least + np.log(weights @ np.exp(least - energy)))


def boltzmann_weights(energy: np.ndarray) -> np.ndarray:
    """exp(-u) / sum exp(-u) of changes of the energy (F,) in kBT."""
    weights = np.exp(energy.min() - energy)
    return weights / weights.sum()


def effective_share(energy: np.ndarray) -> float:
    """Share of the frames that count after changes of their energy (F,) in kBT: (sum w)^2 / (F sum w^2)."""
    return float(1 / (len(energy) * np.sum(boltzmann_weights(energy) ** 2)))


def _searched(
    potential: Potential, step: np.ndarray, sums: list, wanted: list, kT: list, weights: list, target: list[_measured.Measured]
) -> tuple[Potential | None, float]:
    """``potential`` after ``step`` or, by halves, less of it, and the change of the relative entropy; None where it does not fall."""
    begin, where = _row(potential), inverse_monte_carlo.sampled(target)
    for halving in range(HALVINGS):
        moved = _loop.with_coefficients(potential, _sums.split(begin + step / 2**halving, _loop.coefficients(potential)))
        pairs, bonded = parts(moved)
        values = {name: pairs.values() if name == "pair" else bonded.values(name) for name in where}
        moved = inverse_monte_carlo.continued(moved, values, where, target)
        change = _row(moved) - begin
        fallen = sum(entropy_change(change, *of_state) for of_state in zip(sums, wanted, kT, weights, strict=True)) / len(sums)
        if fallen < 0:
            return moved, fallen
    return None, 0.0


def _row(potential: Potential) -> np.ndarray:
    """All free coefficients, (K,)."""
    return _sums.flat(_loop.coefficients(potential))


def _free(potential: Potential, target: list[_measured.Measured]) -> np.ndarray:
    """Which coefficients (K,) belong to a knot that is sampled: coefficient k to knot k - 1."""
    found = {}
    for name, seen in inverse_monte_carlo.sampled(target).items():
        if name == "dihedral":
            found[name] = np.roll(seen[:, :-1], 1, 1)
        else:
            found[name] = np.concatenate([seen[:, :1], seen[:, :-1] if name == "pair" else np.pad(seen, ((0, 0), (0, 1)), "edge")], 1)
    return _sums.flat(found)
