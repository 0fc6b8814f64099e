"""mW and ML-mW by moments: the perfect lattice, triplets by brute force, OpenMM, one set per replica, threads."""

import itertools

import numpy as np
import openmm
import pytest
import torch

from workbench import device, potentials, types
from workbench.potentials import _base
from workbench.potentials.stillinger_weber import MODELS, NAMES, Settings, StillingerWeber, build
from workbench.simulation import openmm_engine

from .test_potentials_contract import chain, liquid


def diamond(constant, cells=2):
    """Positions (1, N, 3) and box of a diamond lattice with lattice constant ``constant`` [nm]."""
    corners = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    cell = np.concatenate([corners, corners + 0.25])
    shifts = np.stack(np.meshgrid(*(np.arange(cells),) * 3, indexing="ij"), -1).reshape(-1, 3)
    x = (cell[None] + shifts[:, None]).reshape(1, -1, 3) * constant
    return torch.tensor(x), torch.full((1, 3), cells * constant, dtype=torch.float64)


def triplet_by_triplet(model, x):
    """Energy [kJ/mol] of positions (N, 3) in vacuum, as the equation is written."""
    s = dict(zip(NAMES, MODELS[model], strict=True))
    reach, energy = s["a"] * s["sigma"], 0.0
    for i, j in itertools.combinations(range(len(x)), 2):
        r = np.linalg.norm(x[i] - x[j])
        if r < reach:
            form = s["B"] * (s["sigma"] / r) ** s["p"] - (s["sigma"] / r) ** s["q"]
            energy += s["A"] * s["eps"] * form * np.exp(s["sigma"] / (r - reach))
    for i in range(len(x)):
        for j, k in itertools.combinations([b for b in range(len(x)) if b != i], 2):
            a, b = x[j] - x[i], x[k] - x[i]
            ra, rb = np.linalg.norm(a), np.linalg.norm(b)
            if ra < reach and rb < reach:
                fade = np.exp(s["gamma"] * s["sigma"] * (1 / (ra - reach) + 1 / (rb - reach)))
                energy += s["lam"] * s["eps"] * (a @ b / (ra * rb) - s["cos0"]) ** 2 * fade
    return energy


def test_mw_on_its_perfect_lattice_has_twice_epsilon_a_molecule_and_no_pressure():
    potential = build(None, Settings(model="mW"))
    x, box = diamond(0.620187)
    result = potentials.evaluate(potential, x, box, virial=True)
    assert float(result.energy) / 64 == pytest.approx(-2 * 25.894776, abs=1e-6)
    assert result.forces.abs().max() < 1e-9
    slope = (float(potential(*diamond(0.620287))) - float(potential(*diamond(0.620087)))) / 2e-4
    assert -float(result.virial[0].trace()) / 0.620187 == pytest.approx(slope, abs=1e-2)  # the trace is -3 V dU/dV
    assert abs(slope) < 1e-4 * 64 * 25.894776 / 0.62 * 10


@pytest.mark.parametrize("model", MODELS)
def test_moments_say_the_same_as_triplets(model):
    rng = np.random.default_rng(1)
    x = np.stack(np.meshgrid(*(np.arange(3),) * 3, indexing="ij"), -1).reshape(-1, 3) * 0.26 + 0.03 * rng.standard_normal((27, 3))
    potential, at = build(None, Settings(model=model)), torch.tensor(x)[None]
    exact = triplet_by_triplet(model, x)
    assert float(potential(at)) == pytest.approx(exact, rel=1e-12)
    assert float(potentials.evaluate(potential, at).energy) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_openmm_gives_the_same(model):
    data = liquid()
    potential, start = build(data, Settings(model=model)), data.start([0])
    system = openmm.System()
    for mass in data.beads.masses:
        system.addParticle(float(mass))
    for force in potential.to_openmm(data.beads, True):
        system.addForce(force)
    system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in np.diag(data.box[0])))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(start.positions[0])
    state = context.getState(energy=True, forces=True)
    own = potentials.evaluate(potential, torch.tensor(data.positions[:1]), torch.tensor(data.box[:1]))
    assert state.getPotentialEnergy()._value == pytest.approx(float(own.energy), rel=1e-9)
    forces = state.getForces(asNumpy=True)._value
    assert np.abs(forces - own.forces[0].numpy()).max() < 1e-9 * np.abs(forces).max()


def test_a_set_for_every_replica():
    data = liquid()
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    both = StillingerWeber([MODELS["mW"], MODELS["ML-mW"]], [])
    for kind in (lambda p, x, box: potentials.evaluate(p, x, box).energy, lambda p, x, box: p(x, box)):
        alone = [kind(build(None, Settings(model=m)), x[k : k + 1], box[k : k + 1]) for k, m in enumerate(MODELS)]
        torch.testing.assert_close(kind(both, x, box), torch.cat(alone))
    own, derived = (way(both, x, box).forces for way in (potentials.evaluate, lambda *a: _base._by_autograd(*a, None, False)))
    torch.testing.assert_close(own, derived)
    assert both.to_openmm(data.beads, True) is None


def test_parameters_can_be_learnt():
    data = liquid()
    potential = build(None, Settings())
    potential.values.requires_grad_(True)
    energy = potential(torch.tensor(data.positions), torch.tensor(data.box)).sum()
    (slope,) = torch.autograd.grad(energy, potential.values)
    assert float(slope[0, 0]) == pytest.approx(energy.item() / MODELS["mW"][0])  # the energy is proportional to eps


def test_at_the_cut_off_nothing_happens():
    potential = build(None, Settings()).float()
    reach = potential.cutoff
    for r in np.linspace(reach * (1 - 1e-6), reach * (1 + 1e-6), 21):
        x = torch.tensor([[[0.0, 0, 0], [r, 0, 0], [0, r, 0]]], dtype=torch.float32)
        result = potentials.evaluate(potential, x, virial=True)
        assert result.energy.abs().max() < 1e-6 and result.forces.abs().max() < 1e-6 and result.virial.abs().max() < 1e-6
        assert torch.isfinite(_base._by_autograd(potential, x, None, None, False).forces).all()


def test_threads_change_the_order_of_sums_only():
    x, box = diamond(0.63, cells=5)
    x = x + 0.02 * torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    potential, results = build(None, Settings()), []
    for count in (1, 2):
        with device.threads(count):
            results.append(potentials.evaluate(potential, x, box, virial=True))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-9)


def test_excluded_pairs_are_no_neighbours():
    data = chain(2)
    potential = build(data, Settings())
    x = torch.tensor(data.positions)
    torch.testing.assert_close(potentials.evaluate(potential, x).energy, potential(x))
    beads = types.Beads.from_bonds(names=("W",) * 5, types=("W",) * 5, masses=[18.0] * 5, molecule=range(5), bonds=[])
    assert not torch.allclose(potential.bind(beads)(x), potential(x))
    assert potential.to_openmm(data.beads, False) is None
    assert openmm_engine.system(potential, data.start([0])).getNumForces() == 1


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="mW"):
        Settings(model="SPC")
