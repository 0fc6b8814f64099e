"""Kinetic temperature of Maxwell-Boltzmann velocities."""

import numpy as np
import pytest

from workbench import units
from workbench.observables import temperature
from workbench.types import Trajectory

MASSES = np.array([12.0, 14.0, 1.0, 16.0])


def maxwell(frames: int, kelvin: float, seed: int = 0) -> Trajectory:
    scale = np.sqrt(units.thermal_energy(kelvin) / MASSES)[:, None]
    velocities = np.random.default_rng(seed).normal(size=(frames, 4, 3)) * scale
    return Trajectory(positions=np.zeros((frames, 4, 3)), velocities=velocities)


def test_maxwell_velocities_have_their_temperature():
    found = temperature.compute(maxwell(20_000, 310.0), temperature.Settings(masses=tuple(MASSES)))
    exact = 310.0 * np.sqrt(2 / 12 / 20_000)
    assert abs(found.value - 310.0) < 4 * exact
    assert found.error == pytest.approx(exact, rel=0.5)
    assert found.unit == "K"


def test_centre_of_mass_takes_three_degrees_of_freedom():
    frames = maxwell(20_000, 300.0)
    drift = (frames.velocities * MASSES[:, None]).sum(1, keepdims=True) / MASSES.sum()
    still = Trajectory(positions=frames.positions, velocities=frames.velocities - drift)
    found = temperature.compute(still, temperature.Settings(masses=tuple(MASSES), n_constrained_dof=3))
    assert abs(found.value - 300.0) < 4 * found.error


def test_refusals():
    frames = maxwell(10, 300.0)
    with pytest.raises(ValueError, match="no velocities"):
        temperature.compute(Trajectory(positions=frames.positions), temperature.Settings(masses=tuple(MASSES)))
    with pytest.raises(ValueError, match="4 particles"):
        temperature.compute(frames, temperature.Settings(masses=(1.0,)))
    with pytest.raises(ValueError, match="degrees of freedom"):
        temperature.compute(frames, temperature.Settings(masses=tuple(MASSES), n_constrained_dof=12))
