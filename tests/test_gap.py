import numpy as np
import pytest
import torch

from tests.test_potentials_contract import liquid
from workbench import potentials, types
from workbench.fitting import kernel_regression
from workbench.potentials import gap, stillinger_weber

Settings = gap.Settings


def filled(**settings):
    """Kernels with waves in their coefficients."""
    made = gap.build(liquid(), Settings(**{"n_points": 25, **settings}))
    return made.with_coefficients(10 * np.cos(0.4 * np.arange(len(made.points))))


def test_columns_are_the_forces_of_every_kernel():
    data, made = liquid(), filled()
    x, box = torch.tensor(data.positions[:1]), torch.tensor(data.box[:1])
    own = made.columns(x, box) @ made.coefficients.detach().numpy()
    np.testing.assert_allclose(own, potentials.forces(made, x, box).reshape(-1).numpy(), atol=1e-9)


def test_the_functions_do_not_change_as_neighbours_change_places_and_vanish_at_the_cutoff():
    made = filled(cutoff=0.45)
    beads = types.Beads.from_bonds(names="AAA", types="AAA", masses=[1.0] * 3, molecule=range(3), bonds=[])
    made = made.bind(beads)
    x = torch.tensor([[[0.0, 0, 0], [0.3, 0, 0], [0, 0.35, 0]]], dtype=torch.float64)
    q = made.coordinates(x, None, None)[0]
    swapped = made.coordinates(x[:, [0, 2, 1]], None, None)[0]
    torch.testing.assert_close(q[0], swapped[0])
    gone = made.coordinates(torch.tensor([[[0.0, 0, 0], [0.4499999, 0, 0], [0, 0.5, 0]]], dtype=torch.float64), None, None)[0]
    assert gone.abs().max() < 1e-15


def test_a_many_body_force_is_learned():
    data = liquid(n_frames=24)
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    known = stillinger_weber.build(data, stillinger_weber.Settings())
    forces = potentials.forces(known, x, box).numpy()
    data = types.ReferenceData(positions=data.positions, forces=forces, box=data.box, beads=data.beads)
    fit = kernel_regression.fit(gap.build(data, Settings(n_points=200)), data, kernel_regression.Settings(n_blocks=3))
    assert fit.history["held_out"][0] < 0.4 * np.sqrt(np.mean(forces**2))


def test_bad_input_is_refused():
    data = liquid()
    with pytest.raises(ValueError, match="give the projected frames"):
        gap.build(None, Settings())
    with pytest.raises(ValueError, match=r"0\.7 nm exceeds half of the box of 1\.240 nm"):
        gap.build(data, Settings(cutoff=0.7))
    with pytest.raises(ValueError, match="no bead has neighbours"):
        gap.build(data, Settings(cutoff=0.1, start=0.05))
    with pytest.raises(ValueError, match="must come before the cut-off"):
        gap.build(data, Settings(start=0.45))
