"""SchNet on the CPU: the compiled kernels that run, beside autograd, ``torch.compile`` and bfloat16 products; what pays and what does not.

    python -m tests.benchmarks.schnet_ways

The network and the ten beads of ``schnet_speed``: forces of 32 replicas, and the gradient of a batch of 64 frames in training, one thread,
medians over rounds in turn. ``torch.compile`` differentiates once only, so that it cannot train on forces; what it says is recorded.
"""

import statistics
import time
from collections.abc import Callable

import torch

from tests.benchmarks import _record, schnet_speed
from workbench import device, neighbors, potentials

ROUNDS, CALLS = 5, 20


def main() -> None:
    """Time every way and record it."""
    data = schnet_speed.frames()
    settings = potentials.schnet.Settings(cutoff=schnet_speed.CUTOFF, n_blocks=schnet_speed.N_BLOCKS)
    network = potentials.schnet.build(data, settings)
    with device.threads(1):
        figures = {"forces of 32 replicas": of_forces(network, data), "gradient of 64 frames in training": of_training(network, data)}
    _record.write("schnet_ways", figures, 0)


def of_forces(network, data) -> dict:
    """Milliseconds of the forces each way, and how far they are from those that run (root mean square, relative)."""
    bound = network.bind(data.beads)
    x = torch.tensor(data.positions[:32])
    pairs = neighbors.search(x, None, network.cutoff, network.exclusions)
    began, compiled = time.perf_counter(), torch.compile(bound)
    slope(compiled, x, pairs)
    seconds = time.perf_counter() - began
    ways = {
        "compiled kernels": lambda: bound.evaluate(x, None, pairs, False).forces,
        "compiled kernels, bfloat16 products": lambda: in_lower_precision(lambda: bound.evaluate(x, None, pairs, False).forces),
        "autograd": lambda: -slope(bound, x, pairs),
        "autograd, torch.compile": lambda: -slope(compiled, x, pairs),
    }
    exact = ways["compiled kernels"]()
    away = {name: float((way() - exact).square().mean().sqrt() / exact.square().mean().sqrt()) for name, way in ways.items()}
    return {"ms": timed(ways), "force error": away, "torch.compile, seconds to compile": seconds}


def of_training(network, data) -> dict:
    """Milliseconds of a gradient of the force-matching loss, and what ``torch.compile`` says."""
    x, wanted = torch.tensor(data.positions[:64]), torch.tensor(data.forces[:64])
    pairs = neighbors.search(x, None, network.cutoff, network.exclusions)

    def by_autograd(model) -> None:
        (slope(model, x, pairs, create_graph=True) + wanted).square().mean().backward()

    ways = {
        "compiled kernels": lambda: (network.gradient([x]) + wanted).square().mean().backward(),
        "autograd": lambda: by_autograd(network),
    }
    try:
        by_autograd(torch.compile(network))
        said = "it trains"
    except RuntimeError as refused:
        said = str(refused).splitlines()[0]
    return {"ms": timed(ways), "torch.compile": said}


def slope(model, x: torch.Tensor, pairs, create_graph: bool = False) -> torch.Tensor:
    """dU/dx by autograd."""
    at = x.detach().requires_grad_(True)
    return torch.autograd.grad(model(at, None, pairs).sum(), at, create_graph=create_graph)[0]


def in_lower_precision(compute: Callable[[], torch.Tensor], precision: str = "medium") -> torch.Tensor:
    """Matrix products with bfloat16 ("medium") or TF32 ("high") factors, where the device has them."""
    torch.set_float32_matmul_precision(precision)
    try:
        return compute()
    finally:
        torch.set_float32_matmul_precision("highest")


def timed(ways: dict[str, Callable], finish: Callable[[], None] = lambda: None) -> dict[str, float]:
    """Median milliseconds of a call, in turn; ``finish`` waits for a device."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            way()
            finish()
            began = time.perf_counter()
            for _ in range(CALLS):
                way()
            finish()
            times[name].append((time.perf_counter() - began) / CALLS * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
