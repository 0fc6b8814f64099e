"""Runs inside an environment with ``torchmd``: a Lennard-Jones fluid of many replicas, timed. Prints one JSON line.

Arguments: file of positions and box (npz), cut-off and switching distance, epsilon, sigma [nm, kJ/mol], mass, steps,
time step [fs], threads.
"""

import json
import sys
import time
import types

import numpy as np
import torch

path, numbers = sys.argv[1], [float(a) for a in sys.argv[2:7]]
steps, timestep, threads = int(sys.argv[7]), float(sys.argv[8]), int(sys.argv[9])
torch.set_num_threads(threads)

from torchmd.forces import Forces  # noqa: E402
from torchmd.integrator import Integrator, maxwell_boltzmann  # noqa: E402
from torchmd.systems import System  # noqa: E402

cutoff, switch, epsilon, sigma, mass = numbers
frames = np.load(path)
x, box = frames["positions"] * 10, frames["box"] * 10  # torchmd counts in angstrom and kcal/mol
k, n = x.shape[:2]
a = 4 * epsilon / 4.184 * (sigma * 10) ** 12
b = 4 * epsilon / 4.184 * (sigma * 10) ** 6
device = "cpu"
parameters = types.SimpleNamespace(
    nonbonded_params=True,
    mapped_atom_types=torch.zeros(n, dtype=torch.long),
    masses=torch.full((n, 1), mass),
    device=device,
    get_exclusions=lambda kinds: [],
    get_AB=lambda: (torch.full((1, 1), a), torch.full((1, 1), b)),
)
system = System(n, k, torch.float32, device)
system.set_positions(np.moveaxis(x, 0, 2).astype(np.float32))
system.set_box(np.ascontiguousarray(box.T).astype(np.float32))
system.set_velocities(maxwell_boltzmann(parameters.masses, 300.0, k))
forces = Forces(parameters, terms=["lj"], cutoff=cutoff * 10, switch_dist=switch * 10)
energy = forces.compute(system.pos, system.box, system.forces)
integrator = Integrator(system, forces, timestep, device, gamma=None, T=None)
integrator.step(niter=max(1, steps // 10))
began = time.perf_counter()
integrator.step(niter=steps)
print(json.dumps({"steps_per_second": steps / (time.perf_counter() - began), "energy": 4.184 * float(np.atleast_1d(energy)[0])}))
