"""Model deviation: its definition on springs, and that it tells the unknown from the known."""

import pytest
import torch

from workbench import deviation, fitting, potentials, rippled_well

from .test_potentials_contract import chain


def test_is_the_spread_of_the_forces():
    data = chain(20)
    x = torch.tensor(data.positions)
    one = potentials.harmonic.build(data, potentials.harmonic.Settings())
    two = potentials._base.Sum([one], [3.0])
    found = deviation.deviation([one, two], x)
    force = potentials.forces(one, x).square().sum(-1).sqrt()  # members F and 3 F: mean 2 F, deviation F
    torch.testing.assert_close(found.largest, force.amax(1))
    torch.testing.assert_close(found.mean, force.mean(1))
    assert not deviation.deviation([one, one], x).largest.any()


def test_grows_outside_of_the_data():
    data = rippled_well.sample(rippled_well.Settings(n_frames=15_000))
    splines = potentials.feature_splines.build(data, potentials.feature_splines.Settings(descriptor="cartesian"))
    settings = fitting.feature_regression.Settings(n_blocks=2)
    thirds = [data.take(slice(k, None, 3)) for k in range(3)]
    ensemble = [fitting.feature_regression.fit(splines, third, settings).potential for third in thirds]
    x = torch.zeros(3, 1, 3, dtype=torch.float64)
    x[:, 0, 0] = torch.tensor([-2.0, 3.0, 5.5])
    spread = deviation.deviation(ensemble, x).largest
    assert spread[2] > 3 * spread[:2].max()


def test_refuses_a_single_member():
    data = chain(20)
    with pytest.raises(ValueError, match="cannot disagree"):
        deviation.deviation([potentials.harmonic.build(data, potentials.harmonic.Settings())], torch.tensor(data.positions))
