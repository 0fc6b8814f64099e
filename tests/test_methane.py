"""Methane as TraPPE-EH: published parameters, sites in the bonds, and the pair energy by hand."""

import numpy as np
import pytest

from tests import _physics
from workbench import mappings, projection, reference, systems, units

MASSES = [12.011, *[1.008] * 4, *[0.0] * 4]


@pytest.fixture(scope="module")
def liquid():
    return systems.load("methane", n_molecules=20, cutoff_nm=0.45)


def test_liquid_at_its_experimental_density(liquid):
    assert liquid.n_atoms == 180 and liquid.masses[:9].tolist() == pytest.approx(MASSES)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.42235, abs=1e-6)
    assert liquid.experimental_density == 0.42235 and liquid.state.temperature == 111.67 and not liquid.partial_charges().any()


def test_published_parameters(liquid):
    assert _physics.dispersion(liquid, 0) == pytest.approx((0.331, 0.01 * units.BOLTZMANN), rel=1e-5)
    assert _physics.dispersion(liquid, 5) == pytest.approx((0.331, 15.3 * units.BOLTZMANN), rel=1e-5)
    assert _physics.dispersion(liquid, 1)[1] == 0.0
    single = systems.load("methane", n_molecules=1)
    np.testing.assert_allclose(np.linalg.norm(single.positions[1:5] - single.positions[0], axis=1), 0.11)
    np.testing.assert_allclose(single.positions[5:], (single.positions[1:5] + single.positions[0]) / 2)


def test_energy_of_a_pair_by_hand():
    pair = systems.load("methane", n_molecules=2, density=0.003, cutoff_nm=1.0)
    single = systems.load("methane", n_molecules=1).positions
    positions = np.concatenate([single, single + np.array([0.4, 0.0, 0.0])])
    eps = np.sqrt(np.outer(*[[0.01, *[15.3] * 4]] * 2)) * units.BOLTZMANN
    sites = single[[0, 5, 6, 7, 8]]
    ratio = 0.331 / np.linalg.norm(sites[:, None] - sites[None] - [0.4, 0.0, 0.0], axis=-1)
    by_hand = (4 * eps * (ratio**12 - ratio**6)).sum()
    tail = _physics.energy(pair, np.concatenate([single, single + pair.box / 2]))
    assert _physics.energy(pair, positions) - tail == pytest.approx(by_hand, abs=1e-3)


def test_forces_of_the_sites_are_counted_once(liquid):
    run = reference.sample(liquid, reference.Settings(n_frames=5, interval_ps=0.01, equilibration_ps=0.05))
    beads = projection.project(run, mappings.center_of_mass.build(liquid, None, mappings.center_of_mass.Settings()))
    total = np.abs(beads.forces.sum(1)).max()
    assert total < 1e-2 * np.abs(beads.forces).max()  # no momentum is made
