"""Liquid aniline: composition, state, and what its charges must be."""

import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("aniline", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 14 and liquid.molecule[-1] == 19
    assert liquid.masses[:14].sum() == pytest.approx(93.129, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(1.01741, abs=1e-6)
    assert liquid.experimental_density == 1.01741 and liquid.state.temperature == 298.15
    assert systems.load("aniline", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_amino_group_is_polar():
    aniline = systems.load("aniline", n_molecules=1)
    charges = aniline.partial_charges()
    assert charges[0] < -0.6 and charges[7:9].min() > 0.3 and charges.sum() == pytest.approx(0.0, abs=1e-9)
    assert _physics.dispersion(aniline, 0)[1] > _physics.dispersion(aniline, 7)[1] > 0.0
