"""Angles between neighbours: an ideal gas, the diamond lattice, all triples by hand, and what is refused."""

import itertools

import numpy as np
import pytest

from workbench.observables import adf
from workbench.types import Trajectory


def gas(frames: int, beads: int, seed: int = 0) -> Trajectory:
    rng = np.random.default_rng(seed)
    box = np.array([2.0, 2.2, 2.4]) * rng.uniform(1, 1.1, (frames, 1))
    return Trajectory(positions=rng.uniform(-2, 2, (frames, beads, 3)) * box[:, None], box=box)


def diamond(cells: int, edge: float) -> Trajectory:
    """Two frames of a diamond lattice of cubic cells of ``edge`` [nm]: four neighbours at edge sqrt(3)/4."""
    cubic = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]])
    basis = np.concatenate([cubic, cubic + 1]) / 4
    corner = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    points = (corner + basis).reshape(-1, 3) * edge
    return Trajectory(positions=np.stack([points, points + 0.3]), box=np.full((2, 3), cells * edge))


def test_an_ideal_gas_has_half_the_sine_and_its_errors_cover():
    found = adf.compute(gas(200, 300), adf.Settings(cutoff=0.4, n_bins=30))
    assert found.value == pytest.approx(np.sin(found.x[0]) / 2, abs=0.02)
    assert found.value.sum() * np.pi / 30 == pytest.approx(1)
    flat = [adf.compute(gas(100, 200, seed), adf.Settings(cutoff=0.4, n_bins=30, by_sine=True)) for seed in range(20)]
    off = np.array([(each.value - 0.5) / each.error for each in flat])
    assert 0.85 < off.std() < 1.25 and np.mean(np.abs(off) < 2) > 0.9
    assert (found.unit, found.x_unit, flat[0].unit) == ("1/rad", "rad", "")


@pytest.mark.parametrize("cells", [1, 4])
def test_the_diamond_lattice_has_the_tetrahedral_angle(cells):
    """By one cell for all, or by many."""
    found = adf.counts(diamond(cells, 0.6), adf.Settings(cutoff=0.3, n_bins=180), np.arange(2))
    tetrahedral = int(np.degrees(np.arccos(-1 / 3)))
    assert found[:, tetrahedral].tolist() == [6 * 8 * cells**3] * 2 and found.sum() == 2 * 6 * 8 * cells**3


@pytest.mark.parametrize("cutoff", [0.35, 0.75])
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"first": tuple(range(10)), "second": tuple(range(5, 60))},
        {"molecule": tuple(np.arange(60) // 3)},
        {"first": (3, 59), "second": tuple(range(30)), "molecule": tuple(np.arange(60) % 7)},
    ],
    ids=["all", "overlapping", "molecules", "everything"],
)
def test_every_angle_is_counted_once(chosen, cutoff):
    frames = gas(3, 60, seed=1)
    settings = adf.Settings(cutoff=cutoff, n_bins=12, **chosen)
    molecule = settings.molecule or tuple(range(60))
    angles = []
    for x, box in zip(frames.positions, frames.box, strict=True):
        for j in settings.first or range(60):
            vectors = x - x[j]
            vectors -= box * np.rint(vectors / box)
            length = np.linalg.norm(vectors, axis=1)
            near = [i for i in settings.second or settings.first or range(60) if molecule[i] != molecule[j] and length[i] < cutoff]
            angles += [np.arccos(vectors[i] @ vectors[k] / (length[i] * length[k])) for i, k in itertools.combinations(near, 2)]
    assert len(angles) > 2
    found = adf.counts(frames, settings, np.array([0, 1, 0]))
    assert np.array_equal(found.sum(0), np.histogram(angles, 12, (0, np.pi))[0])


def test_refusals():
    with pytest.raises(ValueError, match="has no box"):
        adf.compute(Trajectory(positions=np.zeros((3, 4, 3))))
    with pytest.raises(ValueError, match=r"cutoff = 1\.5 nm: half of the smallest box length is 1\.0"):
        adf.compute(gas(5, 10), adf.Settings(cutoff=1.5))
    with pytest.raises(ValueError, match="beads 0 to 9"):
        adf.compute(gas(5, 10), adf.Settings(first=(10,)))
    with pytest.raises(ValueError, match="molecule has 2 entries"):
        adf.compute(gas(5, 10), adf.Settings(molecule=(0, 1)))
    with pytest.raises(ValueError, match="no bead has two neighbours"):
        adf.compute(gas(5, 3), adf.Settings(cutoff=0.01))
    frames = gas(40, 100)
    for broken in (1e300, frames.positions[7, 2, 0]):
        positions = frames.positions.copy()
        positions[7, 1] = positions[7, 2]
        positions[7, 1, 0] = broken
        with pytest.raises(ValueError, match="not finite, or coincide, in some frames"):
            adf.compute(Trajectory(positions=positions, box=frames.box), adf.Settings(cutoff=0.8))
