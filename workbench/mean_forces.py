r"""Mean forces: beads held at given configurations while the rest is sampled, the forces on them averaged with error bars.

The mean force on the beads at R is the canonical average of a mapped force W f over the atoms that R leaves free; labels that are
averaged so have the noise of the instantaneous ones divided by the square root of the number of independent samples, as in
Zhang et al., J. Chem. Phys. 149, 034101 (2018) (DeePCG) and Fan et al., arXiv:2603.01234 (NEP-CG).

- Beads that are single atoms, free of rigid constraints, are frozen (mass 0): nothing is approximated.
- All others are held by springs k/2 |C r - R_0|^2 on every bead. The spring's force on the atoms maps to -k (C r - R_0), which is taken
  out again; the mean force belongs to the mean position <C r>, which is returned with it. A pilot run first moves R_0 so that this is
  where the bead was asked for. What is left of the spring is the curvature of the mean force over fluctuations of kBT/k: halve it by
  doubling ``spring`` until nothing changes.

Errors come from the averages of consecutive blocks: they are right where a block (a tenth of the run) is long against the slowest
motion, and too small elsewhere. Water with its centres held at 300 K reorients over much more than 100 ps: give the same configuration
several times and compare the runs, which are independent.
"""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
import scipy.sparse

from workbench import force_maps, projection, reference, store
from workbench.settings import field, settings
from workbench.types import Mapping, ReferenceData, State, System, Trajectory

N_BLOCKS = 10
"""Blocks of samples for the standard errors."""


@settings
class Settings:
    """How each configuration is sampled, and how stiffly its beads are held."""

    sampling: reference.Settings = field(
        reference.Settings(n_frames=1000, interval_ps=0.02, equilibration_ps=1.0, friction_per_ps=5.0),
        "Sampling at every configuration; n_frames are the force samples.",
    )
    spring: float = field(100_000.0, "Spring constant for beads that cannot be frozen.", unit="kJ/mol/nm^2", bounds=(1.0, None))
    pilot: int = field(0, "Samples of a run before, from which springs are moved so that beads stand where asked for.", bounds=(0, None))


def sample(
    configurations: Trajectory,
    mapping: Mapping,
    settings: Settings,
    *,
    force_map: str = "basic",
    on_step: Callable[[int, dict], Any] | None = None,
    checkpoint: Any = None,
) -> ReferenceData:
    """Mean forces with standard errors (F, B, 3) at the F ``configurations`` (all atoms, (F, N, 3)); energies stay unknown.

    ``on_step(configuration, metrics)`` is called after every force sample; metrics are total, time [ps], energy [kJ/mol] and
    temperature [K] of the sampling there. With ``checkpoint`` (a folder) finished configurations are kept and a run goes on after them.

    Raises ``ValueError`` for configurations that do not know their system, too few samples, a force map that does not exist, a
    simulation that became unstable and a folder of another run.
    """
    system, n_samples = configurations.system, settings.sampling.n_frames
    if system is None:
        raise ValueError("mean_forces.sample: these configurations do not know their system: give it by dataclasses.replace.")
    if n_samples < 2 * N_BLOCKS:
        raise ValueError(f"mean_forces.Settings.sampling.n_frames = {n_samples}: standard errors need at least {2 * N_BLOCKS} samples.")
    weights = mapping.expand(system)
    matrix = force_maps.matrix(force_map, configurations, mapping)
    identity = store.identity("mean_forces.sample", configurations, mapping, settings, force_map)
    path = None if checkpoint is None else pathlib.Path(checkpoint) / "checkpoint.bin"
    saved = None if path is None else store.read_checkpoint(path, identity)
    shape = (len(configurations), weights.shape[0], 3)
    arrays, done = {name: np.zeros(shape) for name in ("positions", "forces", "force_error")}, 0
    if saved is not None:
        arrays, done = {name: saved[0][name].copy() for name in arrays}, saved[1]["done"]
    for index in range(done, len(configurations)):
        held, targets = _held(configurations, index, weights, settings)
        sampling = dataclasses.replace(settings.sampling, seed=(settings.sampling.seed + index) % (2**31 - 2))
        progress = None if on_step is None else _progress(on_step, index, len(configurations))
        if targets is not None and settings.pilot:
            pilot = reference.sample(held, dataclasses.replace(sampling, n_frames=settings.pilot), on_step=progress)
            held, targets = _held(configurations, index, weights, settings, targets - _mapped(weights, pilot.positions).mean(0))
        frames = reference.sample(held, sampling, on_step=progress)
        beads = _mapped(weights, frames.positions)
        forces = _mapped(matrix, frames.forces)
        if targets is not None:
            forces += settings.spring * (beads - targets)
        blocks = np.stack([block.mean(0) for block in np.array_split(forces, N_BLOCKS)])
        arrays["positions"][index], arrays["forces"][index] = beads.mean(0), forces.mean(0)
        arrays["force_error"][index] = blocks.std(0, ddof=1) / np.sqrt(N_BLOCKS)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            store.write_checkpoint(path, arrays, {"identity": identity, "done": index + 1})
    return ReferenceData(
        **arrays,
        box=configurations.box,
        states=(State(temperature=settings.sampling.temperature),),
        parents=(identity, *configurations.parents),
        beads=mapping.beads(system),
        force_kind="mean",
    )


def _held(
    configurations: Trajectory, index: int, weights: scipy.sparse.csr_array, settings: Settings, shift: np.ndarray | float = 0.0
) -> tuple[System, np.ndarray | None]:
    """The system at one configuration with its beads frozen, or held by springs at the targets (B, 3) [nm] that come with it.

    ``shift`` (B, 3) [nm] moves the targets away from where the beads are.
    """
    system = configurations.system
    positions = configurations.positions[index : index + 1].astype(np.float64)
    box = None if configurations.box is None else np.asarray(configurations.box[index], np.float64)
    if box is not None:
        positions = projection.whole(positions, box[None], system)
    physics = openmm.XmlSerializer.deserialize(system.parameters())
    for force in reversed(range(physics.getNumForces())):
        if isinstance(physics.getForce(force), openmm.CMMotionRemover):
            physics.removeForce(force)
    if box is not None:
        physics.setDefaultPeriodicBoxVectors(*np.diag(box))
    masses, targets = np.array(system.masses), None
    bead, atom = weights.nonzero()
    if len(atom) == weights.shape[0] and not np.isin(atom, system.constraints).any():
        masses[atom] = 0.0
        for frozen in atom.tolist():
            physics.setParticleMass(frozen, 0.0)
    else:
        targets = _mapped(weights, positions)[0] + shift
        spring = openmm.CustomCentroidBondForce(1, "0.5*spring*((x1-x0)^2+(y1-y0)^2+(z1-z0)^2)")
        spring.addGlobalParameter("spring", settings.spring)
        for name in ("x0", "y0", "z0"):
            spring.addPerBondParameter(name)
        for row, target in enumerate(targets):
            inside = atom[bead == row]
            spring.addGroup(inside.tolist(), weights[[row]][:, inside].toarray()[0].tolist())
            spring.addBond([row], target.tolist())
        physics.addForce(spring)
    text = openmm.XmlSerializer.serialize(physics)
    return dataclasses.replace(system, masses=masses, positions=positions[0], box=box, force_field=lambda: text), targets


def _progress(on_step: Callable[[int, dict], Any], index: int, total: int) -> Callable[[int, dict], Any]:
    return lambda _, metrics: on_step(index, {**metrics, "total": total})


def _mapped(matrix: scipy.sparse.csr_array, values: np.ndarray) -> np.ndarray:
    """``matrix`` (B, N) applied to every frame of ``values`` (F, N, 3): (F, B, 3)."""
    columns = values.astype(np.float64).transpose(1, 0, 2).reshape(matrix.shape[1], -1)
    return (matrix @ columns).reshape(matrix.shape[0], -1, 3).transpose(1, 0, 2)
