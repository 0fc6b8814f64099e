"""Fluorine: published parameters, its quadrupole, rigid with a massless site whose force is counted once."""

import numpy as np
import pytest

from tests import _physics
from workbench import reference, systems, units

DEBYE = 0.02081943
"""1 debye [e nm]."""


def test_liquid_at_its_experimental_density():
    liquid = systems.load("fluorine", n_molecules=20, cutoff_nm=0.4)
    assert liquid.masses[:3].tolist() == pytest.approx([18.998, 18.998, 0.0])
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(1.50206, abs=1e-6)
    assert liquid.experimental_density == 1.50206 and liquid.state.temperature == 85.0


def test_published_parameters_and_quadrupole():
    single = systems.load("fluorine", n_molecules=1)
    for atom in (0, 1):
        assert _physics.dispersion(single, atom) == pytest.approx((0.28258, 52.147 * units.BOLTZMANN), rel=1e-5)
    along, charges = single.positions[:, 0] - single.positions[2, 0], single.partial_charges()
    assert charges.sum() == pytest.approx(0.0, abs=1e-12)
    assert abs((charges * along**2).sum()) == pytest.approx(0.0892 * DEBYE, rel=1e-4)  # of a linear molecule: sum q z^2
    assert np.linalg.norm(single.positions[1] - single.positions[0]) == pytest.approx(0.14129)


def test_it_stays_rigid_and_its_atoms_hold_all_of_the_force():
    liquid = systems.load("fluorine", n_molecules=20, cutoff_nm=0.4)
    run = reference.sample(liquid, reference.Settings(n_frames=3, interval_ps=0.02, timestep_fs=4.0, equilibration_ps=0.1))
    length = np.linalg.norm(run.positions[:, 1::3] - run.positions[:, 0::3], axis=-1)
    np.testing.assert_allclose(length, 0.14129, atol=1e-5)
    real = run.forces[:, liquid.masses > 0]
    assert np.abs(real.sum(1)).max() < 1e-2 * np.abs(real).max()
