"""Runs inside an environment with ``mlcg``: a SchNet of CGSchNet's size, trained and simulated, timed. Prints one JSON line.

Arguments: source folder of mlcg, file of frames (npz), threads, training batches, replicas, steps.
"""

import json
import sys
import time

import numpy as np
import torch

source, path, threads, batches, replicas, steps = sys.argv[1], sys.argv[2], *(int(a) for a in sys.argv[3:])
sys.path.insert(0, source)
torch.set_num_threads(threads)
torch.manual_seed(0)

from mlcg.data import AtomicData  # noqa: E402
from mlcg.nn import CosineCutoff, ForceMSE, GaussianBasis, GradientsOut, StandardSchNet, SumOut  # noqa: E402
from mlcg.simulation import LangevinSimulation  # noqa: E402
from torch_geometric.loader import DataLoader  # noqa: E402

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
figures = {"samples_per_second": batches * int(given["batch_size"]) / train(batches)}


def simulate(length):
    """Seconds of ``length`` steps and of what comes before them."""
    began = time.perf_counter()
    run = LangevinSimulation(friction=1.0, dt=0.002, n_timesteps=length, save_interval=length, random_seed=0, tqdm_refresh=1000)
    run.attach_model_and_configurations(model, frames[:replicas], beta=1 / 2.494)
    run.simulate()
    return time.perf_counter() - began


simulate(2)
figures["steps_per_second"] = steps / (simulate(steps + 2) - simulate(2))
print(json.dumps(figures))
