"""Model deviation: how far the members of an ensemble disagree on the force, eps_I = (<|F_I - <F_I>|^2>)^(1/2), < > over the members.

Source: Zhang et al., Phys. Rev. Mater. 3, 023804 (2019), equation 3: large where the ensemble has seen no data. Of every frame the largest
and the mean over its beads are told. ``potentials.mean`` is the ensemble as one potential.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from workbench import potentials
from workbench.potentials._base import Potential


class Deviation(NamedTuple):
    """Standard deviation of the forces over the ensemble [kJ/mol/nm], one value a frame."""

    largest: Tensor
    """That of the bead where it is largest, (F,)."""
    mean: Tensor
    """Mean over the beads, (F,)."""


def deviation(ensemble: Sequence[Potential], positions: Tensor, box: Tensor | None = None) -> Deviation:
    """Disagreement of the members of ``ensemble`` on the forces at ``positions`` (F, B, 3) [nm] in ``box`` (F, 3) [nm] or None.

    Raises ``ValueError`` for fewer than two members.
    """
    if len(ensemble) < 2:
        raise ValueError(
            f"deviation: an ensemble of {len(ensemble)} cannot disagree with itself: fit at least 2 potentials, by other seeds."
        )
    forces = torch.stack([potentials.forces(member, positions, box).double() for member in ensemble])  # (M, F, B, 3)
    by_bead = (forces - forces.mean(0)).square().sum(-1).mean(0).sqrt()  # (F, B)
    return Deviation(by_bead.amax(1), by_bead.mean(1))
