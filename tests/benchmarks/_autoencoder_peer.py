"""Runs inside an environment of its own: the cells of the authors' notebook as they stand, on given frames. Prints one JSON line.

Arguments: checkout of learningmatter-mit/Coarse-Graining-Auto-encoders (333f6b5), folder with positions.npy [nm] and forces.npy
[kJ/mol/nm], threads, seed. Drawing and the reading of the PDB file do nothing here; only the training cell is timed.
"""

import contextlib
import io
import json
import pathlib
import sys
import time
import types
from unittest import mock

import numpy as np
import torch

source, frames, threads, seed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, str(source))
for name in ("mdtraj", "matplotlib", "matplotlib.pyplot"):
    sys.modules[name] = mock.MagicMock(spec=types.ModuleType(name), **{"load": mock.MagicMock()})
plot = sys.modules["matplotlib.pyplot"] = types.ModuleType("matplotlib.pyplot")
sys.modules["matplotlib"].pyplot = plot
for name in ("imshow", "xticks", "yticks", "show"):
    setattr(plot, name, lambda *_, **__: None)
read = np.load
np.load = lambda path, **options: read(frames / ("forces.npy" if "force" in path else "positions.npy"))
torch.set_num_threads(threads)
torch.manual_seed(seed)

cells = ["".join(cell["source"]) for cell in json.loads((source / "otp_example.ipynb").read_text())["cells"] if cell["cell_type"] == "code"]
names: dict = {}
for cell in cells:
    if cell.startswith("# Save trajectory"):
        continue
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(cell, names)
    if cell.startswith("for epoch"):
        seconds = time.perf_counter() - began
weights = names["Encoder"].weight1.detach().numpy()
losses = {"reconstruction": names["loss_ae_log"], "force": names["loss_fm_log"]}
print(json.dumps({"seconds": seconds, "assignment": weights.argmax(0).tolist(), **losses}))
