"""The frames that go with a system from files, and what a session remembers of them."""

import pathlib
from typing import Any

from widgets.system_sources import near
from workbench import reference, store, trajectory_files
from workbench.types import System, Trajectory


def read(settings: Any, system: System, folder: pathlib.Path) -> tuple[Trajectory, dict[str, str]]:
    """The frames of the trajectory that ``systems.files.Settings`` name, and what a session remembers of them: where below ``folder``
    they are kept, how they were read, and one sentence. Raises ``ValueError`` as ``reference.read`` does."""
    options, said = _reading(settings)
    path = pathlib.Path(settings.trajectory)
    stat = path.stat()
    kept = folder / "frames" / store.identity("frames", system, str(path), stat.st_size, stat.st_mtime_ns, options)[:8]
    frames = reference.read(system, path, **options, folder=kept)
    words = "".join(f", {name}={value!r}" for name, value in options.items())
    code = f'all_atom = reference.read(system, "{path}"{words}, folder="{near(kept)}")'
    return frames, {"folder": str(kept.relative_to(folder)), "code": code, "said": f"{len(frames)} frames from {path.name}, {said}"}


def _reading(settings: Any) -> tuple[dict[str, Any], str]:
    """The options of ``reference.read`` that take all that the file holds, and what to say of it."""
    source = trajectory_files.open_file(settings.trajectory, lammps_units=settings.lammps_units)
    options = {name: value for name, value in (("lammps_units", settings.lammps_units), ("box", settings.box)) if value}
    said = "with forces" if "forces" in source.names else "without forces"
    if source.some_forces:
        options["need_forces"], said = True, f"with forces; {source.n_frames - source.some_forces} without are left out"
    if source.cut:
        options["n_frames"] = source.some_forces or source.n_frames
        said += "; the file ends in the middle of the next one"
    unit = "in nm, ps and kJ/mol as in the file" if source.unit == "nm" else f"converted from {source.unit} to nm, ps and kJ/mol"
    return options, f"{said}, {unit}"
