"""Radial distributions side by side with ``mdtraj.compute_rdf``: same frames, same bins, one thread, in turn.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.rdf_speed

10,000 frames of 1000 beads at 8.35 beads/nm^3, a range of half of the box and one of 1.1 nm. ``mdtraj`` keeps all distances of a call, so
it gets pieces of ``PIECE`` frames, and is timed on ``SHARE`` of them; times are CPU seconds per frame. Ratios are medians over rounds.
"""

import statistics
import time

import mdtraj
import numpy as np

from tests.benchmarks import _record
from workbench.observables import rdf
from workbench.types import Trajectory

FRAMES, BEADS, DENSITY = 10_000, 1000, 8.35
SHARE, PIECE, ROUNDS, BINS = 500, 20, 5, 100


def main() -> None:
    """Time both in turn at both ranges, and compare what they give."""
    edge = float(np.float32((BEADS / DENSITY) ** (1 / 3)))
    positions = scattered(edge)
    frames = Trajectory(positions=positions, box=np.full((FRAMES, 3), edge))
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(BEADS):
        topology.add_atom("A", None, topology.add_residue("A", chain))
    theirs = mdtraj.Trajectory(
        positions[:SHARE], topology, unitcell_lengths=np.full((SHARE, 3), edge), unitcell_angles=np.full((SHARE, 3), 90.0)
    )
    pairs = topology.select_pairs("all", "all")
    figures = {
        "frames": FRAMES,
        "frames of mdtraj": SHARE,
        "beads": BEADS,
        "beads/nm^3": DENSITY,
        "bins": BINS,
        "mdtraj": mdtraj.__version__,
    }
    for name, r_max in (("half of the box", edge / 2), ("1.1 nm", 1.1)):
        settings = rdf.Settings(r_max=r_max, n_bins=BINS)
        rdf.compute(frames.take(slice(0, 4)), settings)  # compiled before the clock runs
        rounds = []
        for _ in range(ROUNDS):
            ours = timed(lambda settings=settings: rdf.compute(frames, settings), FRAMES)
            peer = timed(lambda r_max=r_max: by_mdtraj(theirs, pairs, r_max), SHARE)
            rounds.append((ours[0], peer[0]))
            print(name, rounds[-1], flush=True)
        same = rdf.compute(frames.take(slice(0, SHARE)), settings).value
        figures[name] = {
            "r_max_nm": r_max,
            "workbench_ms_a_frame": statistics.median(a for a, _ in rounds),
            "mdtraj_ms_a_frame": statistics.median(b for _, b in rounds),
            "ratio": statistics.median(b / a for a, b in rounds),
            "ratios": [b / a for a, b in rounds],
            "largest_difference_of_g": float(np.abs(same - peer[1]).max()),
        }
    _record.write("rdf_speed", figures, 0)


def scattered(edge: float) -> np.ndarray:
    """Beads scattered around the sites of a lattice, as far apart as in a liquid: positions (F, N, 3) [nm] in single precision."""
    rng = np.random.default_rng(0)
    side = round(BEADS ** (1 / 3))
    sites = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3) * (edge / side)
    return (sites + rng.normal(0, 0.1, (FRAMES, BEADS, 3))).astype(np.float32)


def by_mdtraj(frames: mdtraj.Trajectory, pairs: np.ndarray, r_max: float) -> np.ndarray:
    """g(r) of ``frames``, piece by piece."""
    pieces = [frames[start : start + PIECE] for start in range(0, len(frames), PIECE)]
    return np.mean([mdtraj.compute_rdf(piece, pairs, r_range=(0, r_max), n_bins=BINS)[1] for piece in pieces], axis=0)


def timed(call, frames: int) -> tuple[float, np.ndarray]:
    """CPU time of a ``call`` per frame [ms], and what it gives."""
    began = time.process_time()
    result = call()
    return (time.process_time() - began) / frames * 1e3, result


if __name__ == "__main__":
    main()
