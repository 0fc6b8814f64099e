"""Liquid N,N-dimethylformamide: composition, state, and what its charges must be."""

import pytest

from tests import _physics
from workbench import systems, units


def test_liquid_at_its_experimental_density():
    liquid = systems.load("dimethylformamide", n_molecules=20, cutoff_nm=0.5)
    assert liquid.n_atoms == 20 * 12 and liquid.molecule[-1] == 19
    assert liquid.masses[:12].sum() == pytest.approx(73.095, abs=0.005)
    assert liquid.masses.sum() / liquid.box.prod() / units.GRAM_PER_CM3 == pytest.approx(0.9439, abs=1e-6)
    assert liquid.experimental_density == 0.9439 and liquid.state.temperature == 298.15
    assert systems.load("dimethylformamide", n_molecules=20, cutoff_nm=0.5, temperature=400.0).experimental_density is None


def test_its_dipole_is_that_of_an_amide():
    amide = systems.load("dimethylformamide", n_molecules=1)
    dipole = abs((amide.partial_charges()[:, None] * amide.positions).sum(0))
    assert 3.0 < (dipole**2).sum() ** 0.5 / 0.0208194 < 5.0  # debye; 3.8 in the gas
    assert _physics.energy(amide) < 200.0
