"""PaiNN: vectors turn with the molecule and scalars stay, neighbours are alike, smooth at the cut-off, one network for any liquid."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import fitting, neighbors, potentials
from workbench.potentials import _graph
from workbench.potentials.painn import Settings, build

from .test_potentials_contract import chain, liquid
from .test_schnet import single, two

SMALL = {"channels": 8, "n_rbf": 8}


def network(data, **options):
    return build(data, Settings(**{**SMALL, **options})).double()


def rotation(seed=0):
    turn, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    return turn * torch.linalg.det(turn)


def test_vectors_turn_with_the_beads_and_scalars_stay():
    data = chain(2)
    net, x, turn = network(data), torch.tensor(data.positions), rotation()
    s = net.embedding(net.bead_types).repeat(2, 1)
    v = torch.randn(10, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    none = torch.zeros(0, 2, dtype=torch.int64)
    one, other = (_graph.edges(at, None, None, 0.5, none) for at in (x, x @ turn))
    turned = torch.einsum("nac,ab->nbc", v, turn)
    (s1, v1), (s2, v2) = net.blocks[0](s, v, one), net.blocks[0](s, turned, other)
    torch.testing.assert_close(s2, s1)
    torch.testing.assert_close(v2, torch.einsum("nac,ab->nbc", v1, turn))


def test_energy_is_blind_to_mirrors_and_forces_turn():
    data = chain(2)
    net, x, turn = network(data), torch.tensor(data.positions), rotation(2)
    torch.testing.assert_close(net(-x), net(x))
    torch.testing.assert_close(potentials.forces(net, x @ turn), potentials.forces(net, x) @ turn)


def test_energy_and_force_go_to_zero_smoothly_at_the_cutoff():
    data = two(np.linspace(0.4, 0.52, 1201))
    result = potentials.evaluate(network(data), torch.tensor(data.positions))
    force, last = result.forces[:, 1, 0], int(np.searchsorted(data.positions[:, 1, 0], 0.5)) - 1
    assert abs(float(force[last])) < 2e-3 * float(force.abs().max())
    assert (force[1:] - force[:-1]).abs().max() < 0.02 * force.abs().max()


def test_beads_without_neighbours_have_their_own_energy_and_no_force():
    data = two([0.6])
    net = network(data)
    result = potentials.evaluate(net, torch.tensor(data.positions))
    alone = sum(float(net.bind(single(kind))(torch.zeros(1, 1, 3, dtype=torch.float64)).detach()) for kind in "AB")
    assert float(result.energy) == pytest.approx(alone, rel=1e-12)
    assert not result.forces.any()


def test_beads_of_a_type_are_alike():
    data = liquid(n_frames=1)
    net, x, box = network(data), torch.tensor(data.positions), torch.tensor(data.box)
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(potentials.forces(net, x[:, order], box), potentials.forces(net, x, box)[:, order])


def test_bonded_neighbours_count_whatever_the_list_leaves_out():
    data = chain(2)
    net, x = network(data), torch.tensor(data.positions)
    everyone = net.bind(dataclasses.replace(data.beads, exclusions=np.zeros((0, 2), int)))
    torch.testing.assert_close(net(x), everyone(x))
    torch.testing.assert_close(net(x, None, neighbors.search(x, None, 0.9, net.exclusions)), net(x))


def test_force_matching_lowers_the_loss():
    data = chain(32, wobble=0.03)
    forces = potentials.forces(network(data, seed=1), torch.tensor(data.positions)).numpy()
    settings = fitting.force_matching.Settings(n_epochs=30, batch_size=16, learning_rate=1e-2, lipschitz=None)
    fit = fitting.force_matching.fit(build(data, Settings(**SMALL)), dataclasses.replace(data, forces=forces), settings)
    assert fit.history["validation_loss"][-1] < 0.2 * fit.history["validation_loss"][0]


def test_refusals():
    with pytest.raises(ValueError, match="half of the box"):
        build(liquid(), Settings(cutoff=0.7))
    with pytest.raises(ValueError, match="knows the bead types W, not A, B"):
        network(liquid()).bind(two([0.3]).beads)
