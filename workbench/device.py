"""Where a computation runs: the device asked for, and the number of CPU threads."""

import contextlib
from collections.abc import Iterator

import torch


def checked(name: str) -> torch.device:
    """The device. Raises ``ValueError`` where a GPU is asked for and there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda' asks for a GPU, and torch finds none on this machine: use device='cpu'.")
    return torch.device(name)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with ``count`` CPU threads (0: leave as it is), then as before."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
