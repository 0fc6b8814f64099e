"""SchNet: compiled forces against autograd, tables against the filters they sample, smooth at the cut-off, one network for any liquid."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import fitting, neighbors, potentials, simulation, types
from workbench.potentials import _base, _graph
from workbench.potentials.schnet import Settings, build

from .test_potentials_contract import chain, liquid

SMALL = {"channels": 16, "n_rbf": 10, "n_intervals": 64}


def network(data, **options):
    return build(data, Settings(**{**SMALL, **options})).double()


def two(r, kind=("A", "B")):
    """Frames of two beads at distances ``r``."""
    beads = types.Beads.from_bonds(names=kind, types=kind, masses=[12.0, 12.0], molecule=[0, 1], bonds=[])
    x = np.zeros((len(r), 2, 3))
    x[:, 1, 0] = r
    return types.ReferenceData(positions=x, beads=beads)


@pytest.mark.parametrize("data", [chain(3), liquid()], ids=["chain", "liquid"])
def test_compiled_forces_are_those_of_autograd(data):
    net = network(data, n_blocks=3)
    x, box = torch.tensor(data.positions), None if data.box is None else torch.tensor(data.box)
    own, slow = _base.evaluate(net.bind(data.beads), x, box, virial=True), _base._by_autograd(net, x, box, None, True)
    for a, b in zip(own, slow, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * float(b.abs().max()))


@pytest.mark.parametrize("data", [chain(3), liquid()], ids=["chain", "liquid"])
def test_training_sees_the_derivative_of_the_forces(data):
    net, generator = network(data), torch.Generator().manual_seed(0)
    x, box = torch.tensor(data.positions), None if data.box is None else torch.tensor(data.box)
    direction = torch.randn(x.shape, dtype=x.dtype, generator=generator)
    at = x.clone().requires_grad_(True)
    (slow,) = torch.autograd.grad(net(at, box).sum(), at, create_graph=True)
    own = net.gradient(net.prepare(x, box))
    torch.testing.assert_close(own, slow)
    weights = list(net.parameters())
    found = torch.autograd.grad((own * direction).sum(), weights)
    wanted = torch.autograd.grad((slow * direction).sum(), weights, materialize_grads=True)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10 * float(b.abs().max()))


def test_tables_are_the_filters_within_the_error_stated():
    net = build(chain(), Settings()).double()
    r = torch.linspace(0.0, 0.4999, 4001, dtype=torch.float64)
    for block, table in zip(net.blocks, net.tables(), strict=True):
        exact = block.filter(r)[0]
        error = (_graph.interpolate(table, r, net.spacing) - exact).abs().max()
        assert error < 2e-5 * exact.abs().max()


def test_slopes_of_the_filter_are_its_derivative():
    filters = _graph.RadialFilter(8, 10, 0.5).double()
    r = torch.linspace(0.01, 0.49, 50, dtype=torch.float64)
    step = 1e-6
    torch.testing.assert_close(filters(r)[1], (filters(r + step)[0] - filters(r - step)[0]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_energy_and_force_go_to_zero_smoothly_at_the_cutoff():
    data = two(np.linspace(0.4, 0.52, 2401))
    net = network(data)
    result = potentials.evaluate(net, torch.tensor(data.positions))
    far, force = float(result.energy[-1]), result.forces[:, 1, 0]
    last = int(np.searchsorted(data.positions[:, 1, 0], 0.5)) - 1
    assert abs(float(force[last])) < 1e-3 * float(force.abs().max())
    assert (force[1:] - force[:-1]).abs().max() < 0.01 * force.abs().max()
    assert abs(float(result.energy[last]) - far) < 1e-5 * float((result.energy - far).abs().max())


def test_beads_without_neighbours_have_their_own_energy_and_no_force():
    data = two([0.6])
    net = network(data)
    result = potentials.evaluate(net, torch.tensor(data.positions), virial=True)
    alone = sum(float(net.bind(one)(torch.zeros(1, 1, 3, dtype=torch.float64)).detach()) for one in map(single, "AB"))
    assert float(result.energy) == pytest.approx(alone, rel=1e-12)
    assert not result.forces.any() and not result.virial.any()


def single(kind):
    return types.Beads.from_bonds(names=(kind,), types=(kind,), masses=[12.0], molecule=[0], bonds=[])


def test_beads_of_a_type_are_alike():
    data = liquid(n_frames=1)
    net, x, box = network(data), torch.tensor(data.positions), torch.tensor(data.box)
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(x[:, order], box), net(x, box))
    torch.testing.assert_close(potentials.forces(net, x[:, order], box), potentials.forces(net, x, box)[:, order])


def test_bonded_neighbours_count_whatever_the_list_leaves_out():
    data = chain(2)
    net, x = network(data), torch.tensor(data.positions)
    everyone = net.bind(dataclasses.replace(data.beads, exclusions=np.zeros((0, 2), int)))
    torch.testing.assert_close(net(x), everyone(x))
    wide = neighbors.search(x, None, 0.9, net.exclusions)
    torch.testing.assert_close(potentials.evaluate(net, x, None, wide).forces, potentials.evaluate(everyone, x).forces)


def test_carries_to_another_number_of_molecules():
    data = liquid(n_frames=1)
    net, beads = network(data), liquid(n_frames=1)
    doubled = types.Beads.from_bonds(names=("W",) * 128, types=("W",) * 128, masses=[18.0] * 128, molecule=range(128), bonds=[])
    x, box = torch.tensor(data.positions), torch.tensor(beads.box)
    twice = torch.cat([x, x + torch.tensor([box[0, 0], 0, 0])], 1)
    both = potentials.evaluate(net.bind(doubled), twice, box * torch.tensor([2.0, 1.0, 1.0]))
    torch.testing.assert_close(both.energy, 2 * net(x, box))
    torch.testing.assert_close(both.forces[:, :64], potentials.forces(net, x, box))


def test_keeps_energy_in_a_simulation():
    data = chain(1)
    prior = potentials.harmonic.build(chain(50), potentials.harmonic.Settings())
    settings = simulation.replicas.Settings(
        n_steps=400, save_every=10, timestep_fs=0.5, integrator="verlet", precision="double", save_velocities=True
    )
    run = simulation.replicas.run(prior + network(data), data.start([0]), settings)
    kinetic = 0.5 * (data.beads.masses[:, None] * np.array(run.velocities) ** 2).sum((1, 2))
    total = np.array(run.energy) + kinetic
    assert np.ptp(total) < 0.01 * kinetic.mean()


def test_force_matching_finds_the_forces_of_another_network():
    data = chain(64, wobble=0.03)
    teacher = network(data, seed=1)
    forces = potentials.forces(teacher, torch.tensor(data.positions)).numpy()
    data = dataclasses.replace(data, forces=forces)
    settings = fitting.force_matching.Settings(n_epochs=40, batch_size=16, learning_rate=5e-3, lipschitz=None)
    fit = fitting.force_matching.fit(build(data, Settings(**SMALL)), data, settings)
    assert fit.history["validation_loss"][-1] < 0.15 * np.mean(forces**2)


def test_refusals():
    with pytest.raises(ValueError, match="half of the box"):
        build(liquid(), Settings(cutoff=0.7))
    with pytest.raises(ValueError, match="give the projected frames"):
        build(None, Settings())
    with pytest.raises(ValueError, match="knows the bead types W, not A, B"):
        network(liquid()).bind(two([0.3]).beads)
    data = liquid()
    with pytest.raises(ValueError, match="at most half"):
        network(data)(torch.tensor(data.positions), 0.7 * torch.tensor(data.box))
