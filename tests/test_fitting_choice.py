"""Every fit that needs forces runs with every potential for which the fitting panel offers it, and the forces come out better."""

import dataclasses

import numpy as np
import pytest
import torch

from tests import test_potentials_contract as contract
from widgets import fitting_choice
from workbench import potentials, rooms, simulation, types

QUICK = {
    "force_matching": {"n_epochs": 3, "batch_size": 4, "validation_fraction": 0.25},
    "kalman_matching": {"n_epochs": 2, "n_updates": 20, "n_streams": 4, "n_components": 4, "epsilon": 1.0, "validation_fraction": 0.25},
    "joint_matching": {
        "n_epochs": 3,
        "n_iterations": 1,
        "n_steps": 1,
        "equilibration_steps": 10,
        "simulation": simulation.replicas.Settings(n_steps=20, save_every=10, timestep_fs=1.0),
    },
    "kernel_regression": {"regularisation": 1e-3, "n_blocks": 2},
    "spline_force_matching": {"n_blocks": 2},
    "feature_regression": {"n_blocks": 2},
}
CHOICES = [
    (potential, method)
    for potential in rooms.available("potentials")
    if potential != "harmonic"
    for method in fitting_choice.solvers(potential)
    if method in QUICK
]
OTHERS = {"tabulated": contract.liquid}
"""Beads other than those of the contract."""
SMALL = {"cgnet": {"width": 16, "n_layers": 2}, "deepcg": {"widths": (8, 8)}, "deepcg_smooth": {"widths": (8, 8)}}
"""Networks that the filter can take."""


@pytest.mark.parametrize(("name", "method"), CHOICES)
def test_what_is_offered_runs_and_forces_come_out_better(name, method):
    data = sample(OTHERS.get(name, contract.DATA[name]))
    room, solver = rooms.method("potentials", name), rooms.method("fitting", method)
    potential = room.build(data, room.Settings(**(contract.SETTINGS.get(name, {}) | SMALL.get(name, {}))))
    if fitting_choice.base(name) == "tabulated":
        pairs = rooms.method("potentials", "tabulated")
        potential = potential + pairs.build(data, pairs.Settings(**contract.SETTINGS["tabulated"]))
    fit = solver.fit(potential, data, solver.Settings(**QUICK[method]))
    assert error(fit.potential, data) < error(potential, data)


def test_forces_fits_are_named_as_such():
    assert set(QUICK) == set(fitting_choice.FORCES)


def sample(make) -> types.ReferenceData:
    """Twelve frames, with the forces of springs to the places that beads have on average."""
    data = make(12)
    x = np.array(data.positions)
    if data.box is not None:
        x[1:] += np.array(data.box)[:1, None] * np.round((x[:1] - x[1:]) / np.array(data.box)[:1, None])
    return dataclasses.replace(data, positions=x, forces=-5000.0 * (x - x.mean(0)))


def error(potential, data: types.ReferenceData) -> float:
    """Median error of a force's component; a table's wall, where two beads of all came close, does not count."""
    x, box = torch.tensor(np.array(data.positions)), None if data.box is None else torch.tensor(np.array(data.box))
    found = potentials.forces(potential.double(), x, box).numpy()
    return float(np.median(np.abs(found - data.forces)))
