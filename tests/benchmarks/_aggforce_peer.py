"""Runs inside the environment of the public ``aggforce`` package: its optimal linear force map. Arguments: input and output npz file.

The input holds forces (F, n, 3) [kcal/mol/A], weights (b, n) and constraints (any, 2); the output the force map (b, n).
"""

import sys
import time

import numpy as np
from aggforce import LinearMap, project_forces

given = np.load(sys.argv[1], allow_pickle=False)
start = time.perf_counter()
found = project_forces(
    coords=np.zeros_like(given["forces"]),
    forces=given["forces"],
    coord_map=LinearMap(given["weights"]),
    constrained_inds={frozenset(pair) for pair in given["constraints"].tolist()},
)
np.savez(sys.argv[2], force_map=found["tmap"].force_map.standard_matrix, seconds=time.perf_counter() - start)
