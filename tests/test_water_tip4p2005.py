"""TIP4P/2005: published geometry, charges and dipole; no force is left on the massless site, and none is lost."""

import numpy as np
import openmm
import pytest

from workbench import mappings, projection, reference, systems


@pytest.fixture(scope="module")
def water():
    return systems.load("water_tip4p2005")


def test_geometry_charges_and_dipole(water):
    oxygen, first, second, site = water.positions.reshape(64, 4, 3).transpose(1, 0, 2)
    np.testing.assert_allclose(np.linalg.norm(first - oxygen, axis=1), 0.09572, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(site - oxygen, axis=1), 0.01546, atol=1e-9)
    dipole = (water.charges.reshape(64, 4, 1) * water.positions.reshape(64, 4, 3)).sum(1)
    np.testing.assert_allclose(np.linalg.norm(dipole, axis=1) / 0.020819434, 2.305, atol=2e-3)  # debye, table I of the paper
    assert len(water.virtual_sites) == 64 and water.masses[3] == 0 and second.shape == site.shape


def test_published_lennard_jones_and_the_site_where_openmm_puts_it(water):
    physics = openmm.XmlSerializer.deserialize(water.force_field())
    (force,) = [f for f in physics.getForces() if isinstance(f, openmm.NonbondedForce)]
    _, sigma, epsilon = force.getParticleParameters(0)
    assert sigma._value == pytest.approx(0.31589) and epsilon._value == pytest.approx(0.7749, abs=1e-4)
    context = openmm.Context(physics, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(water.positions)
    context.computeVirtualSites()
    placed = context.getState(positions=True).getPositions(asNumpy=True)._value
    np.testing.assert_allclose(placed[3::4], water.positions[3::4], atol=1e-6)


def test_the_force_on_a_molecule_is_that_on_its_real_atoms(water):
    run = reference.sample(water, reference.Settings(n_frames=2, interval_ps=0.02, timestep_fs=2.0, equilibration_ps=0.05))
    mapping = mappings.center_of_mass.build(water, None, mappings.center_of_mass.Settings())
    data = projection.project(run, mapping)
    real = run.forces.reshape(2, 64, 4, 3)[:, :, :3].astype(float).sum(2)
    np.testing.assert_allclose(data.forces, real, rtol=1e-4, atol=0.1)
    assert np.abs(data.forces.sum(1)).max() < 0.02 * np.abs(data.forces).max()
