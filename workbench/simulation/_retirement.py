"""Replicas that explode, boil or collapse are retired: their frames end, the others go on.

Their places begin anew at the start, at rest and unseen, so that the batch keeps its shape and no number that is none reaches the others.
"""

import torch
from torch import Tensor

from workbench.simulation._guard import Unstable

MOST = 1e4
"""Energy of a bead [kJ/mol] that no simulation comes back from."""
CLOSEST, BOILED = 1.02, 4.0
"""Smallest cell, in units of twice the cut-off, and largest volume, in units of the first one."""


class Retirement:
    """Who has retired, and why (``sentences``, by replica). ``start`` and ``box`` are those at the beginning."""

    def __init__(self, start: Tensor, box: Tensor | None, energy: Tensor, cutoff: float | None):
        self.start, self.box, self.cutoff = start.clone(), box, cutoff
        self.most = energy.abs() + MOST * start.shape[1]
        self.sentences: dict[int, str] = {}

    def far(self, energy: Tensor) -> dict[int, str]:
        """Replicas whose ``energy`` (K,) is far beyond that at the beginning, or no number."""
        lost = ~(energy.abs() < self.most)
        if not bool(lost.any()):
            return {}
        return dict.fromkeys(lost.nonzero()[:, 0].tolist(), "its energy ran away; the model has no floor or the time step is too long.")

    def out_of_cell(self, box: Tensor) -> dict[int, str]:
        """Replicas whose cell ``box`` (K, 3) has become too small for the cut-off, or so large that they boil."""
        small, large = box.min(1).values < CLOSEST * 2 * self.cutoff, box.prod(1) > BOILED * self.box.prod(1)
        if not bool((small | large).any()):
            return {}
        found = dict.fromkeys(
            small.nonzero()[:, 0].tolist(), "its cell shrank to twice the cut-off: pressure or attraction are too strong."
        )
        return found | dict.fromkeys(large.nonzero()[:, 0].tolist(), f"its cell grew {BOILED:g}-fold: it boiled off.")

    def retire(self, step: int, faults: dict[int, str], x: Tensor, v: Tensor, box: Tensor | None) -> Tensor | None:
        """Put ``faults`` back to the start, in place; the cells. Raises ``Unstable`` once no replica is left."""
        places = list(faults)
        x[places], v[places] = self.start[places], 0.0
        if box is not None:
            box = box.clone()
            box[places] = self.box[places]
        self.sentences = {**faults, **self.sentences}
        if len(self.sentences) == len(x):
            raise Unstable(f"stopped at step {step}: no replica is left. Of replica {places[-1]}: {faults[places[-1]]}")
        return box

    def seen(self) -> Tensor:
        """Which replicas go on (K,)."""
        return torch.tensor([replica not in self.sentences for replica in range(len(self.start))])
