"""Liquids of beads with a potential that is known: what the fits are to find again."""

import dataclasses
import functools

import numpy as np

from workbench import simulation, types
from workbench.potentials import tabulated

GRID = tabulated.Settings(start=0.22, cutoff=0.7, spacing=0.02)
EDGE, PER_EDGE = 1.7, 5


def beads(names: tuple[str, ...]) -> types.Beads:
    """Single-bead molecules of the types ``names``."""
    n = len(names)
    return types.Beads.from_bonds(names=names, types=names, masses=[20.0] * n, molecule=range(n), bonds=[])


def lattice(names: tuple[str, ...]) -> types.ReferenceData:
    """One frame of ``PER_EDGE`` cubed beads on a lattice, jittered."""
    sites = np.stack(np.meshgrid(*[np.arange(PER_EDGE)] * 3, indexing="ij"), -1).reshape(-1, 3) * EDGE / PER_EDGE
    x = sites + np.random.default_rng(0).normal(0, 0.01, sites.shape)
    return types.ReferenceData(positions=x[None], box=np.full((1, 3), EDGE), beads=beads(names), force_kind="none")


def curve(r: np.ndarray, depth: float, sigma: float) -> np.ndarray:
    """A soft core with a well, zero with its slope at the cut-off."""
    u = 4 * depth * ((sigma / r) ** 8 - (sigma / r) ** 4)
    x = ((r - 0.5) / (GRID.cutoff - 0.5)).clip(0, 1)
    return u * (1 - x**3 * (10 - 15 * x + 6 * x * x))


def known(mixed: bool) -> tabulated.PairTables:
    """The potential: one type, or A and B of which unlike ones attract each other more."""
    data = lattice(NAMES[mixed])
    tables = tabulated.build(data, GRID)
    r = tables.knots()
    return tables.with_values(np.stack([curve(r, *p) for p in ([(1.0, 0.3), (1.8, 0.3), (0.6, 0.32)] if mixed else [(1.5, 0.3)])]))


NAMES = {False: ("A",) * PER_EDGE**3, True: tuple("AB"[i % 2] for i in range(PER_EDGE**3))}
RUN = simulation.replicas.Settings(n_steps=6000, save_every=20, timestep_fs=10.0, friction=5.0, precision="double")


@functools.cache
def sampled(mixed: bool = False) -> types.ReferenceData:
    """Frames of the known potential at 300 K, with its forces."""
    import torch

    from workbench import potentials

    data, potential = lattice(NAMES[mixed]), known(mixed)
    run = simulation.replicas.run(potential, data.start([0]), dataclasses.replace(RUN, n_steps=20_000, seed=5))
    run = run.take(slice(100, None))
    x, box = torch.tensor(np.array(run.positions), dtype=torch.float64), torch.tensor(np.array(run.box))
    forces = potentials.forces(potential, x, box).numpy()
    return types.ReferenceData(
        positions=np.array(run.positions, np.float64), forces=forces, box=np.array(run.box), beads=data.beads, states=run.states
    )
