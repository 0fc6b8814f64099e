"""Density: the mean of known boxes with its error, atoms or beads, and what has none."""

import dataclasses

import numpy as np
import pytest

from workbench import mappings, projection, systems, units
from workbench.observables import density
from workbench.types import Trajectory


@pytest.fixture(scope="module")
def frames():
    water = systems.load("water_tip3p", n_molecules=8, cutoff_nm=0.3)
    edges = 0.62 + 0.01 * np.random.default_rng(0).normal(size=(400, 1)) * np.ones((1, 3))
    return Trajectory(positions=np.repeat(water.positions[None], 400, 0), box=edges, system=water)


def test_the_mean_over_boxes_with_its_error(frames):
    found = density.compute(frames)
    instant = frames.system.masses.sum() / frames.box.prod(1) / units.GRAM_PER_CM3
    assert found.value == pytest.approx(instant.mean()) and found.unit == "g/cm^3"
    assert found.error == pytest.approx(instant.std() / 20, rel=0.6)
    assert found.n_effective > 100


def test_beads_have_the_density_of_their_atoms(frames):
    beads = projection.project(frames, mappings.center_of_mass.build(frames.system, None, mappings.center_of_mass.Settings()))
    assert density.compute(beads).value == pytest.approx(density.compute(frames).value)


def test_what_has_no_density_is_refused(frames):
    with pytest.raises(ValueError, match="the trajectory has no box"):
        density.compute(dataclasses.replace(frames, box=None))
    with pytest.raises(ValueError, match="does not know its particles"):
        density.compute(dataclasses.replace(frames, system=None))
