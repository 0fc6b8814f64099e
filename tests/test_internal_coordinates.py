"""Internal coordinates: compiled kernels against the torch expressions, in vacuum and across a periodic box."""

import pytest
import torch

from workbench import descriptors
from workbench.descriptors import internal_coordinates

from .test_potentials_contract import chain


@pytest.mark.parametrize("n_frames", [3, 200])
@pytest.mark.parametrize("periodic", [False, True])
def test_kernels_equal_torch(n_frames, periodic):
    data = chain(n_frames)
    descriptor = descriptors.internal_coordinates.build(data, internal_coordinates.Settings())
    x = torch.tensor(data.positions)
    box = torch.full((n_frames, 3), 1.0, dtype=torch.float64) if periodic else None
    if periodic:
        x = x + torch.randint(-2, 3, x.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(descriptor.values(x, box), descriptor(x, box))
    weight = torch.randn(n_frames, descriptor.size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for compiled, reference in zip(
        descriptor.pullback(x, box, weight, True), descriptor._pullback_by_autograd(x, box, weight, True), strict=True
    ):
        assert (compiled - reference).abs().max() < 1e-10 * reference.abs().max()


def test_kernels_leave_the_number_of_threads_alone():
    """A compiled kernel with threads of its own would reset torch's: two pools on the same cores make each step many times slower."""
    data = chain(200)
    descriptor = descriptors.internal_coordinates.build(data, internal_coordinates.Settings())
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        descriptor.values(torch.tensor(data.positions))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_jacobian_is_the_derivative():
    data = chain(4)
    descriptor = descriptors.internal_coordinates.build(data, internal_coordinates.Settings())
    x = torch.tensor(data.positions)
    jacobian = descriptor.jacobian(x)
    moved = torch.zeros_like(x)
    moved[:, 2, 1] = 1e-6
    slope = (descriptor(x + moved) - descriptor(x - moved)) / 2e-6
    torch.testing.assert_close(jacobian[:, :, 2, 1], slope, rtol=1e-6, atol=1e-6)


def test_refuses_beads_without_coordinates():
    with pytest.raises(ValueError, match="none of the coordinates"):
        descriptors.internal_coordinates.build(chain(2), internal_coordinates.Settings(distances="none", angles=False, dihedrals=False))
