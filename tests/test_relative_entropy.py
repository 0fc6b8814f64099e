import dataclasses

import numpy as np
import pytest
import torch

from tests import _chains, _liquids
from workbench import jobs, potentials, simulation, units
from workbench.fitting import _sums, relative_entropy
from workbench.potentials import tabulated

fit = relative_entropy.fit
Settings = relative_entropy.Settings
RUN = dataclasses.replace(_liquids.RUN, n_steps=4000, save_every=10)
KT = units.thermal_energy(300.0)


def settings(**changed):
    return Settings(**{"n_iterations": 4, "tolerance": 1e-4, "equilibration_steps": 200, "simulation": RUN, **changed})


def energies(potential, data):
    x, box = torch.tensor(np.array(data.positions)), torch.tensor(np.array(data.box), dtype=torch.float64)
    with torch.no_grad():
        return potential(x, box).numpy()


def test_the_energy_of_pairs_is_linear_in_its_sums():
    data = _liquids.sampled(True).take(slice(0, 20))
    known = _liquids.known(True)
    sums = _sums.pair_sums(data, known)
    assert sums.shape == (20, 3, 25)
    np.testing.assert_allclose((sums * known.coefficients.detach().numpy()).sum((1, 2)), energies(known, data), rtol=1e-9)


def test_the_energy_of_bonded_terms_is_linear_in_its_sums_also_beyond_the_grid():
    chains = _chains.freely_jointed(6, 2, 5, 0.3, edge=2.0)
    tables = tabulated.build(chains, tabulated.Settings(pairs=False))
    rng = np.random.default_rng(0)
    tables = tables.with_values({kind: rng.normal(size=tables.values(kind).shape) for kind in ("bond", "angle")})
    short = dataclasses.replace(chains, positions=chains.positions * 0.7, box=chains.box * 0.7)
    for data in (chains, short):
        sums, beyond = _sums.bonded_sums(data, tables)
        found = beyond + sum((sums[k] * c.detach().numpy()).sum((1, 2)) for k, c in tables.coefficients.items())
        np.testing.assert_allclose(found, energies(tables, data), rtol=1e-9, atol=1e-9)
    assert beyond.min() > 1


def test_newtons_gradient_is_that_of_the_relative_entropy():
    """Central differences of the change of S that the frames tell, and of the mean sums for the matrix."""
    data, known = _liquids.sampled(), _liquids.known(False)
    sums = _sums.pair_sums(data.take(slice(0, 200)), known)[:, 0]
    wanted = _sums.pair_sums(data.take(slice(200, 800)), known)[:, 0].mean(0)
    rng = np.random.default_rng(0)
    weights = relative_entropy.boltzmann_weights(rng.normal(size=200) * 0.3)
    change, direction = 0.02 * rng.normal(size=25), rng.normal(size=25)

    def entropy(step):
        return relative_entropy.entropy_change(change + step * direction, sums, wanted, KT, weights)

    moved = weights * relative_entropy.boltzmann_weights(sums @ change / KT)
    moved /= moved.sum()
    h = 1e-4
    assert (entropy(h) - entropy(-h)) / (2 * h) == pytest.approx((wanted - moved @ sums) @ direction / KT, rel=1e-5)
    curvature = np.cov((sums @ direction) / KT, aweights=moved, ddof=0)
    assert (entropy(h) - 2 * entropy(0) + entropy(-h)) / h**2 == pytest.approx(float(curvature), rel=1e-4)
    assert relative_entropy.entropy_change(0 * change, sums, wanted, KT, weights) == pytest.approx(0, abs=1e-12)


def test_weighted_frames_of_one_potential_speak_for_another():
    """<U> of a changed potential from frames of the known one, against frames of its own."""
    data, known = _liquids.sampled(), _liquids.known(False)
    other = known.with_values(known.values() * 0.97)
    run = simulation.replicas.run(other, data.start([0]), dataclasses.replace(_liquids.RUN, n_steps=6000, seed=9)).take(slice(50, None))
    before, after = energies(known, data), energies(other, data)
    weights = relative_entropy.boltzmann_weights((after - before) / KT)
    assert relative_entropy.effective_share((after - before) / KT) > 0.5
    mine, error = run.energy.mean(), run.energy.std() / np.sqrt(len(run) / 10)
    assert abs(weights @ after - mine) < 3 * error
    assert relative_entropy.effective_share(np.zeros(7)) == pytest.approx(1)


def test_a_known_potential_comes_back():
    data = _liquids.sampled()
    found = fit(tabulated.build(data, _liquids.GRID), data, settings(n_iterations=3))
    errors, known = found.history["rms_rdf"], _liquids.known(False)
    assert errors.min() < 0.02 and errors.min() < errors[0] / 4
    assert np.abs(found.potential.values() - known.values())[:, known.knots() > 0.29].max() < 0.35
    assert (found.history["relative_entropy"] < 0).all() and found.history["updates"].max() > 1
    assert len(found.history["relative_entropy"]) == len(errors) - 1


def test_bonds_come_back_where_nothing_else_acts():
    """Chains of beads without other forces: what the bonds are distributed by is their potential."""
    chains = _chains.freely_jointed(400, 20, 3, 0.3)
    lengths = np.random.default_rng(1).normal(0.3, 0.01, (400, 20, 3, 1))
    x = chains.positions.reshape(400, 20, 4, 3)
    steps = np.diff(x, axis=2) / 0.3 * lengths
    x = np.concatenate([x[:, :, :1], x[:, :, :1] + np.cumsum(steps, 2)], 2).reshape(400, -1, 3)
    data = dataclasses.replace(chains, positions=x)
    start = tabulated.build(data, tabulated.Settings(pairs=False, angles=False, dihedrals=False))
    start = start.with_values({"bond": 0.5 * 8000 * (start.knots("bond") - 0.295)[None] ** 2})
    run = dataclasses.replace(RUN, timestep_fs=2.0, n_steps=2500, friction=20.0)
    found = fit(start, data, settings(start="given", n_iterations=2, simulation=run))
    errors = found.history["js_bonded"]
    assert errors.min() < errors[0] / 10


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path):
    data = _liquids.sampled()
    start, chosen = tabulated.build(data, _liquids.GRID), settings(n_iterations=2, simulation=dataclasses.replace(RUN, n_steps=500))
    whole = fit(start, data, chosen)

    def stop(iteration, metrics):
        if iteration == 1:
            raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        fit(start, data, chosen, on_step=stop, checkpoint=tmp_path)
    again = fit(start, data, chosen, checkpoint=tmp_path)
    for name in ("error", "pair_values", "rdf", "relative_entropy", "updates"):
        np.testing.assert_array_equal(again.history[name], whole.history[name])
    assert np.array_equal(again.potential.values(), whole.potential.values())


def test_a_potential_without_tables_and_data_of_one_frame_are_refused():
    data = _liquids.sampled()
    start = tabulated.build(data, _liquids.GRID)
    with pytest.raises(ValueError, match="1 frame is not enough for a distribution"):
        fit(start, data.take(slice(0, 1)), settings())
    springs = potentials.repulsion.build(data, potentials.repulsion.Settings())
    with pytest.raises(ValueError, match=r"this fit wants one set of tables \(potentials\.tabulated\.build\)"):
        fit(springs, data, settings())
