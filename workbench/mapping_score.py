"""Is a mapping any good? What its beads keep of the molecule, before any model is trained.

- information: how far atoms are from where the best linear decoder, learned from other frames, rebuilds them from the beads
  (molecules superposed by their beads, see ``backmapping``);
- force noise: how much of the bead forces is noise that no model can learn (``noise``);
- smoothness: the slowest relaxation of distances between beads over that between heavy atoms (``relaxation_times``): 1 where the
  beads see the slowest motion of the molecule, less where the mapping averages over it and leaves memory out of the model;
- symmetry: of all pairs of equivalent atoms (colour refinement of the molecule's graph), the share whose beads hold equivalent atoms;
- connectivity: the share of beads that are one piece of the molecule, and the share of its mass that is in beads.

What cannot be told is None, with the reason; it is never 0.
"""

import collections
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import networkx
import numpy as np

from workbench import noise, relaxation_times
from workbench.backmapping import _decoder
from workbench.mappings import _graph, _refinement
from workbench.settings import field, settings
from workbench.types import Mapping, System, Trajectory, noun

N_BLOCKS = 10
"""Blocks of held-out frames for the error of the RMSD."""


@settings
class Settings:
    """Frames and atoms of the score."""

    n_frames: int = field(5000, "Most frames that are used for information and noise; more are thinned evenly.", bounds=(8, None))
    held_out: float = field(0.25, "Share of the frames, the last ones, that atoms are rebuilt in.", bounds=(0.05, 0.9))
    atoms: str = field("heavy", "Which atoms are to be rebuilt.", choices=("heavy", "all"))
    lag: int = field(1, "Frames over which the memory of distances is measured.", bounds=(1, None))
    meter: noise.Settings = field(noise.Settings(), "The noise meter.")


@noun
class MappingScore:
    """The parts of a score; a part is None where it cannot be told, for the reason in ``reasons``."""

    rmsd: float | None
    """Distance of atoms from where the best linear decoder puts them in held-out frames, root-mean-square [nm]; less is better."""
    rmsd_error: float | None
    """Its standard error [nm]."""
    noise: noise.Noise | None
    """The bracket of the noise meter, bead by bead."""
    force_variance: float | None
    """Variance of the basic bead forces, mean over beads [(kJ/mol/nm)^2 per component]; less is better."""
    noise_least: float | None
    """Least share of noise in it, mean over beads."""
    noise_most: float | None
    """Most share of noise in it, mean over beads."""
    smoothness: float | None
    """Slowest relaxation time seen by the beads over that seen by the heavy atoms; 1 is best."""
    smoothness_error: float | None
    """Its standard error."""
    relaxation: float | None
    """The time of the heavy atoms [ps], or in frames where their times are not known."""
    symmetry: float | None
    """Share of pairs of equivalent atoms that lie in equivalent beads; 1 is best."""
    connected: float
    """Share of beads whose atoms are one piece of the molecule; 1 is best."""
    covered: float
    """Share of the mass of mapped molecules that is in a bead; 1 is best."""
    reasons: dict[str, str]
    """Why a part is None: name of the part -> a sentence."""


def score_mapping(all_atom: Trajectory, mapping: Mapping, settings: Settings = Settings()) -> MappingScore:  # noqa: B008 (frozen)
    """Every part of the score that the frames of ``all_atom`` (F, N, 3) allow; all copies of a molecule count.

    Raises ``ValueError`` only for a trajectory that does not know its system and a mapping of another molecule.
    """
    system = all_atom.system
    if system is None:
        raise ValueError("score_mapping: this trajectory does not know its system: give it by dataclasses.replace(trajectory, system=...).")
    parts = _decoder.layout(mapping, system)
    thin = all_atom.take(slice(None, None, -(-len(all_atom) // settings.n_frames)))
    thin = dataclasses.replace(thin, velocities=None, virial=None)
    reasons: dict[str, str] = {}

    def told(part: str, function: Callable, *values: Any) -> Any:
        try:
            return function(*values)
        except ValueError as error:
            reasons[part] = str(error)
            return None

    rebuilt = told("rmsd", _rebuilt, thin, mapping, parts, settings) or (None, None)
    bracket = told("noise", noise.measure, thin, mapping, settings.meter)
    smooth = told("smoothness", _smoothness, all_atom, mapping, parts, settings) or (None, None, None)
    pieces = [_pieces(template.weights, system, atoms[0]) for template, (atoms, _) in zip(mapping.templates, parts, strict=True)]
    return MappingScore(
        rmsd=rebuilt[0],
        rmsd_error=rebuilt[1],
        noise=bracket,
        force_variance=None if bracket is None else float(bracket.basic.mean()),
        noise_least=None if bracket is None else float(bracket.least.mean()),
        noise_most=None if bracket is None else float(bracket.most.mean()),
        smoothness=smooth[0],
        smoothness_error=smooth[1],
        relaxation=smooth[2],
        symmetry=told("symmetry", _symmetry, mapping, system, parts),
        connected=float(np.mean(np.concatenate([whole for whole, _ in pieces]))),
        covered=float(np.average([held for _, held in pieces], weights=[system.masses[atoms].sum() for atoms, _ in parts])),
        reasons=reasons,
    )


def _rebuilt(frames: Trajectory, mapping: Mapping, parts: list, settings: Settings) -> tuple[float, float]:
    """RMSD [nm] and its error over the last frames, by decoders learned from the first."""
    n_test = round(settings.held_out * len(frames))
    if len(frames) < 2 or not 0 < n_test < len(frames):
        raise ValueError(f"{len(frames)} frame(s) leave none to learn from and to judge: a decoder needs more.")
    squares, count = np.zeros(n_test), 0
    for template, (atoms, _) in zip(mapping.templates, parts, strict=True):
        wanted = np.flatnonzero(frames.system.masses[atoms[0]] > (_graph.LIGHT if settings.atoms == "heavy" else 0))
        if not wanted.size:
            continue
        learned, judged = frames.take(slice(0, -n_test)), frames.take(slice(-n_test, None))
        places = _decoder.samples(learned, atoms).reshape(-1, *atoms.shape[1:], 3)
        known = _decoder.fit(template.weights @ places, places[:, wanted])
        for frame in range(n_test):
            places = _decoder.samples(judged.take(slice(frame, frame + 1)), atoms, most=len(atoms))[0]
            left = _decoder.expected(known, template.weights @ places) - places[:, wanted]
            squares[frame] += np.square(left).sum()
        count += len(atoms) * len(wanted)
    if not count:
        raise ValueError(f"'{frames.system.name}' has no heavy atoms to rebuild: choose atoms='all'.")
    blocks = np.array([part.mean() for part in np.array_split(squares / count, min(N_BLOCKS, n_test))])
    value = float(np.sqrt(np.mean(squares) / count))
    error = blocks.std(ddof=1) / np.sqrt(len(blocks)) / (2 * value) if len(blocks) > 1 and value > 0 else float("nan" if value else 0)
    return value, float(error)


def _smoothness(all_atom: Trajectory, mapping: Mapping, parts: list, settings: Settings) -> tuple[float, float, float]:
    """Time of beads over time of heavy atoms, its error, and the latter, for the slowest kind of molecule."""
    if all_atom.replica is not None and len(np.unique(all_atom.replica)) > 1:
        raise ValueError("the frames are of several replicas: relaxation is measured along one run; take the frames of one replica.")
    if len(all_atom) < relaxation_times.LEAST_FRAMES + 2 * settings.lag:
        raise ValueError(f"{len(all_atom)} frames are too few for relaxation times: {relaxation_times.LEAST_FRAMES} are the least.")
    best, why = None, "a single heavy atom a molecule has no distances that could relax."
    for template, (atoms, _) in zip(mapping.templates, parts, strict=True):
        heavy = np.flatnonzero(all_atom.system.masses[atoms[0]] > _graph.LIGHT)
        if len(heavy) < 2:
            continue
        if len(template.names) < 2:
            why = "one bead a molecule has no inner distances: its model has no inner motion that could be too fast."
            continue
        places = _decoder.samples(all_atom, atoms[: max(1, 200_000 // len(all_atom))], most=10**9)
        full = relaxation_times.slowest(relaxation_times.inner_distances(places[:, :, heavy]), settings.lag)
        rho = full.correlation
        if not rho > max(0.05, 3 * full.error()):
            step = relaxation_times.interval(all_atom)
            apart = "the frames" if step is None else f"frames {settings.lag * step:g} ps apart"
            why = f"{apart} do not remember each other (autocorrelation {rho:.2f} of the slowest distances): sample at a shorter interval."
            continue
        beads = relaxation_times.slowest(relaxation_times.inner_distances(template.weights @ places), settings.lag)
        if best is None or rho > best[0].correlation:
            best = (full, beads)
    if best is None:
        raise ValueError(why)
    full, beads = best

    def ratio(rho_beads: Any, rho_full: Any) -> Any:
        return np.log(np.clip(rho_full, 1e-6, 1 - 1e-9)) / np.log(np.clip(rho_beads, 1e-6, 1 - 1e-9))

    step = relaxation_times.interval(all_atom) or 1.0
    time = -settings.lag * step / np.log(min(full.correlation, 1 - 1e-9))
    error = relaxation_times.spread(ratio(beads.correlations(), full.correlations()))
    return float(ratio(beads.correlation, full.correlation)), error, float(time)


def _symmetry(mapping: Mapping, system: System, parts: list) -> float:
    """Share of pairs of equivalent atoms in equivalent beads. Raises ``ValueError`` where no two atoms are equivalent."""
    kept = pairs = 0
    for template, (atoms, _) in zip(mapping.templates, parts, strict=True):
        graph = _atoms(system, atoms[0])
        colour = dict(zip(graph, _refinement.refine(_graph.adjacency(graph), [graph.nodes[a]["key"] for a in graph]).tolist(), strict=True))
        held = [np.flatnonzero(row).tolist() for row in template.weights]
        rows = zip(template.weights, held, strict=True)
        signature = [tuple(sorted((colour.get(a, -1), round(float(row[a]), 6)) for a in inside)) for row, inside in rows]
        lies = {a: tuple(sorted(signature[bead] for bead in np.flatnonzero(template.weights[:, a]))) for a in graph}
        classes = collections.defaultdict(list)
        for atom in graph:
            classes[colour[atom]].append(lies[atom])
        for members in classes.values():
            pairs += len(members) * (len(members) - 1) // 2
            kept += sum(n * (n - 1) // 2 for n in collections.Counter(members).values())
    if not pairs:
        raise ValueError("no two atoms of the mapped molecules are equivalent: there is no symmetry to keep.")
    return kept / pairs


def _pieces(weights: np.ndarray, system: System, atoms: np.ndarray) -> tuple[list[bool], float]:
    """For every bead whether it is in one piece, and the share of the mass that is in beads."""
    graph = _atoms(system, atoms)
    inside = [[a for a in np.flatnonzero(row).tolist() if a in graph] for row in weights]
    whole = [networkx.is_connected(graph.subgraph(held)) if held else True for held in inside]
    held = sorted(set(itertools.chain.from_iterable(inside)))
    return whole, float(system.masses[atoms[held]].sum() / system.masses[atoms].sum())


def _atoms(system: System, atoms: np.ndarray) -> networkx.Graph:
    """All atoms with mass of a molecule, counted within it, with element and mass as their ``key``."""
    graph = networkx.Graph()
    massive = np.flatnonzero(system.masses[atoms] > 0).tolist()
    graph.add_nodes_from((a, {"key": (system.elements[atoms[a]], round(float(system.masses[atoms[a]]), 6))}) for a in massive)
    inside = system.bonds[(system.bonds >= atoms[0]).all(1) & (system.bonds <= atoms[-1]).all(1)] - atoms[0]
    graph.add_edges_from((i, j) for i, j in inside.tolist() if i != j and i in graph and j in graph)
    return graph
