"""Pictures: every function takes ``(result, ax)`` and returns ``ax``. No state of pyplot is used."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from widgets.frame import ACCENT, BEAD_COLOURS, FREE_COLOUR
from workbench import units
from workbench.noise import Noise
from workbench.types import Mapping, Observation, System

GREY = "#777777"


def _plain(ax: Any) -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def message(text: str, ax: Any) -> Any:
    """An empty place that says what will be seen here."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=GREY, fontsize=11, wrap=True, transform=ax.transAxes)
    return ax


def loss(history: dict[str, Sequence], ax: Any) -> Any:
    """Training and validation loss of a fit on a log axis; the loss of the prior is the line to beat."""
    steps = np.asarray(history.get("step", history.get("epoch", ())), float)
    prior = [float(v) for v in history.get("prior_loss", ()) if v is not None]
    for name, colour, label in (("train_loss", GREY, "training"), ("validation_loss", ACCENT, "validation")):
        values = np.array([np.nan if v is None else v for v in history.get(name, ())], float)
        if values.size:
            ax.plot(steps[: len(values)], values, color=colour, lw=1.8, marker="o" if len(values) < 40 else None, ms=3, label=label)
    if prior and np.isfinite(prior[-1]):
        ax.axhline(prior[-1], color=BEAD_COLOURS[1], ls="--", lw=1.5, label="prior alone")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    ax.yaxis.set_major_formatter(_short)
    ax.yaxis.set_minor_formatter(_short if _narrow(ax) else _nothing)
    ax.set_xlabel("epoch")
    ax.set_ylabel("force loss per component [(kJ/mol/nm)²]")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False)
    return _plain(ax)


AXES = {"pair": ("r", "g(r)"), "bond": ("length", "density"), "angle": ("angle", "density"), "dihedral": ("dihedral", "density")}
"""Abscissa and ordinate of a distribution, by the kind of its table."""


def curve(name: str, told: dict[str, Any], ax: Any, *, legend: bool = False) -> Any:
    """The distribution of one table in a structure-based fit: the target in grey, the iteration in colour, ``earlier`` ones faint.

    ``name`` is kind and types, ``told`` holds x, unit, target, current and earlier.
    """
    kind, _, types = name.partition(" ")
    for values in told["earlier"]:
        ax.plot(told["x"], values, color=ACCENT, lw=0.8, alpha=0.15)
    ax.plot(told["x"], told["target"], color=GREY, lw=3.5, alpha=0.55, label="target")
    ax.plot(told["x"], told["current"], color=ACCENT, lw=1.4, label="model")
    across, up = AXES[kind]
    ax.set_xlabel(f"{across} [{told['unit']}]", fontsize=9)
    ax.set_ylabel(up if kind == "pair" else f"{up} [1/{told['unit']}]", fontsize=9)
    ax.set_title(types if kind == "pair" else name, fontsize=9)
    ax.set_ylim(0, 1.25 * max(*told["target"], 1e-9))
    if legend:
        ax.legend(frameon=False, fontsize=8, handlelength=1.2)
    return _small(ax)


def convergence(history: dict[str, Sequence], tolerance: float, ax: Any) -> Any:
    """Errors of a structure-based fit against its iterations on a log axis, with the tolerance as a line."""
    parts = [("rms_rdf", ACCENT, "g(r), RMS"), ("js_bonded", BEAD_COLOURS[2], "bonded, JS")]
    rows = {name: np.array([np.nan if v is None else v for v in history[name]], float) for name, _, _ in parts if name in history}
    error = np.array([np.nan if v is None else v for v in history["error"]], float)
    if not np.allclose(error, np.max(list(rows.values()), 0), equal_nan=True):
        parts, rows = [*parts, ("error", "black", "with pressure")], {**rows, "error": error}
    for name, colour, label in parts:
        if name in rows:
            steps = np.asarray(history.get("step", range(len(rows[name]))), float)
            ax.plot(steps, rows[name], color=colour, lw=1.6, marker="o", ms=3, label=label)
    ax.axhline(tolerance, color=BEAD_COLOURS[1], ls="--", lw=1.5, label=f"tolerance {tolerance:g}")
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.yaxis.set_major_formatter(_short)
    ax.yaxis.set_minor_formatter(_short if _narrow(ax) else _nothing)
    ax.set_xlabel("iteration", fontsize=9)
    ax.set_ylabel("error", fontsize=9)
    ax.legend(frameon=False, fontsize=8, handlelength=1.2)
    return _small(ax)


def table(name: str, x: np.ndarray, unit: str, u: np.ndarray, error: np.ndarray | None, ax: Any) -> Any:
    """One table of a potential, energies [kJ/mol] at its knots with their errors; a wall is cut off above."""
    ax.plot(x, u, color=ACCENT, lw=1.6)
    if error is not None:
        ax.fill_between(x, u - error, u + error, color=ACCENT, alpha=0.25, lw=0)
    depth = max(-float(u.min()), 0.5)
    if name.startswith("pair"):
        ax.set_ylim(-1.3 * depth, 3 * depth)
    ax.axhline(0, color=GREY, lw=0.6)
    ax.set_xlabel(f"{'r' if name.startswith('pair') else name.split()[0]} [{unit}]", fontsize=9)
    ax.set_ylabel("U [kJ/mol]", fontsize=9)
    ax.set_title(name, fontsize=9)
    return _small(ax)


def _small(ax: Any) -> Any:
    ax.tick_params(labelsize=8, which="both")
    return _plain(ax)


def _short(value: float, _: Any) -> str:
    return f"{value:,.0f}".replace(",", "\u00a0") if value >= 10 else f"{value:.3g}"


def _nothing(value: float, _: Any) -> str:
    return ""


def _narrow(ax: Any) -> bool:
    low, high = ax.get_ylim()
    return low > 0 and high / low < 4


def series(history: dict[str, Sequence], name: str, label: str, ax: Any, *, level: float | None = None) -> Any:
    """One metric of a sampling against its time, with the running mean since the first kept frame; what lies before is shaded.

    ``level`` is a line to compare with: experiment.
    """
    step, time, values = (np.array([np.nan if v is None else v for v in history.get(key, ())], float) for key in ("step", "time", name))
    step, time, values = (array[: min(map(len, (step, time, values)))] for array in (step, time, values))
    ax.plot(time, values, color="#BBBBBB", lw=0.8)
    kept = np.isfinite(values) & (step > 0)
    if kept.any():
        mean = np.cumsum(values[kept]) / np.arange(1, kept.sum() + 1)
        ax.plot(time[kept], mean, color=ACCENT, lw=1.8, label=f"running mean {_rounded(mean[-1], values[kept].std())}")
    if (step == 0).any():
        ax.axvspan(0, time[step == 0].max(), color="#EEEEEE", lw=0, zorder=0, label="equilibration")
    if level is not None:
        ax.axhline(level, color=BEAD_COLOURS[1], ls="--", lw=1.5, label="experiment")
    ax.margins(x=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6))
    ax.set_xlabel("time [ps]")
    ax.set_ylabel(label)
    ax.legend(fontsize=8, frameon=False, handlelength=1.2, loc="lower left", bbox_to_anchor=(-0.05, 1.0), borderaxespad=0)
    return _plain(ax)


def _rounded(value: float, spread: float) -> str:
    """``(300.4, 12.0)`` -> ``"300"``: no digits below the second of the spread."""
    return f"{value:.{min(6, max(0, 1 - int(np.floor(np.log10(spread)))))}f}" if spread > 0 else f"{value:.6g}"


def noise(measured: Noise, ax: Any) -> Any:
    """The share of noise in the force on every bead as a bar from the least to the most, with the numbers; whiskers are their errors."""
    beads = np.arange(len(measured.names))
    least, most = 100 * measured.least, 100 * measured.most
    colours = [BEAD_COLOURS[bead % len(BEAD_COLOURS)] for bead in beads]
    ax.barh(beads, np.maximum(most - least, 0.5), left=least, height=0.55, color=colours, alpha=0.75)
    for edge, error in ((least, 100 * measured.least_error), (most, 100 * measured.most_error)):
        ax.errorbar(edge, beads, xerr=error, fmt="none", ecolor="black", elinewidth=1, capsize=2.5)
    for bead in beads:
        ax.text(1.01, bead, f"{least[bead]:.0f} to {most[bead]:.0f} %", va="center", transform=ax.get_yaxis_transform(), fontsize=9)
    ax.set_yticks(beads, measured.names)
    ax.set_ylim(len(beads) - 0.5, -0.5)
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of the force that is noise [%], least to most")
    return _plain(ax)


def free_energy(surface: Observation, ax: Any, title: str = "") -> Any:
    """Free-energy surface over two dihedrals, in kBT above its minimum."""
    kt = units.thermal_energy(surface.state.temperature)
    values = np.where(np.isfinite(surface.value), surface.value, np.nan) / kt
    image = ax.imshow(values.T, origin="lower", extent=(-180, 180, -180, 180), cmap="viridis", vmin=0, vmax=8, interpolation="nearest")
    ax.set_xticks((-180, -90, 0, 90, 180))
    ax.set_yticks((-180, -90, 0, 90, 180))
    ax.set_xlabel("φ [°]")
    ax.set_ylabel("ψ [°]")
    ax.set_title(title, fontsize=10)
    ax.figure.colorbar(image, ax=ax, label="free energy [kT]", shrink=0.85)
    return ax


def distribution(observations: Sequence[tuple[str, Observation]], ax: Any) -> Any:
    """One-dimensional distributions with their error bands: the first (reference) in grey, the others in colour."""
    for (label, observed), colour in zip(observations, (GREY, *BEAD_COLOURS), strict=False):
        x = np.asarray(observed.x[0])
        ax.plot(x, observed.value, color=colour, lw=1.8, label=label)
        ax.fill_between(x, observed.value - observed.error, observed.value + observed.error, color=colour, alpha=0.25, lw=0)
    ax.set_xlabel(f"{observations[0][1].name} [{observations[0][1].x_unit}]")
    ax.set_ylabel("density")
    ax.legend(frameon=False)
    return _plain(ax)


def molecule(system: System, mapping: Mapping | None, ax: Any) -> Any:
    """The first molecule drawn flat along its two longest axes, its atoms and beads in their colours."""
    atoms = np.flatnonzero(system.molecule == 0)
    flat, order, turn = _flatten(system.positions[atoms])
    index = {int(atom): i for i, atom in enumerate(atoms)}
    for i, j in system.bonds:
        if int(i) in index:
            ends = flat[[index[int(i)], index[int(j)]]]
            ax.plot(ends[:, 0], ends[:, 1], color="#999999", lw=2, zorder=1)
    colours = [FREE_COLOUR] * len(atoms)
    fits = [t for t in mapping.templates if t.weights.shape[1] == len(atoms)] if mapping is not None else []
    for template in fits[:1]:
        centres = (template.weights @ system.positions[atoms] - system.positions[atoms].mean(0)) @ turn
        for bead, (name, centre) in enumerate(zip(template.names, centres, strict=True)):
            colour = BEAD_COLOURS[bead % len(BEAD_COLOURS)]
            for atom in template.atoms(bead):
                colours[atom] = colour
            ax.scatter(*centre[:2], s=1500, color=colour, alpha=0.3, zorder=0, lw=0)
            ax.annotate(name, centre[:2], xytext=(0, 20), textcoords="offset points", ha="center", color=colour, weight="bold")
    sizes = [60 if system.elements[a] == "H" else 190 for a in atoms]
    ax.scatter(
        flat[order, 0], flat[order, 1], s=np.array(sizes)[order], c=[colours[i] for i in order], zorder=2, edgecolors="white", lw=0.8
    )
    for i, atom in enumerate(atoms):
        if system.elements[atom] != "H":
            ax.text(*flat[i, :2], system.elements[atom], ha="center", va="center", fontsize=7, zorder=3, color="white")
    ax.set_aspect("equal")
    ax.margins(0.14)
    ax.set_axis_off()
    return ax


def _flatten(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (n, 3) along the principal axes, an order from back to front, and the rotation."""
    centred = positions - positions.mean(0)
    turn = np.linalg.svd(centred, full_matrices=False)[2].T
    flat = centred @ turn
    return flat, np.argsort(flat[:, 2]), turn
