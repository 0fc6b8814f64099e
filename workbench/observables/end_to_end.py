"""Distance between the ends of chain molecules, sqrt(<|r_last - r_first|^2>), over molecules and frames.

Flory, Statistical Mechanics of Chain Molecules (1969), chapter I. The error is over blocks of frames.
"""

import networkx
import numpy as np

from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory


@settings
class Settings:
    """Which ends, and how the error is found."""

    ends: tuple[int, ...] = field((), "Two atoms or beads within the molecule; none: the two farthest apart along bonds.", bounds=(0, None))
    n_blocks: int = field(10, "Number of blocks for the error.", bounds=(2, None))


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """sqrt(<R_ee^2>) [nm] with its standard error, over all molecules of atoms or beads, made whole across the box.

    Raises ``ValueError`` where the trajectory knows neither its system nor its beads, for ends that a molecule does not have, and
    where none are named for a molecule without bonds.
    """
    molecule = _base.molecules(trajectory)
    starts = np.flatnonzero(np.r_[True, np.diff(molecule) > 0])
    sizes = np.diff(np.r_[starts, len(molecule)])
    if settings.ends:
        if len(settings.ends) != 2 or max(settings.ends) >= sizes.min():
            raise ValueError(f"end_to_end.Settings.ends = {settings.ends}: give two numbers from 0 to {sizes.min() - 1}.")
        first, last = (starts + end for end in settings.ends)
    else:
        first, last = _farthest(trajectory, starts, sizes)
    squared = np.empty(len(trajectory))
    for frames, x in _base.whole(trajectory):
        squared[frames] = ((x[:, last] - x[:, first]) ** 2).sum(2).mean(1)
    return _base.root_mean_square(trajectory, squared, settings.n_blocks, "end-to-end distance", "nm")


def _farthest(trajectory: Trajectory, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two particles of every molecule that are most bonds apart: twice a breadth-first search, exact for trees."""
    bonds = _base.topology(trajectory).bonds
    owner = np.repeat(np.arange(len(starts)), sizes)[bonds[:, 0]] if len(bonds) else np.zeros(0, int)
    known: dict[tuple, tuple[int, int]] = {}
    ends = []
    for m, start in enumerate(starts):
        inner = bonds[owner == m] - start
        key = (int(sizes[m]), inner.tobytes())
        if key not in known:
            graph = networkx.Graph(inner.tolist())
            graph.add_nodes_from(range(sizes[m]))
            one = max(networkx.single_source_shortest_path_length(graph, 0).items(), key=lambda item: (item[1], -item[0]))[0]
            other = max(networkx.single_source_shortest_path_length(graph, one).items(), key=lambda item: (item[1], -item[0]))[0]
            if one == other:
                raise ValueError(f"end_to_end: molecule {m} has no bonds, and so no ends: name them by Settings.ends.")
            known[key] = (one, other)
        ends.append(known[key])
    first, last = np.array(ends).T
    return starts + first, starts + last
