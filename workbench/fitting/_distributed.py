"""Several processes, one for each GPU or node, share a fit: each takes an equal share of the frames, and torch's DDP averages gradients.

    torchrun --nproc-per-node 4 script.py

where the script calls ``torch.distributed.init_process_group()`` before ``fit``. Outside of a group there is one process, and nothing here
does anything. Source: Li et al., Proc. VLDB Endow. 13, 3005 (2020).
"""

import torch
from torch import distributed


def active() -> bool:
    """Whether this process is one of a group."""
    return distributed.is_available() and distributed.is_initialized()


def first() -> bool:
    """Whether this process is the one that writes checkpoints."""
    return not active() or distributed.get_rank() == 0


def share(n_frames: int) -> slice:
    """The frames of this process: as many for every one, so that all make the same steps; a rest is left out."""
    if not active():
        return slice(0, n_frames)
    size = n_frames // distributed.get_world_size()
    if size == 0:
        raise ValueError(f"{n_frames} frames cannot be shared by {distributed.get_world_size()} processes: take fewer processes.")
    return slice(distributed.get_rank() * size, (distributed.get_rank() + 1) * size)


def wrapped(module: torch.nn.Module) -> torch.nn.Module:
    """``module`` such that its gradients are the mean over all processes."""
    return torch.nn.parallel.DistributedDataParallel(module, find_unused_parameters=True) if active() else module


def mean(value: torch.Tensor) -> torch.Tensor:
    """The mean of a scalar over all processes."""
    if active():
        distributed.all_reduce(value)
        value /= distributed.get_world_size()
    return value
