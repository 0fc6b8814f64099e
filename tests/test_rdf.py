"""Radial distributions of an ideal gas and of a lattice."""

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


def test_refusals():
    with pytest.raises(ValueError, match="no box"):
        rdf.compute(Trajectory(positions=np.zeros((3, 2, 3))), rdf.Settings())
    with pytest.raises(ValueError, match="half of the smallest box length is 1 nm"):
        rdf.compute(gas(5), rdf.Settings(r_max=1.5))
    with pytest.raises(ValueError, match="beads 0 to 39"):
        rdf.compute(gas(5), rdf.Settings(first=(40,)))
    with pytest.raises(ValueError, match="no pair"):
        rdf.compute(gas(5), rdf.Settings(molecule=(0,) * 40))
