import dataclasses
import math

import numpy as np
import openmm
import pytest
import torch

from tests.test_potentials_contract import liquid
from tests.test_tabulated import mixture
from workbench import neighbors, potentials, types
from workbench.potentials import _base, three_body_spline

Settings = three_body_spline.Settings


def filled(data, **settings):
    """Splines with waves in them."""
    made = three_body_spline.build(data, Settings(**settings))
    with torch.no_grad():
        made.coefficients.copy_(10 * torch.cos(0.4 * torch.arange(made.coefficients.numel())).reshape(made.coefficients.shape))
    return made


def beads(*types_):
    return types.Beads.from_bonds(names=types_, types=types_, masses=[1.0] * len(types_), molecule=range(len(types_)), bonds=[])


def test_three_beads_have_the_energy_that_is_written_down():
    made = filled(liquid(), cutoff=0.4, gamma=0.1).bind(beads("W", "W", "W"))
    theta, near, far = 1.9, 0.25, 0.3
    x = torch.tensor([[[near, 0, 0], [0, 0, 0], [far * math.cos(theta), far * math.sin(theta), 0]]], dtype=torch.float64)
    expected = made.curve(0, np.array([theta]))[0][0] * math.exp(0.1 / (near - 0.4)) * math.exp(0.1 / (far - 0.4))
    assert float(_base.evaluate(made, x).energy) == pytest.approx(expected, rel=1e-12)
    assert float(made(x).detach()) == pytest.approx(expected, rel=1e-12)


def test_a_spline_goes_through_its_values_and_is_straight_below_and_flat_at_pi():
    made = three_body_spline.build(liquid(), Settings())
    values = np.cos(made.knots())[None]
    made = made.with_values(values)
    np.testing.assert_allclose(made.values(), values, atol=1e-12)
    value, slope = made.curve(0, np.array([0.2, 0.4, 0.8, math.pi - 1e-9]))
    assert slope[0] == slope[1] == pytest.approx(slope[2])
    assert value[0] == pytest.approx(value[2] - 0.6 * slope[2])
    assert abs(slope[3]) < 1e-7


def test_forces_are_smooth_where_three_beads_are_in_line():
    made = filled(liquid(), cutoff=0.4).bind(beads("W", "W", "W"))
    for tilt in (0.0, 1e-9, 1e-5):
        x = torch.tensor([[[0.3, tilt, 0], [0, 0, 0], [-0.3, 0, 0]]], dtype=torch.float64)
        force = _base.evaluate(made, x).forces
        assert torch.isfinite(force).all() and force[0, :, 1].abs().max() < 1e-2


def test_a_leg_at_the_cutoff_does_no_harm_in_single_precision():
    made = filled(liquid(), cutoff=0.37).bind(beads("W", "W", "W")).float()
    reach = torch.nextafter(torch.tensor(0.37), torch.tensor(0.0))
    for shift in range(-8, 9):
        r = reach + shift * torch.finfo(torch.float32).eps * 0.25
        x = torch.stack([torch.tensor([0.0, 0.0, 0.0]), r * torch.tensor([0.6, 0.64, 0.48]), torch.tensor([0.0, 0.0, -0.3])])[None]
        result = _base.evaluate(made, x)
        assert abs(float(result.energy)) < 1e-6 and result.forces.abs().max() < 1e-6
        assert abs(float(made(x).detach())) < 1e-6


def test_kernel_and_torch_agree_for_types_exclusions_and_long_lists():
    data = mixture()
    made = filled(data, cutoff=0.45)
    assert made.triples == (("A", "A", "A"), ("A", "A", "B"), ("A", "B", "B"), ("B", "A", "A"), ("B", "A", "B"), ("B", "B", "B"))
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    for cell in (box, None):
        plain = _base._by_autograd(made, x, cell, None, True)
        for own in (
            _base.evaluate(made, x, cell, virial=True),
            made.evaluate(x, cell, neighbors.search(x, cell, 0.6, made.exclusions), True),
        ):
            for a, b in zip(own, plain, strict=True):
                torch.testing.assert_close(a, b)


def test_each_kind_of_triple_has_its_own_table():
    data = mixture()
    made = three_body_spline.build(data, Settings(cutoff=0.4))
    values = np.zeros(made.values().shape)
    values[4] = 1.0  # B in the middle of A and B
    made = made.with_values(values).bind(beads("A", "B", "B"))
    x = torch.tensor([[[0.3, 0, 0], [0, 0, 0], [0, 0.3, 0]]], dtype=torch.float64)
    assert float(made(x).detach()) == pytest.approx(math.exp(2 * 0.08 / (0.3 - 0.4)))
    assert float(made.bind(beads("A", "A", "B"))(x).detach()) == 0.0
    with pytest.raises(ValueError, match="no table for type C"):
        made.bind(beads("A", "B", "C"))


def test_openmm_gives_the_same_for_types():
    data = mixture()
    free = dataclasses.replace(data, beads=beads(*data.beads.types))
    made = filled(free, cutoff=0.45)
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*np.diag(data.box[0]))
    for _ in range(64):
        system.addParticle(1.0)
    for force in made.to_openmm(free.beads, True):
        system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(data.positions[0])
    state = context.getState(energy=True, forces=True)
    own = _base.evaluate(made, torch.tensor(data.positions[:1]), torch.tensor(data.box[:1]))
    assert state.getPotentialEnergy()._value == pytest.approx(float(own.energy), rel=1e-6)
    found = state.getForces(asNumpy=True)._value
    assert np.abs(found - own.forces[0].numpy()).max() < 1e-6 * np.abs(found).max()
    assert filled(data, cutoff=0.45).to_openmm(data.beads, True) is None  # it has exclusions


def test_the_energy_is_linear_in_the_coefficients():
    data = liquid()
    one, other = filled(data, cutoff=0.45), filled(data, cutoff=0.45)
    other = other.with_coefficients(np.sin(np.arange(25.0))[None])
    both = one.with_coefficients((one.coefficients + 2 * other.coefficients).detach().numpy())
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    forces = [potentials.forces(p, x, box) for p in (one, other, both)]
    torch.testing.assert_close(forces[0] + 2 * forces[1], forces[2])


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="give the projected frames"):
        three_body_spline.build(None, Settings())
    with pytest.raises(ValueError, match=r"exceeds half of the box of 1\.240 nm"):
        three_body_spline.build(liquid(), Settings(cutoff=0.7))
    with pytest.raises(ValueError, match="finite values at the knots"):
        three_body_spline.build(liquid(), Settings()).with_values(np.zeros((1, 3)))
