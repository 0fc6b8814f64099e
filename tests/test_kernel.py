import numpy as np
import pytest
import torch

from tests.test_potentials_contract import liquid
from workbench import potentials, types
from workbench.potentials import _kernel_expansion, _kernel_forces, kernel, lennard_jones, three_body_table

Settings = kernel.Settings


def filled(part):
    """Kernels with waves in their coefficients."""
    return part.with_coefficients(10 * np.cos(0.4 * np.arange(len(part.points))))


def triplets(**settings):
    return filled(kernel.build(liquid(), Settings(pairs=False, n_triplets=30, **{"cutoff": 0.45, **settings})))


def test_two_beads_have_the_energy_that_is_written_down():
    beads = types.Beads.from_bonds(names="AA", types="AA", masses=[1.0] * 2, molecule=range(2), bonds=[])
    part = filled(kernel.build(liquid(), Settings(triplets=False, n_pairs=7, pair_width=0.04))).bind(beads)
    r = 0.31
    expected = np.sum(part.coefficients.detach().numpy() * np.exp(-0.5 * ((r - part.points.numpy()[:, 0]) / 0.04) ** 2))
    x = torch.tensor([[[0.0, 0, 0], [0, r, 0]]], dtype=torch.float64)
    assert float(part(x).detach()) == pytest.approx(expected, rel=1e-10)  # not yet switched off
    assert part.curve(np.array([r, 0.6]))[0] == pytest.approx(expected, rel=1e-10)
    assert part.curve(np.array([0.6]))[0] == 0.0


def test_the_two_ends_of_a_triplet_are_alike_and_nothing_jumps_where_the_legs_are_equal():
    part = triplets()
    left, right, cosine = np.random.default_rng(0).uniform([[0.24], [0.24], [-1]], [[0.45], [0.45], [1]], (3, 50))
    np.testing.assert_allclose(part.surface(left, right, cosine), part.surface(right, left, cosine), rtol=1e-12)
    step = 1e-6
    slopes = [
        (part.surface(*(np.array([v]) for v in (0.3 + a + step, 0.3, -0.4))) - part.surface(*(np.array([v]) for v in (0.3 + a, 0.3, -0.4))))
        / step
        for a in (-step, 0.0)
    ]
    assert abs(slopes[0] - slopes[1]) < 1e-3 * abs(slopes[0])


def test_the_energy_vanishes_at_the_cutoff_with_its_slope():
    part = triplets()
    near, at = (part.surface(*(np.array([v]) for v in (0.45 - d, 0.3, -0.4)))[0] for d in (1e-4, 0.0))
    assert at == 0.0
    assert abs(near) < 1e-6


def test_columns_are_the_forces_of_every_kernel():
    data = liquid()
    both = kernel.build(data, Settings(cutoff=0.45, n_triplets=12, n_pairs=8))
    x, box = torch.tensor(data.positions[:1]), torch.tensor(data.box[:1])
    for part in both.parts:
        part = filled(part)
        own = part.columns(x, box) @ part.coefficients.detach().numpy()
        np.testing.assert_allclose(own, potentials.forces(part, x, box).reshape(-1).numpy(), atol=1e-10)


def test_representative_triplets_are_sorted_apart_and_few_where_there_are_few():
    part = kernel.build(liquid(), Settings(pairs=False, cutoff=0.45, n_triplets=30))
    q = part.points.numpy()
    assert len(q) == 30 and (q[:, 0] <= q[:, 1]).all()
    apart = np.sqrt((((q[:, None] - q[None]) / part.widths) ** 2).sum(-1)) + 10 * np.eye(30)
    assert apart.min() > 0.2
    twice = torch.tensor([[0.3], [0.3], [0.4]], dtype=torch.float64)
    assert len(_kernel_expansion.farthest(twice, 3, [0.1], ((0,),))) == 2


def test_tables_have_the_energy_of_the_kernels():
    data = liquid()
    both = kernel.build(data, Settings(cutoff=0.45, n_triplets=20, n_pairs=8))
    both = potentials.Sum([filled(part) for part in both.parts] + [lennard_jones.build(data, lennard_jones.Settings(cutoff=0.6))])
    tables = kernel.tabulate(both, data, start=0.15, spacing=0.01, mesh=three_body_table.Settings(start=0.18, n_leg=24, n_angle=40))
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    wanted, found = (potentials.forces(p, x, box) for p in (both, tables))
    assert (found - wanted).abs().max() < 0.01 * wanted.abs().max()
    assert tables.parts[2] is both.parts[2]


def test_tables_of_pairs_begin_where_the_data_do_and_have_the_energy_of_the_kernels_from_there():
    data = liquid()
    part = filled(kernel.build(data, Settings(triplets=False, n_pairs=8, pair_width=0.04)))
    table = kernel.tabulate(part, data, spacing=0.005, mesh=three_body_table.Settings())
    assert table.start == pytest.approx(float(part.points.min()), abs=1e-12)
    assert kernel.tabulate(part, data, start=0.2, mesh=three_body_table.Settings()).start == 0.2
    r = np.linspace(table.start, 0.59, 40)
    np.testing.assert_allclose(table.curve(0, r)[0], part.curve(r), atol=1e-3 * np.abs(part.curve(r)).max())


@pytest.fixture(scope="module")
def matrix():
    """The covariance (3, 3) by kind of the forces on the centres of two triplets of legs ``left`` and ``right`` (2, 3)."""
    one, place, table, widths = np.array([0, 1]), np.array([0]), _kernel_forces.fisher_table(60.0, 300), np.full(3, 1.1)

    def covariance(kind, left, right):
        rows = [_kernel_forces.triplet_rows(*(leg[None] for leg in legs)) for legs in (left, right)]
        return _kernel_forces.triplet_matrix(kind, rows[0], place, one, rows[1], place, one, widths, table, 60.0)

    return covariance


def test_integration_over_rotations_is_their_mean(matrix):
    left, right = np.random.default_rng(0).normal(size=(2, 2, 3))
    turns = torch.linalg.qr(torch.randn(400_000, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    turns = turns.Q * torch.sign(torch.diagonal(turns.R, dim1=1, dim2=2))[:, None]
    turns = (turns * torch.linalg.det(turns)[:, None, None]).numpy()
    apart = left[None] - np.einsum("nij,kj->nki", turns, right)
    mean = np.einsum("nij,n->ij", turns, np.exp(-0.5 * (apart**2).sum((1, 2)) / 1.1**2)) / len(turns)
    np.testing.assert_allclose(matrix(1, left, right), mean, atol=1e-3)


@pytest.mark.parametrize("kind", range(3))
def test_kernels_of_forces_turn_with_the_triplets(matrix, kind):
    left, right = np.random.default_rng(0).normal(size=(2, 2, 3))
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    np.testing.assert_allclose(matrix(kind, left @ turn.T, right), turn @ matrix(kind, left, right), atol=1e-12)
    np.testing.assert_allclose(matrix(kind, right, left), matrix(kind, left, right).T, atol=1e-9)


def test_the_kernels_of_pair_forces_act_along_the_pairs():
    one, n = np.array([0, 1]), np.eye(3)
    for kind in range(3):
        made = _kernel_forces.pair_matrix(kind, np.array([0.3]), n[:1], one, np.array([0.31]), n[1:2], one, 0.05)
        assert made[0, 1] > 0
        assert np.abs(made).sum() == made[0, 1]


def test_bad_input_is_refused():
    data = liquid()
    with pytest.raises(ValueError, match="give the projected frames"):
        kernel.build(None, Settings())
    with pytest.raises(ValueError, match=r"0\.7 nm exceeds half of the box of 1\.240 nm"):
        kernel.build(data, Settings(pair_cutoff=0.7))
    with pytest.raises(ValueError, match=r"no bead has neighbours within the cut-off of 0\.1 nm"):
        kernel.build(data, Settings(cutoff=0.1))
    with pytest.raises(ValueError, match="neither pairs nor triplets"):
        kernel.build(data, Settings(pairs=False, triplets=False))
    mixed = types.Beads.from_bonds(names="AB", types="AB", masses=[1.0] * 2, molecule=range(2), bonds=[])
    with pytest.raises(ValueError, match="of one type, not A, B"):
        triplets().bind(mixed)
    pairs = kernel.build(data, Settings(triplets=False))
    with pytest.raises(ValueError, match=r"first knot at 0\.7 nm must come before the cut-off of 0\.6 nm"):
        kernel.tabulate(pairs, data, start=0.7, mesh=three_body_table.Settings())
    with pytest.raises(ValueError, match=r"first knot at 0\.5 nm must come before the cut-off of 0\.45 nm"):
        kernel.tabulate(triplets(), data, mesh=three_body_table.Settings(start=0.5))
