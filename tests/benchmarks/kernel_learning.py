"""Kernels of forces on two fluids: force error against training size for three kernels, then kernels on grids in simulations, and cost.

    python -m tests.benchmarks.kernel_learning [--picoseconds 200]

Forces on single beads are learned by (K + lambda 1) alpha = F, from the pairs of the Lennard-Jones fluid (argon, switched off at 0.85 nm)
and the triplets of the three-body term of mW water. For each kernel the width and lambda with the least error on beads to validate are
taken; errors are on others, relative to the root mean square of the force. Then pairs and triplets of mW water are learned together from
whole frames, tabulated and run: distributions beside the reference's, with the floor that sampling sets (the distance of its two
halves), and the time of a simulation beside that of the Stillinger-Weber form itself (processor time of one thread, medians of turns).
"""

import argparse
import statistics
import time

import numpy as np
import torch

from tests.benchmarks import _fluids, _record
from workbench import device, geometry, potentials, simulation, systems
from workbench.fitting import kernel_regression
from workbench.observables import adf, rdf
from workbench.potentials import _kernel_forces, _triplets, kernel, lennard_jones, stillinger_weber, three_body_table
from workbench.types import Beads, ReferenceData, Start

SEED = 0
ARGON = lennard_jones.Settings(epsilon=0.99607, sigma=0.3405, cutoff=0.85, switch_width=0.1)
WIDTHS = {"Lennard-Jones": (0.05, 0.08, 0.12), "Stillinger-Weber": (0.05, 0.08, 0.12)}
MOST = {"Lennard-Jones": 32, "Stillinger-Weber": 64}
"""Beads to train on, at most."""
REACH = {"Lennard-Jones": 0.85, "Stillinger-Weber": 0.4}
"""Longest pairs, and legs of triplets, that are seen [nm]."""
STRENGTHS = 10.0 ** np.arange(-12, 1)
JUDGED = 32
"""Beads to validate and, again, to judge by."""
LEGS = 0.37
MESH = three_body_table.Settings(start=0.22, n_leg=16, n_angle=24)
KERNEL = kernel.Settings(cutoff=0.4, pair_cutoff=0.44, n_pairs=30, pair_width=0.02, n_triplets=200)


def main() -> None:
    """Learning curves, then simulations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picoseconds", type=float, default=200.0, help="of the reference and of the model")
    given = parser.parse_args()
    with device.threads(1):
        figures = {name: curves(name, most) for name, most in MOST.items()}
        figures["simulation"] = simulated(given.picoseconds)
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
        n_steps=n_steps, save_every=save_every, timestep_fs=5.0, friction=2.0, temperature=system.state.temperature, seed=SEED
    )
    run = simulation.replicas.run(potential.bind(beads), start, settings).take(slice(max(1, 10_000 // save_every), None))
    return labelled(run, moved.bind(beads), beads)


def labelled(run, potential, beads: Beads) -> ReferenceData:
    """The frames of a run with the forces of ``potential``."""
    x, box = (np.array(getattr(run, name), np.float64) for name in ("positions", "box"))
    forces = potentials.forces(potential, torch.from_numpy(x), torch.from_numpy(box)).numpy()
    return ReferenceData(positions=x, forces=forces, box=box, beads=beads, states=run.states)


def curves(name: str, most: int) -> dict:
    """Relative force errors by kernel and number of beads trained on."""
    data = sampled(name, 40_000, 1000)
    rng = np.random.default_rng(SEED)
    beads = [(int(frame), int(rng.integers(data.n_particles))) for frame in rng.permutation(np.repeat(np.arange(len(data)), 12))]
    sizes = [2**k for k in range(1, int(np.log2(most)) + 1)]
    parts = [Surroundings(name, data, part) for part in (beads[: sizes[-1]], beads[-2 * JUDGED : -JUDGED], beads[-JUDGED:])]
    found: dict = {"beads": sizes}
    for kind, label in enumerate(_kernel_forces.KINDS):
        matrices = {width: [parts[0].matrix(kind, part, width) for part in parts] for width in WIDTHS[name]}
        rows = [learned(matrices, [part.force for part in parts], size) for size in sizes]
        found[label] = {
            "relative error": [round(row[0], 5) for row in rows],
            "width [nm]": [row[1] for row in rows],
            "lambda": [row[2] for row in rows],
        }
        print(name, label, found[label]["relative error"], found[label]["width [nm]"], flush=True)
    return found


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

    def matrix(self, kind: int, other: "Surroundings", width: float) -> np.ndarray:
        """Covariances of the forces on these beads with those on others."""
        if not self.triplets:
            a, b = (part.rows for part in (self, other))
            return _kernel_forces.pair_matrix(kind, a[:, 0], a[:, 1:], self.starts, b[:, 0], b[:, 1:], other.starts, width)
        largest = 2 * (REACH["Stillinger-Weber"] / width) ** 2
        table = _kernel_forces.fisher_table(largest, 400 if kind == 1 else 2)
        ends = self.rows, self.place, self.starts, other.rows, other.place, other.starts
        return _kernel_forces.triplet_matrix(kind, *ends, np.full(3, width), table, largest)


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


def simulated(picoseconds: float) -> dict:
    """Whole frames of mW water learned, put on grids and run; structure beside the reference's, and cost."""
    steps = round(picoseconds / 0.005)
    potential = stillinger_weber.build(None, stillinger_weber.Settings())
    data = sampled("Stillinger-Weber", steps + 10_000, 50)
    data = labelled(data, potential.bind(data.beads), data.beads)
    part = data.take(np.linspace(0, len(data) - 1, 40).astype(int))
    fit = kernel_regression.fit(kernel.build(part, KERNEL), part, kernel_regression.Settings())
    tables = kernel.tabulate(fit.potential, part, start=0.235, spacing=0.005, mesh=MESH)
    unseen = data.take(np.linspace(7, len(data) - 2, 20).astype(int))
    x, box = torch.from_numpy(np.array(unseen.positions)), torch.from_numpy(np.array(unseen.box))
    whole = float(np.sqrt(np.mean(unseen.forces**2)))
    errors = {
        label: float(np.sqrt(np.mean((potentials.forces(p, x, box).numpy() - unseen.forces) ** 2))) / whole
        for label, p in (("kernels", fit.potential), ("tables", tables))
    }
    settings = simulation.replicas.Settings(
        n_steps=steps + 10_000, save_every=50, timestep_fs=5.0, friction=2.0, temperature=298.15, seed=SEED + 1
    )
    run = simulation.replicas.run(tables, data.start([len(data) - 1]), settings).take(slice(200, None))
    halves = [structure(data.take(half)) for half in (slice(0, len(data) // 2), slice(len(data) // 2, None))]
    wanted, found = structure(data), structure(run)
    return {
        "relative force error": errors,
        "lambda": float(fit.history["regularisation"][0]),
        **{f"rms of {name}": rms(found[name], wanted[name]) for name in ("rdf", "adf")},
        "floor": {name: rms(halves[0][name], halves[1][name]) for name in ("rdf", "adf")},
        "processor time by that of the form": cost(tables),
        "curves": {name: {"reference": wanted[name].round(5).tolist(), "tables": found[name].round(5).tolist()} for name in ("rdf", "adf")},
        "r [nm]": wanted["r"].round(5).tolist(),
        "theta [rad]": wanted["theta"].round(5).tolist(),
    }


def structure(trajectory) -> dict:
    """Radial distribution up to 0.9 nm, and that of the angles of neighbours closer than ``LEGS``."""
    radial, angular = rdf.compute(trajectory, rdf.Settings(r_max=0.9, n_bins=90)), adf.compute(trajectory, adf.Settings(cutoff=LEGS))
    return {"rdf": radial.value, "adf": angular.value, "r": radial.x[0], "theta": angular.x[0]}


def rms(found: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square of a difference."""
    return float(np.sqrt(np.mean((found - wanted) ** 2)))


def cost(tables, rounds: int = 5) -> float:
    """Processor time of a simulation of 512 mW beads by ``tables``, by that of the form itself."""
    begin, ratios = _fluids.liquid("mW", 512), []
    settings = simulation.replicas.Settings(
        n_steps=1000, save_every=1000, timestep_fs=5.0, friction=2.0, temperature=298.15, skin=_fluids.SKINS["mW"]
    )
    for _ in range(rounds):
        seconds = []
        for potential in (tables, _fluids.potential("mW")):
            begun = time.process_time()
            simulation.replicas.run(potential, begin, settings)
            seconds.append(time.process_time() - begun)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
