import dataclasses

import numpy as np
import pytest

from tests import _liquids
from workbench import jobs, types
from workbench.fitting import _loop, iterative_boltzmann
from workbench.potentials import tabulated

fit = iterative_boltzmann.fit
Settings = iterative_boltzmann.Settings


def settings(**changed):
    return Settings(
        **{"n_iterations": 8, "tolerance": 1e-4, "equilibration_steps": 200, "shortest": 0.3, "simulation": _liquids.RUN, **changed}
    )


def well(r, found, known):
    """Largest deviation where the liquid goes."""
    return np.abs(found - known)[:, r > 0.29].max()


def test_a_known_potential_comes_back():
    data = _liquids.sampled()
    found = fit(tabulated.build(data, _liquids.GRID), data, settings(n_iterations=18))
    errors = found.history["rms_rdf"]
    assert errors.min() < 0.02 and errors.min() < errors[0] / 4
    known = _liquids.known(False)
    assert well(known.knots(), found.potential.values(), known.values()) < 0.35
    assert len(found.history["pair_values"]) == len(errors) == len(found.history["seconds"])
    assert np.array_equal(found.potential.values(), found.history["pair_values"][errors.argmin()])


def test_a_mixture_comes_back_also_one_pair_of_types_at_a_time():
    data = _liquids.sampled(True)
    for one in (False, True):
        found = fit(tabulated.build(data, _liquids.GRID), data, settings(n_iterations=6, one_at_a_time=one))
        errors = found.history["rms_rdf"]
        assert errors.min() < 0.6 * errors[0]
        assert found.history["rdf"].shape[1:] == (3, 25)


def test_pressure_is_corrected():
    data = _liquids.sampled()
    start = tabulated.build(data, _liquids.GRID).with_values(_liquids.known(False).values())
    plain = fit(start, data, settings(n_iterations=0, start="given"))
    wanted = float(plain.history["pressure"][0]) + 300.0
    found = fit(start, data, settings(n_iterations=6, start="given", pressure=wanted, scale=0.2))
    assert abs(found.history["pressure"] - wanted).min() < 150


def test_two_states_share_one_potential():
    data = _liquids.sampled()
    half = len(data) // 2
    states = (data.states[0], dataclasses.replace(data.states[0], temperature=310.0))
    two = dataclasses.replace(data, state=(np.arange(len(data)) >= half).astype(np.int64), states=states)
    found = fit(tabulated.build(two, _liquids.GRID), two, settings(n_iterations=1))
    assert len(found.history["error"]) == 2 and np.isfinite(found.history["pressure"]).all()


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path):
    data = _liquids.sampled()
    start, chosen = (
        tabulated.build(data, _liquids.GRID),
        settings(n_iterations=3, simulation=dataclasses.replace(_liquids.RUN, n_steps=400)),
    )
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


def test_curves_are_told_as_they_come():
    data, seen = _liquids.sampled(True), []
    fit(tabulated.build(data, _liquids.GRID), data, settings(n_iterations=0), on_step=lambda i, metrics: seen.append(metrics))
    assert list(seen[0]["curves"]) == ["pair A-A", "pair A-B", "pair B-B"]
    one = seen[0]["curves"]["pair A-B"]
    assert one["unit"] == "nm" and len(one["x"]) == len(one["target"]) == len(one["current"]) == 25


def test_a_short_iteration_that_meets_the_tolerance_is_run_again_at_its_whole_length():
    data, seen = _liquids.sampled(), []
    start = tabulated.build(data, _liquids.GRID).with_values(_liquids.known(False).values())
    fit(start, data, settings(n_iterations=3, start="given", tolerance=0.2), on_step=lambda i, metrics: seen.append((i, metrics["share"])))
    assert [i for i, _ in seen] == [0, 0] and seen[0][1] < 1.0 == seen[1][1]


def test_a_fit_that_runs_away_keeps_the_last_good_potential():
    data = _liquids.sampled()
    start = tabulated.build(data, _liquids.GRID)

    def away(potential, measured, target, iteration, settings):
        return potential.with_values(-40 * np.exp(-(((start.knots() - 0.35) / 0.05) ** 2))[None] if iteration else potential.values()), {}

    with pytest.raises(_loop.Diverged, match=r"diverged in iteration [0-9]+: .*the potential of iteration") as stopped:
        _loop.run("test", start.with_values(_liquids.known(False).values()), data, settings(), away, None, None)
    np.testing.assert_allclose(stopped.value.fit.potential.values(), _liquids.known(False).values(), atol=1e-12)


def test_types_without_a_table_are_refused():
    data = _liquids.sampled()
    other = types.ReferenceData(positions=data.positions, box=data.box, beads=_liquids.beads(("C",) * data.n_particles), force_kind="none")
    with pytest.raises(ValueError, match="no table for type C"):
        fit(tabulated.build(data, _liquids.GRID), other, settings())
