"""End-to-end distance: the freely jointed chain, across the box, ends found along bonds or given."""

import numpy as np
import pytest

from tests._chains import freely_jointed
from workbench import systems
from workbench.observables import end_to_end
from workbench.types import Trajectory


def test_the_freely_jointed_chain():
    found = end_to_end.compute(freely_jointed(2000, 5, 20, 0.3))
    assert found.value == pytest.approx(0.3 * np.sqrt(20), abs=4 * found.error) and found.error < 0.02 * found.value


def test_the_errors_cover():
    found = [end_to_end.compute(freely_jointed(200, 2, 20, 0.3, seed=seed)) for seed in range(40)]
    off = np.array([(each.value - 0.3 * np.sqrt(20)) / each.error for each in found])
    assert 0.7 < off.std() < 1.5 and np.mean(np.abs(off) < 2) > 0.8


def test_chains_across_the_box_are_made_whole():
    free, wrapped = (end_to_end.compute(freely_jointed(50, 3, 10, 0.3, edge=edge)) for edge in (1e3, 0.8))
    assert wrapped.value == pytest.approx(free.value, rel=1e-6)


def test_ends_are_found_along_bonds_or_given():
    hexane = systems.load("hexane", n_molecules=1)
    frames = Trajectory(positions=np.repeat(hexane.positions[None], 4, 0), system=hexane)
    carbons = end_to_end.compute(frames, end_to_end.Settings(ends=(0, 5))).value
    assert carbons == pytest.approx(np.linalg.norm(hexane.positions[5] - hexane.positions[0]))
    assert end_to_end.compute(frames).value > carbons  # hydrogen to hydrogen
    with pytest.raises(ValueError, match=r"ends = \(0, 20\): give two numbers from 0 to 19"):
        end_to_end.compute(frames, end_to_end.Settings(ends=(0, 20)))
    with pytest.raises(ValueError, match=r"ends = \(0,\): give two numbers"):
        end_to_end.compute(frames, end_to_end.Settings(ends=(0,)))


def test_molecules_without_bonds_have_no_ends():
    argon = systems.load("lennard_jones_fluid", n_particles=216)
    with pytest.raises(ValueError, match="molecule 0 has no bonds, and so no ends"):
        end_to_end.compute(Trajectory(positions=np.repeat(argon.positions[None], 4, 0), system=argon))
