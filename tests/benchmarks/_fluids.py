"""Fluids of the short-range benchmarks, spatially sorted: a table (8.35 beads a nm^3, cut-off 1.1 nm), water by mW and by ML-BOP."""

import numpy as np

from workbench import potentials, simulation, types, units
from workbench.potentials import Potential
from workbench.potentials.stillinger_weber import MODELS, NAMES

TEMPERATURE, CUTOFF, FIRST = 300.0, 1.1, 0.3
EPSILON, SIGMA = 1.2, 0.4
"""The table is a 12-6 form, shifted to zero at the cut-off."""
MASSES = {"table": 18.0, "mW": 18.01528, "ML-BOP": 18.01528}
DENSITIES = {"table": 8.35, **{kind: 0.997 * units.GRAM_PER_CM3 / MASSES[kind] for kind in ("mW", "ML-BOP")}}
"""Beads a nm^3."""
SKINS = {"table": 0.15, "mW": 0.08, "ML-BOP": 0.12}
TIMESTEP_FS = 5.0


def start(kind: str, n: int) -> types.Start:
    """``n`` beads near the sites of a cubic lattice, cell by cell of the size of the cut-off."""
    edge = (n / DENSITIES[kind]) ** (1 / 3)
    per_edge = int(np.ceil(n ** (1 / 3) - 1e-9))
    sites = np.stack(np.meshgrid(*(np.arange(per_edge),) * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = sites[np.linspace(0, len(sites) - 1, n).astype(int)]
    x = (sites + 0.5 + np.random.default_rng(0).uniform(-0.05, 0.05, (n, 3))) * edge / per_edge
    cell = np.floor(x / 1.25).astype(int)
    x = x[np.lexsort((cell[:, 2], cell[:, 1], cell[:, 0]))]
    return types.Start(positions=x[None], box=np.full((1, 3), edge), beads=beads(kind, n))


def beads(kind: str, n: int) -> types.Beads:
    """Beads of one type, each a molecule."""
    return types.Beads.from_bonds(names=("W",) * n, types=("W",) * n, masses=[MASSES[kind]] * n, molecule=range(n), bonds=[])


def potential(kind: str) -> Potential:
    """The potential of ``kind``, to be bound by an engine."""
    if kind == "mW":
        return potentials.stillinger_weber.build(None, potentials.stillinger_weber.Settings(model="mW"))
    if kind == "ML-BOP":
        return potentials.bond_order.build(None, potentials.bond_order.Settings())
    few = types.ReferenceData(positions=np.zeros((1, 2, 3)), beads=beads(kind, 2))
    tables = potentials.tabulated.build(few, potentials.tabulated.Settings(start=FIRST, cutoff=CUTOFF))
    sixth = (SIGMA / tables.knots()) ** 6
    energy = 4 * EPSILON * (sixth * sixth - sixth)
    return tables.with_values((energy - energy[-1])[None])


def liquid(kind: str, n: int, steps: int = 2000) -> types.Start:
    """A start that has melted and has the velocities of its temperature."""
    settings = simulation.replicas.Settings(
        n_steps=steps, save_every=steps, timestep_fs=TIMESTEP_FS, friction=5.0, skin=SKINS[kind], save_velocities=True
    )
    run = simulation.replicas.run(potential(kind), start(kind, n), settings)
    return types.Start(positions=run.positions, velocities=run.velocities, box=run.box, beads=beads(kind, n))


def values() -> dict[str, float]:
    """Parameters of mW by name."""
    return dict(zip(NAMES, MODELS["mW"], strict=True))
