"""Compressibility: volumes of an ideal gas at constant pressure, correlated frames, and what has none."""

import dataclasses

import numpy as np
import pytest

from workbench import units
from workbench.observables import compressibility
from workbench.types import State, Trajectory


def boxes(volume: np.ndarray, temperature: float = 300.0) -> Trajectory:
    edge = np.cbrt(volume)[:, None] * np.array([0.8, 1.0, 1.25])
    state = State(temperature=temperature, pressure=1.0)
    return Trajectory(positions=np.zeros((len(volume), 1, 3)), box=edge, states=(state,))


def test_an_ideal_gas_has_one_over_its_pressure():
    """N particles at pressure P: V is gamma distributed with N + 1 degrees, <V> = (N + 1) kBT / P and kappa = 1 / P."""
    bar, n = 2.0, 50
    scale = units.thermal_energy(300.0) / (bar * units.BAR)
    found = [compressibility.compute(boxes(np.random.default_rng(seed).gamma(n + 1, scale, 2000))) for seed in range(40)]
    off = np.array([(each.value - 1 / bar) / each.error for each in found])
    assert 0.7 < off.std() < 1.5 and abs(off.mean()) < 0.6
    assert np.mean([each.value for each in found]) == pytest.approx(1 / bar, rel=0.02)
    assert found[0].error == pytest.approx(np.sqrt(2 / 2000) / bar, rel=0.8) and found[0].unit == "1/bar"


def test_frames_that_follow_each_other_make_it_neither_smaller_nor_surer():
    """A volume that remembers 100 frames, in 2000: its variance about their mean is a tenth too small, as is known beforehand."""
    rng = np.random.default_rng(0)
    keep, n = np.exp(-1 / 100), 2000
    value, error = [], []
    for _ in range(60):
        noise, volume = rng.normal(0, np.sqrt(1 - keep**2), n), np.empty(n)
        volume[0] = rng.normal()
        for k in range(1, n):
            volume[k] = keep * volume[k - 1] + noise[k]
        found = compressibility.compute(boxes(30 + 0.1 * volume))
        value.append(found.value)
        error.append(found.error)
    expected = 0.01 / (30 * units.thermal_energy(300.0)) * units.BAR
    assert np.mean(value) == pytest.approx(expected, rel=3 * np.std(value) / expected / np.sqrt(60))
    assert np.mean(error) == pytest.approx(np.std(value), rel=0.4)


def test_what_has_no_compressibility_is_refused():
    with pytest.raises(ValueError, match="in every frame: take frames of a run at constant pressure"):
        compressibility.compute(boxes(np.full(10, 27.0)))
    with pytest.raises(ValueError, match="has no box"):
        compressibility.compute(dataclasses.replace(boxes(np.full(10, 27.0)), box=None))
