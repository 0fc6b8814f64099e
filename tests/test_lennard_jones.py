"""Lennard-Jones: known minimum and zero, smooth at the cut-off, one parameter per replica."""

import pytest
import torch

from workbench import potentials
from workbench.potentials.lennard_jones import Settings

from .test_potentials_contract import liquid


def pair(r, **options):
    potential = potentials.lennard_jones.build(None, Settings(**{"epsilon": 0.5, "sigma": 0.3, "cutoff": 1.0, **options}))
    x = torch.zeros(len(r), 2, 3, dtype=torch.float64)
    x[:, 1, 0] = torch.as_tensor(r, dtype=torch.float64)
    return potential, x


def test_minimum_and_zero():
    potential, x = pair([0.3, 0.3 * 2 ** (1 / 6), 1.0, 1.2])
    torch.testing.assert_close(potential(x), torch.tensor([0.0, -0.5, 0.0, 0.0], dtype=torch.float64))
    assert potentials.forces(potential, x)[1].abs().max() < 1e-12


def test_force_goes_to_zero_smoothly_at_the_cutoff():
    r = torch.linspace(0.85, 1.0, 2001, dtype=torch.float64)
    potential, x = pair(r)
    force = potentials.forces(potential, x)[:, 1, 0]
    assert abs(float(force[-1])) < 1e-6 * float(force.abs().max())
    jump = (force[1:] - force[:-1]).abs().max()
    assert jump < 0.01 * force.abs().max()


def test_one_parameter_per_replica():
    data = liquid(n_frames=3)
    potential = potentials.lennard_jones.build(data, Settings(sigma=0.28, cutoff=0.6))
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    single = potential(x, box)
    potential.epsilon = torch.tensor([0.65, 1.3, 0.0], dtype=torch.float64)
    torch.testing.assert_close(potential(x, box), single * torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64))


def test_exclusions_are_left_out():
    data = liquid(n_frames=1)
    full = potentials.lennard_jones.build(data, Settings(sigma=0.28, cutoff=0.6))
    less = potentials.lennard_jones.LennardJones(**{**full.recipe(), "exclusions": [[0, 1]]})
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    alone = potentials.lennard_jones.LennardJones(**{**full.recipe(), "exclusions": []})(x[:, :2], box)
    torch.testing.assert_close(full(x, box) - less(x, box), alone)


def test_refusals():
    with pytest.raises(ValueError, match="must be below the cut-off"):
        potentials.lennard_jones.build(None, Settings(cutoff=0.5, switch_width=0.6))
    data = liquid(n_frames=1)
    potential = potentials.lennard_jones.build(data, Settings(cutoff=0.9))
    with pytest.raises(ValueError, match="at most half"):
        potential(torch.tensor(data.positions), torch.tensor(data.box))
