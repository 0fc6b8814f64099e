"""Runs inside an environment with ``mlcg``: a SchNet of CGSchNet's size, trained and simulated, timed. Prints one JSON line.

Its neighbours come from a dense search in place of ``torch_cluster``'s, whose share of the time is told: what no search could win is known.
Arguments: source folder of mlcg, file of frames (npz), threads, training batches, replicas, steps.
"""

import json
import sys
import tempfile
import time
import types

import numpy as np
import torch
from torch_geometric.loader import DataLoader

source, path, threads, batches, replicas, steps = sys.argv[1], sys.argv[2], *(int(a) for a in sys.argv[3:])
sys.path.insert(0, source)
torch.set_num_threads(threads)
torch.manual_seed(0)
searched = [0.0]


def radius_graph(x, r, batch=None, **others):
    """Both directions of all pairs within ``r``, of frames of one size; its seconds are added up."""
    began = time.perf_counter()
    size = 1 if batch is None else int(batch[-1]) + 1
    apart = torch.cdist(*[x.detach().reshape(size, -1, 3)] * 2)
    frame, i, j = torch.nonzero((apart < r) & ~torch.eye(apart.shape[1], dtype=torch.bool), as_tuple=True)
    found = torch.stack([frame * apart.shape[1] + i, frame * apart.shape[1] + j])
    searched[0] += time.perf_counter() - began
    return found


sys.modules["torch_cluster"] = types.SimpleNamespace(radius_graph=radius_graph, radius=None)

from mlcg.data import AtomicData  # noqa: E402
from mlcg.nn import CosineCutoff, ForceMSE, GaussianBasis, GradientsOut, StandardSchNet, SumOut  # noqa: E402
from mlcg.simulation import LangevinSimulation  # noqa: E402

given = np.load(path)
x, forces = torch.tensor(given["positions"]), torch.tensor(given["forces"])
kinds, masses = torch.arange(x.shape[1]), torch.tensor(given["masses"], dtype=torch.float32)
cutoff = float(given["cutoff"])
network = StandardSchNet(
    GaussianBasis(CosineCutoff(0, cutoff), num_rbf=50),
    CosineCutoff(0, cutoff),
    [64],
    hidden_channels=128,
    embedding_size=x.shape[1],
    num_filters=128,
    num_interactions=int(given["n_blocks"]),
)
model = SumOut(torch.nn.ModuleDict({"SchNet": GradientsOut(network, "forces")}))
frames = [AtomicData.from_points(pos=p, atom_types=kinds, masses=masses, forces=f) for p, f in zip(x, forces, strict=True)]
loader = DataLoader(frames, batch_size=int(given["batch_size"]), shuffle=True)
optimizer, loss_of = torch.optim.Adam(model.parameters(), lr=3e-4), ForceMSE()


def train(count):
    """Seconds of ``count`` batches."""
    began, done = time.perf_counter(), 0
    while done < count:
        for batch in loader:
            optimizer.zero_grad()
            batch.out = {}
            loss = loss_of(model(batch))
            loss.backward()
            optimizer.step()
            done += 1
            if done == count:
                break
    return time.perf_counter() - began


train(2)
searched[0] = 0.0
seconds = train(batches)
figures = {"samples_per_second": batches * int(given["batch_size"]) / seconds, "search_in_training": searched[0] / seconds}


def simulate(length):
    """Seconds of ``length`` steps and of what comes before them, and those of the searches."""
    options = {"n_timesteps": length, "save_interval": length, "random_seed": 0, "tqdm_refresh": 1000}
    with tempfile.TemporaryDirectory() as folder:
        began, searched[0] = time.perf_counter(), 0.0
        run = LangevinSimulation(friction=1.0, dt=0.002, filename=f"{folder}/run", **options)
        run.attach_model_and_configurations(model, frames[:replicas], beta=1 / 2.494)
        run.simulate()
    return np.array([time.perf_counter() - began, searched[0]])


simulate(2)
seconds, search = simulate(steps + 2) - simulate(2)
figures |= {"steps_per_second": steps / seconds, "search_in_simulation": search / seconds}
print(json.dumps(figures))
