"""mW and ML-mW: the perfect diamond lattice, whose energies and lattice constants are known."""

import dataclasses

import numpy as np
import pytest

from tests import _physics
from workbench import systems


def diamond(model: str, constant: float):
    """Two by two by two cells of the diamond lattice with lattice constant ``constant`` [nm]."""
    corners = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    cell = np.concatenate([corners, corners + 0.25])
    shifts = np.stack(np.meshgrid(*(np.arange(2),) * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = ((cell[None] + shifts[:, None]) * constant).reshape(-1, 3)
    density = 64 * 18.01528 / (2 * constant) ** 3 / 602.214076
    return dataclasses.replace(systems.load("stillinger_weber_fluid", model=model, n_particles=64, density=density), positions=positions)


def test_mw_on_its_perfect_lattice_has_twice_epsilon_a_molecule():
    assert _physics.energy(diamond("mW", 0.620187)) / 64 == pytest.approx(-51.789552, abs=1e-4)
    for constant in (0.618, 0.622):
        assert _physics.energy(diamond("mW", constant)) / 64 > -51.789552 + 1e-3


def test_ml_mw_prefers_another_angle():
    energies = [_physics.energy(diamond("ML-mW", constant)) / 64 for constant in (0.61, 0.63, 0.65)]
    assert np.isfinite(energies).all() and min(energies) < -40.0


def test_density_and_state():
    fluid = systems.load("stillinger_weber_fluid")
    assert fluid.masses.sum() / fluid.box.prod() / 602.214 == pytest.approx(0.997, abs=1e-4) and fluid.experimental_density == 0.99705
    with pytest.raises(ValueError, match=r"the cut-off of 0\.431 nm exceeds half the box"):
        systems.load("stillinger_weber_fluid", n_particles=10)
