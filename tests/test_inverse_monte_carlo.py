import dataclasses

import numpy as np
import pytest

from tests import _liquids
from workbench import jobs
from workbench.fitting import _response, inverse_monte_carlo
from workbench.potentials import tabulated

fit = inverse_monte_carlo.fit
Settings = inverse_monte_carlo.Settings
RUN = dataclasses.replace(_liquids.RUN, n_steps=4000, save_every=10)


def settings(**changed):
    return Settings(**{"n_iterations": 3, "tolerance": 1e-4, "equilibration_steps": 200, "simulation": RUN, **changed})


def correlated(rng, n_frames=4000):
    """Sums of two kinds that fluctuate with and against each other."""
    mixing = np.concatenate([np.eye(4), np.full((4, 4), 0.7) * rng.choice([-1, 1], (4, 4))], 1)
    return 100 + 4 * rng.normal(size=(n_frames, 4)) @ mixing + rng.normal(size=(n_frames, 8))


def moved(sums, change):
    """Mean of Gaussian sums after ``change`` / kBT of their energies."""
    return sums.mean(0) - np.cov(sums.T) @ change


def test_response_is_exact_where_sums_are_gaussian():
    rng = np.random.default_rng(0)
    sums, change = correlated(rng), rng.normal(0, 0.1, 8)
    np.testing.assert_allclose(_response.solve(sums, moved(sums, change), 0.0, 10.0), change, atol=1e-8)
    weights = rng.uniform(0.5, 1.5, len(sums))
    weights /= weights.sum()
    wanted = weights @ sums - np.cov(sums.T, aweights=weights) @ change
    np.testing.assert_allclose(_response.solve(sums, wanted, 0.0, 10.0, weights), change, atol=1e-8)


def test_frames_counted_twice_have_twice_the_weight():
    rng = np.random.default_rng(1)
    sums = correlated(rng, 500)
    weights = np.where(np.arange(500) < 200, 2.0, 1.0)
    wanted = sums.mean(0) + 1
    twice = np.cov(sums.T, fweights=weights.astype(int), ddof=0)
    step = _response.solve(sums, wanted, 0.0, 1e3, weights / weights.sum())
    mean = np.average(sums, 0, weights)
    np.testing.assert_allclose(step, np.linalg.solve(twice, mean - wanted) * (1 - (weights**2).sum() / weights.sum() ** 2), rtol=1e-6)


def test_no_step_is_larger_than_allowed():
    rng = np.random.default_rng(2)
    sums = correlated(rng)
    wanted = moved(sums, rng.normal(0, 3.0, 8))
    for largest in (2.0, 0.1):
        step = _response.solve(sums, wanted, 0.0, largest)
        assert largest / 2 < np.abs(step).max() <= largest
        assert step @ (sums.mean(0) - wanted) > 0


def test_a_sum_that_never_changes_asks_for_nothing():
    rng = np.random.default_rng(3)
    sums = correlated(rng)
    sums[:, 3] = 50.0
    wanted = sums.mean(0)
    wanted[0] += 1
    step = _response.solve(sums, wanted, 0.5, 2.0)
    assert abs(step[3]) < 1e-9 and abs(step[0]) > 1e-4


def test_cross_terms_matter():
    """Each kind on its own does what the other one does too."""
    rng = np.random.default_rng(4)
    sums = correlated(rng)
    wanted = moved(sums, rng.normal(0, 0.1, 8))
    whole = _response.solve(sums, wanted, 0.0, 10.0)
    apart = np.concatenate([_response.solve(sums[:, k], wanted[k], 0.0, 10.0) for k in (slice(0, 4), slice(4, 8))])
    errors = [np.linalg.norm(moved(sums, step) - wanted) for step in (whole, apart, np.zeros(8))]
    assert errors[0] < 1e-6 * errors[2] and errors[1] > 0.3 * errors[2]


def test_a_known_potential_comes_back():
    data = _liquids.sampled()
    found = fit(tabulated.build(data, _liquids.GRID), data, settings())
    errors = found.history["rms_rdf"]
    known, r = _liquids.known(False), _liquids.known(False).knots()
    assert errors.min() < 0.02 and errors.min() < errors[0] / 4
    assert np.abs(found.potential.values() - known.values())[:, r > 0.29].max() < 0.35


def test_a_mixture_comes_back_with_all_cross_terms():
    data = _liquids.sampled(True)
    found = fit(tabulated.build(data, _liquids.GRID), data, settings())
    errors = found.history["rms_rdf"]
    assert errors.min() < errors[0] / 2.5 and found.history["rdf"].shape[1:] == (3, 25)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path):
    data = _liquids.sampled()
    start, chosen = tabulated.build(data, _liquids.GRID), settings(simulation=dataclasses.replace(RUN, n_steps=800))
    whole = fit(start, data, chosen)

    def stop(iteration, metrics):
        if iteration == 1:
            raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        fit(start, data, chosen, on_step=stop, checkpoint=tmp_path)
    again = fit(start, data, chosen, checkpoint=tmp_path)
    for name in ("error", "pair_values", "rdf"):
        np.testing.assert_array_equal(again.history[name], whole.history[name])
    assert np.array_equal(again.potential.values(), whole.potential.values())


def test_tables_that_begin_within_the_liquid_are_refused():
    data = _liquids.sampled()
    with pytest.raises(ValueError, match=r"at the first knot, 0\.320 nm: begin the tables at smaller distances"):
        fit(tabulated.build(data, dataclasses.replace(_liquids.GRID, start=0.32)), data, settings())
