import dataclasses

import numpy as np
import openmm
import pytest
import scipy.interpolate
import torch

from tests.test_potentials_contract import chain, liquid
from workbench import potentials, simulation, types
from workbench.potentials import _base, _spline, tabulated

Settings = tabulated.Settings


def mixture(seed=0):
    """Sixty-four beads of two types in a box, some bonded."""
    data = liquid(seed=seed)
    names = ("A", "B") * 32
    beads = types.Beads.from_bonds(names=names, types=names, masses=[10.0] * 64, molecule=[0, 0, *range(1, 63)], bonds=[(0, 1)])
    return dataclasses.replace(data, beads=beads)


def filled(data, **settings):
    """Tables with waves in them that rise towards their start."""
    made = tabulated.build(data, Settings(**settings)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            k = torch.arange(parameter.shape[1], dtype=torch.float64)
            parameter.copy_(10 * torch.cos(0.3 * k + torch.arange(len(parameter))[:, None]) + 200 * torch.exp(-0.5 * k))
    return made


def test_a_spline_goes_through_its_values_and_is_smooth():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 12))
    values[:, -1] = 0
    for ends, boundary in (("natural", "natural"), ("clamped", ((2, np.zeros(2)), (1, np.zeros(2))))):
        peer = scipy.interpolate.CubicSpline(np.arange(12), values, axis=1, bc_type=boundary)
        c = _spline.interpolate(values, ends)
        np.testing.assert_allclose(_spline.at_knots(c), values, atol=1e-12)
        s = np.linspace(0, 11, 101)
        u, du = _spline.evaluate(_spline.polynomials(torch.tensor(c)), torch.ones(101, dtype=torch.int64), torch.tensor(s))
        np.testing.assert_allclose(u, peer(s)[1], atol=1e-12)
        np.testing.assert_allclose(du, peer(s, 1)[1], atol=1e-12)
        k, weight, slope = _spline.basis(s, 11)
        np.testing.assert_allclose((weight * c[1][k[:, None] + np.arange(4)]).sum(1), u, atol=1e-12)
        np.testing.assert_allclose((slope * c[1][k[:, None] + np.arange(4)]).sum(1), du, atol=1e-12)
    values[:, -1] = values[:, 0]
    peer = scipy.interpolate.CubicSpline(np.arange(12), values, axis=1, bc_type="periodic")
    u, _ = _spline.evaluate(
        _spline.polynomials(torch.tensor(_spline.interpolate(values, "periodic"))), torch.zeros(101, dtype=torch.int64), torch.tensor(s)
    )
    np.testing.assert_allclose(u, peer(s)[0], atol=1e-12)


def test_pairs_are_smooth_to_zero_at_the_cutoff_and_repulsive_below_the_first_knot():
    data = liquid()
    table = tabulated.build(data, Settings(start=0.2, cutoff=0.6, spacing=0.02))
    r = table.knots()
    table = table.with_values(np.cos(10 * r)[None])
    np.testing.assert_allclose(table.values()[0, :-1], np.cos(10 * r)[:-1], atol=1e-12)
    energy, slope = table.curve(0, np.array([0.6 - 1e-7, 0.6, 0.7]))
    assert abs(energy[0]) < 1e-10 and abs(slope[0]) < 1e-2 and not energy[1:].any() and not slope[1:].any()
    inner, push = table.curve(0, np.array([0.2, 0.15, 0.1, 0.01]))
    assert (np.diff(inner) > 0).all() and (push[1:] < -1000).all() and inner[3] > 1e10
    at, below = table.curve(0, np.array([0.2]))[0], table.curve(0, np.array([0.2 - 1e-9]))[0]
    assert below == pytest.approx(at, abs=1e-4)


def test_kernel_and_torch_agree_for_types_exclusions_and_vacuum():
    data = mixture()
    table = filled(data, start=0.3, cutoff=0.6, spacing=0.02, bonds=False)
    assert table.pairs == (("A", "A"), ("A", "B"), ("B", "B")) and len(table.exclusions) == 1
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    for cell in (box, None):
        own, by_torch = _base.evaluate(table, x, cell, virial=True), table._evaluate_by_torch(x, cell, None, True)
        for a, b in zip(own, by_torch, strict=True):
            torch.testing.assert_close(a, b)
        plain = _base._by_autograd(table, x, cell, None, True)
        for a, b in zip(own, plain, strict=True):
            torch.testing.assert_close(a, b)


def test_each_pair_of_types_has_its_own_table():
    data = mixture()
    table = tabulated.build(data, Settings(start=0.2, cutoff=0.6, spacing=0.02, bonds=False))
    values = np.zeros((3, 21))
    values[1] = 1.0
    table = table.with_values(values)
    beads = types.Beads.from_bonds(names="ABB", types=("A", "B", "B"), masses=[1.0] * 3, molecule=[0, 1, 2], bonds=[])
    line = torch.tensor([[[0.0, 0, 0], [0.3, 0, 0], [0.7, 0, 0]]], dtype=torch.float64)
    assert float(table.bind(beads)(line).detach()) == pytest.approx(1.0)  # one A-B within reach; B-B is empty
    with pytest.raises(ValueError, match="no table for type C"):
        table.bind(dataclasses.replace(beads, types=("A", "B", "C")))


def test_openmm_gives_the_same_for_types_and_exclusions():
    data = mixture()
    table = filled(data, start=0.16, cutoff=0.6, spacing=0.02, bonds=False)
    forces = table.to_openmm(data.beads, True)
    assert len(forces) == 3 and forces[1].getNumInteractionGroups() == 1
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*np.diag(data.box[0]))
    for _ in range(64):
        system.addParticle(1.0)
    for force in forces:
        system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(data.positions[0])
    state = context.getState(energy=True, forces=True)
    own = _base.evaluate(table, torch.tensor(data.positions[:1]), torch.tensor(data.box[:1]))
    assert state.getPotentialEnergy()._value == pytest.approx(float(own.energy), rel=1e-6)
    found = state.getForces(asNumpy=True)._value
    assert np.abs(found - own.forces[0].numpy()).max() < 1e-6 * np.abs(found).max()


def test_bonded_tables_are_pooled_by_type_and_periodic():
    data = chain()
    same = dataclasses.replace(data, beads=dataclasses.replace(data.beads, types=("A", "B", "B", "B", "A")))
    made = tabulated.build(same, Settings(pairs=False))
    assert made.tables == {
        "bond": (("A", "B"), ("B", "B")),
        "angle": (("A", "B", "B"), ("B", "B", "B")),
        "dihedral": (("A", "B", "B", "B"),),
    }
    start, stop, n = made.grids["bond"]
    values = {"bond": np.stack([50 * np.linspace(-1, 1, n + 1) ** 2] * 2), "dihedral": np.cos(made.knots("dihedral"))[None]}
    made = made.with_values(values)
    np.testing.assert_allclose(made.values("dihedral"), values["dihedral"], atol=1e-12)
    for q in (-np.pi, np.pi):
        assert made.curve("dihedral", 0, np.array([q]))[0] == pytest.approx(-1)
    out = np.array([start - 0.1, start, stop, stop + 0.1])
    energy, slope = made.curve("bond", 1, out)
    assert energy[0] == pytest.approx(energy[1] - 0.1 * slope[1] + 0.5 * 10_000 * 0.1**2)
    assert energy[3] == pytest.approx(energy[2] + 0.1 * slope[2] + 0.5 * 10_000 * 0.1**2)
    x = torch.tensor(same.positions)
    assert not potentials.forces(made, x).isnan().any()
    with pytest.raises(ValueError, match="no bond table for C-C"):
        made.bind(dataclasses.replace(same.beads, types=("C",) * 5))


def test_a_sum_of_tables_runs():
    data = chain(n_frames=20)
    made = filled(data, start=0.1, cutoff=0.5, spacing=0.02)
    pairs, bonded = tabulated.parts(made)
    assert isinstance(pairs, tabulated.PairTables) and isinstance(bonded, tabulated.BondedTables)
    model = simulation.replicas.run(
        made, data.start([0, 1]), simulation.replicas.Settings(n_steps=20, save_every=10, timestep_fs=0.1, precision="double", guard=False)
    )
    assert np.isfinite(model.positions).all()


def test_nothing_falls_through_a_flat_table():
    beads = types.Beads.from_bonds(names="AA", types="AA", masses=[1.0] * 2, molecule=[0, 1], bonds=[])
    data = types.ReferenceData(positions=np.array([[[0.0, 0, 0], [0.5, 0, 0]]]), beads=beads)
    flat = tabulated.build(data, Settings(start=0.2, cutoff=0.6, spacing=0.05))
    v = np.array([[[3.0, 0, 0], [-3.0, 0, 0]]])
    start = dataclasses.replace(data.start([0]), velocities=v)
    settings = simulation.replicas.Settings(n_steps=300, save_every=1, timestep_fs=1.0, precision="double", friction=1e-6, guard=False)
    run = simulation.replicas.run(flat, start, settings)
    distance = run.positions[:, 1, 0] - run.positions[:, 0, 0]
    assert distance.min() > 0.1 and distance[-1] > 0.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start": 0.2, "cutoff": 0.9, "spacing": 0.03}, "do not lead from 0.2 nm to the cut-off"),
        ({"start": 0.2, "cutoff": 0.8}, "exceeds half of the box of 1.240 nm"),
        ({"pairs": False}, "leave no table"),
    ],
)
def test_bad_grids_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        tabulated.build(liquid(), Settings(**settings))


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="give the projected frames"):
        tabulated.build(None, Settings())
    table = tabulated.build(liquid(), Settings(start=0.2, cutoff=0.6, spacing=0.02))
    with pytest.raises(ValueError, match="21 knots each, not values of shape"):
        table.with_values(np.zeros((1, 5)))
    with pytest.raises(ValueError, match="not a finite number"):
        table.with_values(np.full((1, 21), np.nan))
    with pytest.raises(ValueError, match="not 0 of pairs and 0 of bonded"):
        tabulated.parts(potentials.lennard_jones.build(None, potentials.lennard_jones.Settings()))
