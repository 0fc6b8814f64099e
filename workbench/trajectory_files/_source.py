"""What a reader of one format gives: how many whole frames the file holds, and the frames piece by piece."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """An open question to a file: nothing is read before ``pieces`` is called."""

    n_atoms: int
    """Atoms a frame."""
    n_frames: int
    """Whole frames."""
    names: frozenset[str]
    """Names of the arrays, as in ``Trajectory``."""
    pieces: Callable[[int], Iterator[dict[str, np.ndarray]]]
    """``pieces(size)``: arrays of at most ``size`` frames each, in project units, in order."""
    cut: bool = False
    """Whether the file ends in the middle of a frame."""
    some_forces: int = 0
    """Number of frames that hold forces, where others do not."""
    unit: str = "nm"
    """What the file counts in: nm (with ps and kJ/mol), angstrom, or a unit style of LAMMPS."""


def box_lengths(vectors: np.ndarray, where: str) -> np.ndarray:
    """Lengths (F, 3) of box vectors (F, 3, 3). Raises ``ValueError`` where they are not orthogonal."""
    lengths = np.diagonal(vectors, axis1=1, axis2=2)
    if np.any(np.abs(vectors - lengths[:, :, None] * np.eye(3)) > 1e-5 * np.abs(lengths).max(initial=1e-30)):
        raise skewed(where)
    return lengths


def skewed(where: str) -> ValueError:
    """The refusal of a box that is not orthorhombic."""
    return ValueError(f"{where} has a box that is not orthorhombic: simulate in a rectangular box, or convert the frames to one.")


def damaged(where: str, error: object) -> ValueError:
    """The refusal of a file that is not of its kind."""
    text = " ".join(str(error).split())
    return ValueError(f"{where} cannot be read as what its ending says ({text}): check the file, or give it the right ending.")
