"""Runs inside the environment of the public ``cgnet`` package: its tutorial's model, timed. Prints one JSON line.

Arguments: source folder of cgnet, data folder, threads, training epochs, replicas, simulation steps.
"""

import json
import sys
import time

import numpy as np
import torch

source, data, threads, epochs, replicas, steps = sys.argv[1], sys.argv[2], *(int(a) for a in sys.argv[3:])
sys.path.insert(0, source)
torch.set_num_threads(threads)

from cgnet.feature import GeometryFeature, GeometryStatistics, LinearLayer, MoleculeDataset  # noqa: E402
from cgnet.network import CGnet, ForceLoss, HarmonicLayer, Simulation, ZscoreLayer, dataset_loss, lipschitz_projection  # noqa: E402
from torch.utils.data import DataLoader, RandomSampler  # noqa: E402

torch.manual_seed(0)
coords = np.load(f"{data}/ala2_coordinates.npy")[:8000]
forces = np.load(f"{data}/ala2_forces.npy")[:8000]
frames = MoleculeDataset(coords, forces)
stats = GeometryStatistics(coords, backbone_inds="all", get_all_distances=True, get_backbone_angles=True, get_backbone_dihedrals=True)
priors = []
for kind in ("Bonds", "Angles"):
    listed, _ = stats.get_prior_statistics(features=kind, as_list=True)
    priors.append(HarmonicLayer(stats.return_indices(kind), listed))
everything, _ = stats.get_prior_statistics(as_list=True)
layers = [ZscoreLayer(stats.get_zscore_array()[0]), *LinearLayer(len(everything), 160, activation=torch.nn.Tanh())]
for _ in range(4):
    layers += LinearLayer(160, 160, activation=torch.nn.Tanh())
layers += LinearLayer(160, 1, activation=None)
net = CGnet(layers, ForceLoss(), feature=GeometryFeature(feature_tuples=stats.feature_tuples), priors=priors)
loader = DataLoader(frames, sampler=RandomSampler(frames), batch_size=512)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)


def seconds(regularise):
    began = time.perf_counter()
    for _ in range(epochs):
        dataset_loss(net, loader, optimizer, regularise)
    return (time.perf_counter() - began) / epochs


def project(model, strength=4.0):
    lipschitz_projection(model, strength=strength)


dataset_loss(net, loader, optimizer, project)
figures = {"samples_per_second_lipschitz": 8000 / seconds(project), "samples_per_second": 8000 / seconds(None)}
start = torch.tensor(coords[:: 8000 // replicas][:replicas], requires_grad=True)
for length in (10, steps):
    simulation = Simulation(net, start, length=length, save_interval=10, beta=stats.beta, save_potential=False)
    began = time.perf_counter()
    simulation.simulate()
    figures["steps_per_second"] = length / (time.perf_counter() - began)
print(json.dumps(figures))
