"""The neighbour list against brute force, in vacuum and in periodic boxes, dense and by tree."""

import numpy as np
import pytest
import torch

from workbench import neighbors

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


@pytest.mark.parametrize("n_beads", [40, 400])
@pytest.mark.parametrize("periodic", [False, True])
def test_finds_every_pair_once(n_beads, periodic):
    rng = np.random.default_rng(n_beads)
    box = np.array([[2.0, 2.5, 3.0], [2.2, 2.2, 2.2]])
    x = rng.uniform(-1, 4, (2, n_beads, 3))
    lengths = torch.tensor(box) if periodic else None
    pairs = neighbors.search(torch.tensor(x), lengths, 0.6, NONE)
    found = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert len(found) == len(set(found))
    assert {tuple(sorted(p)) for p in found} == brute_force(x, box if periodic else None, 0.6)


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
        listed = {tuple(sorted(p)) for p in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)}
        assert brute_force(x.numpy(), box.numpy(), 0.5) <= listed
        x = x + 0.01 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    assert 1 < searches < 60


def test_refuses_a_range_beyond_half_the_box():
    with pytest.raises(ValueError, match="at most half"):
        neighbors.search(torch.rand(1, 10, 3), torch.tensor([[1.0, 2.0, 2.0]]), 0.6, NONE)
