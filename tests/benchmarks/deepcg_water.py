"""SPC/E water as one bead by DeePCG: structure at four cut-offs, a nanosecond, jumps of the force, and what an ensemble disagrees on.

    python -m tests.benchmarks.deepcg_water FOLDER [--only 0.42 0.5 0.6 0.7 smooth ensemble]

The folder is that of ``_reference_liquids`` (2180 molecules, 300 K, 400 frames). The network learns the instantaneous forces on the
molecules, beside an inverse power that ends where the data do; Adam's rate falls from 3e-3 to 1e-8. Models run in a smaller box of the
reference's density, from a lattice that soft spheres melted. Errors are root-mean-square deviations from the reference: of g(r) from
0.24 to 1.0 nm and of the density of angles between neighbours within 0.37 nm. Bars: g(r) within 0.03, angles better with every longer
cut-off, 1 ns at 5 fs without a collapsed pair, a jump at the cut-off for the local frame and none (under 1e-4 of the force) without it.
Every fit and run goes on from its checkpoint, and every part is recorded when it is done.
"""

import argparse
import copy
import pathlib
import time

import numpy as np
import torch

from tests.benchmarks import _record, _reference_liquids, classical_water
from tests.benchmarks.spline_force_matching import LEGS, rms, structure
from workbench import deviation, device, fitting, potentials, simulation, types
from workbench.descriptors import local_frame
from workbench.potentials import _pair, deepcg, deepcg_smooth, repulsion, tabulated
from workbench.simulation._guard import Unstable
from workbench.types import ReferenceData, Start, Trajectory

SEED = 0
CUTOFFS = ("0.42", "0.5", "0.6", "0.7")
WALL, TABLE = repulsion.Settings(epsilon=5.0, sigma=None, cutoff=0.4), tabulated.Settings(start=0.22, cutoff=0.4, spacing=0.005)
FIT = {"batch_size": 1, "learning_rate": 3e-3, "final_learning_rate": 1e-8, "lipschitz": None, "validation_fraction": 0.1, "patience": 1000}
EPOCHS, FRAMES = {"smooth": 20, "ensemble": 12}, {"ensemble": 200}
"""Passes over the frames, and frames, where they are not ``--epochs`` and all."""
LATTICE = (7, 7, 6)
EQUILIBRATION_PS, TIMESTEP_FS, FRICTION, EVERY = 20.0, 5.0, 40.0, 50
"""The friction [1/ps] is high: where the force jumps the liquid is heated, and at 5/ps a thermostat leaves it some kelvins too hot."""
COLLAPSED = 0.2
"""Distance below which a pair has collapsed [nm]; the shortest of the data is 0.24 nm."""


def main() -> None:
    """Fit, run and record what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", default=[*CUTOFFS, "smooth", "ensemble"], choices=[*CUTOFFS, "smooth", "ensemble"])
    parser.add_argument("--work", type=pathlib.Path, help="where checkpoints go; FOLDER/deepcg if not given")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--picoseconds", type=float, default=200.0, help="of a model, after 20 ps to equilibrate")
    parser.add_argument("--longest", type=float, default=1000.0, help="of the model with the longest cut-off")
    given = parser.parse_args()
    given.work = given.work or given.folder / "deepcg"
    data = classical_water.beads(given.folder, 1)
    wanted = structure(data)
    with device.threads(1):
        for name in given.only:
            if name == "ensemble":
                figures = disagreement(data, given)
            else:
                potential, figures = fitted(name, data, given)
                figures["jumps of the force, relative to its rms"] = jumps(potential, data)
                print(name, figures, flush=True)
                picoseconds = given.longest if name == CUTOFFS[-1] else given.picoseconds
                figures |= simulated(potential, data, picoseconds, wanted, given.work / f"run_{name}")
            _record.write(f"deepcg_water_{name}", figures, SEED)


def network(name: str, data: ReferenceData, seed: int):
    """The untrained network: of a cut-off, or with the smooth descriptor."""
    if name == "smooth":
        return deepcg_smooth.build(data, deepcg_smooth.Settings(cutoff=0.6, seed=seed))
    return deepcg.build(data, deepcg.Settings(environment=local_frame.Settings(cutoff=float(name)), seed=seed))


def wall(data: ReferenceData) -> tabulated.PairTables:
    """An inverse power with the shortest distance of the data as its diameter, as a table, which is quicker in a simulation."""
    inverse, tables = repulsion.build(data, WALL), tabulated.build(data, TABLE)
    r = torch.from_numpy(tables.knots())
    return tables.with_values(inverse.pair_energy(r, r)[None].numpy()).requires_grad_(False)


def fitted(name: str, data: ReferenceData, given, seed: int = SEED, kind: str = "") -> tuple:
    """Wall and network, and figures of the fit; ``kind`` says whose size it has, that of ``name`` if not given."""
    kind = kind or name
    training = data.take(_reference_liquids.spread(len(data), FRAMES.get(kind, len(data))))
    settings = fitting.force_matching.Settings(n_epochs=EPOCHS.get(kind, given.epochs), seed=seed, **FIT)
    started = wall(data) + network(name, training, seed)
    began = time.process_time()
    fit = fitting.force_matching.fit(started, training, settings, on_step=told, checkpoint=given.work / f"fit_{kind}_{name}_{seed}")
    history = fit.history
    return fit.potential, {
        "frames": len(training),
        "beads": data.n_particles,
        "epochs": len(history["train_loss"]),
        "learning rate": [float(history["learning_rate"][0]), float(history["learning_rate"][-1])],
        "processor seconds of the fit": time.process_time() - began,
        "diameter of the wall [nm]": repulsion.shortest(data, WALL.cutoff),
        "force error [kJ/mol/nm]": {
            "of the force itself": float(np.sqrt(np.mean(np.square(data.forces)))),
            "training": float(history["train_loss"][-1] ** 0.5),
            "held out": float(history["validation_loss"].min() ** 0.5),
            "held out, by epoch": np.sqrt(history["validation_loss"]).round(3).tolist(),
        },
    }


def jumps(potential, data: ReferenceData, n_pairs: int = 40, gap: float = 1e-7) -> dict:
    """Largest change of a force component as a bead crosses the cut-off, or the distance of the nearest one, of another bead."""
    learned = copy.deepcopy(potential.parts[1]).double()
    x, box = (torch.tensor(np.array(a[-1:]), dtype=torch.float64) for a in (data.positions, data.box))
    scale, found = float(potentials.forces(learned, x, box).square().mean().sqrt()), {}
    rng = np.random.default_rng(SEED)
    for name in ("at the cut-off", "as the two nearest change rank"):
        changes = []
        for bead in rng.choice(x.shape[1], n_pairs, replace=False):
            apart = x[0] - x[0, bead]
            apart -= torch.round(apart / box[0]) * box[0]
            r = torch.linalg.vector_norm(apart, dim=1)
            order = r.argsort()
            edge = learned.cutoff if name == "at the cut-off" else float(r[order[1]])
            mover = int((r - edge).abs().argmin()) if name == "at the cut-off" else int(order[2])
            sides = x.repeat(2, 1, 1)
            sides[:, mover] = x[0, bead] + apart[mover] / r[mover] * torch.tensor([[edge - gap], [edge + gap]], dtype=torch.float64)
            force = potentials.forces(learned, sides, box.repeat(2, 1))
            changes.append(float((force[1] - force[0]).abs().max()) / scale)
        found[name] = {"rms": float(np.sqrt(np.mean(np.square(changes)))), "largest": max(changes)}
    return found


def lattice(data: ReferenceData) -> Start:
    """Beads of the reference's density in a cube, melted from a lattice by soft spheres."""
    n = int(np.prod(LATTICE))
    edge = float(np.prod(data.box[0]) * n / data.n_particles) ** (1 / 3)
    sites = np.stack(np.meshgrid(*[np.arange(k) / k for k in LATTICE], indexing="ij"), -1).reshape(1, n, 3) * edge
    kind, mass = data.beads.types[:1] * n, np.full(n, data.beads.masses[0])
    beads = types.Beads.from_bonds(names=kind, types=kind, masses=mass, molecule=range(n), bonds=[])
    box = np.full((1, 3), edge)
    spheres = repulsion.build(None, repulsion.Settings(epsilon=5.0, sigma=0.28, cutoff=0.45))
    melt = simulation.replicas.Settings(n_steps=4000, save_every=4000, seed=SEED)
    run = simulation.replicas.run(spheres, Start(positions=sites, box=box, beads=beads), melt)
    return Start(positions=np.array(run.positions[-1:]), box=box, beads=beads)


def simulated(potential, data: ReferenceData, picoseconds: float, wanted: dict, folder: pathlib.Path) -> dict:
    """Structure of the model beside the reference's, and its shortest distances."""
    settings = simulation.replicas.Settings(
        n_steps=round((picoseconds + EQUILIBRATION_PS) / TIMESTEP_FS * 1000),
        save_every=EVERY,
        timestep_fs=TIMESTEP_FS,
        friction=FRICTION,
        seed=SEED,
    )
    began, kinetic = time.process_time(), []

    def watched(step: int, metrics: dict) -> None:
        kinetic.append(metrics["temperature"])
        told(step, metrics)

    try:
        run = simulation.replicas.run(potential, lattice(data), settings, on_step=watched, checkpoint=folder)
    except (Unstable, ValueError) as stopped:
        return {"stopped": str(stopped)}
    near = shortest(run)
    run = run.take(slice(round(EQUILIBRATION_PS / TIMESTEP_FS * 1000 / EVERY), None))
    found = structure(run)
    return {
        "beads of the model": run.n_particles,
        "picoseconds": picoseconds,
        "temperature, of what this process ran [K]": float(np.mean(kinetic[len(kinetic) // 5 :])) if kinetic else None,
        "processor seconds of the run": time.process_time() - began,
        "rms of rdf": rms(found["rdf"], wanted["rdf"]),
        "rms of adf": rms(found["adf"], wanted["adf"]),
        "frames looked at": len(near),
        "frames with a collapsed pair": int((near < COLLAPSED).sum()),
        "shortest distance [nm]": float(near.min()),
        "legs of the angles [nm]": LEGS,
        "found": found,
        "reference": wanted,
    }


def shortest(run: Trajectory) -> np.ndarray:
    """Shortest distance of two beads in every frame [nm]."""
    found = []
    for chunk in run.chunks(500):
        x, box = torch.tensor(chunk.positions), torch.tensor(chunk.box, dtype=torch.float32)
        vector, frame, _ = _pair.vectors(x, box, None, LEGS, torch.zeros(0, 2, dtype=torch.int64))
        r = torch.linalg.vector_norm(vector, dim=1)
        found.append(torch.full((len(x),), LEGS).scatter_reduce(0, frame.long(), r, "amin").numpy())
    return np.concatenate(found)


def disagreement(data: ReferenceData, given) -> dict:
    """Model deviation of three networks on frames held out, on what one of them simulates, and outside of the data."""
    name = CUTOFFS[-2]
    members = [fitted(name, data, given, seed, "ensemble")[0] for seed in range(3)]
    x, box = (torch.tensor(np.array(a[-20:])) for a in (data.positions, data.box))
    run = simulation.replicas.run(
        potentials.mean(members), lattice(data), simulation.replicas.Settings(n_steps=2000, timestep_fs=TIMESTEP_FS, seed=SEED)
    )
    close = x.clone()
    close[:, 1] = x[:, 0] + torch.tensor([0.2, 0.0, 0.0])
    places = {
        "reference, held out": (x, box),
        "own simulation": (torch.tensor(np.array(run.positions[-20:])), torch.tensor(np.array(run.box[-20:], np.float32))),
        "compressed by a tenth of every length": (0.9 * x, 0.9 * box),
        "a bead set beside another at 0.2 nm": (close, box),
    }
    found = {place: deviation.deviation(members, *at) for place, at in places.items()}
    return {
        "networks": len(members),
        "epochs": EPOCHS["ensemble"],
        "cut-off [nm]": float(name),
        "deviation [kJ/mol/nm]": {p: {"mean": float(d.mean.mean()), "largest": float(d.largest.mean())} for p, d in found.items()},
    }


def told(step: int, metrics: dict) -> None:
    """Print an epoch, and every twentieth saved frame."""
    if "energy" not in metrics or step % (20 * EVERY) == 0:
        print(step, {key: round(value, 4) for key, value in metrics.items() if isinstance(value, float)}, flush=True)


if __name__ == "__main__":
    main()
