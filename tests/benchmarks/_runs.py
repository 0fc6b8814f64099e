"""All-atom runs that benchmarks share: sampled once into a folder, whichever version of the code began them, then read there."""

import pathlib
from collections.abc import Callable

from workbench import reference, store
from workbench.types import System, Trajectory


def sampled(
    system: System, settings: reference.Settings, folder: pathlib.Path, on_step: Callable[[int, dict], None] | None = None
) -> Trajectory:
    """The frames in ``folder``, once they are as many as asked for; until then the run goes on there."""
    if (folder / "manifest.json").exists():
        found = store.load(folder)
        if len(found) == settings.n_frames:
            return found
    return reference.sample(system, settings, on_step=on_step, checkpoint=folder)
