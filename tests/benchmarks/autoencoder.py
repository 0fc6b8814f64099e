"""Beads learned by the autoencoder: the published ortho-terphenyl run on own frames, resolution curves, alanine dipeptide,
ethane, a force field on the rings, speed.

    python -m tests.benchmarks.autoencoder --folder runs/autoencoder --parts otp batches curves dipeptide surface ethane field
    python -m tests.benchmarks.autoencoder --folder runs/autoencoder --parts speed --peer-python PATH --peer-source PATH

Frames are sampled into ``--folder`` where they are not there yet (some 15 minutes on one core). The peer of ``speed`` is
learningmatter-mit/Coarse-Graining-Auto-encoders at 333f6b5 in an environment of its own with torch and numpy; both sides run in turn on
the same cores. Losses in angstrom^2 per coordinate and (kcal/mol/angstrom)^2, as published. Writes ``results/autoencoder_<part>.json``.
"""

import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import subprocess
import tempfile
import time
from unittest import mock

import numpy as np
import torch

from tests.benchmarks import _record
from workbench import fitting, geometry, potentials, projection, reference, simulation, store, systems, units, validation
from workbench.mappings import _gumbel, autoencoder
from workbench.observables import free_energy

AREA, SQUARE = units.ANGSTROM**2, units.KCAL_PER_ANGSTROM**2
FRAMES = {
    "ortho_terphenyl": ({"n_molecules": 1}, {"n_frames": 3000, "interval_ps": 2.0}),
    "aniline": ({"n_molecules": 1}, {"n_frames": 3000}),
    "alanine_dipeptide": ({}, {"n_frames": 10_000}),
    "ethane": ({"n_molecules": 125, "cutoff_nm": 0.9}, {"n_frames": 200, "temperature": 184.6, "equilibration_ps": 50.0}),
}
RINGS = [[*range(6), *range(18, 23)], [*range(6, 12), *range(23, 27)], [*range(12, 18), *range(27, 32)]]
METHYLS = [[0, 2, 3, 4], [1, 5, 6, 7]]
WINDOW = 10
"""Epochs that losses are averaged over."""
N_BLOCKS = 8


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/autoencoder"))
    parser.add_argument("--parts", nargs="+", default=["otp", "batches", "curves", "dipeptide", "surface", "ethane", "field"])
    parser.add_argument("--peer-python")
    parser.add_argument("--peer-source")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    for part in given.parts:
        figures, seeds = {
            "otp": otp,
            "batches": batches,
            "curves": curves,
            "dipeptide": dipeptide,
            "surface": surface,
            "ethane": ethane,
            "field": field,
            "speed": speed,
        }[part](given)
        print(json.dumps(figures, indent=1))
        _record.write(f"autoencoder_{part}", figures, seeds)


def frames(name: str, folder: pathlib.Path):
    """The frames of one system, sampled once; they know their system."""
    kept = folder / name
    if (kept / "manifest.json").exists():
        return store.load(kept)
    load, sample = FRAMES[name]
    return reference.sample(systems.load(name, **load), reference.Settings(**sample), checkpoint=kept)


def train(data, **values):
    """Training, its settings and its seconds."""
    settings = autoencoder.Settings(**values)
    began = time.perf_counter()
    return autoencoder.train(data.system, data, settings), settings, time.perf_counter() - began


def windows(history: dict, at: int) -> dict:
    """Mean losses of every restart over the epochs before ``at`` and over the last ones."""
    names = (("reconstruction", AREA), ("force", SQUARE))
    return {n: (history[n][:, at - WINDOW : at].mean(1) / unit, history[n][:, -WINDOW:].mean(1) / unit) for n, unit in names}


def otp(given) -> tuple[dict, list[int]]:
    """Before and after the force term, median of five seeds; and what annealing alone does (rho = 0)."""
    data = frames("ortho_terphenyl", given.folder)
    figures = {"frames": len(data), "published": {"force_percent": -32, "reconstruction_percent": 5}}
    for label, rho in (("with force term", autoencoder.Settings().rho), ("rho = 0", 0.0)):
        training, settings, seconds = train(data, rho=rho)
        at = int(settings.force_from * settings.n_epochs)
        change = {name: 100 * (after / before - 1) for name, (before, after) in windows(training.history, at).items()}
        rows = [0, 100, 200, 300, at - 1, at, 500, 600, 700, 799]
        figures[label] = {
            "rho_nm2_per_kJ_mol_nm_squared": rho,
            "rho_angstrom_kcal": rho / AREA * SQUARE,
            "force_percent": change["force"].tolist(),
            "force_percent_median": float(np.median(change["force"])),
            "reconstruction_percent": change["reconstruction"].tolist(),
            "reconstruction_percent_median": float(np.median(change["reconstruction"])),
            "seeds_that_find_the_rings": sum(found(row, RINGS) for row in training.assignments),
            "map_reconstruction": (training.reconstruction / AREA).tolist(),
            "map_force": (training.force / SQUARE).tolist(),
            "median_by_epoch": {
                str(e): [float(np.median(training.history[n][:, e])) / u for n, u in (("reconstruction", AREA), ("force", SQUARE))]
                for e in rows
            },
            "seconds_five_restarts": seconds,
        }
    return figures, list(range(5))


def batches(given) -> tuple[dict, list[int]]:
    """Gradients over all frames against those over batches of 20 frames, as published; all else the same, five seeds."""
    data = frames("ortho_terphenyl", given.folder)
    x, f = centred(data), np.asarray(data.forces, np.float64)
    rng, whole = np.random.default_rng(0), _gumbel.step

    def of_a_batch(logits, decoder, gumbel, positions, forces, *rest):
        chosen = rng.integers(len(x), size=20)
        return whole(logits, decoder, gumbel, *(np.einsum("fia,fja->ij", v[chosen], v[chosen]) / 60 for v in (x, f)), *rest)

    figures = {}
    for label, step in (("all frames", whole), ("batches of 20", of_a_batch)):
        with mock.patch.object(_gumbel, "step", step):
            training, settings, _ = train(data)
        at = int(settings.force_from * settings.n_epochs)
        figures[label] = {
            name: {"before": before.tolist(), "end": end.tolist()} for name, (before, end) in windows(training.history, at).items()
        } | {"seeds_that_find_the_rings": sum(found(row, RINGS) for row in training.assignments)}
    return figures, list(range(5))


def found(row: np.ndarray, groups: list[list[int]]) -> bool:
    """Whether the beads of ``row`` (n,) are ``groups``."""
    return sorted(np.flatnonzero(row == bead).tolist() for bead in range(len(groups))) == groups


def curves(given) -> tuple[dict, list[int]]:
    """Reconstruction loss over the number of beads, rho = 0: the best of ten seeds, its standard error over blocks of frames."""
    figures: dict = {"bar": "each value at most the one before plus two standard errors of the difference"}
    for name in ("ortho_terphenyl", "aniline"):
        data, rows = frames(name, given.folder), []
        for n_beads in range(1, 9):
            training, _, _ = train(data, n_beads=n_beads, rho=0.0, restarts=10)
            blocks = [(error(block, training.mapping) ** 2).mean() for block in np.array_split(centred(data), N_BLOCKS)]
            rows.append(
                {
                    "beads": n_beads,
                    "loss": float(np.mean(blocks)) / AREA,
                    "error": float(np.std(blocks, ddof=1)) / N_BLOCKS**0.5 / AREA,
                    "all_seeds": sorted((training.reconstruction / AREA).tolist()),
                    "rmsd_angstrom": float((3 * np.mean(blocks)) ** 0.5) / units.ANGSTROM,
                }
            )
            print(name, rows[-1], flush=True)
        pairs = list(itertools.pairwise(rows))
        monotone = all(b["loss"] <= a["loss"] + 2 * np.hypot(a["error"], b["error"]) for a, b in pairs)
        figures[name] = {"monotone": bool(monotone), "strictly": all(b["loss"] < a["loss"] for a, b in pairs), "curve": rows}
    return figures, list(range(10))


def centred(data) -> np.ndarray:
    """Positions (F, N, 3) [nm] of a molecule in vacuum about its centre."""
    x = np.asarray(data.positions, np.float64)
    return x - x.mean(1, keepdims=True)


def error(positions: np.ndarray, mapping) -> np.ndarray:
    """Atoms less their decoded beads (F, N, 3) [nm], no superposition."""
    return positions - mapping.decoder @ (mapping.templates[0].weights @ positions)


def dipeptide(given) -> tuple[dict, list[int]]:
    """Eight beads learned from the first 8000 frames, decoded on the last 2000; the force term keeps most beads from being used."""
    data = frames("alanine_dipeptide", given.folder)
    heavy = [a for a, element in enumerate(data.system.elements) if element != "H"]
    held_out, figures = centred(data)[8000:], {"bar_nm": 0.03, "published": "8 beads recover the heavy atoms, hydrogens not fully"}
    for label, values in (
        ("rho = 0", {"rho": 0.0}),
        ("rho = 0, centres of mass", {"rho": 0.0, "weights": "mass"}),
        ("rho = 0, refined", {"rho": 0.0, "refine": True}),
        ("rho of a hundredth", {"rho": 5.7e-8}),
        ("rho of the default", {}),
    ):
        training, _, seconds = train(data.take(slice(0, 8000)), n_beads=8, **values)
        away = (error(held_out, training.mapping) ** 2).sum(2)
        figures[label] = {
            "heavy_rmsd_nm": float(away[:, heavy].mean() ** 0.5),
            "all_rmsd_nm": float(away.mean() ** 0.5),
            "beads": [training.mapping.templates[0].atoms(bead).tolist() for bead in range(8)],
            "beads_used": [len(set(row.tolist())) for row in training.assignments],
            "map_force": float(training.force[training.best]) / SQUARE,
            "seconds_five_restarts": seconds,
        }
    return figures, list(range(5))


def surface(given) -> tuple[dict, list[int]]:
    """Free energy over phi and psi of the atoms decoded from 3 to 8 beads, against that of the atoms themselves (Figure 8c)."""
    data = frames("alanine_dipeptide", given.folder)
    whole = centred(data)
    atoms = free_energy.histogram(*dihedrals(whole))
    halves = [free_energy.histogram(*dihedrals(whole[start::2])) for start in (0, 1)]
    figures = {
        "frames": len(data),
        "jensen_shannon of odd against even frames": float(free_energy.jensen_shannon(*halves)),
        "mean-squared difference of odd against even frames [(kBT)^2]": free_energy.mean_squared_difference(*halves),
    }
    for n_beads in range(3, 9):
        training, _, _ = train(data.take(slice(0, 8000)), n_beads=n_beads, rho=0.0, weights="mass")
        mapping = training.mapping
        decoded = np.einsum("nb,bm,fmx->fnx", mapping.decoder, mapping.templates[0].weights, whole)
        counts = free_energy.histogram(*dihedrals(decoded))
        figures[f"{n_beads} beads"] = {
            "jensen_shannon": float(free_energy.jensen_shannon(atoms, counts)),
            "mean-squared difference [(kBT)^2]": float(free_energy.mean_squared_difference(atoms, counts)),
            "beads": [mapping.templates[0].atoms(bead).tolist() for bead in range(n_beads)],
        }
    return figures, list(range(5))


def dihedrals(positions: np.ndarray) -> list[np.ndarray]:
    """phi and psi [rad], (F,) each, of the atoms of alanine dipeptide (F, N, 3)."""
    values = geometry.dihedrals(torch.from_numpy(positions), torch.tensor([[4, 6, 8, 14], [6, 8, 14, 16]]), None)
    return list(values.numpy().T)


def ethane(given) -> tuple[dict, list[int]]:
    """Two beads a molecule of the liquid, ten seeds, with and without the force term."""
    data, figures = frames("ethane", given.folder), {}
    for rho in (autoencoder.Settings().rho, 0.0):
        training, _, seconds = train(data, n_beads=2, rho=rho, restarts=10)
        figures[f"rho = {rho:g}"] = {
            "samples": len(data) * int(data.system.molecule[-1] + 1),
            "seeds_that_converge": int(training.converged.sum()),
            "of_these_find_the_methyls": sum(found(row, METHYLS) for row in training.assignments[training.converged]),
            "types": training.mapping.templates[0].types,
            "seconds_ten_restarts": seconds,
        }
    return figures, list(range(10))


def field(given) -> tuple[dict, list[int]]:
    """A network force field on the three rings by force matching, run in OpenMM, against the all-atom frames."""
    data = frames("ortho_terphenyl", given.folder)
    beads = projection.project(data, train(data)[0].mapping)
    prior = potentials.harmonic.build(beads, potentials.harmonic.Settings())
    network = potentials.cgnet.build(beads, potentials.cgnet.Settings())
    fit = fitting.force_matching.fit(prior + network, beads, fitting.force_matching.Settings())
    running = simulation.openmm_engine.Settings(n_steps=150_000, timestep_fs=4.0)
    figures = {}
    for label, potential in (("network", fit.potential), ("prior alone", prior)):
        model = simulation.openmm_engine.run(potential, beads.start([0]), running)
        figures[label] = [
            {"name": c.name, "score": c.score, "error": c.error, "floor": c.floor, "threshold": c.threshold, "passed": bool(c.passed)}
            for c in validation.compare(beads, model.take(slice(len(model) // 10, None)))
        ]
    return figures | {"validation_loss": float(min(fit.history["validation_loss"])), "steps": running.n_steps}, [0]


def speed(given) -> tuple[dict, list[int]]:
    """The published schedule on the same frames: the authors' cells and one training of ours, in turn, one seed each."""
    data = frames("ortho_terphenyl", given.folder)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        np.save(pathlib.Path(folder) / "positions.npy", centred(data))
        np.save(pathlib.Path(folder) / "forces.npy", np.asarray(data.forces, np.float64))
        for seed in range(given.pairs):
            training, settings, seconds = train(data, seed=seed, restarts=1)
            script = str(pathlib.Path(__file__).with_name("_autoencoder_peer.py"))
            command = [given.peer_python, script, given.peer_source, folder, str(given.threads), str(seed)]
            threads = {**os.environ, "OMP_NUM_THREADS": str(given.threads), "MKL_NUM_THREADS": str(given.threads)}
            peer = json.loads(subprocess.run(command, env=threads, check=True, capture_output=True, text=True).stdout)
            at = int(settings.force_from * settings.n_epochs)
            own = windows(training.history, at)
            theirs = windows({n: np.array([peer[n]]) * u for n, u in (("reconstruction", AREA), ("force", SQUARE))}, at)
            runs.append(
                {
                    "seed": seed,
                    "ratio": peer["seconds"] / seconds,
                    "seconds": {"workbench": seconds, "authors": peer["seconds"]},
                    "before_and_after": {
                        side: {n: [float(v[0]) for v in w[n]] for n in w} for side, w in (("workbench", own), ("authors", theirs))
                    },
                    "loss_at_the_end_not_above": bool(sum(w[1][0] for w in own.values()) <= sum(w[1][0] for w in theirs.values())),
                    "rings": {
                        "workbench": found(training.assignments[0], RINGS),
                        "authors": found(np.array(peer["assignment"]), RINGS),
                    },
                }
            )
            print(json.dumps(runs[-1]), flush=True)
        five = dataclasses.replace(autoencoder.Settings(), restarts=5)
        began = time.perf_counter()
        autoencoder.train(data.system, data, five)
    figures = {
        "threads": given.threads,
        "ratio_median": float(np.median([run["ratio"] for run in runs])),
        "seconds_five_restarts": time.perf_counter() - began,
        "runs": runs,
    }
    return figures, [run["seed"] for run in runs]


if __name__ == "__main__":
    main()
