"""Feature regression: known splines come back, normal equations equal the forces, errors mean what they say, resuming, refusals."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import fitting, potentials, rippled_well, store, units
from workbench.descriptors import internal_coordinates
from workbench.fitting.feature_regression import Settings

from .test_potentials_contract import chain, liquid

CLASSICAL = potentials.feature_splines.Settings(n_intervals=8, features=internal_coordinates.Settings(distances="bonds"))


def known(n_frames=400, noise=0.0):
    """A chain whose forces come from splines of known coefficients, with or without noise."""
    data = chain(n_frames, wobble=0.02)
    empty = potentials.feature_splines.build(data, CLASSICAL)
    n = empty.n_intervals
    coefficients = 20 * np.sin(0.7 * np.arange(n + 3) + np.arange(empty.n_terms)[:, None])
    coefficients[-2:] = coefficients[-2:, np.arange(n + 3) % n]
    truth = empty.with_coefficients(coefficients)
    forces = potentials.forces(truth, torch.tensor(data.positions)).numpy()
    forces = forces + noise * np.random.default_rng(1).standard_normal(forces.shape)
    return dataclasses.replace(data, forces=forces), empty, truth


def test_known_splines_come_back():
    data, empty, truth = known()
    fit = fitting.feature_regression.fit(empty, data, Settings(regularisation="none"))
    fresh = torch.tensor(chain(100, seed=3, wobble=0.01).positions)
    wanted, found = potentials.forces(truth, fresh), potentials.forces(fit.potential, fresh)
    assert (found - wanted).square().mean() < 1e-6 * wanted.square().mean()
    assert fit.history["force_error_after"].max() < 1e-3 * fit.history["force_error_before"].min()


def test_the_error_reported_is_that_of_the_forces():
    data, empty, _ = known(300, noise=50.0)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    fit = fitting.feature_regression.fit(prior + empty, data, Settings(n_blocks=5))
    error = (torch.tensor(data.forces) - potentials.forces(fit.potential, torch.tensor(data.positions))).square()
    by_block = error.reshape(5, -1).mean(1).sqrt()
    np.testing.assert_allclose(fit.history["force_error_after"], by_block, rtol=1e-6)
    assert torch.equal(fit.potential.parts[0].constant, prior.constant)
    assert torch.equal(empty.free, torch.zeros_like(empty.free))


def test_weights_of_a_sum_are_heeded():
    data, empty, truth = known()
    half = potentials._base.Sum([empty], [0.5])
    fit = fitting.feature_regression.fit(half, data, Settings(regularisation="none"))
    x = torch.tensor(data.positions)
    wanted = potentials.forces(truth, x)
    assert (potentials.forces(fit.potential, x) - wanted).square().mean() < 1e-6 * wanted.square().mean()


def test_errors_cover_the_truth_on_the_rippled_well():
    data = rippled_well.sample(rippled_well.Settings(n_frames=100_000))
    splines = potentials.feature_splines.build(data, potentials.feature_splines.Settings(descriptor="cartesian"))
    fit = fitting.feature_regression.fit(splines, data, Settings())
    x = np.quantile(data.positions[:, 0, 0], np.linspace(0.01, 0.99, 200))
    at = np.zeros((200, 1, 3))
    at[:, 0, 0] = x
    found = potentials.forces(fit.potential, torch.tensor(at))[:, 0, 0].numpy() / units.thermal_energy(300.0)
    wanted = rippled_well.mean_force(x)
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.03 * np.sqrt(np.mean(wanted**2))
    knots, values, error = fit.potential.knots()[0], fit.history["values"][0], fit.history["error"][0]
    inside = (knots > x[0]) & (knots < x[-1])
    off = values - rippled_well.free_energy(knots) * units.thermal_energy(300.0)
    off = (off - off[inside].mean())[inside]
    assert np.abs(off).max() < 6 * error[inside].max()


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    data, empty, _ = known(200, noise=20.0)

    class Stop(Exception):
        pass

    def stop(block, metrics):
        if block == 3:
            raise Stop

    settings = Settings(n_blocks=6)
    with pytest.raises(Stop):
        fitting.feature_regression.fit(empty, data, settings, on_step=stop, checkpoint=tmp_path)
    seen = []
    resumed = fitting.feature_regression.fit(empty, data, settings, on_step=lambda block, m: seen.append(block), checkpoint=tmp_path)
    assert seen == [4, 5, 6]
    assert store.identity(resumed.potential) == store.identity(fitting.feature_regression.fit(empty, data, settings).potential)


def test_refusals():
    data, empty, _ = known(50)
    with pytest.raises(ValueError, match="needs forces"):
        fitting.feature_regression.fit(empty, dataclasses.replace(data, forces=None), Settings())
    with pytest.raises(ValueError, match="the sum has 2"):
        fitting.feature_regression.fit(empty + empty, data, Settings())
    with pytest.raises(ValueError, match="the sum has 0"):
        fitting.feature_regression.fit(potentials.harmonic.build(data, potentials.harmonic.Settings()), data, Settings())
    with pytest.raises(ValueError, match="cannot be carried"):
        fitting.feature_regression.fit(empty, dataclasses.replace(liquid(), forces=liquid().positions), Settings())
    with pytest.raises(ValueError, match="at least 2"):
        fitting.feature_regression.fit(empty, data.take(slice(0, 1)), Settings())
