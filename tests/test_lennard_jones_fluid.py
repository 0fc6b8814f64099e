"""The Lennard-Jones fluid: reduced units, and the energy of the published equation of state."""

import numpy as np
import pytest

from tests import _physics
from workbench import reference, systems, units


def test_reduced_units():
    fluid = systems.load("lennard_jones_fluid", density=0.5, temperature=2.0)
    assert 256 * 0.3405**3 / fluid.box.prod() == pytest.approx(0.5)
    assert units.BOLTZMANN * fluid.state.temperature / 0.99607 == pytest.approx(2.0)
    assert _physics.dispersion(fluid, 0) == pytest.approx((0.3405, 0.99607))


def test_energy_near_the_triple_point():
    fluid = systems.load("lennard_jones_fluid", density=0.776, temperature=0.85, cutoff=3.0)
    settings = reference.Settings(
        n_frames=150, interval_ps=0.4, timestep_fs=5.0, temperature=fluid.state.temperature, equilibration_ps=20.0, friction_per_ps=2.0
    )
    run = reference.sample(fluid, settings)
    assert run.energy.mean() / 256 / 0.99607 == pytest.approx(-5.512, abs=0.03)  # NIST, standard reference simulations


def test_too_small_a_box_is_refused():
    with pytest.raises(ValueError, match=r"lennard_jones_fluid: the cut-off of 0\.851 nm exceeds half the box of 0\.8\d+ nm: take more"):
        systems.load("lennard_jones_fluid", n_particles=12)
    assert np.all(systems.load("lennard_jones_fluid").molecule == np.arange(256))
