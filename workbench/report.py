"""The report of a validation: one HTML page complete in itself, a PNG of every figure, and a JSON of every number.

Plots take ``(result, ax)`` and return ``ax``, and draw with matplotlib's Agg canvas: no display, no pyplot.
"""

import base64
import dataclasses
import importlib.metadata
import io
import json
import math
import pathlib
import platform
import re
from typing import Any

import jinja2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import workbench
from workbench import settings as _settings
from workbench import store, types, units, validation
from workbench.observables import free_energy
from workbench.types import Observation

REFERENCE, BAND, MODEL = "#444444", "#c4c4c4", "#0072B2"
STYLE = {"font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8}
DPI = 200
HIGHEST = 8.0  # free energies are coloured up to this [kBT]
AXES = {"bond": "length", "angle": "angle", "dihedral": "dihedral"}


def draw(comparison: Any, ax: Axes) -> Axes:
    """A distribution or g(r): the reference in grey with a band of two standard errors, the model in blue."""
    scale, unit = (180 / np.pi, "°") if comparison.reference.x_unit == "rad" else (1.0, comparison.reference.x_unit)
    high = 1 if comparison.observable == "rdf" else scale  # a density per radian becomes one per degree
    (x,), (x_model,) = comparison.reference.x, comparison.model.x
    value, error = comparison.reference.value / high, 2 * comparison.reference.error / high
    ax.fill_between(x * scale, np.maximum(value - error, 0), value + error, color=BAND, linewidth=0, label="±2 errors")
    ax.plot(x * scale, value, color=REFERENCE, linewidth=1.2, label="reference")
    value, error = comparison.model.value / high, 2 * comparison.model.error / high
    ax.fill_between(x_model * scale, np.maximum(value - error, 0), value + error, color=MODEL, alpha=0.25, linewidth=0)
    ax.plot(x_model * scale, value, color=MODEL, linewidth=1.4, label="model")
    ax.set_xlim(scale * x[0], scale * x[-1])
    ax.set_ylim(bottom=0)
    ax.set_xlabel("r [nm]" if comparison.observable == "rdf" else f"{AXES[comparison.name.split()[0]]} [{unit}]")
    ax.set_ylabel("g(r)" if comparison.observable == "rdf" else f"density [1/{unit}]")
    if scale != 1 and comparison.name.startswith("dihedral"):
        ax.set_xlim(-180, 180)
        ax.set_xticks(range(-180, 181, 90))
    ax.legend(frameon=False, fontsize=7.5, handlelength=1.4, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 0.98), borderpad=0)
    return ax


def draw_surface(surface: Observation, ax: Axes) -> Axes:
    """A free-energy surface [kBT]; what was never visited stays white."""
    energy = surface.value / units.thermal_energy(surface.state.temperature)
    _image(ax, surface, np.where(np.isfinite(energy), energy, np.nan), "viridis", 0, HIGHEST)
    return ax


def draw_difference(comparison: Any, ax: Axes) -> Axes:
    """Model less reference [kBT] after the optimal shift, over the bins that count for the score; the others stay grey."""
    kt = units.thermal_energy(comparison.reference.state.temperature)
    shared = comparison.shared
    difference = np.full(shared.shape, np.nan)
    difference[shared] = (comparison.model.value[shared] - comparison.reference.value[shared]) / kt
    if shared.any():
        difference -= difference[shared].mean()
    ax.set_facecolor("#c8c8c8")
    _image(ax, comparison.reference, difference, "RdBu_r", -2, 2)
    return ax


def _image(ax: Axes, surface: Observation, values: np.ndarray, colours: str, low: float, high: float) -> None:
    ax.imshow(values.T, origin="lower", extent=(-180, 180, -180, 180), cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    ax.set_xticks(range(-180, 181, 90))
    ax.set_yticks(range(-180, 181, 90))
    ax.set_xlabel("φ [°]")
    ax.set_ylabel("ψ [°]")


def figure_of(comparison: Any) -> bytes:
    """PNG of one distribution."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.6, 2.5), layout="constrained")
        draw(comparison, figure.add_subplot())
        return _png(figure)


def figure_of_surfaces(comparison: Any) -> bytes:
    """PNG of both surfaces, with one colour bar, and their difference."""
    with matplotlib.rc_context({**STYLE, "axes.spines.top": True, "axes.spines.right": True}):
        figure = Figure(figsize=(9.6, 2.9), layout="compressed")
        axes = figure.subplots(1, 3)
        draw_surface(comparison.reference, axes[0]).set_title("reference", fontsize=10)
        draw_surface(comparison.model, axes[1]).set_title("model", fontsize=10)
        draw_difference(comparison, axes[2]).set_title("model − reference, shifted", fontsize=10)
        for ax in axes[1:]:
            ax.set_ylabel("")
        figure.colorbar(axes[1].images[0], ax=axes[:2], label=r"free energy [$k_\mathrm{B}T$]", extend="max", pad=0.02)
        figure.colorbar(axes[2].images[0], ax=axes[2], label=r"difference [$k_\mathrm{B}T$]", extend="both", pad=0.02)
        return _png(figure)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png", metadata={"Software": None})
    return buffer.getvalue()


def write(
    comparisons: tuple, data: types.ReferenceData, model: types.Trajectory, folder: pathlib.Path, settings: Any, details: dict
) -> tuple:
    """Write figures, report.json and report.html, each whole or not at all; gives the paths of the page and of the JSON."""
    figures = []
    for number, comparison in enumerate(comparisons, start=1):
        if comparison.observable != "free_energy":
            figures.append((comparison, f"{number:02d}_{_file_name(comparison.name)}.png", figure_of(comparison), False))
        elif comparison.shared is not None:
            figures.append((comparison, f"{number:02d}_{_file_name(comparison.name)}.png", figure_of_surfaces(comparison), True))
    body = _numbers(comparisons, data, model, settings, details)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            rows=[_row(comparison) for comparison in comparisons],
            passed=sum(comparison.passed for comparison in comparisons),
            figures=[{"row": _row(c), "file": name, "png": base64.b64encode(png).decode(), "wide": wide} for c, name, png, wide in figures],
            basins=_basins(comparisons),
            facts=_facts(data, model),
            body=body,
            settings=[(f.name, getattr(settings, f.name), f.metadata["unit"], f.metadata["help"]) for f in dataclasses.fields(settings)],
        )
    )
    for _, name, png, _ in figures:
        store.write_bytes(folder / name, png)
    store.write_bytes(folder / "report.json", json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False).encode())
    store.write_bytes(folder / "report.html", page.encode())
    return folder / "report.html", folder / "report.json"


def load(data: types.ReferenceData, model: types.Trajectory, folder: pathlib.Path) -> validation.Report | None:
    """The report that ``folder`` holds of this very data and model, or None. Its numbers have 8 digits, NaN for what is not finite.

    Raises ``Damaged`` where the file is no report.
    """
    page, json_ = folder / "report.html", folder / "report.json"
    if not (page.exists() and json_.exists()):
        return None
    body = store.read_json(json_)
    try:
        if (body["identities"]["reference"], body["identities"]["model"]) != (store.identity(data), store.identity(model)):
            return None
        comparisons = tuple(_comparison(row) for row in body["comparisons"])
    except (KeyError, TypeError, ValueError) as error:
        raise store.Damaged(f"{json_} is no report of the workbench ({error!r}): make the report again.") from None
    return validation.Report(folder=folder, html=page, json=json_, comparisons=comparisons)


def _comparison(row: dict) -> validation.Comparison:
    def number(value: Any) -> Any:
        return np.array(value, float)  # None becomes NaN

    def observation(body: dict) -> Observation:
        plain = {**body, "x": tuple(number(axis) for axis in body["x"]), "value": number(body["value"]), "error": number(body["error"])}
        return Observation(**{**plain, "n_effective": float(number(body["n_effective"])), "state": types.State(**body["state"])})

    body = {name: value for name, value in row.items() if name != "passed"}
    scores = {name: float(number(body[name])) for name in ("score", "error", "floor", "threshold")}
    pair = {name: observation(body[name]) for name in ("reference", "model")}
    return validation.Comparison(**{**body, **scores, **pair, "shared": None if body["shared"] is None else np.array(body["shared"], bool)})


def _environment() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.PackageLoader("workbench", "."), autoescape=True, undefined=jinja2.StrictUndefined)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def _row(comparison: Any) -> dict[str, Any]:
    """One line of the summary, numbers with no more digits than their error allows."""
    digits = 3
    if math.isfinite(comparison.error) and comparison.error > 0:
        digits = min(4, max(0, 1 - math.floor(math.log10(comparison.error))))
    score = f"{comparison.score:.{digits}f}" if math.isfinite(comparison.score) else "none shared"
    error = f"± {comparison.error:.{digits}f}" if math.isfinite(comparison.error) else ""
    return {
        "name": comparison.name.replace("phi/psi", "φ/ψ"),
        "measure": comparison.measure,
        "unit": comparison.unit.replace("^2", "²"),
        "score": score,
        "error": error,
        "floor": f"{comparison.floor:.{digits}f}" if math.isfinite(comparison.floor) else "–",
        "threshold": f"{comparison.threshold:g}",
        "passed": comparison.passed,
    }


def _facts(data: types.ReferenceData, model: types.Trajectory) -> list[tuple[str, str]]:
    """What was compared, in words."""
    facts = [("temperature", f"{data.states[0 if data.state is None else int(data.state[0])].temperature:g} K")]
    molecules = len(np.unique(data.beads.molecule))
    facts.append(("beads", f"{data.n_particles} in " + ("one molecule" if molecules == 1 else f"{molecules} molecules")))
    for name, trajectory in (("reference", data), ("model", model)):
        replicas = 1 if trajectory.replica is None else len(np.unique(trajectory.replica))
        facts.append((name, f"{len(trajectory):,} frames".replace(",", "\u202f") + (f" of {replicas} replicas" if replicas > 1 else "")))
    return facts


def _basins(comparisons: tuple) -> list[dict[str, Any]]:
    """Basins of the reference's surface, each with the nearest one of the model's."""
    surface = next((c for c in comparisons if c.shared is not None), None)
    if surface is None:
        return []
    rows, modelled = [], free_energy.basins(surface.model)
    kt = units.thermal_energy(surface.reference.state.temperature)
    for basin in free_energy.basins(surface.reference):
        nearest = min(modelled, key=lambda other: _degrees_apart(basin, other), default=None)
        apart = math.inf if nearest is None else _degrees_apart(basin, nearest)
        rows.append({"reference": basin, "model": nearest, "apart": apart, "kt": kt})
    return rows


def _degrees_apart(a: free_energy.Basin, b: free_energy.Basin) -> float:
    return math.hypot(*((x - y + 180) % 360 - 180 for x, y in ((a.phi, b.phi), (a.psi, b.psi))))


def _numbers(comparisons: tuple, data: types.ReferenceData, model: types.Trajectory, settings: Any, details: dict[str, str]) -> dict:
    """Everything in the report as JSON values; what is not finite becomes null."""
    chosen = ("name", "observable", "measure", "score", "error", "floor", "threshold", "unit", "passed", "reference", "model", "shared")
    packages = ("numpy", "torch", "scipy", "matplotlib", "openmm")
    body = {
        "format": "cg-workbench report",
        "version": 1,
        "passed": all(comparison.passed for comparison in comparisons),
        "comparisons": [{name: getattr(comparison, name) for name in chosen} for comparison in comparisons],
        "basins": [{"reference": row["reference"], "model": row["model"], "degrees_apart": row["apart"]} for row in _basins(comparisons)],
        "settings": _settings.to_dict(settings),
        "identities": {
            "reference": store.identity(data),
            "model": store.identity(model),
            "reference_parents": data.parents,
            "model_parents": model.parents,
            "code": store.code_identity(),
        },
        "versions": {
            "workbench": workbench.__version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "details": details,
    }
    return _plain(body)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    return value
