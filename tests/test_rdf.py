"""Radial distributions of an ideal gas and of a lattice; the compiled counts are those of every pair by hand."""

import numpy as np
import pytest

from workbench.observables import rdf
from workbench.types import Trajectory


def gas(frames: int = 400, beads: int = 40, seed: int = 0) -> Trajectory:
    box = np.array([2.0, 2.2, 2.4])
    positions = np.random.default_rng(seed).uniform(-3, 3, (frames, beads, 3)) * box
    return Trajectory(positions=positions, box=np.tile(box, (frames, 1)))


def test_ideal_gas_is_one_within_its_errors():
    found = rdf.compute(gas(), rdf.Settings(n_bins=40))
    assert found.x[0][-1] < 1.0 < found.x[0][-1] + 0.0126
    far = found.x[0] > 0.2
    assert np.all(np.abs(found.value[far] - 1) < 4 * found.error[far])
    assert np.mean(np.abs(found.value[far] - 1) < 2 * found.error[far]) > 0.85
    assert np.mean(found.error[-10:]) == pytest.approx(np.mean(1 / np.sqrt(_expected_counts(found)[-10:])), rel=0.3)
    assert found.n_effective > 200


def _expected_counts(found) -> np.ndarray:
    """Pairs of the ideal gas in every shell, all frames together."""
    r, width = found.x[0], found.x[0][1] - found.x[0][0]
    return 400 * 40 * 39 / 2 * 4 * np.pi * r**2 * width / (2.0 * 2.2 * 2.4)


def test_lattice_has_its_neighbours():
    """A simple cubic lattice of 5^3 points, 0.4 nm apart: 6 neighbours at 0.4 nm, 12 at 0.4 sqrt(2)."""
    points = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), -1).reshape(-1, 3) * 0.4
    frames = Trajectory(positions=np.tile(points, (4, 1, 1)), box=np.full((4, 3), 2.0))
    found = rdf.compute(frames, rdf.Settings(r_max=0.7, n_bins=35))
    shell = found.value * 4 / 3 * np.pi * np.diff(np.linspace(0, 0.7, 36) ** 3) * 124 / 8.0
    assert shell.sum() == pytest.approx(6 + 12 + 8)
    assert shell[27:29].sum() == pytest.approx(12)


def test_unlike_pairs_and_molecules():
    positions = np.zeros((2, 4, 3))
    positions[:, :, 0] = [0.0, 0.12, 0.5, 0.63]
    frames = Trajectory(positions=positions, box=np.full((2, 3), 4.0))
    settings = rdf.Settings(first=(0, 2), second=(1, 3), molecule=(0, 0, 1, 1), n_bins=20, r_max=1.0)
    found = rdf.compute(frames, settings)
    assert found.x[0][found.value > 0] == pytest.approx([0.375, 0.625], abs=0.03)  # beads 2-1 at 0.38, 0-3 at 0.63
    every = rdf.compute(frames, rdf.Settings(n_bins=20, r_max=1.0))
    assert len(every.x[0][every.value > 0]) == 4  # near 0.125, 0.38, 0.5, 0.63


def test_partial_overlap_counts_every_pair_once():
    whole = rdf.compute(gas(20, 10), rdf.Settings(n_bins=10))
    split = rdf.compute(gas(20, 10), rdf.Settings(first=tuple(range(10)), second=tuple(range(9, -1, -1)), n_bins=10))
    assert split.value == pytest.approx(whole.value)


def by_hand(frames: Trajectory, settings: rdf.Settings, r_max: float) -> np.ndarray:
    """g(r), (n_bins,), from the matrix of all distances."""
    n = frames.n_particles
    first, second = (np.isin(np.arange(n), chosen or range(n)) for chosen in (settings.first, settings.second or settings.first))
    molecule = np.array(settings.molecule or range(n))
    counted = (first[:, None] & second) | (second[:, None] & first)
    counted &= np.triu(molecule[:, None] != molecule, 1)
    for i, j in settings.excluded:
        counted[i, j] = counted[j, i] = False
    volume = 4 / 3 * np.pi * np.diff(np.linspace(0, r_max, settings.n_bins + 1) ** 3) * counted.sum()
    g = []
    for x, box in zip(frames.positions, frames.box, strict=True):
        vector = x[:, None] - x
        distance = np.linalg.norm(vector - box * np.rint(vector / box), axis=2)[counted]
        g.append(np.histogram(distance, settings.n_bins, (0, r_max))[0] * box.prod() / volume)
    return np.mean(g, 0)


@pytest.mark.parametrize("r_max", [0.35, 0.6, 1.0])
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"first": tuple(range(0, 300, 2)), "second": tuple(range(1, 300, 2))},
        {"first": tuple(range(200)), "second": tuple(range(100, 300))},
        {"molecule": tuple(range(100)) * 3},
        {"excluded": tuple((i, (i + 7) % 300) for i in range(300))},
        {"first": tuple(range(150)), "molecule": tuple(np.arange(300) // 3), "excluded": ((3, 9), (9, 3), (0, 1), (200, 3), (4, 20))},
    ],
    ids=["all", "unlike", "overlapping", "molecules", "excluded", "everything"],
)
def test_every_pair_within_range_is_counted_once(chosen, r_max):
    """By cells (a range well below half of the box) or not, in boxes that change and hold beads outside of them."""
    rng = np.random.default_rng(3)
    box = np.array([2.4, 2.1, 3.3]) * rng.uniform(1, 1.2, (4, 1))
    frames = Trajectory(positions=rng.uniform(-1.5, 1.5, (4, 300, 3)) * box[:, None], box=box)
    settings = rdf.Settings(r_max=r_max, n_bins=25, **chosen)
    assert rdf.compute(frames, settings).value == pytest.approx(by_hand(frames, settings, r_max), rel=1e-12)


def test_close_pairs_that_are_excluded_leave_no_trace():
    """Beads 0.01 nm beside others, to the last bit where the first bins are 0."""
    rng = np.random.default_rng(5)
    sites = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1).reshape(-1, 3) * 0.5
    positions = np.concatenate([sites + rng.uniform(0, 0.1, (3, 216, 3)), sites + rng.uniform(0, 0.1, (3, 216, 3))], 1)
    frames = Trajectory(positions=positions, box=np.full((3, 3), 3.0))
    found = rdf.compute(frames, rdf.Settings(r_max=1.0, n_bins=50, excluded=tuple((i, i + 216) for i in range(216))))
    assert not found.value[found.x[0] < 0.38].any() and found.value.max() > 1
    both = rdf.compute(frames, rdf.Settings(r_max=1.0, n_bins=50))
    assert both.value[found.x[0] < 0.18].sum() > 1


def test_a_frame_that_blew_up_spoils_its_block_only():
    frames = gas(40, 50)
    broken = frames.positions.copy()
    broken[7, 3, 1] = 1e300
    labels = np.arange(40) // 10
    settings = rdf.Settings(n_bins=10)
    sums = rdf.shells(Trajectory(positions=broken, box=frames.box), settings, 1.0, labels)
    assert np.isnan(sums[0]).all() and np.array_equal(sums[1:], rdf.shells(frames, settings, 1.0, labels)[1:])
    with pytest.raises(ValueError, match="leave out the frames that blew up"):
        rdf.compute(Trajectory(positions=broken, box=frames.box), settings)


def test_refusals():
    with pytest.raises(ValueError, match="no box"):
        rdf.compute(Trajectory(positions=np.zeros((3, 2, 3))), rdf.Settings())
    with pytest.raises(ValueError, match="half of the smallest box length is 1 nm"):
        rdf.compute(gas(5), rdf.Settings(r_max=1.5))
    with pytest.raises(ValueError, match="beads 0 to 39"):
        rdf.compute(gas(5), rdf.Settings(first=(40,)))
    with pytest.raises(ValueError, match="no pair"):
        rdf.compute(gas(5), rdf.Settings(molecule=(0,) * 40))
    with pytest.raises(ValueError, match="no pair"):
        rdf.compute(gas(5), rdf.Settings(first=(0, 1), excluded=((1, 0),)))
    with pytest.raises(ValueError, match="molecule has 3 entries; the trajectory has 40 beads"):
        rdf.compute(gas(5), rdf.Settings(molecule=(0, 1, 2)))
    with pytest.raises(ValueError, match="name two beads for each pair"):
        rdf.compute(gas(5), rdf.Settings(excluded=((0, 1, 2),)))
    with pytest.raises(ValueError, match=r"beads \(0, 40\): the trajectory has beads 0 to 39"):
        rdf.compute(gas(5), rdf.Settings(excluded=((0, 40),)))
