"""The best linear decoder: least squares on molecules superposed by their beads.

Beads are brought onto their mean shape by the best rotation (Kabsch, Acta Cryst. A 32, 922 (1976)), the atoms along with them; what is
left is a linear regression of 3n atomic on 3b bead coordinates. Where the beads fix no frame (one, two, or all on a line) the only
maps that do not depend on how the molecule is turned are x_a = sum_I D_aI X_I: atoms are expected on the line, or at the bead.
"""

import numpy as np

from workbench import projection
from workbench.types import Decoder, Mapping, System, Trajectory

RIDGE = 1e-8
"""Penalty on the response [nm^2]: decides where beads do not move against each other."""
FLAT = 0.01
"""Beads whose second principal extension is below this [nm] lie on a line."""
SAMPLES_PER_COORDINATE = 4
MOST_SAMPLES = 20_000
"""Molecules that a decoder is fitted to; more are thinned evenly."""


def fit(beads: np.ndarray, atoms: np.ndarray) -> Decoder:
    """The decoder of least squared error for molecules with ``beads`` (S, b, 3) and ``atoms`` (S, n, 3) [nm].

    Raises ``ValueError`` for fewer molecules than ``SAMPLES_PER_COORDINATE`` for each bead coordinate.
    """
    n_samples, b, _ = beads.shape
    wanted = SAMPLES_PER_COORDINATE * (3 * b + 1)
    if n_samples < wanted:
        raise ValueError(
            f"a decoder of {b} beads has {3 * b + 1} coefficients a coordinate and {n_samples} molecules to learn from: give it {wanted}."
        )
    centre = beads.mean(1, keepdims=True)
    X, x = beads - centre, atoms - centre
    reference = X[0]
    for _ in range(5):
        turn = rotations(X, reference)
        reference = (X @ turn).mean(0)
    if np.linalg.svd(reference, compute_uv=False)[min(1, b - 1)] < FLAT or b < 3:
        normal = np.einsum("sId,sJd->IJ", X, X) / n_samples + RIDGE * np.eye(b)
        shares = np.linalg.solve(normal, np.einsum("sId,sad->Ia", X, x) / n_samples).T  # (n, b)
        response = np.einsum("aI,de->adIe", shares, np.eye(3))
        mean = shares @ reference
    else:
        turn = rotations(X, reference)
        moves, places = (X @ turn - reference).reshape(n_samples, -1), x @ turn
        mean = places.mean(0)
        normal = moves.T @ moves / n_samples + RIDGE * np.eye(3 * b)
        right = moves.T @ (places - mean).reshape(n_samples, -1) / n_samples
        response = np.linalg.solve(normal, right).T.reshape(atoms.shape[1], 3, b, 3)
    decoder = Decoder(reference=reference, atoms=mean, response=response, spread=np.zeros(atoms.shape[1]))
    left = np.square(expected(decoder, beads) - atoms).sum(2)  # (S, n)
    return Decoder(reference=reference, atoms=mean, response=response, spread=np.sqrt(left.mean(0)))


def expected(decoder: Decoder, beads: np.ndarray) -> np.ndarray:
    """Where the atoms of molecules with ``beads`` (S, b, 3) are expected [nm], (S, n, 3)."""
    centre = beads.mean(1, keepdims=True)
    X = beads - centre
    turn = rotations(X, decoder.reference)
    moves = (X @ turn - decoder.reference).reshape(len(beads), -1)
    places = decoder.atoms + (moves @ decoder.response.reshape(-1, moves.shape[1]).T).reshape(len(beads), -1, 3)
    return places @ turn.transpose(0, 2, 1) + centre


def rotations(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Rotations Q (S, 3, 3) such that ``points @ Q`` (S, b, 3) come closest to ``reference`` (b, 3) or (S, b, 3), about the origin."""
    left, _, right = np.linalg.svd(points.transpose(0, 2, 1) @ reference)
    flip = np.ones((len(points), 3))
    flip[:, 2] = np.sign(np.linalg.det(left @ right))
    return (left * flip[:, None]) @ right


def samples(all_atom: Trajectory, atoms: np.ndarray, most: int = MOST_SAMPLES) -> np.ndarray:
    """The molecules ``atoms`` (copies, n) in frames thinned to at most about ``most`` molecules, whole: (F, copies, n, 3) [nm]."""
    thin = all_atom.take(slice(None, None, -(-len(all_atom) * len(atoms) // most) or 1))
    positions = np.asarray(thin.positions[:, atoms.ravel()], np.float64)
    if thin.box is not None:
        positions = _whole(thin, all_atom.system, atoms)
    return positions.reshape(len(thin), *atoms.shape, 3)


def layout(mapping: Mapping, system: System) -> list[tuple[np.ndarray, np.ndarray]]:
    """For every template the atoms (copies, n) of its molecules and the rows (copies, b) of their beads."""
    found: dict[str, tuple[list, list]] = {template.topology: ([], []) for template in mapping.templates}
    first = 0
    for template, atoms in mapping.copies(system):
        found[template.topology][0].append(atoms)
        found[template.topology][1].append(np.arange(first, first + len(template.names)))
        first += len(template.names)
    return [(np.array(atoms), np.array(rows)) for atoms, rows in found.values()]


def _whole(frames: Trajectory, system: System, atoms: np.ndarray) -> np.ndarray:
    return projection.whole(frames.positions, frames.box, system)[:, atoms.ravel()]
