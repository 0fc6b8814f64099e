"""The picture of a fit: its loss; the curves of its tables against their targets, iteration by iteration; or the tables found."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from widgets import frame, plots
from workbench.potentials import Sum
from workbench.potentials.tabulated import BondedTables, PairTables
from workbench.potentials.three_body_spline import ThreeBodySpline
from workbench.types import Fit

MOST_TABLES = 6
"""Tables that are shown, the worst first."""
SIZE = (6.4, 4.2)


def live(progress: dict, settings: Any, earlier: Sequence[dict] = ()) -> bytes | None:
    """What a running fit shows, from the ``progress`` of its job; ``earlier`` are curves of iterations before. None: nothing yet."""
    history = progress.get("history", {})
    if "curves" in progress:
        curves = {
            name: {**curve, "earlier": [before[name]["current"] for before in earlier if name in before]}
            for name, curve in progress["curves"].items()
        }
        return _structure(curves, history, settings.tolerance)
    if history.get("validation_loss") or history.get("train_loss"):
        return frame.png(lambda ax: plots.loss(history, ax))
    return None


def finished(fit: Fit) -> bytes | None:
    """What a finished fit shows: the curves of its best iteration, or its tables; None where it has no tables."""
    found, history = list(_tables(fit.potential)), fit.history
    if not found:
        return None
    if "error" not in history:
        return _energies(found, history)
    best, curves = int(np.nanargmin(history["error"])), {}
    for kind, k, title, x, unit, _ in found:
        name = "rdf" if kind == "pair" else kind
        if name in history:
            by_iteration = history[name][:, k]
            target = history[f"target_{name}"][k]
            curves[title] = {"x": x, "unit": unit, "target": target, "current": by_iteration[best], "earlier": by_iteration[:best]}
    return _structure(curves, history, fit.settings.tolerance)


def summary(fit: Fit, metrics: dict[str, float]) -> str:
    """What the step bar says of a finished fit, whose last ``metrics`` were these."""
    history = fit.history
    if "prior_loss" in metrics and "validation_loss" in history:
        return f"{100 * min(history['validation_loss']) / metrics['prior_loss']:.1f} % of prior"
    if "force_error_after" in history:
        share = float(np.mean(history["force_error_after"]) / np.mean(history["force_error_before"]))
        return f"{100 * share:.1f} % of force"
    if "error" not in history:
        return "fitted"
    best = int(np.nanargmin(history["error"]))
    name = "rms_rdf" if "rms_rdf" in history else "js_bonded"
    return f"{'rms' if name == 'rms_rdf' else 'JS'} {history[name][best]:.2g}"


def _tables(potential: Any) -> Iterator[tuple[str, int, str, np.ndarray, str, np.ndarray]]:
    """Kind, number within the kind, title, knots, their unit, and energies there, of every table within ``potential``."""
    for part in potential.parts if isinstance(potential, Sum) else [potential]:
        if isinstance(part, PairTables):
            for k, (types, u) in enumerate(zip(part.pairs, part.values(), strict=True)):
                yield "pair", k, f"pair {'-'.join(types)}", part.knots(), "nm", u
        elif isinstance(part, BondedTables):
            for kind, tables in part.tables.items():
                for k, (types, u) in enumerate(zip(tables, part.values(kind), strict=True)):
                    yield kind, k, f"{kind} {'-'.join(types)}", part.knots(kind), "nm" if kind == "bond" else "rad", u
        elif isinstance(part, ThreeBodySpline):
            for k, ((centre, *ends), u) in enumerate(zip(part.triples, part.values(), strict=True)):
                yield "triple", k, f"triple {'-'.join((ends[0], centre, ends[1]))}", part.knots(), "rad", u


def _structure(curves: dict[str, dict], history: dict, tolerance: float) -> bytes:
    """The worst curves against their targets, and the error against the iteration."""
    order = sorted(curves, key=lambda name: -_off(curves[name]))
    shown = order[:MOST_TABLES]

    def draw(*axes: Any) -> None:
        for number, (name, ax) in enumerate(zip(shown, axes, strict=False)):
            plots.curve(name, curves[name], ax, legend=number == 0)
        plots.convergence(history, tolerance, axes[-1])
        if len(order) > len(shown):
            axes[-1].set_title(f"the worst {len(shown)} of {len(order)} tables", fontsize=9)

    return frame.png(draw, size=SIZE, n_axes=_mosaic(len(shown), beside=True))


def _off(curve: dict) -> float:
    """How far a curve is from its target, relative to it."""
    target = np.asarray(curve["target"], float)
    return float(np.abs(np.asarray(curve["current"], float) - target).sum() / max(np.abs(target).sum(), 1e-300))


def _energies(found: list, history: dict) -> bytes:
    """The tables themselves, with their errors where there are any; the deepest first."""
    shown = sorted(found, key=lambda table: float(table[-1].min()))[:MOST_TABLES]

    def draw(*axes: Any) -> None:
        for (kind, k, title, x, unit, u), ax in zip(shown, axes, strict=True):
            error = history.get(f"{kind}_error")
            plots.table(title, x, unit, u, None if error is None else error[k], ax)

    return frame.png(draw, size=SIZE, n_axes=_mosaic(len(shown), beside=False))


def _mosaic(n: int, beside: bool) -> list[list[int]]:
    """Places of ``n`` small axes, and of one more, as high as all of them, beside."""
    columns = 1 if n <= 2 and beside else min(n, 2)
    places = [*range(n), *[-1] * (-n % columns)]
    rows = [places[first : first + columns] for first in range(0, len(places), columns)]
    return [[*row, n] for row in rows] if beside else rows
