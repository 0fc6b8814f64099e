"""The smooth descriptor: continuous where a neighbour crosses the cut-off and where ranks change, invariant, permutable, and refusals."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import fitting, potentials
from workbench.potentials.deepcg_smooth import Settings, build

from . import _liquids
from .test_potentials_contract import liquid


def untrained(**options):
    return build(liquid(), Settings(widths=(24, 12), **options))


def shells(r, n=8):
    """Bead 0, five neighbours around it, and one on a straight line at distances ``r``: (F, 7, 3)."""
    ring = np.random.default_rng(n).standard_normal((5, 3))
    ring *= np.array([0.27, 0.3, 0.33, 0.4, 0.5])[:, None] / np.linalg.norm(ring, axis=1, keepdims=True)
    line = np.array([0.6, 0.64, 0.48])[None] / np.linalg.norm([0.6, 0.64, 0.48]) * np.asarray(r)[:, None]
    return torch.tensor(np.stack([np.concatenate([np.zeros((1, 3)), ring, step[None]]) for step in line]))


def test_forces_are_continuous_from_contact_to_beyond_the_cutoff():
    potential = untrained().double()
    r = np.linspace(0.25, 0.65, 4001)
    force = potentials.forces(potential, shells(r))
    rms = float(force.square().mean().sqrt())
    change = (force[1:] - force[:-1]).abs().amax((1, 2))
    finer = potentials.forces(potential, shells(np.linspace(0.25, 0.65, 8001)))
    halved = (finer[1:] - finer[:-1]).abs().amax((1, 2))
    assert float(halved.max()) < 0.55 * float(change.max())  # a jump would not shrink with the step
    assert float(change.max()) < 0.05 * rms


def test_the_slope_of_the_force_is_continuous_at_the_cutoff():
    potential = untrained().double()
    force = potentials.forces(potential, shells([0.6 - 2e-5, 0.6 - 1e-5, 0.6, 0.6 + 1e-5]))
    slopes = (force[1:] - force[:-1]) / 1e-5
    assert float((slopes[1:] - slopes[:-1]).abs().max()) < 1e-2 * float(slopes.abs().max())


def test_mirror_images_and_permutations_have_the_same_energy():
    potential, x = untrained().double(), shells([0.31, 0.55])
    torch.testing.assert_close(potential(x * torch.tensor([1.0, 1.0, -1.0])), potential(x))
    torch.testing.assert_close(potential(x[:, torch.tensor([3, 0, 6, 1, 5, 2, 4])]), potential(x))


def test_a_bead_alone_has_a_constant_energy_and_no_force():
    potential = untrained().double()
    x = torch.tensor([[[0.0, 0, 0], [3.0, 0, 0], [6.0, 0, 0]]], dtype=torch.float64)
    result = potentials.evaluate(potential, x)
    assert not result.forces.any()
    torch.testing.assert_close(result.energy, potential(x + torch.tensor([[[0.0, 0, 0], [1.0, 0, 0], [5.0, 0, 0]]])))


def test_training_finds_the_forces_of_a_liquid():
    data = _liquids.sampled().take(slice(0, 160))
    network = build(data, Settings(cutoff=0.7, widths=(24, 12), energy_scale=10.0, embedding=(6, 8), n_axis=2))
    settings = fitting.force_matching.Settings(
        n_epochs=2, batch_size=1, learning_rate=3e-3, final_learning_rate=1e-4, lipschitz=None, validation_fraction=0.1
    )
    fit = fitting.force_matching.fit(network, data, settings)
    assert fit.history["validation_loss"][-1] < 0.35 * np.mean(np.square(data.forces))


def test_it_refuses():
    data = liquid()
    mixed = dataclasses.replace(data, beads=dataclasses.replace(data.beads, types=("A", *data.beads.types[1:])))
    with pytest.raises(ValueError, match="one kind"):
        build(mixed, Settings())
    with pytest.raises(ValueError, match=r"no neighbour within 0\.05 nm"):
        build(data, Settings(cutoff=0.05))
    with pytest.raises(ValueError, match="at most half"):
        build(data, Settings(cutoff=0.65))
