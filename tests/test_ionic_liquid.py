"""The ionic liquid: whole or scaled charges, neutral altogether."""

import numpy as np
import pytest

from tests import _physics
from workbench import systems, units


@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_ions_have_their_charge_and_the_liquid_none(scale):
    liquid = systems.load("ionic_liquid", n_pairs=4, cutoff_nm=0.5, charge_scale=scale)
    charge = np.bincount(liquid.molecule, liquid.partial_charges())
    np.testing.assert_allclose(charge, [scale] * 4 + [-scale] * 4, atol=1e-9)
    assert [copies.shape for copies in liquid.kinds().values()] == [(4, 19), (4, 15)]
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(1.519, abs=1e-6)


def test_scaled_charges_scale_the_energy_of_charges_by_their_square():
    whole, scaled = (systems.load("ionic_liquid", n_pairs=2, cutoff_nm=0.4, charge_scale=scale) for scale in (1.0, 0.5))
    products = [_physics.charge_products(system) for system in (whole, scaled)]
    np.testing.assert_allclose(products[1], 0.25 * products[0], atol=1e-12)
