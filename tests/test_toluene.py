"""Liquid toluene: composition, state, and what its charges must be."""

import numpy as np
import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("toluene", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 15 and liquid.molecule[-1] == 19
    assert liquid.masses[:15].sum() == pytest.approx(92.141, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.86224, abs=1e-6)
    assert liquid.experimental_density == 0.86224 and liquid.state.temperature == 298.15
    assert systems.load("toluene", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_ring_is_symmetric_and_flat():
    toluene = systems.load("toluene", n_molecules=1)
    charges = toluene.partial_charges()
    assert charges[2] == pytest.approx(charges[6]) and charges[3] == pytest.approx(charges[5])
    ring = toluene.positions[1:7] - toluene.positions[1:7].mean(0)
    assert np.linalg.svd(ring)[1][2] < 0.002
    assert _physics.energy(toluene) < 100.0
