"""A periodic cube of single particles, for the reference fluids: they start near a cubic lattice."""

from collections.abc import Callable

import numpy as np

from workbench.types import State, System

SHAKE = 0.05
"""Displacements from the lattice in units of its spacing."""


def fluid(
    *,
    name: str,
    element: str,
    n: int,
    mass: float,
    edge: float,
    cutoff: float,
    temperature: float,
    seed: int,
    make_xml: Callable[[], str],
    source: str,
    experimental_density: float | None = None,
) -> System:
    """``n`` particles of ``mass`` [amu] in a cube of side ``edge`` [nm]. Raises ``ValueError`` where ``cutoff`` [nm] exceeds half of it."""
    if cutoff > edge / 2:
        raise ValueError(f"systems.{name}: the cut-off of {cutoff:.3f} nm exceeds half the box of {edge:.3f} nm: take more particles.")
    per_edge = int(np.ceil(n ** (1 / 3) - 1e-9))
    sites = np.stack(np.meshgrid(*(np.arange(per_edge),) * 3, indexing="ij"), -1).reshape(-1, 3)[:n]
    shifts = np.random.default_rng(seed).uniform(-SHAKE, SHAKE, (n, 3))
    return System(
        name=name,
        elements=(element,) * n,
        atom_names=(element,) * n,
        residue_names=(element.upper(),) * n,
        residue=np.arange(n),
        molecule=np.arange(n),
        masses=np.full(n, mass),
        charges=np.zeros(n),
        bonds=np.zeros((0, 2), np.int64),
        constraints=np.zeros((0, 2), np.int64),
        virtual_sites=np.zeros(0, np.int64),
        positions=(sites + 0.5 + shifts) * edge / per_edge,
        box=np.full(3, edge),
        force_field=make_xml,
        state=State(temperature=temperature),
        experimental_density=experimental_density,
        source=source,
    )
