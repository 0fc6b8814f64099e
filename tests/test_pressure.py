"""Pressure: an ideal gas, a pair at a known force, beads as their atoms, and what has none."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import mappings, potentials, projection, systems, units
from workbench.observables import pressure
from workbench.potentials import lennard_jones
from workbench.types import Beads, ReferenceData, State, Trajectory

ARGON = State(temperature=120.0)


def frames(positions: np.ndarray, box: np.ndarray, virial: np.ndarray | None) -> ReferenceData:
    n = positions.shape[1]
    beads = Beads.from_bonds(names=("A",) * n, types=("A",) * n, masses=np.full(n, 40.0), molecule=np.arange(n), bonds=())
    return ReferenceData(positions=positions, box=box, virial=virial, beads=beads, states=(ARGON,), force_kind="none")


def test_an_ideal_gas_has_its_pressure_in_every_box():
    edge = np.random.default_rng(0).uniform(4, 5, (50, 3))
    found = pressure.compute(frames(np.zeros((50, 10, 3)), edge, np.zeros((50, 3, 3))))
    instant = 10 * 1.380649e-23 * 120.0 / (edge.prod(1) * 1e-27) / 1e5  # SI units, Pa to bar
    assert found.value == pytest.approx(instant.mean(), rel=1e-9) and found.unit == "bar"
    assert found.error == pytest.approx(instant.std() / np.sqrt(50), rel=0.5)


def test_the_virial_of_a_potential_is_minus_the_slope_of_the_energy_with_the_volume():
    """P = N kBT / V - dU/dV of frames that are scaled along with their box."""
    rng = np.random.default_rng(1)
    box, x = np.full((4, 3), 3.0), np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3) * 0.75
    x = x + rng.normal(0, 0.03, (4, 64, 3))
    potential = lennard_jones.build(None, lennard_jones.Settings(epsilon=1.0, sigma=0.34, cutoff=1.0, switch_width=0.2))
    at = [torch.tensor(array) for array in (x, box)]
    virial = potentials.evaluate(potential, *at, virial=True).virial.detach().numpy()
    up, down = (potential(at[0] * s, at[1] * s).detach().numpy().mean() for s in (1 + 1e-5, 1 - 1e-5))
    slope = (up - down) / (27 * ((1 + 1e-5) ** 3 - (1 - 1e-5) ** 3))
    expected = (64 * units.thermal_energy(120.0) / 27 - slope) / units.BAR
    assert pressure.compute(frames(x, box, virial)).value == pytest.approx(expected, rel=1e-6)


def test_beads_have_the_pressure_of_their_atoms_and_sites_without_mass_do_not_count():
    water = systems.load("water_tip4p2005", n_molecules=8, cutoff_nm=0.3)
    virial = np.random.default_rng(2).normal(-50, 5, (6, 1, 1)) * np.eye(3)
    atoms = frames(np.zeros((6, 1, 3)), np.full((6, 3), 0.62), virial)
    fields = {name: getattr(atoms, name) for name in ("box", "virial", "states")}
    all_atom = Trajectory(positions=np.repeat(water.positions[None], 6, 0), system=water, **fields)
    beads = projection.project(all_atom, mappings.center_of_mass.build(water, None, mappings.center_of_mass.Settings()))
    found = pressure.compute(all_atom)
    assert pressure.compute(beads).value == pytest.approx(found.value)
    ideal = 24 * units.thermal_energy(120.0)
    assert found.value == pytest.approx((ideal + virial[:, 0, 0].mean()) / 0.62**3 / units.BAR)


def test_what_has_no_pressure_is_refused():
    known = frames(np.zeros((4, 2, 3)), np.ones((4, 3)), np.zeros((4, 3, 3)))
    with pytest.raises(ValueError, match="has no virial: run it with virial=True"):
        pressure.compute(dataclasses.replace(known, virial=None))
    with pytest.raises(ValueError, match="has no box"):
        pressure.compute(dataclasses.replace(known, box=None))
    with pytest.raises(ValueError, match="does not know its particles"):
        pressure.compute(Trajectory(positions=known.positions, box=known.box, virial=known.virial))
    with pytest.raises(ValueError, match="2 thermodynamic states"):
        pressure.compute(dataclasses.replace(known, states=(ARGON, State()), state=np.array([0, 0, 1, 1])))
