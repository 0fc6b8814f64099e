import numpy as np
import pytest
import torch

from tests.test_potentials_contract import liquid
from workbench import potentials, types
from workbench.potentials import _base, three_body_table

Settings = three_body_table.Settings


def beads(n, *types_):
    names = types_ or ("W",) * n
    return types.Beads.from_bonds(names=names, types=names, masses=[1.0] * n, molecule=range(n), bonds=[])


def smooth(left, right, cosine):
    """A function of a triplet that is zero with its slope at 0.4 nm."""
    fade = ((0.4 - left) * (0.4 - right)) ** 2
    return 1e5 * fade * ((cosine + 1 / 3) ** 2 + np.sin(9 * (left + right)) * np.exp(cosine))


def filled(data, **settings):
    table = three_body_table.build(data, Settings(**settings))
    legs, cosines = table.knots()
    return table.with_values(smooth(*np.meshgrid(legs, legs, cosines, indexing="ij")))


def triangle(left, right, cosine):
    end = np.array([cosine, np.sqrt(1 - cosine**2), 0]) * right
    return torch.tensor(np.array([[[0.0, 0, 0], [left, 0, 0], end]]))


def test_the_function_is_interpolated():
    table = filled(liquid())
    legs, cosines = table.knots()
    at = np.meshgrid(legs, legs, cosines, indexing="ij")
    np.testing.assert_allclose(table.surface(*at), smooth(*at), atol=1e-9)
    rng = np.random.default_rng(0)
    between = rng.uniform(0.24, 0.4, (2, 2000)), rng.uniform(-1, 1, 2000)
    errors = [
        np.abs(filled(liquid(), n_leg=n, n_angle=m).surface(*between[0], between[1]) - smooth(*between[0], between[1])).max()
        for n, m in ((7, 10), (14, 20))
    ]
    assert errors[1] < errors[0] / 4
    assert errors[1] < 4e-3 * np.abs(smooth(*at)).max()


def test_three_beads_have_the_energy_of_the_table():
    table = filled(liquid()).bind(beads(3))
    x = triangle(0.27, 0.31, -0.4)
    expected = float(table.surface(np.array(0.27), np.array(0.31), np.array(-0.4)))
    assert float(table(x).detach()) == pytest.approx(expected, rel=1e-10)  # the ends are 0.486 nm apart: one triplet
    assert float(_base.evaluate(table, x).energy) == pytest.approx(expected, rel=1e-10)


def test_both_ends_are_alike():
    table = filled(liquid())
    with torch.no_grad():
        table.coefficients.add_(torch.rand(table.coefficients.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    left, right, cosine = np.random.default_rng(0).uniform([[0.24], [0.24], [-1]], [[0.4], [0.4], [1]], (3, 100))
    np.testing.assert_allclose(table.surface(left, right, cosine), table.surface(right, left, cosine), atol=1e-12)


@pytest.mark.parametrize("at", (0.24, 0.24 + 0.16 / 14, 0.4))
def test_forces_are_continuous_at_the_first_knot_at_a_knot_and_at_the_cutoff(at):
    table = filled(liquid()).bind(beads(3))
    before, after = (potentials.forces(table, triangle(at + shift, 0.3, -0.5)) for shift in (-1e-9, 1e-9))
    assert (before - after).abs().max() < 1e-4 * max(1.0, float(before.abs().max()))


def test_forces_stay_finite_in_line():
    table = filled(liquid()).bind(beads(3))
    for x in (triangle(0.3, 0.3, -1.0), triangle(0.3, 0.3, 1.0 - 1e-14)):
        assert torch.isfinite(potentials.forces(table, x)).all()


def test_kernel_and_torch_agree_also_with_exclusions_and_in_vacuum():
    data = liquid()
    free = filled(data, cutoff=0.45)
    excluded = three_body_table.ThreeBodyTable(**{**free.recipe(), "exclusions": [[0, 1], [5, 6]]})
    excluded.coefficients = free.coefficients
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    for table in (free, excluded):
        for cell in (box, None):
            for a, b in zip(_base.evaluate(table, x, cell, virial=True), _base._by_autograd(table, x, cell, None, True), strict=True):
                torch.testing.assert_close(a, b)
    assert not torch.equal(free(x, box), excluded(x, box))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="give the projected frames"):
        three_body_table.build(None, Settings())
    with pytest.raises(ValueError, match=r"exceeds half of the box of 1\.240 nm"):
        three_body_table.build(liquid(), Settings(cutoff=0.7))
    with pytest.raises(ValueError, match="must come before the cut-off"):
        three_body_table.build(liquid(), Settings(start=0.4))
    table = three_body_table.build(liquid(), Settings())
    with pytest.raises(ValueError, match="finite values at the knots"):
        table.with_values(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="two legs are exchanged"):
        table.with_values(np.random.default_rng(0).random((15, 15, 21)))
    with pytest.raises(ValueError, match="of one type"):
        table.bind(beads(2, "A", "B"))
