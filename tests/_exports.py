"""Systems that the exports are held against: each a potential and the start of one frame."""

import dataclasses
import pathlib
import shutil
import sys
from collections.abc import Callable

import numpy as np
import pytest

from workbench import potentials
from workbench.potentials import bond_order, cgnet, harmonic, lennard_jones, repulsion, stillinger_weber, tabulated, three_body_spline
from workbench.potentials._base import Potential
from workbench.types import Beads, ReferenceData, Start

KT = 2.494
BOND, ANGLE = 0.153, np.radians(112.0)


def fluid(n_edge: int = 7, types: str = "W", density: float = 33.4, jitter: float = 0.02, seed: int = 0) -> ReferenceData:
    """Single beads around a lattice at the ``density`` [1/nm^3] of water, in turn of each of ``types``; some lie outside of the box."""
    rng, n = np.random.default_rng(seed), n_edge**3
    box = (n / density) ** (1 / 3) * np.array([0.98, 1.0, 1 / 0.98])
    sites = np.stack(np.meshgrid(*[np.arange(n_edge)] * 3, indexing="ij"), -1).reshape(-1, 3) / n_edge
    x = sites * box + jitter * rng.standard_normal((n, 3)) + box * rng.integers(-1, 2, (n, 3))
    names = (types * n)[:n]
    beads = Beads.from_bonds(
        names=names, types=names, masses=[18.0 + 14.0 * (t != types[0]) for t in names], molecule=np.arange(n), bonds=[]
    )
    return ReferenceData(positions=x[None], box=box[None], beads=beads)


def chains(n_edge: int = 3, excluded_bonds: int = 2, seed: int = 0) -> ReferenceData:
    """Hexane, one bead an atom of carbon, in any conformation, on a lattice wide enough for it."""
    rng, edge = np.random.default_rng(seed), 0.95
    box = np.full(3, n_edge * edge)
    sites = (np.stack(np.meshgrid(*[np.arange(n_edge)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) * edge
    x = np.concatenate([site + roomy(rng) for site in sites])
    bonds = [(6 * m + k, 6 * m + k + 1) for m in range(len(sites)) for k in range(5)]
    types = ("CH3", "CH2", "CH2", "CH2", "CH2", "CH3") * len(sites)
    masses = [15.035 if t == "CH3" else 14.027 for t in types]
    molecule = np.repeat(np.arange(len(sites)), 6)
    beads = Beads.from_bonds(names=types, types=types, masses=masses, molecule=molecule, bonds=bonds, excluded_bonds=excluded_bonds)
    return ReferenceData(positions=x[None], box=box[None], beads=beads)


def roomy(rng: np.random.Generator) -> np.ndarray:
    """A chain (6, 3) whose beads three and more bonds apart are not in each other."""
    while True:
        x = chain(rng)
        i, j = np.triu_indices(6, 3)
        if np.linalg.norm(x[i] - x[j], axis=-1).min() > 0.33:
            return x


def chain(rng: np.random.Generator) -> np.ndarray:
    """Six beads (6, 3) about their centre, with the spread of bonds and angles at room temperature."""
    x = [np.zeros(3), np.array([BOND, 0, 0])]
    for k in range(4):
        r, angle, turn = BOND + 0.004 * rng.standard_normal(), ANGLE + 0.08 * rng.standard_normal(), rng.uniform(-np.pi, np.pi)
        along = (x[-1] - x[-2]) / np.linalg.norm(x[-1] - x[-2])
        side = rng.standard_normal(3) if k == 0 else x[-3] - x[-2]
        side -= side @ along * along
        side /= np.linalg.norm(side)
        out = np.cos(turn) * side + np.sin(turn) * np.cross(along, side)
        x.append(x[-1] - r * np.cos(angle) * along + r * np.sin(angle) * out)
    return np.array(x) - np.mean(x, 0)


def inverted(r: np.ndarray, contact: float, peak: float) -> np.ndarray:
    """-kT ln g(r) [kJ/mol] of a liquid with its first peak at ``contact`` [nm], steep below it, with the noise of counting."""
    g = 1 + np.exp(-(r - contact) / 0.2) * np.cos(2 * np.pi * (r - contact) / (0.95 * contact)) * (peak - 1)
    core = 1 / (1 + np.exp(-(r - 0.93 * contact) / 0.006))
    noise = 0.01 * np.random.default_rng(1).standard_normal(r.shape)
    return (-KT * np.log(np.clip(g * core, 1e-8, None)) + noise) * np.clip((r[-1] - r) / 0.1, 0, 1)


def liquid() -> tuple[Potential, Start]:
    """Water as single beads, with a table."""
    data = fluid()
    table = tabulated.build(data, tabulated.Settings())
    return table.with_values(inverted(table.knots(), 0.28, 2.9)[None]), data.start([0])


def mixture() -> tuple[Potential, Start]:
    """Two types, three tables."""
    data = fluid(types="AB")
    table = tabulated.build(data, tabulated.Settings(start=0.22, cutoff=0.8))
    values = [inverted(table.knots(), *shape) for shape in ((0.27, 2.9), (0.29, 2.2), (0.31, 2.5))]
    return table.with_values(np.array(values)), data.start([0])


def molecules() -> tuple[Potential, Start]:
    """Hexane with tables for everything; the dihedral's has no symmetry."""
    data = chains()
    both = tabulated.build(data, tabulated.Settings(start=0.3, cutoff=1.0))
    pairs, bonded = tabulated.parts(both)
    pair_values = np.array([inverted(pairs.knots(), *shape) for shape in ((0.37, 1.6), (0.38, 1.4), (0.39, 1.5))])
    rng = np.random.default_rng(2)
    bond, angle, turn = bonded.knots("bond"), bonded.knots("angle"), bonded.knots("dihedral")
    values = {"bond": 0.5 * 80_000 * (bond - BOND) ** 2, "angle": 0.5 * 300 * (angle - ANGLE) ** 2}
    values["dihedral"] = 4 * np.cos(3 * turn) - 3 * np.cos(turn) + 2 * np.sin(turn)
    noisy = {kind: np.stack([u + 0.02 * rng.standard_normal(u.shape) for _ in bonded.tables[kind]]) for kind, u in values.items()}
    noisy["dihedral"][:, -1] = noisy["dihedral"][:, 0]
    return pairs.with_values(pair_values) + bonded.with_values(noisy), data.start([0])


def priors() -> tuple[Potential, Start]:
    """Hexane with the priors of a network: harmonic bonds and angles, and excluded volume."""
    data = chains()
    made = harmonic.Harmonic(data.beads.bonds.tolist(), data.beads.angles.tolist())
    is_bond = np.arange(made.descriptor.size) < len(data.beads.bonds)
    made.center = made.center.new_tensor(np.where(is_bond, BOND, ANGLE))
    made.constant = made.constant.new_tensor(np.where(is_bond, 80_000.0, 300.0))
    return made + potentials.repulsion.build(data, repulsion.Settings(sigma=0.35, cutoff=1.0)), data.start([0])


def spheres() -> tuple[Potential, Start]:
    """Lennard-Jones spheres."""
    data = fluid()
    return lennard_jones.build(data, lennard_jones.Settings(sigma=0.28, cutoff=1.0)), data.start([0])


def water() -> tuple[Potential, Start]:
    """mW water."""
    data = fluid(6)
    return stillinger_weber.build(data, stillinger_weber.Settings()), data.start([0])


def orders() -> tuple[Potential, Start]:
    """ML-BOP water."""
    data = fluid(6)
    return bond_order.build(data, bond_order.Settings()), data.start([0])


def triples() -> tuple[Potential, Start]:
    """Two types with tables for pairs and for triples."""
    table, start = mixture()
    splines = three_body_spline.build(fluid(types="AB"), three_body_spline.Settings())
    knots = splines.knots()
    values = [20 * (np.cos(knots) - 0.1 * k + 0.5) ** 2 + np.sin(3 * knots + k) for k in range(len(splines.triples))]
    return table + splines.with_values(np.array(values)), start


CASES: dict[str, Callable[[], tuple[Potential, Start]]] = {
    "liquid": liquid,
    "mixture": mixture,
    "molecules": molecules,
    "priors": priors,
    "spheres": spheres,
    "water": water,
    "orders": orders,
    "triples": triples,
}


def network() -> tuple[Potential, Start]:
    """A network for one molecule, which no engine has."""
    data = chains(1)
    x = data.positions + 0.01 * np.random.default_rng(0).standard_normal((2, *data.positions.shape[1:]))
    data = dataclasses.replace(data, positions=x, box=np.repeat(data.box, 2, 0))
    return cgnet.build(data, cgnet.Settings(width=4)), data.start([0])


def refused(name: str) -> tuple[Potential, Start, str]:
    """What no engine can be given, by one of ``REFUSALS``, and the words of the refusal."""
    model, start = network() if name == "network" else spheres() if name == "parameters" else liquid()
    if name == "replicas":
        start = dataclasses.replace(start, positions=np.repeat(start.positions, 2, 0), box=np.repeat(start.box, 2, 0))
    elif name == "box":
        start = dataclasses.replace(start, box=np.full((1, 3), 1.7))
    elif name == "parameters":
        model.epsilon = model.epsilon.new_tensor([0.5, 0.6])
    return model, start, REFUSALS[name]


REFUSALS = {
    "replicas": "runs one replica, not 2: give a start of one frame",
    "box": "exceeds half of the box of 1.700 nm",
    "network": "CGnet",
    "parameters": "LennardJones",
}


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skips a test where none of the engine's ``programs`` is installed."""
    beside = str(pathlib.Path(sys.executable).parent)
    here = any(shutil.which(name, path=beside) or shutil.which(name) for name in programs)
    return pytest.mark.skipif(not here, reason=f"{programs[0]} is not installed")
