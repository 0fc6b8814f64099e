"""Kernels of forces on two fluids: force error against training size for three kernels.

    python -m tests.benchmarks.kernel_learning [--draws 4]

Forces on single beads are learned by (K + lambda 1) alpha = F, from the pairs of the Lennard-Jones fluid (argon, switched off at 0.85 nm)
and the triplets of the three-body term of mW water. For each kernel the width and lambda with the least error on beads to validate are
taken; errors are on others, relative to the root mean square of the force.
"""

import argparse

import numpy as np
import torch

from tests.benchmarks import _record
from workbench import device, geometry, potentials, simulation, systems
from workbench.potentials import _kernel_forces, _triplets, lennard_jones, stillinger_weber
from workbench.types import Beads, ReferenceData, Start

SEED = 0
ARGON = lennard_jones.Settings(epsilon=0.99607, sigma=0.3405, cutoff=0.85, switch_width=0.1)
WIDTHS = {"Lennard-Jones": (0.05, 0.08, 0.12), "Stillinger-Weber": (0.05, 0.08, 0.12)}
MOST = {"Lennard-Jones": 32, "Stillinger-Weber": 64}
"""Beads to train on, at most."""
EQUILIBRATION = 6_000
"""Steps of 5 fs."""
REACH = {"Lennard-Jones": 0.85, "Stillinger-Weber": 0.4}
"""Longest pairs, and legs of triplets, that are seen [nm]."""
STRENGTHS = 10.0 ** np.arange(-12, 1)
JUDGED = 32
"""Beads to validate and, again, to judge by."""


def main() -> None:
    """Learning curves of both fluids."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4, help="of the beads that the curves are learned from and judged by")
    given = parser.parse_args()
    with device.threads(1):
        figures = {name: curves(name, most, given.draws) for name, most in MOST.items()}
    _record.write("kernel_learning", figures, SEED)


def sampled(name: str, n_steps: int, save_every: int) -> ReferenceData:
    """Frames of a fluid with the forces that are to be learned."""
    if name == "Lennard-Jones":
        system = systems.load("lennard_jones_fluid", seed=SEED)
        potential = moved = lennard_jones.build(None, ARGON)
    else:
        system = systems.load("stillinger_weber_fluid", seed=SEED, temperature=298.15)
        potential = stillinger_weber.build(None, stillinger_weber.Settings())
        values = dict(zip(stillinger_weber.NAMES, stillinger_weber.MODELS["mW"], strict=True))
        moved = stillinger_weber.StillingerWeber([list((values | {"A": 0.0}).values())], [])
    n = len(system.masses)
    beads = Beads.from_bonds(names=("W",) * n, types=("W",) * n, masses=system.masses, molecule=range(n), bonds=[])
    start = Start(positions=system.positions[None], box=system.box[None], beads=beads)
    settings = simulation.replicas.Settings(
        n_steps=n_steps + EQUILIBRATION,
        save_every=save_every,
        timestep_fs=5.0,
        friction=2.0,
        temperature=system.state.temperature,
        seed=SEED,
    )
    run = simulation.replicas.run(potential.bind(beads), start, settings).take(slice(EQUILIBRATION // save_every, None))
    return labelled(run, moved.bind(beads), beads)


def labelled(run, potential, beads: Beads) -> ReferenceData:
    """The frames of a run with the forces of ``potential``."""
    x, box = (np.array(getattr(run, name), np.float64) for name in ("positions", "box"))
    forces = potentials.forces(potential, torch.from_numpy(x), torch.from_numpy(box)).numpy()
    return ReferenceData(positions=x, forces=forces, box=box, beads=beads, states=run.states)


def curves(name: str, most: int, draws: int) -> dict:
    """Relative force errors by kernel and number of beads trained on: geometric means over draws of the beads, and their scatter."""
    data = sampled(name, 10_000, 250)
    sizes = [2**k for k in range(1, int(np.log2(most)) + 1)]
    tables = {width: Rotations(name, width) for width in WIDTHS[name]}
    rows: dict = {label: [] for label in _kernel_forces.KINDS}
    for draw in range(draws):
        parts = drawn(name, data, sizes[-1], SEED + draw)
        for kind, label in enumerate(_kernel_forces.KINDS):
            matrices = {width: [parts[0].matrix(kind, part, width, tables[width]) for part in parts] for width in WIDTHS[name]}
            rows[label].append([learned(matrices, [part.force for part in parts], size) for size in sizes])
            print(name, draw, label, [round(row[0], 5) for row in rows[label][-1]], flush=True)
    found: dict = {"beads": sizes, "draws": draws}
    for label, each in rows.items():
        errors = np.log([[row[0] for row in by_size] for by_size in each])
        found[label] = {
            "relative error": np.exp(errors.mean(0)).round(5).tolist(),
            "scatter of the draws, a factor": np.exp(errors.std(0)).round(3).tolist(),
            "width [nm]": [[row[1] for row in by_size] for by_size in each],
            "lambda": [[row[2] for row in by_size] for by_size in each],
        }
    return found


def drawn(name: str, data: ReferenceData, size: int, seed: int) -> list["Surroundings"]:
    """Beads to train on, to validate by and to judge by, none of them twice."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(data) * data.n_particles)[: size + 2 * JUDGED]
    beads = [divmod(int(each), data.n_particles) for each in chosen]
    return [Surroundings(name, data, part) for part in (beads[:size], beads[size:-JUDGED], beads[-JUDGED:])]


def learned(matrices: dict, forces: list, size: int) -> tuple[float, float, float]:
    """Relative error on the beads to judge by, of the width and lambda that are best on those to validate, and both."""
    best = np.inf, np.inf, 0.0, 0.0
    for width, (own, *others) in matrices.items():
        values, vectors = np.linalg.eigh(own[: 3 * size, : 3 * size])
        known = vectors.T @ forces[0][: 3 * size]
        for strength in STRENGTHS:
            alpha = vectors @ (known / (np.maximum(values, 0) + strength * values[-1]))
            errors = [
                float(np.sqrt(np.mean((matrix[: 3 * size].T @ alpha - force) ** 2) / np.mean(force**2)))
                for matrix, force in zip(others, forces[1:], strict=True)
            ]
            best = min(best, (*errors, width, float(strength)))
    return best[1:]


class Rotations:
    """The table of integrals over rotations that triplets of a ``width`` need; pairs have them in closed form."""

    def __init__(self, name: str, width: float):
        self.largest = 2 * (REACH[name] / width) ** 2
        self.table = _kernel_forces.fisher_table(self.largest, 400 if name == "Stillinger-Weber" else 2)


class Surroundings:
    """Pairs or triplets of single beads, (frame, bead), and the forces on them."""

    def __init__(self, name: str, data: ReferenceData, beads: list[tuple[int, int]]):
        self.triplets, self.starts, self.place, rows = name == "Stillinger-Weber", [0], [], []
        for frame, bead in beads:
            x, box = torch.from_numpy(np.array(data.positions[[frame]])), torch.from_numpy(np.array(data.box[[frame]]))
            found, place = (triplets if self.triplets else pairs)(x, box, bead, REACH[name])
            rows.append(found)
            self.place.append(place)
            self.starts.append(self.starts[-1] + len(found))
        self.rows, self.place, self.starts = np.concatenate(rows), np.concatenate(self.place), np.array(self.starts)
        self.force = np.concatenate([np.array(data.forces[frame, bead]) for frame, bead in beads])

    def matrix(self, kind: int, other: "Surroundings", width: float, turned: Rotations) -> np.ndarray:
        """Covariances of the forces on these beads with those on others."""
        if not self.triplets:
            a, b = (part.rows for part in (self, other))
            return _kernel_forces.pair_matrix(kind, a[:, 0], a[:, 1:], self.starts, b[:, 0], b[:, 1:], other.starts, width)
        ends = self.rows, self.place, self.starts, other.rows, other.place, other.starts
        return _kernel_forces.triplet_matrix(kind, *ends, np.full(3, width), turned.table, turned.largest)


def pairs(x, box, bead: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and directions (P, 4) of the pairs of a bead, and its place in them."""
    vector = geometry.minimum_image((x[0] - x[0, bead])[:, None], box.expand(x.shape[1], 3))[:, 0].numpy()
    r = np.linalg.norm(vector, axis=1)
    near = (r < reach) & (r > 0)
    return np.concatenate([r[near, None], vector[near] / r[near, None]], 1), np.zeros(near.sum(), np.int64)


def triplets(x, box, bead: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """What the kernels need of the triplets that a bead is in, sorted by their legs, and its place in them."""
    found = _triplets.find(x, box, None, reach, torch.zeros(0, 2, dtype=torch.int64))
    a, b = found.to_left.numpy(), found.to_right.numpy()
    beads = np.stack([each.numpy() for each in found[:3]], 1)
    turned = np.linalg.norm(a, axis=1) > np.linalg.norm(b, axis=1)
    a, b = np.where(turned[:, None], b, a), np.where(turned[:, None], a, b)
    beads = np.where(turned[:, None], beads[:, [0, 2, 1]], beads)
    mine = (beads == bead).any(1)
    return _kernel_forces.triplet_rows(a[mine], b[mine]), (beads[mine] == bead).argmax(1)


if __name__ == "__main__":
    main()
