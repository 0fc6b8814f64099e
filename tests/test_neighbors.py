"""The neighbour list against brute force, in vacuum and in periodic boxes, by cells and densely."""

import numpy as np
import pytest
import torch

from workbench import device, neighbors

NONE = torch.zeros(0, 2, dtype=torch.int64)


def brute_force(x, box, reach):
    found = set()
    n = x.shape[1]
    for f in range(len(x)):
        d = x[f][:, None] - x[f][None]
        if box is not None:
            d = d - box[f] * np.round(d / box[f])
        i, j = np.nonzero(np.triu(np.linalg.norm(d, axis=-1) < reach, 1))
        found |= {(f * n + a, f * n + b) for a, b in zip(i, j, strict=True)}
    return found


def listed(pairs):
    return {tuple(sorted(p)) for p in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)}


BOXES = {
    "vacuum": None,
    "cells": [[2.0, 2.5, 3.0], [2.2, 2.2, 2.2]],
    "thin": [[0.9, 12.0, 1.0], [0.8, 0.8, 15.0]],
    "tiny": [[0.8, 0.9, 1.0], [0.8, 0.8, 0.8]],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_beads", [1, 2, 40, 1000])
@pytest.mark.parametrize("shape", BOXES)
def test_finds_every_pair_once(n_beads, shape, dtype):
    """Beads outside of the box, too; frames of different boxes; rows that belong to their bead."""
    rng = np.random.default_rng(n_beads)
    box = None if BOXES[shape] is None else torch.tensor(BOXES[shape], dtype=dtype)
    x = torch.tensor(rng.uniform(-1, 4, (2, n_beads, 3)), dtype=dtype)
    pairs = neighbors.search(x, box, 0.4, NONE)
    wide = None if box is None else box.double().numpy()
    assert listed(pairs) == brute_force(x.double().numpy(), wide, 0.4)
    assert len(listed(pairs)) == len(pairs.first)
    assert pairs.first.dtype == pairs.second.dtype == torch.int32 and len(pairs.starts) == 2 * n_beads + 1
    rows = torch.repeat_interleave(torch.arange(2 * n_beads), pairs.starts.diff())
    assert torch.equal(rows, pairs.first.long())


def test_what_a_gpu_does_for_small_systems_is_the_same():
    generator = torch.Generator().manual_seed(2)
    x, box = torch.rand(5, 30, 3, generator=generator), torch.ones(5, 3)
    excluded = torch.tensor([[3, 1], [4, 20]])
    dense, cells = (way(x, box, 0.4, excluded) for way in (neighbors._dense, neighbors._by_cells))
    assert listed(dense) == listed(cells) and len(dense.first) == len(cells.first)
    rows = torch.repeat_interleave(torch.arange(150), dense.starts.diff())
    assert torch.equal(rows, dense.first.long()) and dense.first.dtype == torch.int32


def test_what_is_no_number_has_no_neighbours_and_an_escaped_bead_costs_nothing():
    x = torch.rand(1, 500, 3, generator=torch.Generator().manual_seed(0)) * 3
    x[0, 7], x[0, 8, 1], x[0, 9] = float("nan"), float("inf"), 1e7
    for box in (None, torch.full((1, 3), 3.0)):
        pairs = neighbors.search(x, box, 0.4, NONE)
        assert len(pairs.first) > 500
        assert not {7, 8} & (set(pairs.first.tolist()) | set(pairs.second.tolist()))


def test_threads_change_nothing():
    x = torch.rand(1, 3000, 3, generator=torch.Generator().manual_seed(1)) * 5
    found = []
    for count in (1, 2):
        with device.threads(count):
            found.append(neighbors.search(x, None, 0.5, torch.tensor([[0, 1]])))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("n_beads", [40, 400])
def test_leaves_out_exclusions_in_every_frame(n_beads):
    x = torch.rand(3, n_beads, 3, generator=torch.Generator().manual_seed(0)) * 0.5
    excluded = torch.tensor([[1, 0], [2, 5]])
    pairs = neighbors.search(x, None, 2.0, excluded)
    beads = {tuple(sorted((a % n_beads, b % n_beads))) for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)}
    assert len(pairs.first) == 3 * (n_beads * (n_beads - 1) // 2 - 2)
    assert (0, 1) not in beads and (2, 5) not in beads


def test_verlet_list_misses_nothing_while_beads_move():
    generator = torch.Generator().manual_seed(3)
    box = torch.full((1, 3), 2.0, dtype=torch.float64)
    x = torch.rand(1, 60, 3, generator=generator, dtype=torch.float64) * 2
    verlet, searches, last = neighbors.VerletList(0.5, 0.2, NONE), 0, None
    for _ in range(60):
        pairs = verlet.update(x, box)
        searches += pairs is not last
        last = pairs
        assert brute_force(x.numpy(), box.numpy(), 0.5) <= listed(pairs)
        x = x + 0.01 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    assert 1 < searches < 60


def test_verlet_list_follows_the_box():
    x = torch.rand(1, 60, 3, generator=torch.Generator().manual_seed(3)) * 2
    verlet = neighbors.VerletList(0.5, 0.2, NONE)
    pairs = verlet.update(x, torch.full((1, 3), 2.0))
    assert verlet.update(x, torch.full((1, 3), 2.0)) is pairs
    assert brute_force(x.numpy(), np.full((1, 3), 1.5), 0.5) <= listed(verlet.update(x, torch.full((1, 3), 1.5)))


def test_refuses_a_range_beyond_half_the_box():
    with pytest.raises(ValueError, match="at most half"):
        neighbors.search(torch.rand(1, 10, 3), torch.tensor([[1.0, 2.0, 2.0]]), 0.6, NONE)
