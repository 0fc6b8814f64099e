"""The harmonic prior: its unit chain on the published alanine dipeptide frames, and Boltzmann's variance."""

import numpy as np
import pytest
import torch

from workbench import potentials, types, units

from .test_potentials_contract import chain

FORCE_UNIT = units.KCAL_PER_ANGSTROM**2


def test_unit_chain_on_published_frames(ala2_reference):
    """Force errors of zero model, bond prior, bond and angle prior, frames 8000-9999, (kcal/mol/A)^2 per component."""
    train, held_out = ala2_reference.take(slice(0, 8000)), ala2_reference.take(slice(8000, None))
    x, f = torch.tensor(held_out.positions), torch.tensor(held_out.forces)
    assert float(f.square().mean()) / FORCE_UNIT == pytest.approx(723.13, rel=1e-3)
    bonds = potentials.harmonic.build(train, potentials.harmonic.Settings(angles=False))
    assert float((f - potentials.forces(bonds, x)).square().mean()) / FORCE_UNIT == pytest.approx(438.56, rel=1e-3)
    both = potentials.harmonic.build(train, potentials.harmonic.Settings())
    assert float((f - potentials.forces(both, x)).square().mean()) / FORCE_UNIT == pytest.approx(380.96, rel=1e-3)
    published = [390152.98, 275892.96, 271195.16, 394515.64, 824.378, 756.291, 964.985]
    np.testing.assert_allclose(both.constant.numpy(), published, rtol=1e-4)


def test_constants_are_thermal_energy_over_variance():
    data = chain(500)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings(angles=False))
    bond = np.linalg.norm(data.positions[:, 1] - data.positions[:, 0], axis=-1)
    assert float(prior.center[0]) == pytest.approx(bond.mean())
    assert float(prior.constant[0]) == pytest.approx(units.thermal_energy(300.0) / bond.var())


def test_minimum_at_the_center():
    data = chain(50)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings(angles=False))
    x = np.zeros((1, 5, 3))
    x[0, 1:, 0] = np.cumsum(prior.center.numpy())
    assert float(prior(torch.tensor(x))) == pytest.approx(0.0, abs=1e-20)
    x[0, 4, 0] += 0.01
    assert float(prior(torch.tensor(x))) == pytest.approx(0.5 * float(prior.constant[3]) * 1e-4)


def test_refuses_what_would_be_infinite_or_empty():
    data = chain(5)
    still = types.ReferenceData(positions=np.repeat(data.positions[:1], 5, axis=0), beads=data.beads)
    with pytest.raises(ValueError, match="never changes"):
        potentials.harmonic.build(still, potentials.harmonic.Settings())
    with pytest.raises(ValueError, match="no bond or angle"):
        potentials.harmonic.build(data, potentials.harmonic.Settings(bonds=False, angles=False))
    with pytest.raises(ValueError, match="not enough"):
        potentials.harmonic.build(data.take(slice(0, 1)), potentials.harmonic.Settings())
