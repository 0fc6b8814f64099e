import dataclasses

import numpy as np
import pytest
import torch

from tests.test_potentials_contract import liquid
from workbench import jobs, potentials, types
from workbench.fitting import kernel_regression
from workbench.potentials import kernel, lennard_jones, stillinger_weber

Settings = kernel_regression.Settings
KERNEL = kernel.Settings(cutoff=0.45, n_triplets=40, n_pairs=15)


def with_forces(potential, n_frames=8):
    data = liquid(n_frames)
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    forces = potentials.forces(potential(data), x, box).detach().numpy()
    return types.ReferenceData(positions=data.positions, forces=forces, box=data.box, beads=data.beads)


def known(data):
    """Kernels with coefficients that the fit is to find again."""
    both = kernel.build(data, KERNEL)
    return potentials.Sum([part.with_coefficients(5 * np.cos(0.4 * np.arange(len(part.points)))) for part in both.parts])


def water(data):
    return stillinger_weber.build(data, stillinger_weber.Settings())


def test_forces_of_kernels_are_found_again():
    fit = kernel_regression.fit(kernel.build(liquid(8), KERNEL), with_forces(known), Settings(regularisation=1e-9))
    assert fit.history["held_out"][0] < 1e-3 * fit.history["force_error_before"][-1]
    unseen = liquid(2, seed=5)
    x, box = torch.tensor(unseen.positions), torch.tensor(unseen.box)
    wanted, found = (potentials.forces(p, x, box) for p in (known(liquid(8)), fit.potential))
    assert (found - wanted).square().mean() < 1e-4 * wanted.square().mean()


def test_what_is_known_is_subtracted():
    def both(data):
        return known(data) + lennard_jones.build(data, lennard_jones.Settings(cutoff=0.6))

    data = with_forces(both)
    prior = lennard_jones.build(data, lennard_jones.Settings(cutoff=0.6))
    fit = kernel_regression.fit(prior + kernel.build(liquid(8), KERNEL), data, Settings(regularisation=1e-9))
    assert fit.history["force_error_after"].max() < 1e-3 * fit.history["force_error_before"].max()


def test_errors_are_those_of_the_potential_and_together_is_no_worse_than_in_turn():
    data = with_forces(water, 10)
    start = kernel.build(data, KERNEL)
    fits = [kernel_regression.fit(start, data, Settings(in_turn=turn, regularisation=1e-6)) for turn in (False, True)]
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    errors = [np.sqrt(np.mean((potentials.forces(fit.potential, x, box).numpy() - data.forces) ** 2)) for fit in fits]
    np.testing.assert_allclose(errors[0], np.sqrt(np.mean(fits[0].history["force_error_after"] ** 2)), rtol=1e-6)
    assert errors[0] < errors[1] < np.sqrt(np.mean(data.forces**2))
    pairs = kernel_regression.fit(start.parts[0], data, Settings(regularisation=1e-6)).potential
    torch.testing.assert_close(fits[1].potential.parts[0].coefficients, pairs.coefficients)  # the pairs first, by themselves


def test_regularisation_is_chosen_by_frames_that_are_held_out():
    data = with_forces(water)
    start = kernel.build(data, KERNEL)
    chosen = kernel_regression.fit(start, data, Settings()).history
    others = [kernel_regression.fit(start, data, Settings(regularisation=s)).history["held_out"][0] for s in (1e-3, 1.0)]
    assert chosen["held_out"][0] <= min(others) * (1 + 1e-9)
    assert chosen["regularisation"][0] in kernel_regression.DECADES


def test_a_run_that_is_stopped_goes_on(tmp_path):
    data = with_forces(water)
    start, settings = kernel.build(data, KERNEL), Settings(regularisation=1e-6)

    def stop(block, metrics):
        if block == 2:
            raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        kernel_regression.fit(start, data, settings, on_step=stop, checkpoint=tmp_path)
    seen = []
    resumed = kernel_regression.fit(start, data, settings, on_step=lambda block, _: seen.append(block), checkpoint=tmp_path)
    assert seen == [3, 4, 5]
    whole = kernel_regression.fit(start, data, settings)
    for a, b in zip(whole.potential.parameters(), resumed.potential.parameters(), strict=True):
        assert torch.equal(a, b)


def test_bad_input_is_refused():
    data = with_forces(water, 4)
    start = kernel.build(data, KERNEL)
    with pytest.raises(ValueError, match="saved without them"):
        kernel_regression.fit(start, liquid(), Settings())
    with pytest.raises(ValueError, match="there is no kernel to solve for"):
        kernel_regression.fit(water(data), data, Settings())
    with pytest.raises(ValueError, match="needs two frames"):
        kernel_regression.fit(start, data.take(slice(0, 1)), Settings())
    forces = np.array(data.forces)
    forces[2, 5, 1] = np.nan
    with pytest.raises(ValueError, match="forces holds NaN or infinity, first in row 2"):
        dataclasses.replace(data, forces=forces)
    twice = start.parts[0].with_points(np.array([[0.3], [0.3]]))
    with pytest.raises(ValueError, match="the kernel matrix is singular"):
        kernel_regression.fit(twice, data, Settings(regularisation=0.0))
    nowhere = start.parts[0].with_points(np.array([[9.0], [0.3]]))
    with pytest.raises(ValueError, match="a kernel has no part in any force"):
        kernel_regression.fit(nowhere, data, Settings(regularisation=0.0))
