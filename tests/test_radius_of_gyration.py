"""Radius of gyration: the freely jointed chain, across the box, and of molecules with masses."""

import dataclasses

import numpy as np
import pytest

from tests._chains import freely_jointed
from workbench import systems
from workbench.observables import radius_of_gyration
from workbench.types import Trajectory


def expected(n_bonds: int, length: float) -> float:
    """<R_g^2> of N = n + 1 equal beads: b^2 n (n + 2) / (6 (n + 1))."""
    return length**2 * n_bonds * (n_bonds + 2) / (6 * (n_bonds + 1))


def test_the_freely_jointed_chain():
    found = radius_of_gyration.compute(freely_jointed(2000, 5, 20, 0.3))
    assert found.value == pytest.approx(np.sqrt(expected(20, 0.3)), abs=4 * found.error) and found.unit == "nm"
    assert found.error < 0.01 * found.value


def test_chains_across_the_box_are_made_whole():
    free, wrapped = (radius_of_gyration.compute(freely_jointed(50, 3, 10, 0.3, edge=edge)) for edge in (1e3, 0.8))
    assert wrapped.value == pytest.approx(free.value, rel=1e-6)


def test_masses_count():
    water = systems.load("water_tip4p2005", n_molecules=1, density=0.1, cutoff_nm=0.3)
    found = radius_of_gyration.compute(Trajectory(positions=np.repeat(water.positions[None], 4, 0), system=water))
    x, m = water.positions, water.masses
    centre = m @ x / m.sum()
    assert found.value == pytest.approx(np.sqrt((m * ((x - centre) ** 2).sum(1)).sum() / m.sum()))
    with pytest.raises(ValueError, match="does not know its particles"):
        radius_of_gyration.compute(dataclasses.replace(Trajectory(positions=np.zeros((4, 3, 3)))))
