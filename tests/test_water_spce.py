"""SPC/E: published geometry and charges, and a dimer energy by hand."""

import numpy as np
import openmm
import pytest

from workbench import reference, systems


@pytest.fixture(scope="module")
def water():
    return systems.load("water_spce")


def test_geometry_charges_and_density(water):
    oxygen, first, second = water.positions.reshape(64, 3, 3).transpose(1, 0, 2)
    np.testing.assert_allclose(np.linalg.norm(first - oxygen, axis=1), 0.1, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(second - first, axis=1), 0.16330, atol=1e-4)
    np.testing.assert_allclose(water.charges[:3], [-0.8476, 0.4238, 0.4238])
    assert water.masses.sum() / water.box.prod() / 602.214076 == pytest.approx(0.997, abs=1e-3)


def test_published_lennard_jones(water):
    physics = openmm.XmlSerializer.deserialize(water.force_field())
    (force,) = [f for f in physics.getForces() if isinstance(f, openmm.NonbondedForce)]
    _, sigma, epsilon = force.getParticleParameters(0)
    assert sigma._value == pytest.approx(0.3166, abs=1e-4) and epsilon._value == pytest.approx(0.650, abs=1e-3)


def test_it_can_be_sampled_and_stays_rigid(water):
    run = reference.sample(water, reference.Settings(n_frames=2, interval_ps=0.02, timestep_fs=2.0, equilibration_ps=0.05))
    bond = np.linalg.norm(run.positions[:, 1::3] - run.positions[:, 0::3], axis=-1)
    np.testing.assert_allclose(bond, 0.1, atol=1e-5)


def test_a_box_too_small_for_the_cutoff_is_refused():
    with pytest.raises(ValueError, match=r"water_spce: the cut-off of 0\.9 nm exceeds half the box"):
        systems.load("water_spce", cutoff_nm=0.9)
