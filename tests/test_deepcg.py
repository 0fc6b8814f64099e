"""DeePCG: it learns a pair potential's forces in single precision, prepared as by positions, jumps at the cut-off, and refuses."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import fitting, potentials, types
from workbench.descriptors import local_frame
from workbench.fitting import _frames
from workbench.potentials import deepcg, deepcg_smooth

from . import _liquids
from .test_potentials_contract import liquid

NEAR = local_frame.Settings(cutoff=0.6, n_full=8)


def untrained(data, **options):
    return deepcg.build(data, deepcg.Settings(environment=NEAR, widths=(24, 12), **options))


def labelled(seed=0):
    data = liquid()
    return dataclasses.replace(data, forces=np.random.default_rng(seed).standard_normal(data.positions.shape), force_kind="basic")


@pytest.mark.parametrize("method", [deepcg, deepcg_smooth])
def test_training_on_what_is_prepared_is_training_on_positions(method):
    data = labelled()
    widths = {"widths": (24, 12)}
    potential = method.build(data, method.Settings(**widths)).double()
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    fixed, learned = _frames.split(potential)
    batch = _frames.prepare(fixed, learned, data, torch.device("cpu"), torch.float64)
    loss = _frames.residual(learned, batch).square().mean()
    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(potential(x, box).sum(), x, create_graph=True)
    direct = (torch.tensor(data.forces) + slope).square().mean()
    torch.testing.assert_close(loss, direct)
    weights = list(potential.parameters())
    for a, b in zip(torch.autograd.grad(loss, weights), torch.autograd.grad(direct, weights), strict=True):
        torch.testing.assert_close(a, b)


def test_single_precision_training_finds_the_forces_of_a_liquid():
    data = _liquids.sampled().take(slice(0, 160))
    near = local_frame.Settings(cutoff=0.7, n_full=2)
    network = deepcg.build(data, deepcg.Settings(environment=near, widths=(24, 12), energy_scale=10.0))
    settings = fitting.force_matching.Settings(
        n_epochs=3, batch_size=1, learning_rate=1e-2, final_learning_rate=1e-4, lipschitz=None, validation_fraction=0.1
    )
    fit = fitting.force_matching.fit(network, data, settings)
    loss = fit.history["validation_loss"][-1]
    assert loss < 0.15 * np.mean(np.square(data.forces))
    x, box = (torch.tensor(np.array(a[-16:])).float() for a in (data.positions, data.box))
    residual = potentials.forces(fit.potential, x, box) - torch.tensor(np.array(data.forces[-16:])).float()
    assert float(residual.square().mean()) == pytest.approx(loss, rel=1e-3)


def test_inputs_are_z_scored_and_rare_places_stay_small():
    data = liquid(n_frames=20)
    potential = untrained(data)
    q = potential.descriptor(torch.tensor(data.positions), torch.tensor(data.box)).reshape(-1, potential.descriptor.size)
    z = (q - potential.network.mean) / potential.network.deviation
    assert z.mean(0).abs().max() < 1e-4
    assert float(z.std(0).max()) < 1.01
    assert float(potential.network.deviation.min()) > 0.0


def test_the_force_jumps_at_the_cutoff_and_that_is_what_was_published():
    """Bead 3 comes in from beyond the cut-off of bead 0, with two behind it; the smooth descriptor beside it does not notice."""
    data = liquid()
    beads = types.Beads.from_bonds(names=("W",) * 6, types=("W",) * 6, masses=[18.0] * 6, molecule=range(6), bonds=[])

    def jump(potential, gap):
        force, edge = [], (0.6**2 - 0.02**2) ** 0.5
        for z in (edge - gap, edge + gap):
            x = torch.tensor(
                [[[0.0, 0, 0], [0.25, 0, 0], [0, 0.3, 0], [0, 0.02, z], [0.1, 0, 0.85], [-0.2, 0.1, 0.9]]], dtype=torch.float64
            )
            force.append(potentials.forces(potential.bind(beads).double(), x)[0])
        return float((force[1] - force[0]).abs().max() / force[0].abs().max())

    assert jump(untrained(data), 1e-9) > 1e-3
    smooth = deepcg_smooth.build(data, deepcg_smooth.Settings(widths=(24, 12)))
    assert jump(smooth, 1e-9) < 1e-7


def test_it_carries_to_another_number_of_molecules():
    data = liquid()
    potential = untrained(data).double()
    twice = np.concatenate([data.positions, data.positions + np.array([1.24, 0, 0])], 1)
    beads = types.Beads.from_bonds(names=("W",) * 128, types=("W",) * 128, masses=[18.0] * 128, molecule=range(128), bonds=[])
    box = torch.tensor(data.box * np.array([2, 1, 1]))
    wrapped = torch.tensor(np.array(data.positions))
    wrapped -= torch.floor(wrapped / torch.tensor(data.box)[:, None]) * torch.tensor(data.box)[:, None]
    twice = torch.cat([wrapped, wrapped + torch.tensor([1.24, 0, 0])], 1)
    large = potential.bind(beads)(twice, box)
    torch.testing.assert_close(large, 2 * potential(torch.tensor(data.positions), torch.tensor(data.box)))
    assert potential.bind(beads).network is potential.network


def test_it_refuses():
    data = labelled()
    mixed = dataclasses.replace(data, beads=dataclasses.replace(data.beads, types=("A", *data.beads.types[1:])))
    with pytest.raises(ValueError, match="one kind"):
        deepcg.build(mixed, deepcg.Settings())
    with pytest.raises(ValueError, match="at most half"):
        deepcg.build(data, deepcg.Settings(environment=local_frame.Settings(cutoff=0.65)))
    with pytest.raises(ValueError, match=r"neighbours within 0\.1 nm"):
        deepcg.build(data, deepcg.Settings(environment=local_frame.Settings(cutoff=0.1)))
    narrow = deepcg.DeepCG(cutoff=0.6, n_full=4, n_slots=5, widths=[8], energy_scale=1.0, exclusions=[])
    with pytest.raises(ValueError, match="places for 5: build it on these data"):
        narrow.prepare(torch.tensor(data.positions), torch.tensor(data.box))
    apart = torch.tensor([[[0.0, 0, 0], [0.3, 0, 0], [0.6, 0.1, 0], [5.0, 0, 0]]])
    with pytest.raises(ValueError, match="bead 3 of frame 0 has 0 neighbours"):
        potentials.evaluate(narrow, apart)
