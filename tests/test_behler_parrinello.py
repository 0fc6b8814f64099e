"""Atomic networks: recovery of a known one, stored functions, several types, temperature as an input, refusals."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import fitting, potentials, rooms, store, types
from workbench.fitting import _frames
from workbench.potentials import behler_parrinello
from workbench.potentials.behler_parrinello import Settings

from .test_potentials_contract import liquid

FEW = behler_parrinello.symmetry_functions.Settings(n_radial=4, zetas=(1, 4))


def at_temperatures(n_frames=12, kelvin=(280.0, 340.0)):
    """Jittered liquids, half of the frames at each temperature."""
    data = liquid(n_frames)
    states = tuple(types.State(temperature=t) for t in kelvin)
    return dataclasses.replace(data, state=np.arange(n_frames) % len(kelvin), states=states)


def tensors(data):
    return torch.tensor(data.positions), torch.tensor(data.box)


def with_forces(data, potential):
    return dataclasses.replace(data, forces=potentials.forces(potential, *tensors(data)).detach().numpy())


@pytest.mark.parametrize("method", ["force_matching", "kalman_matching"])
def test_recovers_a_known_network(method):
    data = liquid(40)
    truth = behler_parrinello.build(data, Settings(functions=FEW, widths=(6,), seed=3))
    data = with_forces(data, truth)
    network = behler_parrinello.build(data, Settings(functions=FEW, widths=(10,)))
    settings = {
        "force_matching": {"n_epochs": 40, "batch_size": 4, "learning_rate": 0.02, "final_learning_rate": 1e-3, "lipschitz": None},
        "kalman_matching": {"n_epochs": 4, "n_updates": 40},
    }
    room = rooms.method("fitting", method)
    fit = room.fit(network, data, room.Settings(**settings[method]))
    assert fit.history["validation_loss"].min() < 0.03 * np.mean(data.forces**2)


def test_stored_functions_give_the_loss_of_the_forces():
    mixed = liquid(4)
    names = tuple("AB"[i % 2] for i in range(mixed.beads.n_beads))
    beads = types.Beads.from_bonds(names=names, types=names, masses=[18.0] * 64, molecule=range(64), bonds=[(0, 1)])
    data = dataclasses.replace(mixed, beads=beads, forces=np.random.default_rng(0).standard_normal(mixed.positions.shape))
    network = behler_parrinello.build(data, Settings(functions=FEW)).double()
    prepared = _frames.prepare([], [(1.0, network)], data, torch.device("cpu"), torch.float64)
    wrong = _frames.residual([(1.0, network)], prepared)
    torch.testing.assert_close(wrong.detach(), torch.tensor(data.forces) - potentials.forces(network, *tensors(data)))
    slopes = torch.autograd.grad(wrong.square().mean(), list(network.parameters()))
    assert all(float(s.abs().max()) > 0 for s in slopes)


def test_temperature_is_an_input():
    data = at_temperatures()
    truth = behler_parrinello.build(data, Settings(functions=FEW, states=True, widths=(6,), seed=3)).double()
    cold, hot = (truth.at(types.State(temperature=t)) for t in (280.0, 340.0))
    forces = np.empty(data.positions.shape)
    for k, potential in enumerate((cold, hot)):
        forces[data.state == k] = potentials.forces(potential, *tensors(data.take(data.state == k))).numpy()
    assert np.abs(potentials.forces(cold, *tensors(data)).numpy() - forces).max() > 0.01 * np.abs(forces).max()
    data = dataclasses.replace(data, forces=forces)
    prepared = _frames.prepare([], [(1.0, truth)], data, torch.device("cpu"), torch.float64)
    assert float(_frames.residual([(1.0, truth)], prepared).detach().abs().max()) < 1e-10 * np.abs(forces).max()
    settings = fitting.force_matching.Settings(n_epochs=2, batch_size=4)
    found = fitting.force_matching.fit(truth, data, settings).potential.at(types.State(temperature=300.0))
    assert found.temperature == 300.0
    x, box = tensors(data)
    torch.testing.assert_close(potentials.forces(found.bind(data.beads), x, box), potentials.forces(found, x, box))


def test_fixed_at_a_state_it_is_stored_with_it(tmp_path):
    data = at_temperatures()
    fixed = behler_parrinello.build(data, Settings(functions=FEW, states=True)).at(types.State(temperature=310.0))
    back = store.load(store.save(fixed, tmp_path / "potential"))
    assert back.temperature == 310.0
    assert torch.equal(back(*tensors(data)), fixed(*tensors(data)))


def test_refusals():
    data = at_temperatures()
    network = behler_parrinello.build(data, Settings(functions=FEW, states=True))
    with pytest.raises(ValueError, match=r"want a temperature: run potentials.at\(potential, State"):
        network(*tensors(data))
    with pytest.raises(ValueError, match=r"want a temperature: run potentials.at\(potential, State"):
        potentials.forces(network, *tensors(data))
    with pytest.raises(ValueError, match="all frames are at 300 K and temperature cannot be learned from"):
        behler_parrinello.build(liquid(), Settings(functions=FEW, states=True))
    with pytest.raises(ValueError, match="know no temperature"):
        behler_parrinello.build(liquid(), Settings(functions=FEW)).at(types.State())
    with pytest.raises(ValueError, match="never changes in the data"):
        still = liquid(1)
        alone = dataclasses.replace(still, positions=still.positions.round(2) * 0 + np.indices((4, 4, 4)).reshape(3, -1).T * 0.31)
        behler_parrinello.build(dataclasses.replace(alone, box=np.full((1, 3), 1.24)), Settings(functions=FEW))
