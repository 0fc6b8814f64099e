"""From beads back to atoms: a first guess, then a short minimisation in the system's force field with every bead held in place.

Each bead's atoms, as they are in the system's own configuration, are turned onto the beads around it; where the mapping has a decoder
they are drawn to where it expects them; then the energy is minimised under restraints on the beads, as in Rzepiela et al., J. Comput.
Chem. 31, 1333 (2010) and Wassenaar et al., J. Chem. Theory Comput. 10, 676 (2014). What the beads do not fix, such as how a molecule of
one bead is turned, is drawn at random (``seed``): the result is one of many configurations that fit, relaxed to zero temperature.

    mapping = backmapping.decoder(all_atom, mapping)            # optional: learn where atoms are from frames that have them
    atoms = backmapping.rebuild(model, mapping, system)
    backmapping.rmsd(atoms, all_atom)                           # for frames whose atoms are known
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench import projection, store
from workbench.backmapping import _decoder
from workbench.mappings import _graph
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Mapping, Observation, System, Trajectory
from workbench.types.mapping import neighbours_of

__all__ = ["Settings", "decoder", "rebuild", "rmsd"]

SPREAD = 0.05
"""How far heavy atoms are taken to be [nm] from where a decoder without a spread of its own expects them."""


@settings
class Settings:
    """How hard the minimisation works."""

    n_steps: int = field(200, "Most iterations of each of its stages.", bounds=(1, None))
    tolerance: float = field(1e-3, "Farthest that a bead may end from where it was asked for.", unit="nm", bounds=(1e-5, 0.1))
    seed: int = field(0, "Seed of what beads do not fix: how single beads are turned.", bounds=(0, 2**31 - 2))
    n_threads: int = field(1, "CPU threads.", bounds=(1, 1024))


def decoder(all_atom: Trajectory, mapping: Mapping) -> Mapping:
    """``mapping`` with the best linear decoder of every kind of molecule over the frames of ``all_atom`` (F, N, 3).

    All copies of a molecule count. Raises ``ValueError`` for a trajectory without system and for too few molecules.
    """
    system = _system(all_atom, "decoder")
    found = []
    for template, (atoms, _) in zip(mapping.templates, _decoder.layout(mapping, system), strict=True):
        places = _decoder.samples(all_atom, atoms).reshape(-1, atoms.shape[1], 3)
        found.append(_decoder.fit(template.weights @ places, places))
    return dataclasses.replace(mapping, decoder=tuple(found))


def rebuild(
    beads: Trajectory,
    mapping: Mapping,
    system: System,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    *,
    on_step: Callable[[int, dict], Any] | None = None,
) -> Trajectory:
    """Atoms of ``system`` for the frames of ``beads`` (F, B, 3): positions (F, N, 3) and energies, which are without the restraints.

    The beads of the result are those asked for to within ``settings.tolerance``; centres with four different neighbours keep the
    handedness that they have in ``system``. ``on_step(frame, metrics)`` is called after every frame; metrics are total, energy [kJ/mol]
    and deviation [nm].

    Raises ``ValueError`` for another number of beads, molecules without beads, a missing box, and beads that the molecule cannot have.
    """
    from workbench.backmapping import _relaxation
    from workbench.backmapping._placement import Placement

    weights = _check(beads, mapping, system)
    random = np.random.default_rng(settings.seed)
    own = system.positions[None] if system.box is None else projection.whole(system.positions[None], system.box[None], system)
    system = dataclasses.replace(system, positions=own[0])
    parts, neighbours = _decoder.layout(mapping, system), neighbours_of(system)
    kinds = [Placement(t, atoms, own[0][atoms], system, neighbours) for t, (atoms, _) in zip(mapping.templates, parts, strict=True)]
    guided, springs = _springs(mapping, parts, system, beads.states[0].temperature)
    centres = _relaxation.handed_centres(system)
    hands = np.sign(_relaxation.volumes(own, centres)[0])
    relaxation = _relaxation.Relaxation(system, weights, guided, centres, settings.n_threads)
    positions, energy = np.empty((len(beads), system.n_atoms, 3), np.float32), np.empty(len(beads))
    for frame in range(len(beads)):
        wanted = np.array(beads.positions[frame], np.float64)
        box = None if beads.box is None else np.asarray(beads.box[frame], np.float64)
        for kind, (_, rows) in zip(kinds, parts, strict=True):
            if box is not None:
                wanted[rows] = kind.whole(wanted[rows], box)
        atoms, guess = _start(mapping, kinds, parts, own[0], wanted, random)
        try:
            atoms, energy[frame], off = relaxation.relax(
                atoms, wanted, guess[guided], springs, box, settings.n_steps, settings.tolerance / 2
            )
        except _relaxation.openmm.OpenMMException as error:
            raise ValueError(
                f"backmapping.rebuild: frame {frame} cannot be relaxed ({error}): are its beads far from any that can be?"
            ) from None
        positions[frame] = atoms
        turned = np.sign(_relaxation.volumes(atoms[None], centres)[0]) != hands
        _check_rebuilt(frame, energy[frame], off, settings.tolerance, centres[turned, 0])
        if on_step is not None:
            on_step(frame + 1, {"total": len(beads), "energy": float(energy[frame]), "deviation": off})
    return Trajectory(
        positions=positions,
        energy=energy,
        **{name: getattr(beads, name) for name in ("box", "time", "state", "replica", "states")},
        parents=(store.identity("backmapping.rebuild", beads, mapping, system, settings), *beads.parents),
        system=system,
    )


def _start(
    mapping: Mapping, kinds: list, parts: list, own: np.ndarray, wanted: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Atoms placed by the beads ``wanted`` (B, 3), and where a decoder expects them, both (N, 3) [nm]."""
    atoms, guess = np.array(own), np.empty(own.shape)
    for number, (kind, (inside, rows)) in enumerate(zip(kinds, parts, strict=True)):
        atoms[inside] = kind.place(wanted[rows], random)
        guess[inside] = _guess(mapping, number, wanted[rows], atoms[inside])
    return atoms, guess


def _check_rebuilt(frame: int, energy: float, off: float, tolerance: float, turned: np.ndarray) -> None:
    """Raise ``ValueError`` where a bead ended ``off`` [nm], beyond ``tolerance``, or atoms ``turned`` have the wrong handedness."""
    if not (np.isfinite(energy) and off <= tolerance):
        raise ValueError(
            f"backmapping.rebuild: a bead of frame {frame} stays {off:.2g} nm from where it was asked for (tolerance "
            f"{tolerance:g} nm): the molecule cannot have these beads; check the model, or raise tolerance or n_steps."
        )
    if turned.size:
        raise ValueError(f"backmapping.rebuild: frame {frame} has the wrong handedness at atom {turned[0]}: check its beads.")


def rmsd(rebuilt: Trajectory, all_atom: Trajectory) -> Observation:
    """Root-mean-square distance [nm] of the heavy atoms of ``rebuilt`` from those of ``all_atom``, frame by frame, molecules not moved.

    Atoms that a symmetry exchanges are not exchanged. The error is that of blocks of frames, NaN for a single frame.
    Raises ``ValueError`` for another number of frames or atoms and for a trajectory without system.
    """
    system = _system(all_atom, "rmsd")
    if rebuilt.positions.shape != all_atom.positions.shape:
        raise ValueError(
            f"backmapping.rmsd: {len(rebuilt)} frames of {rebuilt.n_particles} atoms and {len(all_atom)} of {all_atom.n_particles}: "
            "compare the frames that the beads were taken from."
        )
    heavy = np.flatnonzero(system.masses > _graph.LIGHT)
    if not heavy.size:
        raise ValueError(f"backmapping.rmsd: '{system.name}' has no heavy atoms to compare.")
    squares = np.empty(len(all_atom))
    for frame in range(len(all_atom)):
        one, other = (np.asarray(t.positions[frame : frame + 1], np.float64) for t in (rebuilt, all_atom))
        if all_atom.box is not None:
            box = np.asarray(all_atom.box[frame], np.float64)
            apart = projection.whole(one, box[None], system) - projection.whole(other, box[None], system)
            n = np.bincount(system.molecule)
            centre = np.stack([np.bincount(system.molecule, apart[0, :, d]) / n for d in range(3)], 1)
            apart = apart - (np.round(centre / box) * box)[system.molecule]
        else:
            apart = one - other
        squares[frame] = np.square(apart[0, heavy]).sum(1).mean()
    value, error = np.sqrt(squares.mean()), float("nan")
    if len(squares) > 1:
        labels = _base.block_labels(all_atom, 20)
        error = _base.ratio(np.bincount(labels, squares), np.bincount(labels))[1] / (2 * value) if value > 0 else 0.0
    return Observation(name="heavy-atom RMSD", x=(), value=value, error=error, unit="nm", n_effective=float(len(squares)))


def _system(all_atom: Trajectory, verb: str) -> System:
    if all_atom.system is None:
        raise ValueError(
            f"backmapping.{verb}: this trajectory does not know its system: give it one by dataclasses.replace(..., system=...)."
        )
    return all_atom.system


def _check(beads: Trajectory, mapping: Mapping, system: System) -> Any:
    """The matrix (B, N) of the mapping."""
    weights = mapping.expand(system)
    if weights.shape[0] != beads.n_particles:
        raise ValueError(
            f"backmapping.rebuild: the frames have {beads.n_particles} beads; this mapping of '{system.name}' has {weights.shape[0]}."
        )
    mapped = np.unique(system.molecule[weights.nonzero()[1]])
    bare = int(system.molecule[-1]) + 1 - len(mapped)
    if bare:
        raise ValueError(
            f"backmapping.rebuild: {bare} molecules of '{system.name}' have no beads and nothing says where they are: take a system "
            "without them (the solute in vacuum), or a mapping that keeps them."
        )
    if (beads.box is None) != (system.box is None):
        raise ValueError("backmapping.rebuild: one of beads and system has a periodic box and the other has none.")
    return weights


def _springs(mapping: Mapping, parts: list, system: System, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Atoms that a decoder guides, and the springs that draw them there."""
    from workbench.backmapping._relaxation import thermal_springs

    spread = np.full(system.n_atoms, np.inf)
    for number, (atoms, _) in enumerate(parts):
        if isinstance(mapping.decoder, tuple) and mapping.decoder[number] is not None:
            spread[atoms] = mapping.decoder[number].spread
        elif isinstance(mapping.decoder, np.ndarray) and number == 0:
            spread[atoms] = np.where(system.masses[atoms] > _graph.LIGHT, SPREAD, np.inf)
    guided = np.flatnonzero(np.isfinite(spread) & (system.masses > 0))
    return guided, thermal_springs(spread[guided], temperature)


def _guess(mapping: Mapping, number: int, beads: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """Where the decoder expects the atoms, or where they are placed without one."""
    if isinstance(mapping.decoder, tuple) and mapping.decoder[number] is not None:
        return _decoder.expected(mapping.decoder[number], beads)
    if isinstance(mapping.decoder, np.ndarray) and number == 0:
        centre = beads.mean(1, keepdims=True)
        return mapping.decoder @ (beads - centre) + centre
    return placed
