"""What a GPU pays: throughput from 1 to 1024 replicas, training, and ways to evaluate and to train a network there.

    python -m tests.benchmarks.gpu_speed

The Lennard-Jones fluid of ``replica_speed``, the network and the beads of ``schnet_speed``, and CGnet on the same; single precision. Bar:
1024 replicas at least a hundred times the replica-steps a second of one. Ways: autograd as it runs, with TF32 products, compiled by
``torch.compile``, and as a CUDA graph, which needs shapes that stay (CGnet's do; SchNet's pairs come and go); medians over rounds in turn,
with the error of the forces beside them.
"""

import time
from collections.abc import Callable

import torch

from tests.benchmarks import _record, replica_speed, schnet_speed, schnet_ways
from workbench import fitting, neighbors, potentials

COUNTS = (1, 4, 16, 64, 256, 1024)
STEPS = 150
"""Steps timed, after as many that are not."""


def main() -> None:
    """Measure on the GPU and record."""
    data = schnet_speed.frames()
    network = potentials.schnet.build(data, potentials.schnet.Settings(cutoff=schnet_speed.CUTOFF, n_blocks=schnet_speed.N_BLOCKS))
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    fluid = replica_speed.fluid()
    rates = {
        "Lennard-Jones": {n: n * replica_speed.rate(fluid, replica_speed.melted(fluid, n, 100), STEPS, "cuda") for n in COUNTS},
        "SchNet": {n: n * schnet_speed.rate(prior + network, data.start(range(n)), STEPS, "cuda") for n in COUNTS},
    }
    figures = {"bar": 100, "replica-steps a second": rates}
    cgnet = potentials.cgnet.build(data, potentials.cgnet.Settings())
    rates["CGnet"] = {n: n * schnet_speed.rate(prior + cgnet, data.start(range(n)), STEPS, "cuda") for n in COUNTS}
    figures["1024 replicas over one"] = {name: found[1024] / found[1] for name, found in rates.items()}
    for name, model in (("SchNet", network), ("CGnet", cgnet)):
        figures[f"{name}, training, samples a second"] = {size: trained(model, data, size) for size in (64, 512)}
        figures[f"{name}, forces of 512 replicas"] = of_forces(model, data)
        figures[f"{name}, gradient of 512 frames in training"] = of_training(model, data)
        _record.write("gpu_speed", figures, 0)


def trained(network, data, batch_size: int) -> float:
    """Frames a second of force matching, epochs after the first."""
    seen: list[float] = []
    settings = fitting.force_matching.Settings(
        n_epochs=6, batch_size=batch_size, validation_fraction=0.0, lipschitz=None, learning_rate=3e-4, device="cuda"
    )
    fitting.force_matching.fit(network, data, settings, on_step=lambda epoch, metrics: seen.append(time.perf_counter()))
    return 5 * len(data) / (seen[-1] - seen[0])


def held(network, data):
    """The network, positions of 512 frames and their pairs, on the GPU."""
    x, network = torch.tensor(data.positions[:512]).cuda(), network.bind(data.beads).cuda()
    pairs = None if network.cutoff is None else neighbors.search(x, None, network.cutoff, network.exclusions)
    return network, x, pairs


def of_forces(network, data) -> dict:
    """Milliseconds of the forces each way, and how far they are from those that run (root mean square, relative)."""
    bound, x, pairs = held(network, data)
    compiled = torch.compile(bound)
    ways = {
        "autograd": lambda: -schnet_ways.slope(bound, x, pairs),
        "TF32 products": lambda: schnet_ways.in_lower_precision(lambda: -schnet_ways.slope(bound, x, pairs), "high"),
        "torch.compile": lambda: -schnet_ways.slope(compiled, x, pairs),
    }
    if pairs is None:
        ways["CUDA graph"] = as_graph(ways["autograd"])
    exact = ways["autograd"]().clone()
    away = {name: float((way() - exact).square().mean().sqrt() / exact.square().mean().sqrt()) for name, way in ways.items()}
    return {"ms": schnet_ways.timed(ways, torch.cuda.synchronize), "force error": away}


def of_training(network, data) -> dict:
    """Milliseconds of a gradient of the force-matching loss."""
    bound, x, pairs = held(network, data)
    wanted = torch.tensor(data.forces[:512]).cuda()

    def gradient() -> None:
        (schnet_ways.slope(bound, x, pairs, create_graph=True) + wanted).square().mean().backward()

    ways = {"autograd": gradient, "TF32 products": lambda: schnet_ways.in_lower_precision(gradient, "high")}
    if pairs is None:
        ways["CUDA graph"] = as_graph(gradient)
    return {"ms": schnet_ways.timed(ways, torch.cuda.synchronize)}


def as_graph(compute: Callable) -> Callable:
    """``compute`` captured once and replayed; it returns what it returned then, filled anew."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            compute()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = compute()

    def replay():
        graph.replay()
        return found

    return replay


if __name__ == "__main__":
    main()
