"""The local frame: known numbers, the compiled transpose and tangent against autograd, invariance, order, and what it refuses."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import neighbors
from workbench.descriptors import _environment, _local_frame_kernels
from workbench.descriptors.local_frame import LocalFrame, Settings, build

from .test_potentials_contract import liquid


def environment(positions, box, cutoff=0.6):
    pairs = neighbors.search(positions, box, cutoff, torch.zeros(0, 2, dtype=torch.int64))
    return _environment.rows(positions, box, pairs, cutoff)


def tensors(data):
    return torch.tensor(data.positions), torch.tensor(data.box)


def test_numbers_that_are_known():
    x = torch.tensor([[[0.0, 0, 0], [0, 0.2, 0], [0, 0.1, 0.3], [-0.4, 0, 0]]], dtype=torch.float64)
    q = LocalFrame(cutoff=0.45, n_full=2, n_slots=4)(x)[0, 0]
    square = 0.1  # of the second neighbour's distance
    assert q[:4] == pytest.approx([1 / 0.2, 1 / square**0.5, 1 / 0.4, 0])
    assert q[4:] == pytest.approx([1 / 0.2, 0, 0, 0.1 / square, 0.3 / square, 0])
    full = LocalFrame(cutoff=0.45, n_full=4, n_slots=4)(x)[0, 0]
    assert full[10:13] == pytest.approx([0, 0, -0.4 / 0.16])  # e_3 = y x z = x
    assert full[13:] == pytest.approx([0, 0, 0])


def test_rows_hold_the_neighbours_nearest_first():
    x, box = tensors(liquid())
    index, vectors = environment(x, box)
    n = x.shape[1]
    for bead in (0, 17, n + 3):
        frame = bead // n
        d = x[frame] - x[frame, bead % n]
        d -= torch.round(d / box[frame]) * box[frame]
        r = torch.linalg.vector_norm(d, dim=1)
        near = [j for j in r.argsort().tolist() if 0 < r[j] < 0.6]
        own = index[bead][index[bead] != bead].tolist()
        assert own == [j + frame * n for j in near]
        torch.testing.assert_close(vectors[bead, : len(near)], d[near])
        assert not vectors[bead, len(near) :].any()


@pytest.mark.parametrize(("n_full", "n_slots"), [(0, 30), (7, 20), (40, 40), (60, 60)])
def test_compiled_kernels_say_the_same_as_autograd(n_full, n_slots):
    _, vectors = environment(*tensors(liquid()))
    seen = LocalFrame(0.6, n_full, n_slots)
    moved = vectors.clone().requires_grad_(True)
    q = seen.of_vectors(moved)
    torch.testing.assert_close(seen.values(vectors), q.detach())
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(q.shape, generator=generator, dtype=torch.float64).requires_grad_(True)
    (gradient,) = torch.autograd.grad(q, moved, weight)
    own = seen.pullback(vectors, weight)
    torch.testing.assert_close(own.detach(), gradient)
    direction = torch.randn(vectors.shape, generator=generator, dtype=torch.float64) * (vectors != 0)
    (tangent,) = torch.autograd.grad((own * direction).sum(), weight)
    change = torch.empty_like(tangent)
    _local_frame_kernels.pushforward(vectors.numpy(), n_full, direction.numpy(), change.numpy())
    torch.testing.assert_close(tangent, change)
    step = 1e-6
    difference = (seen.values(vectors + step * direction) - seen.values(vectors - step * direction)) / (2 * step)
    assert (tangent - difference).abs().max() < 1e-5 * tangent.abs().max()


def test_turned_moved_and_renumbered_it_is_the_same():
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.uniform(0, 0.5, (1, 12, 3)))
    seen = LocalFrame(1.0, 5, 11)
    turn, _ = torch.linalg.qr(torch.tensor(rng.standard_normal((3, 3))))
    turn *= torch.linalg.det(turn)
    torch.testing.assert_close(seen(x @ turn + 1.3), seen(x))
    order = torch.tensor(rng.permutation(12))
    torch.testing.assert_close(seen(x[:, order]), seen(x)[:, order])


def test_scatter_and_its_transpose():
    x, box = tensors(liquid())
    index, vectors = environment(x, box)
    generator = torch.Generator().manual_seed(0)
    slope = torch.randn(vectors.shape, generator=generator, dtype=torch.float64)
    moves = torch.randn(len(index), 3, generator=generator, dtype=torch.float64)
    slope.requires_grad_(True)
    gradient = _environment.Scatter.apply(slope, index)
    assert gradient.sum(0).abs().max() < 1e-9
    (back,) = torch.autograd.grad((gradient * moves).sum(), slope)
    torch.testing.assert_close(back, moves[index.long()] - moves[:, None])


def test_places_are_as_many_as_the_data_need():
    data = liquid()
    number = _environment.numbers(data, 0.5)
    seen = build(data, Settings(cutoff=0.5, n_full=100, spare=3))
    assert seen.n_slots == number.max() + 3
    assert seen.n_full == seen.n_slots
    assert seen.recipe() == {"cutoff": 0.5, "n_full": seen.n_full, "n_slots": seen.n_slots}


def test_it_refuses_what_has_no_frame():
    data = liquid()
    with pytest.raises(ValueError, match="at most half"):
        build(data, Settings(cutoff=0.7))
    with pytest.raises(ValueError, match=r"neighbours within 0\.1 nm"):
        build(data, Settings(cutoff=0.1))
    beads = dataclasses.replace(
        data.beads,
        **{name: getattr(data.beads, name)[:2] for name in ("names", "types", "masses", "charges", "molecule")},
    )
    with pytest.raises(ValueError, match="2 beads: give three"):
        build(dataclasses.replace(data, positions=data.positions[:, :2], beads=beads), Settings(cutoff=0.6))
    with pytest.raises(ValueError, match="bead 2 of frame 0 has 0 neighbours"):
        LocalFrame(0.3, 2, 4)(torch.tensor([[[0.0, 0, 0], [0.2, 0, 0], [2.0, 0, 0], [0.1, 0.1, 0]]]))
