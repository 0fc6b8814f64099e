"""One contract for every file of ``potentials``, found by ``rooms.available``: forces, virial, invariance, storage, OpenMM."""

import functools

import numpy as np
import openmm
import pytest
import torch

from workbench import potentials, rooms, simulation, store, types
from workbench.potentials import _base
from workbench.simulation import openmm_engine

ON_A_GPU = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
"""Marks of what needs one."""


def chain(n_frames=6, seed=0, wobble=0.01):
    """A random five-bead chain that wobbles, with forces."""
    rng = np.random.default_rng(seed)
    shape = np.array([[0.0, 0, 0], [0.13, 0, 0], [0.18, 0.13, 0], [0.3, 0.15, 0.08], [0.33, 0.28, 0.1]])
    beads = types.Beads.from_bonds(
        names=tuple("ABCDE"),
        types=tuple("ABCDE"),
        masses=[12.0, 14.0, 12.0, 12.0, 14.0],
        molecule=[0] * 5,
        bonds=[(0, 1), (1, 2), (2, 3), (3, 4)],
    )
    x = shape + wobble * rng.standard_normal((n_frames, 5, 3))
    return types.ReferenceData(positions=x, forces=rng.standard_normal(x.shape), beads=beads)


def liquid(n_frames=2, n=64, seed=0):
    """Single-bead molecules on a jittered lattice in a box that is not a cube, some of them outside of it."""
    rng = np.random.default_rng(seed)
    box = np.array([1.24, 1.3, 1.4])
    lattice = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)[:n] / 4 * box
    x = lattice + 0.03 * rng.standard_normal((n_frames, n, 3)) + box * rng.integers(-1, 2, (n_frames, n, 3))
    beads = types.Beads.from_bonds(names=("W",) * n, types=("W",) * n, masses=[18.0] * n, molecule=range(n), bonds=[])
    return types.ReferenceData(positions=x, box=np.tile(box, (n_frames, 1)), beads=beads)


DATA = {
    "harmonic": chain,
    "cgnet": chain,
    "feature_splines": chain,
    "walls": functools.partial(chain, 80, seed=1),
    "tabulated": chain,
    "lennard_jones": liquid,
    "repulsion": liquid,
    "deepcg": liquid,
    "deepcg_smooth": liquid,
    "schnet": chain,
    "painn": liquid,
    "stillinger_weber": liquid,
    "bond_order": liquid,
    "three_body_spline": liquid,
    "three_body_table": liquid,
    "kernel": liquid,
    "gap": liquid,
    "behler_parrinello": liquid,
}
SETTINGS = {
    "schnet": {"channels": 16},
    "painn": {"channels": 16},
    "walls": {"share": 0.25},
    "tabulated": {"start": 0.1, "cutoff": 0.5},
    "lennard_jones": {"cutoff": 0.6},
    "repulsion": {"cutoff": 0.6},
    "three_body_spline": {"cutoff": 0.45, "theta_min": 1.0},
    "three_body_table": {"cutoff": 0.45},
    "kernel": {"cutoff": 0.45, "n_triplets": 40, "n_pairs": 20},
    "gap": {"n_points": 40},
}


@pytest.fixture(params=rooms.available("potentials"))
def case(request):
    """A potential of every file in double precision, with positions and box."""
    data = DATA[request.param]()
    method = rooms.method("potentials", request.param)
    potential = method.build(data, method.Settings(**SETTINGS.get(request.param, {}))).double()
    if request.param in (
        "tabulated",
        "three_body_spline",
        "three_body_table",
        "kernel",
        "gap",
        "feature_splines",
    ):  # their tables begin empty
        with torch.no_grad():
            for parameter in potential.parameters():
                parameter.copy_(10 * torch.cos(0.4 * torch.arange(parameter.numel(), dtype=torch.float64)).reshape(parameter.shape))
    return potential, data, torch.tensor(data.positions), None if data.box is None else torch.tensor(data.box)


def test_forces_are_the_derivative_of_the_energy(case):
    potential, _, x, box = case
    own = _base.evaluate(potential, x, box)
    by_autograd = _base._by_autograd(potential, x, box, None, False)
    scale = by_autograd.forces.abs().max()
    assert (own.forces - by_autograd.forces).abs().max() < 1e-10 * scale
    torch.testing.assert_close(own.energy, by_autograd.energy)
    step = 1e-5
    for bead, axis in ((0, 0), (2, 1), (4, 2)):
        moved = torch.zeros_like(x)
        moved[:, bead, axis] = step
        slope = (potential(x + moved, box) - potential(x - moved, box)).detach() / (2 * step)
        assert (own.forces[:, bead, axis] + slope).abs().max() < 1e-6 * scale


def test_virial_is_the_derivative_by_strain(case):
    potential, _, x, box = case
    own = _base.evaluate(potential, x, box, virial=True).virial
    torch.testing.assert_close(own, _base._by_autograd(potential, x, box, None, True).virial)
    step = 1e-6
    for axis in range(3):
        stretch = torch.ones(3, dtype=torch.float64)
        stretch[axis] += step
        up = potential(x * stretch, None if box is None else box * stretch)
        stretch[axis] -= 2 * step
        down = potential(x * stretch, None if box is None else box * stretch)
        assert (own[:, axis, axis] + (up - down).detach() / (2 * step)).abs().max() < 1e-5 * own.abs().max()


def test_of_other_beads_than_its_own_it_says_the_truth_or_nothing(case):
    """A cell twice as long: once bound, twice the energy; before that the same or a refusal, never a number that is wrong."""
    potential, data, x, box = case
    if box is None:
        pytest.skip("it belongs to one molecule")
    shift, n = box[:, None, 2:] * torch.tensor([0.0, 0.0, 1.0], dtype=box.dtype), data.beads.n_beads
    wide, cell = torch.cat([x, x + shift], 1), box * torch.tensor([1.0, 1.0, 2.0], dtype=box.dtype)
    beads = types.Beads.from_bonds(names=("W",) * 2 * n, types=("W",) * 2 * n, masses=[18.0] * 2 * n, molecule=range(2 * n), bonds=[])
    once, bound = potential(x, box).detach(), potential.bind(beads)
    for way in (lambda of: of(wide, cell).detach(), lambda of: potentials.evaluate(of, wide, cell).energy):
        torch.testing.assert_close(way(bound), 2 * once)
        try:
            found = way(potential)
        except ValueError as refusal:
            assert "bind" in str(refusal)
        else:
            torch.testing.assert_close(found, 2 * once)


def test_forces_and_torques_of_an_isolated_molecule_vanish(case):
    potential, _, x, box = case
    force = potentials.forces(potential, x, box)
    assert force.sum(1).abs().max() < 1e-10 * force.abs().max()
    if box is None:
        torque = torch.linalg.cross(x, force).sum(1)
        assert torque.abs().max() < 1e-10 * force.abs().max()


def test_energy_is_invariant(case):
    potential, _, x, box = case
    energy = potential(x, box)
    torch.testing.assert_close(potential(x + 3.7, box), energy)
    if box is None:
        turn, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
        torch.testing.assert_close(potential(x @ (turn * torch.linalg.det(turn)), box), energy)
    else:
        torch.testing.assert_close(potential(x + box[:, None] * torch.randint(-2, 3, x.shape), box), energy)


def test_frames_do_not_see_each_other(case):
    potential, _, x, box = case
    together = _base.evaluate(potential, x, box)
    alone = _base.evaluate(potential, x[1:2], None if box is None else box[1:2])
    torch.testing.assert_close(together.energy[1:2], alone.energy)
    torch.testing.assert_close(together.forces[1:2], alone.forces)


def test_saves_and_loads(case, tmp_path):
    potential, _, x, box = case
    with torch.no_grad():
        for parameter in potential.parameters():
            parameter.add_(0.01)
    back = store.load(store.save(potential, tmp_path / "potential"))
    assert torch.equal(back(x, box), potential(x, box))
    assert store.identity(back) == store.identity(potential)


def test_openmm_gives_the_same_energy_and_forces(case):
    potential, data, x, box = case
    for frame in range(2):
        start = data.start([frame])
        context = openmm.Context(
            openmm_engine.system(potential, start), openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
        )
        context.setPositions(start.positions[0])
        state = context.getState(energy=True, forces=True)
        own = _base.evaluate(potential, x[frame : frame + 1], None if box is None else box[frame : frame + 1])
        assert state.getPotentialEnergy()._value == pytest.approx(float(own.energy), rel=1e-6)
        forces = state.getForces(asNumpy=True)._value
        assert np.abs(forces - own.forces[0].detach().numpy()).max() < 1e-6 * np.abs(forces).max()


def test_binding_to_its_own_beads_changes_nothing(case):
    potential, data, x, box = case
    assert torch.equal(potential.bind(data.beads)(x, box), potential(x, box))


def test_single_precision_agrees(case):
    potential, _, x, box = case
    double = potentials.forces(potential, x, box)
    single = potentials.forces(potential.float(), x.float(), None if box is None else box.float())
    assert (single - double).abs().max() < 2e-3 * double.abs().max()


def on_a_gpu(test):
    """``test`` with the marks of what needs one."""
    return functools.reduce(lambda marked, mark: mark(marked), ON_A_GPU, test)


@on_a_gpu
def test_a_gpu_gives_the_same_energy_forces_and_virial(case):
    potential, data, x, box = case
    here = _base.evaluate(potential, x, box, virial=True)
    there = _base.evaluate(potential.bind(data.beads).cuda(), x.cuda(), None if box is None else box.cuda(), virial=True)
    for name in ("energy", "forces", "virial"):
        one, other = getattr(here, name), getattr(there, name).cpu()
        assert (one - other).abs().max() < 1e-8 * one.abs().max(), name


@on_a_gpu
def test_replicas_on_a_gpu_move_as_on_a_cpu(case):
    potential, data, _, _ = case
    start = data.start([0, 1])
    start = types.Start(positions=start.positions, velocities=np.zeros(start.positions.shape), box=start.box, beads=start.beads)
    settings = {"n_steps": 10, "save_every": 5, "timestep_fs": 0.1, "integrator": "verlet", "precision": "double", "guard": False}
    here, there = (
        simulation.replicas.run(potential, start, simulation.replicas.Settings(**settings, device=name)) for name in ("cpu", "cuda")
    )
    np.testing.assert_allclose(there.positions, here.positions, atol=1e-6)


@on_a_gpu
def test_openmm_on_a_gpu_gives_the_same_forces(case):
    potential, data, x, box = case
    start = data.start([0])
    made, _ = openmm_engine._system(potential.bind(start.beads), start, "CUDA", 0.1)
    platform = openmm.Platform.getPlatformByName("CUDA")
    context = openmm.Context(made, openmm.VerletIntegrator(0.001), platform, {"Precision": "double"})
    context.setPositions(start.positions[0])
    found = context.getState(forces=True).getForces(asNumpy=True)._value
    own = _base.evaluate(potential, x[:1], None if box is None else box[:1]).forces[0].detach().numpy()
    assert np.abs(found - own).max() < 1e-5 * np.abs(own).max()


def test_sum_and_mean():
    data = chain()
    x = torch.tensor(data.positions)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    nets = [potentials.cgnet.build(data, potentials.cgnet.Settings(seed=s, width=8)).double() for s in range(3)]
    both = prior + nets[0]
    torch.testing.assert_close(both(x), prior(x) + nets[0](x))
    torch.testing.assert_close(potentials.forces(both, x), potentials.forces(prior, x) + potentials.forces(nets[0], x))
    average = potentials.mean(nets)
    torch.testing.assert_close(average(x), (nets[0](x) + nets[1](x) + nets[2](x)) / 3)
    torch.testing.assert_close(potentials.forces(prior + average, x), _base._by_autograd(prior + average, x, None, None, False).forces)


def test_restoring_refuses_what_is_no_potential():
    with pytest.raises(ValueError, match="no potential"):
        _base.restore({"file": "harmonic", "class": "ReferenceData", "recipe": {}}, {})
    with pytest.raises(ValueError, match="no method"):
        _base.restore({"file": "os", "class": "system", "recipe": {}}, {})
