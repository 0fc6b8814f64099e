"""GROMACS: bonds, angles and dihedrals as tables or harmonic, pairs as a Lennard-Jones form or as tables, and a run.

A potential whose pairs are one ``lennard_jones`` runs as it is: the switch that GROMACS applies to the potential is the same polynomial.
Other pairs are written as non-bonded tables. GROMACS has run none since 2020 (2019 and before read them, with the group cut-off scheme):
their parity is that of the files read back and interpolated as there, by cubics through energies and forces.
Source: M. J. Abraham et al., SoftwareX 1-2, 19 (2015), and the reference manual, 'Tabulated interaction functions'.
"""

import io
import itertools
import os
import pathlib
import re
import tempfile
from typing import Any

import numpy as np
import scipy.interpolate
import torch

from workbench import trajectory_files, units
from workbench.export import _base, _gromacs_files
from workbench.export._base import Model, Parity
from workbench.potentials import _pair
from workbench.potentials._base import Potential
from workbench.potentials.lennard_jones import LennardJones
from workbench.settings import field, settings
from workbench.types import Start

ADVICE = "install GROMACS, best in double precision (Debian's package gromacs has gmx_d), or name its program in executable."
BUFFER = 0.1
"""Beads that close beyond the cut-off are in the pair list [nm]."""
NEAR = 0.5
"""Range of the pair list where there are no pairs [nm]."""

RUN = """#!/bin/sh
# sh run.sh: GROMACS as gmx, or as the program named in GMX
set -e
"${{GMX:-gmx}}" {prepare}
"${{GMX:-gmx}}" {run}
"""


@settings
class Settings:
    """The run in the parameter file."""

    temperature: float = field(300.0, "Temperature.", unit="K", bounds=(1e-6, None))
    timestep_fs: float = field(2.0, "Time step.", unit="fs", bounds=(1e-6, 1000.0))
    friction: float = field(5.0, "Friction constant of the Langevin thermostat.", unit="1/ps", bounds=(1e-6, None))
    n_steps: int = field(100_000, "Integration steps.", bounds=(1, None))
    save_every: int = field(100, "Steps between saved frames.", bounds=(1, None))
    seed: int = field(1, "Seed of velocities and noise.", bounds=(1, 2**31 - 1))


def write(potential: Potential, start: Start, folder: Any, settings: Settings) -> tuple[pathlib.Path, ...]:
    """Write ``topol.top``, ``conf.g96``, ``grompp.mdp``, tables, and ``run.sh`` that runs them; their paths.

    Raises ``ValueError``, with nothing written, for a start without a box or of several frames, a box below twice the cut-off, and a
    potential that is no sum over pairs, bonds, angles and dihedrals.
    """
    model = _take_apart(potential, start)
    return _base.write_files(folder, _files(model, start.velocities, settings))


def parity(potential: Potential, start: Start, settings: Settings | None = None, *, executable: Any = None) -> Parity:
    """Energy and forces of the one frame of ``start`` by GROMACS, in a process of its own, beside the potential's.

    Of non-bonded tables the files are read back. Raises ``ValueError`` as :func:`write`, and where GROMACS is not installed;
    ``RuntimeError`` where it stops.
    """
    model = _take_apart(potential, start)
    files = _files(model, None, Settings() if settings is None else settings)
    energy, forces, engine, version, notes = 0.0, np.zeros(model.positions.shape), "GROMACS", "none", []
    if model.terms or _lennard_jones(model):
        program = _base.program(("gmx_d", "gmx"), executable, ADVICE)
        energy, forces, version, precision = _run(program, model, files)
        notes += [] if precision == "double" else [f"in {precision} precision"]
    if _tabulated(model):
        more = read_back(model, files)
        energy, forces = energy + more[0], forces + more[1]
        notes.append("non-bonded tables, which GROMACS does not run since 2020, read back from their files")
    return _base.compare(model.potential, start, energy, forces, engine, version, "; ".join(notes))


def read_back(model: Model, files: dict[str, str]) -> tuple[float, np.ndarray]:
    """Energy [kJ/mol] and forces (B, 3) [kJ/mol/nm] of the pairs by the non-bonded tables in ``files``, interpolated as by GROMACS."""
    x, box = torch.tensor(model.positions)[None], torch.tensor(model.box)[None]
    vector, frame, pairs = _pair.vectors(x, box, None, model.cutoff, torch.tensor(model.beads.exclusions))
    r = torch.linalg.vector_norm(vector, dim=-1).numpy()
    names = np.array(model.beads.types)
    one, other = names[pairs.first.numpy()], names[pairs.second.numpy()]
    energy, slope = np.zeros_like(r), np.zeros_like(r)
    for types, name in _tables(model).items():
        columns = np.loadtxt(io.StringIO(files[name])).T
        curve = scipy.interpolate.CubicHermiteSpline(columns[0], columns[5], -columns[6])
        mine = ((one == types[0]) & (other == types[1])) | ((one == types[1]) & (other == types[0]))
        energy[mine], slope[mine] = curve(r[mine]), curve(r[mine], 1)
    found = _pair.gather(x, pairs, frame, vector, torch.tensor(energy), torch.tensor(slope / r), False)
    return float(found.energy), found.forces[0].numpy()


def _take_apart(potential: Potential, start: Start) -> Model:
    if start.box is None:
        raise ValueError("GROMACS needs a periodic box and this start has none: put the beads into one, or export to LAMMPS or OpenMM.")
    return _base.take_apart(potential, start, "GROMACS")


def _lennard_jones(model: Model) -> tuple[float, float, float] | None:
    """C6 [kJ/mol nm^6], C12 [kJ/mol nm^12] and start of the switch [nm] where the pairs are one Lennard-Jones form."""
    if len(model.pairs) != 1 or not isinstance(model.pairs[0][1], LennardJones):
        return None
    weight, pairs = model.pairs[0]
    depth, sixth = 4 * weight * float(pairs.epsilon), float(pairs.sigma) ** 6
    return depth * sixth, depth * sixth**2, pairs.cutoff - pairs.switch_width


def _tabulated(model: Model) -> bool:
    return bool(model.pairs) and _lennard_jones(model) is None


def _tables(model: Model) -> dict[tuple[str, str], str]:
    """File of the non-bonded table of every pair of bead types."""
    label = _gromacs_files.labels(model.beads)
    if len(label) == 1:
        return {(name, name): "table.xvg" for name in label}
    return {(a, b): f"table_{label[a]}_{label[b]}.xvg" for a, b in itertools.combinations_with_replacement(label, 2)}


def _files(model: Model, velocities: np.ndarray | None, settings: Settings) -> dict[str, str]:
    """All files by name."""
    c6, c12, _ = _lennard_jones(model) or (0.0, float(_tabulated(model)), 0.0)
    files = {
        "topol.top": _gromacs_files.topology(model, c6, c12),
        "conf.g96": _gromacs_files.coordinates(model, None if velocities is None else velocities[0]),
    }
    for term, number in _gromacs_files.numbered(model):
        if number is not None:
            files[f"table_{_gromacs_files.LETTER[term.kind]}{number}.xvg"] = _gromacs_files.bonded_table(term)
    bonded = [name for name in files if name.endswith(".xvg")]
    run = f"mdrun -s run.tpr -deffnm run{' -tableb ' if bonded else ''}{' '.join(bonded)}"
    prepare = "grompp -f grompp.mdp -c conf.g96 -p topol.top -o run.tpr"
    if _tabulated(model):
        tables = {name: _gromacs_files.pair_table(model, types) for types, name in _tables(model).items()}
        files |= tables | {"table.xvg": next(iter(tables.values())), "index.ndx": _gromacs_files.groups(model.beads)}
        prepare, run = f"{prepare} -n index.ndx", f"{run} -table table.xvg"
    files["grompp.mdp"] = _parameters(model, settings, velocities is None)
    files["run.sh"] = (
        f'#!/bin/sh\n# sh run.sh: GROMACS as gmx, or as the program in GMX\nset -e\n"${{GMX:-gmx}}" {prepare}\n"${{GMX:-gmx}}" {run}\n'
    )
    return files


def _parameters(model: Model, settings: Settings, draw: bool) -> str:
    """Langevin dynamics at constant volume."""
    every = settings.save_every
    lines = [
        "integrator = sd",
        f"dt = {settings.timestep_fs * units.FEMTOSECOND!r}",
        f"nsteps = {settings.n_steps}",
        "tc-grps = System",
        f"tau-t = {1 / settings.friction!r}",
        f"ref-t = {settings.temperature!r}",
        f"ld-seed = {settings.seed}",
        f"gen-vel = {'yes' if draw else 'no'}",
        f"gen-temp = {settings.temperature!r}",
        f"gen-seed = {settings.seed}",
        *(f"{name} = {every}" for name in ("nstxout", "nstfout", "nstenergy", "nstlog")),
    ]
    if not _tabulated(model):
        return "\n".join([*lines, *_pair_list(model, BUFFER)]) + "\n"
    label = _gromacs_files.labels(model.beads)
    lines += ["; tables of users: GROMACS up to 2019", "cutoff-scheme = group", "pbc = xyz", "vdwtype = User", "coulombtype = Cut-off"]
    lines += [f"{name} = {model.cutoff!r}" for name in ("rlist", "rvdw", "rcoulomb")] + ["nstlist = 1"]
    if len(label) > 1:
        pairs = [f"{label[a]} {label[b]}" for a, b in _tables(model)]
        lines += [f"energygrps = {' '.join(label.values())}", f"energygrp-table = {' '.join(pairs)}"]
    return "\n".join(lines) + "\n"


def _pair_list(model: Model, buffer: float) -> list[str]:
    """Pairs as GROMACS runs them; a box that leaves no room for ``buffer`` [nm] has the list made anew at every step."""
    half = 0.499 * float(model.box.min())
    cutoff = model.cutoff or min(NEAR, half - BUFFER)
    room = buffer > 0 and cutoff + buffer <= half
    switch = _lennard_jones(model)
    return [
        "cutoff-scheme = Verlet",
        "pbc = xyz",
        "verlet-buffer-tolerance = -1",
        f"nstlist = {10 if room else 1}",
        f"rlist = {cutoff + (buffer if room else 0.0)!r}",
        "coulombtype = Cut-off",
        "vdwtype = Cut-off",
        f"vdw-modifier = {'Potential-switch' if switch else 'None'}",
        *([f"rvdw-switch = {switch[2]!r}"] if switch else []),
        f"rvdw = {cutoff!r}",
        f"rcoulomb = {cutoff!r}",
    ]


def _run(program: str, model: Model, files: dict[str, str]) -> tuple[float, np.ndarray, str, str]:
    """Energy, forces, version and precision: one step of what GROMACS runs, less the non-bonded tables."""
    asked = ["integrator = md", "nsteps = 0", *(f"{name} = 1" for name in ("nstxout", "nstfout", "nstenergy", "nstcalcenergy"))]
    one = {"parity.mdp": "\n".join([*asked, *_pair_list(model, 0.0)]) + "\n"}
    one |= {"topol.top": _gromacs_files.topology(model, 0.0, 0.0)} if _tabulated(model) else {}
    tables = [name for name in files if re.fullmatch(r"table_[bad]\d+\.xvg", name)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GMX_MAXBACKUP": "-1"}
    prepare = ["grompp", "-f", "parity.mdp", "-c", "conf.g96", "-p", "topol.top", "-o", "run.tpr"]
    step = ["mdrun", "-s", "run.tpr", "-deffnm", "run", "-nt", "1", *(["-tableb", *tables] if tables else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _base.write_files(folder, files | one)
        for words in (prepare, step):
            _base.call([program, *words], folder, environment)
        _base.call([program, "energy", "-f", "run.edr", "-o", "energy.xvg", "-dp"], folder, environment, "Potential\n")
        energy = np.loadtxt(folder / "energy.xvg", comments=("#", "@"), ndmin=2)[0, 1]
        (frame,) = trajectory_files.open_file(folder / "run.trr", need_forces=True).pieces(1)
        log = (folder / "run.log").read_text()
    version = re.search(r"GROMACS version:\s*(\S+)", log)[1]
    return float(energy), frame["forces"][0], version, re.search(r"Precision:\s*(\S+)", log)[1]
