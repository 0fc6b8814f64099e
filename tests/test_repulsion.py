"""The repulsive prior: its value at contact, its power, and that it only pushes."""

import pytest
import torch

from workbench import potentials
from workbench.potentials.repulsion import Settings

from .test_potentials_contract import chain, liquid


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


def test_the_diameter_comes_from_the_data():
    data = liquid()
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    apart = x[:, None] - x[:, :, None]
    apart -= torch.round(apart / box[:, None, None]) * box[:, None, None]
    r = torch.linalg.vector_norm(apart, dim=-1)
    assert float(potentials.repulsion.build(data, Settings(sigma=None)).sigma) == pytest.approx(float(r[r > 0].min()))
    molecule = chain()  # bonds and angles are excluded
    found = potentials.repulsion.build(molecule, Settings(sigma=None)).sigma
    x = torch.tensor(molecule.positions)
    ends = torch.cat([torch.linalg.vector_norm(x[:, i] - x[:, j], dim=-1) for i, j in ((0, 3), (0, 4), (1, 4))])
    assert float(found) == pytest.approx(float(ends.min()))


def test_forces_keep_the_precision_of_the_positions():
    data = liquid()
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    potential = potentials.repulsion.build(data, Settings(sigma=None, cutoff=0.4))
    single = potentials.forces(potential, x.float(), box.double())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), potentials.forces(potential, x.double(), box.double()), rtol=1e-4, atol=1e-2)


def test_it_refuses_a_diameter_from_nowhere():
    with pytest.raises(ValueError, match="there are none: give a diameter"):
        potentials.repulsion.build(None, Settings(sigma=None))
    with pytest.raises(ValueError, match=r"nearer than 0\.1 nm"):
        potentials.repulsion.build(liquid(), Settings(sigma=None, cutoff=0.1))
