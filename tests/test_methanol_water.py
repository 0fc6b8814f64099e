"""Methanol with water: composition, the density of an ideal mixture, and the force fields of the pure liquids."""

import numpy as np
import pytest

from tests import _physics
from workbench import systems, units


def density(system) -> float:
    return system.masses.sum() / system.box.prod() / units.GRAM_PER_CM3


def test_composition_and_density():
    mixture = systems.load("methanol_water", n_methanol=20, n_water=20, cutoff_nm=0.5)
    assert [copies.shape for copies in mixture.kinds().values()] == [(20, 6), (20, 3)]
    assert density(mixture) == pytest.approx(0.881, abs=1e-6) and mixture.experimental_density == 0.881
    dilute = systems.load("methanol_water", n_methanol=0, n_water=30, cutoff_nm=0.4)
    assert density(dilute) == pytest.approx(0.99705, abs=1e-6) and dilute.experimental_density is None
    between = systems.load("methanol_water", n_methanol=5, n_water=30, cutoff_nm=0.4)
    assert 0.881 < density(between) < 0.99705


def test_molecules_are_those_of_the_pure_liquids():
    mixture = systems.load("methanol_water", n_methanol=10, n_water=10, cutoff_nm=0.4)
    charges = mixture.partial_charges()
    np.testing.assert_allclose(charges[:6], systems.load("methanol", n_molecules=1).partial_charges())
    np.testing.assert_allclose(charges[60:63], systems.load("water_tip3p").charges[:3])
    assert _physics.dispersion(mixture, 60) == pytest.approx(_physics.dispersion(systems.load("water_tip3p"), 0))


def test_nothing_to_mix_is_refused():
    with pytest.raises(ValueError, match="'methanol_water' has no molecules"):
        systems.load("methanol_water", n_methanol=0, n_water=0)
