"""The rippled well: its quadrature agrees with its definition, its samples with the quadrature."""

import numpy as np
import pytest

from workbench import rippled_well, units


@pytest.fixture(scope="module")
def data():
    return rippled_well.sample(rippled_well.Settings(n_frames=200_000))


def test_mean_force_is_the_slope_of_the_free_energy():
    x = np.linspace(-5, 6, 23)
    step = 1e-4
    slope = (rippled_well.free_energy(x + step) - rippled_well.free_energy(x - step)) / (2 * step)
    np.testing.assert_allclose(rippled_well.mean_force(x), -slope, atol=1e-6)


def test_without_the_ripple_the_quartic_would_be_left():
    """The ripple changes W by its second order, (1/25)^2 / 4 kBT at the most, wherever it turns fast along y."""
    x = np.linspace(-3, 4, 15)
    quartic = (x - 4) * (x - 2) * (x + 2) * (x + 3) / 50 - 0.5 * np.log(20 * np.pi)
    np.testing.assert_allclose(rippled_well.free_energy(x), quartic, atol=1e-3)


def test_samples_are_distributed_as_the_free_energy_says(data):
    x = data.positions[:, 0, 0]
    counts, edges = np.histogram(x, 40, (-4.5, 5.0))
    centres = (edges[1:] + edges[:-1]) / 2
    wanted = np.exp(-rippled_well.free_energy(centres))
    found, wanted = counts / counts.sum(), wanted / wanted.sum()
    assert 0.5 * np.abs(found - wanted).sum() < 0.03
    assert not data.positions[:, 0, 1:].any() and not data.forces[:, 0, 1:].any()


def test_forces_average_to_the_mean_force(data):
    x, force = data.positions[:, 0, 0], data.forces[:, 0, 0] / units.thermal_energy(300.0)
    edges = np.linspace(-3.5, 4.0, 16)
    bins = np.digitize(x, edges)
    grid = np.linspace(-6, 7, 2601)
    expected = np.interp(x, grid, rippled_well.mean_force(grid))
    for k in range(1, 16):
        off = force[bins == k] - expected[bins == k]
        assert abs(off.mean()) < 5 * off.std() / np.sqrt(len(off))
    assert (force - expected).std() > 0.4  # instantaneous forces are noisy, as in the paper


def test_seed_and_length():
    one, again, other = (rippled_well.sample(rippled_well.Settings(n_frames=50, equilibration=10, seed=s)) for s in (0, 0, 1))
    assert np.array_equal(one.positions, again.positions) and not np.array_equal(one.positions, other.positions)
    assert one.positions.shape == (50, 1, 3)
    with pytest.raises(ValueError, match="at least 1"):
        rippled_well.Settings(n_frames=0)
