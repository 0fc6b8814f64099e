"""What structure-based fits compare: the distributions of a state at the knots of the tables, of the data and of an iteration."""

import dataclasses

import numpy as np

from workbench import units
from workbench.fitting import _histograms
from workbench.observables.free_energy import jensen_shannon
from workbench.potentials._base import Potential
from workbench.potentials.tabulated import parts
from workbench.types import ReferenceData, State, Trajectory


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What the frames of one state say at the knots of the tables."""

    state: State
    """Its temperature and pressure."""
    frames: Trajectory
    """The frames themselves."""
    pairs: np.ndarray | None
    """Pairs in every frame by table and bin, (F, T, n + 1); None without pair tables."""
    rdf: np.ndarray | None
    """g(r), (T, n + 1)."""
    bonded: dict[str, np.ndarray]
    """Bonded terms in every frame by kind, table and bin, (F, T, n + 1)."""
    densities: dict[str, np.ndarray]
    """Their densities [1/nm or 1/rad] by kind, (T, n + 1)."""
    pressure: float | None
    """Mean pressure [bar], where the frames have a virial."""


def measure(frames: Trajectory, potential: Potential, state: State) -> Measured:
    """Count and average ``frames`` for the tables of ``potential``."""
    pairs, bonded = parts(potential)
    counts = None if pairs is None else _histograms.pair_counts(frames, pairs)
    terms = {} if bonded is None else _histograms.bonded_counts(frames, bonded)
    pressure = None
    if frames.virial is not None and frames.box is not None:
        volume = np.prod(np.asarray(frames.box, np.float64), 1)
        kinetic = frames.n_particles * units.thermal_energy(state.temperature)
        pressure = float(np.mean((kinetic + np.trace(frames.virial, axis1=1, axis2=2) / 3) / volume)) / units.BAR
    return Measured(
        state=state,
        frames=frames,
        pairs=counts,
        rdf=None if pairs is None else _histograms.rdf(counts, frames, pairs),
        bonded=terms,
        densities={} if bonded is None else _histograms.densities(terms, bonded),
        pressure=pressure,
    )


def targets(potential: Potential, data: ReferenceData) -> list[Measured]:
    """What every state of ``data`` says. Raises ``ValueError`` where no potential can be told from it."""
    if len(data) < 2:
        raise ValueError(f"{len(data)} frame is not enough for a distribution: at least 2.")
    pairs, bonded = parts(potential)
    index = np.zeros(len(data), np.int64) if data.state is None else np.asarray(data.state)
    found = []
    for k in np.unique(index):
        measured = measure(data.take(index == k), potential, data.states[int(k)])
        if pairs is not None:
            _histograms.check(measured.frames, pairs, measured.rdf)
        if bonded is not None:
            _histograms.check_bonded(bonded, measured.densities)
        found.append(measured)
    return found


def rms(found: list[Measured], wanted: list[Measured]) -> float:
    """Root-mean-square deviation of g(r) over states, tables and knots."""
    return float(np.sqrt(np.mean([np.mean((m.rdf - t.rdf) ** 2) for m, t in zip(found, wanted, strict=True)])))


def noise(measured: list[Measured]) -> float:
    """Standard error of g(r), root mean square over states, tables and knots, from the two halves of the frames."""
    squares = []
    for m in measured:
        half, mean = len(m.pairs) // 2, m.pairs.mean(0)
        apart = m.pairs[:half].mean(0) - m.pairs[half:].mean(0)
        squares.append(np.mean(np.divide(m.rdf * apart, 2 * mean, out=np.zeros_like(m.rdf), where=mean > 0) ** 2))
    return float(np.sqrt(np.mean(squares)))


def divergence(found: list[Measured], wanted: list[Measured]) -> float:
    """Largest Jensen-Shannon divergence of the bonded distributions, over states, kinds and tables; ln 2 where all terms left the grid."""
    return max(
        (float(jensen_shannon(p, q)) if p.any() else float(np.log(2))) if q.any() else 0.0
        for m, t in zip(found, wanted, strict=True)
        for kind in m.densities
        for p, q in zip(m.densities[kind], t.densities[kind], strict=True)
    )


def curves(measured: list[Measured], potential: Potential, prefix: str = "") -> dict[str, np.ndarray]:
    """Values at the knots (of an iteration) and the distributions there, means over the states."""
    pairs, bonded = parts(potential)
    found = {}
    if pairs is not None:
        found["rdf"] = np.mean([m.rdf for m in measured], 0)
    if bonded is not None:
        found |= {kind: np.mean([m.densities[kind] for m in measured], 0) for kind in bonded.tables}
    if not prefix:
        found |= {} if pairs is None else {"pair_values": pairs.values()}
        found |= {} if bonded is None else {f"{kind}_values": bonded.values(kind) for kind in bonded.tables}
    return {prefix + name: value for name, value in found.items()}


def pictures(potential: Potential, target: list[Measured], measured: list[Measured]) -> dict[str, dict]:
    """Name -> x, its unit, and the distribution wanted and found, as plain lists."""
    pairs, bonded = parts(potential)
    wanted, found, names = curves(target, potential, "target_"), curves(measured, potential), []
    if pairs is not None:
        names += [("rdf", k, f"pair {'-'.join(pair)}", pairs.knots(), "nm") for k, pair in enumerate(pairs.pairs)]
    for kind, tables in {} if bonded is None else bonded.tables.items():
        unit = "nm" if kind == "bond" else "rad"
        names += [(kind, k, f"{kind} {'-'.join(types)}", bonded.knots(kind), unit) for k, types in enumerate(tables)]
    return {
        title: {"x": x.tolist(), "unit": unit, "target": wanted[f"target_{name}"][k].tolist(), "current": found[name][k].tolist()}
        for name, k, title, x, unit in names
    }
