"""Threads of torch and of compiled kernels: neither changes the other's, and both are as before in the end."""

import os
import subprocess
import sys

import numba
import pytest
import torch

from workbench import device, neighbors

ALONE = """
import torch
torch.set_num_threads(1)
from workbench import neighbors
neighbors.search(torch.rand(1, 300, 3), None, 0.3, torch.zeros(0, 2, dtype=torch.int64))
import numba
print(torch.get_num_threads(), numba.get_num_threads())
"""


def test_a_kernel_leaves_the_threads_of_torch_alone():
    """In a process of its own: numba starts its threads once, and would set torch's number to all cores by that."""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", ALONE], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["1", "1"]


def test_threads_are_set_and_given_back():
    before = torch.get_num_threads(), numba.get_num_threads()
    cores = numba.config.NUMBA_NUM_THREADS
    with device.threads(cores + 1):
        neighbors.search(torch.rand(1, 300, 3), None, 0.3, torch.zeros(0, 2, dtype=torch.int64))
        assert (torch.get_num_threads(), numba.get_num_threads()) == (cores + 1, cores)
        with device.threads(1):
            assert (torch.get_num_threads(), numba.get_num_threads()) == (1, 1)
        with device.threads(0):
            assert (torch.get_num_threads(), numba.get_num_threads()) == (cores + 1, cores)
    assert (torch.get_num_threads(), numba.get_num_threads()) == before
    with pytest.raises(KeyboardInterrupt):
        with device.threads(1):
            raise KeyboardInterrupt
    assert (torch.get_num_threads(), numba.get_num_threads()) == before
