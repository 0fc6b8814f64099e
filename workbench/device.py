"""Where a computation runs: the device asked for, and the number of CPU threads, of torch and of compiled kernels (numba) alike.

Both may run on one OpenMP library, and numba, when its threads start, sets that library to all cores, torch included. So they are
started here, once, and torch's number is set again after; from then on neither changes the other's.
"""

import contextlib
from collections.abc import Iterator

import numba
import torch


def checked(name: str) -> torch.device:
    """The device. Raises ``ValueError`` where a GPU is asked for and there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda' asks for a GPU, and torch finds none on this machine: use device='cpu'.")
    return torch.device(name)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with ``count`` CPU threads (0: leave as it is), then as before. Kernels take no more threads than there are cores."""
    before = torch.get_num_threads(), numba.get_num_threads()
    if count:
        _set(count, count)
    try:
        yield
    finally:
        _set(*before)


def _set(for_torch: int, for_kernels: int) -> None:
    numba.set_num_threads(min(for_kernels, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(for_torch)


_set(torch.get_num_threads(), torch.get_num_threads())
