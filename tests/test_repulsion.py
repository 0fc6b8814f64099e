"""The repulsive prior: its value at contact, its power, and that it only pushes."""

import pytest
import torch

from workbench import potentials
from workbench.potentials.repulsion import Settings


def pair(r, **options):
    potential = potentials.repulsion.build(None, Settings(**{"epsilon": 2.0, "sigma": 0.3, "cutoff": 1.0, **options}))
    x = torch.zeros(len(r), 2, 3, dtype=torch.float64)
    x[:, 1, 2] = torch.tensor(r, dtype=torch.float64)
    return potential, x


@pytest.mark.parametrize("exponent", [6, 12])
def test_inverse_power(exponent):
    potential, x = pair([0.3, 0.15, 1.0], exponent=exponent)
    torch.testing.assert_close(potential(x), torch.tensor([2.0, 2.0 * 2**exponent, 0.0], dtype=torch.float64))


def test_only_pushes():
    potential, x = pair([0.1, 0.3, 0.6, 0.9, 0.97])
    assert (potentials.forces(potential, x)[:, 1, 2] > 0).all()
