"""Extended Kalman filter: least squares where the force is linear in the weights, recovery of a network, resuming, refusals."""

import numpy as np
import pytest
import torch

from workbench import fitting, jobs, potentials
from workbench.fitting import kalman_matching
from workbench.fitting.kalman_matching import Settings

from .test_force_matching import SMALL, known, weights


def test_linear_measurements_give_regularised_least_squares():
    """Without process noise and with a constant eta the filter is recursive least squares, whatever the size of its updates."""
    rng = torch.Generator().manual_seed(0)
    h = torch.randn(5, 40, generator=rng, dtype=torch.float64)
    y = torch.randn(40, generator=rng, dtype=torch.float64)
    exact = torch.linalg.solve(h @ h.T + 0.01 * torch.eye(5), h @ y)
    for size in (1, 8):
        w, p = torch.zeros(5, dtype=torch.float64), torch.eye(5, dtype=torch.float64) / 0.01
        for k in range(0, 40, size):
            change, p = kalman_matching.update(p, h[:, k : k + size], y[k : k + size] - h[:, k : k + size].T @ w, 1.0, 0.0)
            w = w + change
        torch.testing.assert_close(w, exact, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(p, torch.linalg.inv(h @ h.T + 0.01 * torch.eye(5)), rtol=1e-9, atol=1e-12)


def test_learns_a_network_from_few_components():
    """A tenth of the components, once, is enough for what gradient descent needs many passes for."""
    data, _ = known(2000)
    network = potentials.cgnet.build(data, SMALL)
    settings = Settings(n_epochs=4, n_updates=60, n_streams=16)
    fit = fitting.kalman_matching.fit(network, data, settings)
    assert fit.history["passes"][-1] < 0.2
    assert fit.history["validation_loss"].min() < 0.05 * np.mean(data.forces**2)
    held = data.take(slice(1600, None))
    error = torch.tensor(held.forces) - potentials.forces(fit.potential, torch.tensor(held.positions))
    assert float(error.square().mean()) == pytest.approx(fit.history["validation_loss"].min(), rel=1e-4)


def test_goes_on_where_it_stopped(tmp_path):
    data, _ = known()
    potential = potentials.harmonic.build(data, potentials.harmonic.Settings()) + potentials.cgnet.build(data, SMALL)
    settings = Settings(n_epochs=4, n_updates=5, n_components=2)

    def stop(epoch, metrics):
        if epoch == 2:
            raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        fitting.kalman_matching.fit(potential, data, settings, checkpoint=tmp_path, on_step=stop)
    resumed = fitting.kalman_matching.fit(potential, data, settings, checkpoint=tmp_path)
    undisturbed = fitting.kalman_matching.fit(potential, data, settings)
    assert torch.equal(weights(resumed), weights(undisturbed))
    assert np.array_equal(resumed.history["validation_loss"], undisturbed.history["validation_loss"])
    np.testing.assert_allclose(resumed.history["eta"][:2], 0.01 * np.exp(2.302 * (np.arange(2) + 0.8)))


def test_refusals():
    data, _ = known(50)
    network = potentials.cgnet.build(data, SMALL)
    with pytest.raises(ValueError, match="needs forces"):
        fitting.kalman_matching.fit(network, type(data)(positions=data.positions, beads=data.beads), Settings())
    with pytest.raises(ValueError, match="its covariance allows for 1 to 5000"):
        fitting.kalman_matching.fit(potentials.cgnet.build(data, potentials.cgnet.Settings()), data, Settings())
    with pytest.raises(ValueError, match="has 0 parameters"):
        fitting.kalman_matching.fit(potentials.harmonic.build(data, potentials.harmonic.Settings()), data, Settings())
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        fitting.kalman_matching.fit(network, data, Settings(eta=1e300, eta_max=1e300, epsilon=1e-12, q=1e300, q_min=1e300))
