"""Write a benchmark's figures as JSON, with the command that made them, versions, cores and date."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import sys

import torch

RESULTS = pathlib.Path(__file__).parent / "results"


def environment() -> dict:
    """Versions and cores of this machine."""
    names = ("torch", "numpy", "numba", "openmm", "scipy")
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu,
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "date": datetime.date.today().isoformat(),
    }


def write(name: str, figures: dict, seed: int | list[int] | None) -> pathlib.Path:
    """Save ``figures`` as ``results/<name>.json``."""
    module = sys.modules["__main__"].__spec__
    arguments = ["PATH" if os.path.isabs(argument) else argument for argument in sys.argv[1:]]
    command = " ".join(["python", "-m", module.name if module else sys.argv[0], *arguments])
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"command": command, "environment": environment(), "seed": seed, "figures": figures}, indent=1) + "\n")
    print(f"wrote {path}")
    return path
