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


@pytest.mark.parametrize(
    ("model", "eps", "sigma", "a", "big_a", "big_b", "p"),
    [
        ("mW", 25.894776, 0.23925, 1.8, 7.049556277, 0.6022245584, 4.0),
        ("ML-mW", 28.683545, 0.1884015, 2.124872, 7.111598, 1.991526, 4.011214),
    ],
)
def test_a_pair_and_a_bent_triple_by_hand(model, eps, sigma, a, big_a, big_b, p):
    lam, gamma, cos0 = {"mW": (23.15, 1.2, -1 / 3), "ML-mW": (24.673877, 1.207943, -0.279667)}[model]
    r, angle = 0.28, np.deg2rad(90.0)
    pair = big_a * eps * (big_b * (sigma / r) ** p - 1) * np.exp(sigma / (r - a * sigma))
    triple = lam * eps * (np.cos(angle) - cos0) ** 2 * np.exp(2 * gamma * sigma / (r - a * sigma))
    fluid = systems.load("stillinger_weber_fluid", model=model, n_particles=3, density=0.05)
    far = fluid.box[0] / 2
    places = np.array([[0, 0, 0], [r, 0, 0], [far, far, far]])
    assert _physics.energy(fluid, places) == pytest.approx(pair, rel=1e-5)
    places[2] = [0, r, 0]  # the two ends are 0.396 nm apart
    ends = r * np.sqrt(2)
    inside = ends < a * sigma
    between = big_a * eps * (big_b * (sigma / ends) ** p - 1) * np.exp(sigma / (ends - a * sigma)) if inside else 0.0
    outer = lam * eps * (np.cos(angle / 2) - cos0) ** 2 * np.exp(gamma * sigma * (1 / (r - a * sigma) + 1 / (ends - a * sigma)))
    assert _physics.energy(fluid, places) == pytest.approx(2 * pair + between + triple + (2 * outer if inside else 0.0), rel=1e-5)


def test_density_and_state():
    fluid = systems.load("stillinger_weber_fluid")
    assert fluid.masses.sum() / fluid.box.prod() / 602.214 == pytest.approx(0.997, abs=1e-4) and fluid.experimental_density == 0.99705
    with pytest.raises(ValueError, match=r"the cut-off of 0\.431 nm exceeds half the box"):
        systems.load("stillinger_weber_fluid", n_particles=10)
