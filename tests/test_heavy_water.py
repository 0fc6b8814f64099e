"""SPC/HW: heavy water with the geometry of SPC/E, charges of its own and the mass of deuterium."""

import numpy as np
import pytest

from tests import _physics
from workbench import systems, units


@pytest.fixture(scope="module")
def water():
    return systems.load("heavy_water")


def test_geometry_charges_and_mass(water):
    oxygen, first, second = water.positions.reshape(64, 3, 3).transpose(1, 0, 2)
    np.testing.assert_allclose(np.linalg.norm(first - oxygen, axis=1), 0.1, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(second - first, axis=1), 0.16330, atol=1e-4)
    np.testing.assert_allclose(water.charges[:3], [-0.870, 0.435, 0.435])
    assert water.elements[:3] == ("O", "D", "D") and water.masses[:3].sum() == pytest.approx(20.027, abs=2e-3)
    assert len(water.constraints) == 3 * 64


def test_published_dispersion_and_density(water):
    assert _physics.dispersion(water, 0) == pytest.approx((0.31657, 0.6497), abs=1e-5)
    assert water.masses.sum() / water.box.prod() / units.GRAM_PER_CM3 == pytest.approx(1.10447, abs=1e-3)
    assert systems.load("heavy_water", temperature=298.15).experimental_density == 1.10447
