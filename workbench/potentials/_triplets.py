"""Triplets of a centre and two neighbours closer to it than a cut-off, from the half neighbour list."""

from typing import NamedTuple

import torch
from torch import Tensor

from workbench import neighbors
from workbench.potentials import _pair


class Triplets(NamedTuple):
    """Flattened indices (T,) of the beads of each triplet, and the vectors (T, 3) [nm] from its centre to both ends."""

    centre: Tensor
    left: Tensor
    right: Tensor
    to_left: Tensor
    to_right: Tensor


def find(positions: Tensor, box: Tensor | None, pairs: neighbors.Pairs | None, cutoff: float, exclusions: Tensor) -> Triplets:
    """All triplets of ``positions`` (F, B, 3) in ``box`` (F, 3) or None, whose legs are shorter than ``cutoff`` [nm] and not excluded."""
    vector, _, pairs = _pair.vectors(positions, box, pairs, cutoff, exclusions)
    near = torch.linalg.vector_norm(vector.detach(), dim=-1) < cutoff
    first, second, vector = pairs.first[near].long(), pairs.second[near].long(), vector[near]
    centre, order = torch.sort(torch.cat([first, second]), stable=True)
    other, vector = torch.cat([second, first])[order], torch.cat([vector, -vector])[order]
    left, right = two_of_each(centre, positions.shape[0] * positions.shape[1])
    return Triplets(centre[left], other[left], other[right], vector[left], vector[right])


def two_of_each(centre: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """All pairs of places in ``centre`` (E,), sorted, that hold the same of the values 0 to n - 1."""
    place = torch.arange(len(centre), device=centre.device)
    after = torch.bincount(centre, minlength=n).cumsum(0)[centre] - place - 1  # how many of the same come later
    left = torch.repeat_interleave(place, after)
    step = torch.arange(len(left), device=centre.device) - torch.repeat_interleave(after.cumsum(0) - after, after)
    return left, left + 1 + step
