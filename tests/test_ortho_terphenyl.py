"""Ortho-terphenyl: composition, state, and what its charges must be."""

import numpy as np
import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("ortho_terphenyl", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 32 and liquid.molecule[-1] == 19
    assert liquid.masses[:32].sum() == pytest.approx(230.31, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(1.0368, abs=1e-6)
    assert liquid.experimental_density == 1.0368 and liquid.state.temperature == 346.0
    assert systems.load("ortho_terphenyl", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_side_rings_stand_at_an_angle():
    terphenyl = systems.load("ortho_terphenyl", n_molecules=1)
    assert terphenyl.elements.count("C") == 18 and terphenyl.elements.count("H") == 14
    assert np.linalg.svd(terphenyl.positions - terphenyl.positions.mean(0))[1][2] > 0.3  # no flat molecule
    assert _physics.energy(terphenyl) < 400.0
