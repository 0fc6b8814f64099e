"""The public package DeePMD-kit (3.2.0, TensorFlow) training on given frames: seconds of a batch, by its own log.

``dp`` is its program, in an environment of its own (``deepmd-kit[cpu]``). Networks in single precision, and its interface too
(``DP_INTERFACE_PREC=low``). What goes in is in nm and kJ/mol; the files are in A and eV.
"""

import json
import os
import pathlib
import re
import subprocess

import numpy as np

KJ_PER_MOL_NM = 1 / 964.8533
"""In eV/A."""
LINE = re.compile(r"average training time: ([\d.]+) s/batch")


def write(folder: pathlib.Path, positions: np.ndarray, forces: np.ndarray, box: np.ndarray) -> None:
    """The frames (F, B, 3) of beads of one kind, as one of its systems; energies are none."""
    system = folder / "system" / "set.000"
    system.mkdir(parents=True)
    frames, n, _ = positions.shape
    np.save(system / "coord.npy", (10 * positions).reshape(frames, -1).astype(np.float32))
    np.save(system / "force.npy", (KJ_PER_MOL_NM * forces).reshape(frames, -1).astype(np.float32))
    np.save(system / "box.npy", (10 * box[:, :, None] * np.eye(3)).reshape(frames, -1).astype(np.float32))
    np.save(system / "energy.npy", np.zeros(frames, np.float32))
    (system.parent / "type.raw").write_text("0\n" * n)
    (system.parent / "type_map.raw").write_text("W\n")


def train(dp: str, folder: pathlib.Path, descriptor: dict, widths: tuple, batch_size: int, batches: int, every: int) -> float:
    """Seconds of a batch, less those of the first ``every``, in which the graph is made."""
    settings = {
        "model": {
            "type_map": ["W"],
            "descriptor": descriptor,
            "fitting_net": {"neuron": list(widths), "resnet_dt": False, "precision": "float32", "seed": 1},
        },
        "learning_rate": {"type": "exp", "start_lr": 1e-3, "stop_lr": 1e-8, "decay_steps": batches},
        "loss": {"start_pref_e": 0, "limit_pref_e": 0, "start_pref_f": 1, "limit_pref_f": 1, "start_pref_v": 0, "limit_pref_v": 0},
        "training": {
            "training_data": {"systems": [str(folder / "system")], "batch_size": batch_size},
            "numb_steps": batches,
            "seed": 1,
            "disp_file": "lcurve.out",
            "disp_freq": every,
            "save_freq": 10 * batches,
        },
    }
    (folder / "input.json").write_text(json.dumps(settings))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "DP_INTRA_OP_PARALLELISM_THREADS", "DP_INTER_OP_PARALLELISM_THREADS"), "1")
    environment = {**os.environ, **threads, "DP_INTERFACE_PREC": "low"}
    command = [dp, "--tf", "train", "input.json", "--skip-neighbor-stat"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    found = LINE.search(done.stdout + done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"dp train ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return float(found[1])
