import numpy as np
import openmm
import pytest

from workbench import store, systems
from workbench.systems import _water, water_tip3p


@pytest.fixture(scope="module")
def water():
    return systems.load("water_tip3p")


def test_the_box_holds_water_at_its_density(water):
    assert water.n_atoms == 192 and water.molecule[-1] == 63
    assert water.masses.sum() / water.box.prod() / 602.214076 == pytest.approx(0.997, abs=1e-3)
    assert water.charges.sum() == pytest.approx(0, abs=1e-9)


def test_every_molecule_has_the_geometry_of_tip3p(water):
    oxygen, first, second = water.positions.reshape(64, 3, 3).transpose(1, 0, 2)
    np.testing.assert_allclose(np.linalg.norm(first - oxygen, axis=1), 0.09572, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(second - oxygen, axis=1), 0.09572, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(second - first, axis=1), 0.15139, atol=1e-5)
    assert np.abs((first - oxygen).mean(0)).max() < 0.05  # orientations are random


def test_no_two_molecules_overlap(water):
    oxygen = water.positions[::3]
    apart = oxygen[:, None] - oxygen[None]
    apart -= water.box * np.round(apart / water.box)
    assert np.linalg.norm(apart, axis=-1)[~np.eye(64, dtype=bool)].min() > 0.25


def test_openmm_agrees_that_it_is_rigid_and_periodic(water):
    physics = openmm.XmlSerializer.deserialize(water.force_field())
    assert physics.usesPeriodicBoundaryConditions() and physics.getNumConstraints() == len(water.constraints) == 192
    context = openmm.Context(physics, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(water.positions)
    assert np.isfinite(context.getState(getEnergy=True).getPotentialEnergy()._value)


def test_the_seed_makes_the_orientations():
    same, other = _water.lattice(water_tip3p.MODEL.atoms(), 8, 0.63, 1), _water.lattice(water_tip3p.MODEL.atoms(), 8, 0.63, 2)
    np.testing.assert_array_equal(same, _water.lattice(water_tip3p.MODEL.atoms(), 8, 0.63, 1))
    assert not np.allclose(same, other)
    settings = water_tip3p.Settings(seed=3)
    assert store.identity(water_tip3p.load(settings)) == store.identity(water_tip3p.load(settings))


def test_a_box_too_small_for_the_cutoff_is_refused():
    with pytest.raises(ValueError, match=r"cut-off of 0.55 nm exceeds half the box of 0.776 nm: take more molecules or a shorter cut-off"):
        systems.load("water_tip3p", n_molecules=16, density=1.024)
