r"""Beads learned from frames: an autoencoder whose encoder is the mapping and whose decoder is linear.

Wang and Gómez-Bombarelli, npj Comput. Mater. 5, 125 (2019). Every atom i belongs to bead I with probability
p_Ii = softmax_I((l_Ii + g_Ii) / tau), g Gumbel noise drawn anew in every step and tau falling as t0 exp(-epoch / decay) + t1. Beads
stand at R = C x with C_Ii = p_Ii m_i / sum_j p_Ij m_j; atoms are decoded as D R; the basic force of a bead is sum_i q_Ii f_i, q drawn
at 0.7 tau. Logits l (b, n) and decoder D (n, b) minimise, by Adam,

    <|x - D C x|^2> / 3n  +  rho <|q f|^2> / b,    the second term from epoch ``force_from`` on.

Both terms are quadratic in the frames and see them only through S = <x x^T> and Phi = <f f^T>, (n, n), of frames centred on the
molecule. So every step takes the gradient over all frames, at no cost in their number (batches of 20 frames, as published, end within
1 % of the same reconstruction and find the same beads of ortho-terphenyl). A rotation of a frame changes neither matrix:
D acts on atoms, not on axes, and commutes with rotations, so aligning frames first, as is usual, would change nothing. Nor would a
shift: sum_I M_I R_I = 0 whatever the encoder (M_I its sums of p m), so rows of D may be made to sum to 1 at no loss.

Read off at the end: every atom goes to its likeliest bead; a bead that gets none takes the atom it costs least to move, and with
``refine`` single atoms move on while that lowers the loss; the decoder is fitted to this map by least squares. All restarts train at
once, as one more axis of the arrays; the one whose map has the lowest loss is kept.
"""

from collections.abc import Callable
from typing import Any

import networkx
import numpy as np

from workbench import projection
from workbench.mappings import _graph, _gumbel, _read_off
from workbench.settings import field, settings
from workbench.types import Mapping, System, Template, Trajectory, noun

CHUNK_BYTES = 32 << 20


@settings
class Settings:
    """Beads, weight of the forces, and schedule: the published ones, but fewer and larger steps over all frames at once."""

    n_beads: int = field(3, "Number of beads a molecule.", bounds=(1, None))
    rho: float = field(
        5.7e-6,
        "Weight of the mean squared bead force; 5.7e-6 is the published 1 in angstrom and kcal/mol. Lower it where beads stay unused.",
        unit="nm^2/(kJ/mol/nm)^2",
        bounds=(0.0, None),
    )
    weights: str = field(
        "geometric", "Where a bead stands: geometric centre (as published) or centre of mass.", choices=("geometric", "mass")
    )
    molecule: int | None = field(
        None, "Which molecule to map, with all like it, counted from 0; None where there is one kind.", bounds=(0, None)
    )
    restarts: int = field(5, "Trainings from random starts, seeds counted up from the first; the best map is kept.", bounds=(1, 1000))
    seed: int = field(0, "First seed.", bounds=(0, None))
    refine: bool = field(False, "After the read-off, move single atoms to other beads while that lowers the loss; not in the paper.")
    n_epochs: int = field(800, "Epochs; the schedules below are in parts of them.", bounds=(1, None))
    steps_per_epoch: int = field(10, "Steps of the optimiser in an epoch.", bounds=(1, None))
    n_samples: int = field(16, "Assignments drawn and averaged over in every step.", bounds=(1, None))
    learning_rate: float = field(1.5e-3, "Learning rate of Adam.", bounds=(1e-9, 1.0))
    start_temperature: float = field(4.0, "Temperature t0 of the assignment that decays.", bounds=(0.0, None))
    final_temperature: float = field(0.2, "Temperature t1 that it decays to.", bounds=(1e-3, None))
    decay: float = field(0.4, "Part of the epochs in which the temperature decays by e.", bounds=(1e-3, None))
    force_from: float = field(
        0.5, "Part of the epochs after which, the map being settled, the force term is switched on.", bounds=(0.0, 1.0)
    )


@noun
class Training:
    """All restarts, K of them, and the mapping of the best. Losses of maps are those after the read-off."""

    mapping: Mapping
    """The mapping of the restart that is kept, with its decoder."""
    best: int
    """Which restart that is."""
    assignments: np.ndarray
    """Bead of every atom of the molecule as trained, before beads are filled and refined, (K, n); -1 for a massless site."""
    certainty: np.ndarray
    """Probability (temperature 1, no noise) of the least certain atom for its bead, (K,)."""
    reconstruction: np.ndarray
    """Mean squared error per coordinate [nm^2] of the atoms decoded from the map read off, (K,)."""
    force: np.ndarray
    """Mean square |F|^2 of its basic bead forces [(kJ/mol/nm)^2], (K,); NaN without forces."""
    loss: np.ndarray
    """What the best is judged by, reconstruction + rho force [nm^2], (K,)."""
    history: dict[str, np.ndarray]
    """``reconstruction`` [nm^2] and ``force`` [(kJ/mol/nm)^2] under the random assignments of each epoch, (K, E); ``temperature``, (E,)."""

    @property
    def converged(self) -> np.ndarray:
        """Restarts whose every atom has made up its mind: more than half of its probability is in one bead, (K,)."""
        return self.certainty > 0.5

    @property
    def spread(self) -> float:
        """Standard deviation of the loss over restarts [nm^2]."""
        return float(self.loss.std())


def build(
    system: System, trajectory: Trajectory | None, settings: Settings, *, on_step: Callable[[int, dict], Any] | None = None
) -> Mapping:
    """The mapping of the best restart of :func:`train`, which says what is refused; its decoder's rows sum to 1."""
    return train(system, trajectory, settings, on_step=on_step).mapping


def train(
    system: System, trajectory: Trajectory | None, settings: Settings, *, on_step: Callable[[int, dict], Any] | None = None
) -> Training:
    """All restarts on the frames of ``trajectory`` (F, N, 3); every copy of the molecule in a frame is a sample.

    ``on_step(epoch, metrics)`` gets total, temperature and the medians over restarts of reconstruction [nm^2] and force
    [(kJ/mol/nm)^2]. One seed gives one result, bit for bit on one thread.
    Raises ``ValueError`` for a trajectory that is missing, of another system or too short; while rho is not zero, for forces that are
    missing, zero or lack those of rigid constraints; for several kinds of molecule with none chosen, a molecule that is not there, and
    more beads than atoms.
    """
    topology, copies = _molecule(system, settings)
    masses = system.masses[copies[0]]
    massive = np.flatnonzero(masses > 0)
    if settings.n_beads > len(massive):
        raise ValueError(f"n_beads = {settings.n_beads}: the molecule of '{system.name}' has {len(massive)} atoms: choose at most so many.")
    _check(system, trajectory, copies, settings)
    share = np.where(masses > 0, masses if settings.weights == "mass" else 1.0, 0.0)
    positions, forces = moments(system, trajectory, copies, share)
    if settings.rho and not np.any(forces):
        raise ValueError(
            f"rho = {settings.rho:g} weighs bead forces, and all forces of this trajectory are zero: give it forces or set rho=0."
        )
    inner = np.ix_(massive, massive)
    problem = (positions[inner], forces[inner], share[massive] / share[massive].mean())
    logits, history = _descend(*problem, settings, on_step)
    read = logits.argmax(1)  # (K, n)
    beads = np.stack([_read_off.filled(row, *problem, settings.n_beads, settings.rho, settings.refine) for row in read])
    reconstruction, force = _read_off.losses(beads, *problem, settings.n_beads)
    loss = reconstruction + settings.rho * force if settings.rho else reconstruction
    best = int(loss.argmin())
    assignments = np.full((len(read), len(masses)), -1)
    assignments[:, massive] = read
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return Training(
        mapping=_mapping(system, topology, copies[0], massive, beads[best], share, positions),
        best=best,
        assignments=assignments,
        certainty=(1 / odds.sum(1)).min(1),
        reconstruction=reconstruction,
        force=force,
        loss=loss,
        history=history,
    )


def moments(system: System, trajectory: Trajectory, copies: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """<x x^T> [nm^2] and <f f^T> [(kJ/mol/nm)^2], (n, n), per Cartesian component over frames and ``copies`` (copies, n).

    Positions are made whole and counted from the centre of the atoms by their ``share`` (n,); forces are NaN where there are none.
    """
    n_copies, n = copies.shape
    totals = np.zeros((2, n, n))
    for chunk in trajectory.chunks(max(1, CHUNK_BYTES // (24 * system.n_atoms))):
        x = np.asarray(chunk.positions, np.float64)
        x = (x if chunk.box is None else projection.whole(x, chunk.box, system))[:, copies]  # (F, copies, n, 3)
        x = x - np.einsum("n,fcnd->fcd", share / share.sum(), x)[:, :, None]
        f = np.full((1, 1, n, 1), np.nan) if chunk.forces is None else np.asarray(chunk.forces[:, copies.ravel()], np.float64)
        for total, values in zip(totals, (x, f.reshape(-1, n, f.shape[-1])), strict=True):
            rows = values.reshape(-1, n, values.shape[-1]).transpose(1, 0, 2).reshape(n, -1)
            total += rows @ rows.T
    return tuple(totals / (3 * n_copies * len(trajectory)))


def _molecule(system: System, settings: Settings) -> tuple[str, np.ndarray]:
    """Topology and atoms (copies, n) of the kind of molecule to map."""
    kinds = system.kinds()
    if settings.molecule is None:
        if len(kinds) > 1:
            firsts = ", ".join(str(system.molecule[copies[0, 0]]) for copies in kinds.values())
            raise ValueError(
                f"'{system.name}' has {len(kinds)} kinds of molecule and the autoencoder maps one: set molecule to one of {firsts}, "
                "the first of each kind."
            )
        return next(iter(kinds.items()))
    if settings.molecule > system.molecule[-1]:
        raise ValueError(
            f"there is no molecule {settings.molecule} in '{system.name}': it has {int(system.molecule[-1]) + 1}, counted from 0."
        )
    return next((key, copies) for key, copies in kinds.items() if settings.molecule in system.molecule[copies[:, 0]])


def _check(system: System, trajectory: Trajectory | None, copies: np.ndarray, settings: Settings) -> None:
    n_copies, n = copies.shape
    if trajectory is None:
        raise ValueError(f"the autoencoder learns from frames: give it a trajectory of '{system.name}', as reference.sample makes it.")
    if trajectory.n_particles != system.n_atoms:
        raise ValueError(
            f"the trajectory has {trajectory.n_particles} particles a frame, '{system.name}' {system.n_atoms} atoms: give one of it."
        )
    if 3 * n_copies * len(trajectory) < n:
        raise ValueError(
            f"{len(trajectory)} frames of {n_copies} molecules cannot show how {n} atoms move: give at least {-(-n // (3 * n_copies))}."
        )
    if settings.rho and np.isin(system.constraints, copies).any():
        raise ValueError(
            f"rho = {settings.rho:g} weighs bead forces, which lack those of the rigid constraints of '{system.name}': sample it flexible "
            "or set rho=0."
        )
    if settings.rho and trajectory.forces is None:
        raise ValueError(f"rho = {settings.rho:g} weighs bead forces, and this trajectory has none: sample it with forces or set rho=0.")


def _descend(
    positions: np.ndarray, forces: np.ndarray, share: np.ndarray, settings: Settings, on_step: Callable[[int, dict], Any] | None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Trained logits (K, b, n) and the history of all restarts."""
    n, b = len(positions), settings.n_beads
    draws = [np.random.default_rng(settings.seed + k) for k in range(settings.restarts)]
    logits, decoder = (np.stack([d.random(shape) for d in draws]) for shape in ((b, n), (n, b)))
    unit = np.trace(positions) / n or 1.0  # so that Adam meets numbers near 1
    adam = _gumbel.Adam((logits, decoder), settings.learning_rate)
    history: dict[str, list] = {"temperature": [], "reconstruction": [], "force": []}
    for epoch in range(settings.n_epochs):
        temperature = settings.start_temperature * np.exp(-epoch / (settings.decay * settings.n_epochs)) + settings.final_temperature
        rho = settings.rho if epoch >= settings.force_from * settings.n_epochs else 0.0
        losses = np.zeros((2, settings.restarts))
        for _ in range(settings.steps_per_epoch):
            waits = np.stack([d.standard_exponential((2, settings.n_samples, b, n)) for d in draws], axis=1)  # (2, K, samples, b, n)
            parts, gradients = _gumbel.step(logits, decoder, -np.log(waits), positions, forces, share, temperature, rho)
            adam.step([gradient / unit for gradient in gradients])
            losses += parts
        losses /= settings.steps_per_epoch
        for name, value in zip(history, (temperature, *losses), strict=True):
            history[name].append(value)
        if on_step is not None:
            middle = dict(zip(("reconstruction", "force"), np.median(losses, axis=1).tolist(), strict=True))
            on_step(epoch + 1, {"total": settings.n_epochs, "temperature": float(temperature), **middle})
    return logits, {name: np.array(values).T for name, values in history.items()}


def _mapping(
    system: System, topology: str, atoms: np.ndarray, massive: np.ndarray, beads: np.ndarray, share: np.ndarray, positions: np.ndarray
) -> Mapping:
    """Template and decoder of the atoms ``massive`` in ``beads``, named and typed as graph mappings are."""
    groups = [tuple(massive[beads == bead].tolist()) for bead in range(beads.max() + 1)]
    graph = networkx.Graph()
    graph.add_nodes_from(
        (a, {"element": system.elements[atoms[a]], "members": (a,), "mass": float(system.masses[atoms[a]])}) for a in massive.tolist()
    )
    inside = system.bonds[np.isin(system.bonds, atoms[massive]).all(1)] - atoms[0]
    graph.add_edges_from(inside.tolist())
    (named,) = _graph.assemble(system, [(topology, atoms, graph, groups, None)], "symmetry").templates
    weights = np.zeros(named.weights.shape)
    for row, group in zip(weights, groups, strict=True):
        row[list(group)] = share[list(group)] / share[list(group)].sum()
    template = Template(topology=topology, names=named.names, types=named.types, weights=weights)
    return Mapping(templates=(template,), decoder=_read_off.decoder(weights, positions))
