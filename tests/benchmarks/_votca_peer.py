"""The public package VOTCA (2022.1) on one-bead liquids: ``csg_inverse`` driving LAMMPS, and ``csg_fmatch`` on given frames.

Its programs (Debian's package votca) must be on the path; ``engine`` is the folder with LAMMPS's ``lmp`` and its ``mpirun``.
Settings are those of VOTCA's SPC/E tutorials but for what makes LAMMPS faster: a skin of 0.8 A instead of 2, and ranks of the
one-thread styles of its OPENMP package. What goes in and comes back is in nm, kJ/mol and seconds; the files are in A and kcal/mol.
"""

import os
import pathlib
import shutil
import subprocess
import time
import xml.etree.ElementTree as xml

import numpy as np

from workbench import units

NAME = "CG-CG"
TYPE = "Bead1"
R_MIN, R_MAX, STEP = 0.24, 0.9, 0.01
JUDGED = np.arange(24, 101) / 100
"""Distances of the error of a radial distribution [nm]; the bins are centred on them."""
TIMESTEP_FS, MASS = 2.0, 18.0154
EXTRAS = {
    "ibi": {},
    "imc": {"post_update": "smooth", "post_update_options": {"smooth": {"iterations": 2}}, "imc": {"group": NAME}},
}
"""What a method adds to the settings of the interaction."""
LAMMPS_INPUT = """units real
atom_style atomic
read_data start.data
neighbor 0.8 bin
velocity all create {temperature} {seed}
pair_style table linear 1000
pair_coeff 1 1 pair.table VOTCA {cutoff}
timestep {timestep}
fix 1 all nve
fix 2 all langevin {temperature} {temperature} 200 {seed}
thermo 1000
run {equilibration}
dump 1 all atom {save_every} traj.dump
run {production}
"""


def iterate(
    folder: pathlib.Path,
    engine: pathlib.Path,
    target: tuple[np.ndarray, np.ndarray],
    start: tuple[np.ndarray, np.ndarray],
    method: str = "ibi",
    n_iterations: int = 10,
    n_steps: int = 20_000,
    save_every: int = 100,
    cores: int = 2,
    regularization: float = 0.0,
    temperature: float = 300.0,
    seed: int = 1,
) -> list[dict]:
    """Run ``csg_inverse`` in ``folder`` (made anew) from the Boltzmann inverse of ``target`` = (r [nm], g).

    ``start`` = positions (N, 3) and box (3,) [nm]; a tenth of the steps equilibrate; ``regularization`` is that of IMC. One row an
    iteration: ``seconds`` of wall time, ``r`` [nm] and ``potential`` [kJ/mol] that was simulated, and, measured after the clock, ``g``
    on ``JUDGED`` and ``rms`` of g - target there. Raises ``ValueError`` for an unknown method, ``RuntimeError`` with the end of its log
    where csg_inverse stops.
    """
    if method not in EXTRAS:
        raise ValueError(f"method '{method}': choose one of {', '.join(EXTRAS)}.")
    folder = prepare(pathlib.Path(folder), start)
    np.savetxt(folder / "target.dat", np.column_stack(target), fmt="%.8g %.8g i")
    equilibration = n_steps // 10
    text = LAMMPS_INPUT.format(
        temperature=temperature,
        seed=seed,
        cutoff=R_MAX / units.ANGSTROM,
        timestep=TIMESTEP_FS,
        equilibration=equilibration,
        save_every=save_every,
        production=n_steps - equilibration,
    )
    (folder / "run.in").write_text(text)
    write(folder / "settings.xml", inverse_settings(method, n_iterations, cores, regularization, temperature))
    write(folder / "rdf.xml", {"non-bonded": interaction(JUDGED[0], JUDGED[-1], STEP)})
    call(["csg_inverse", "--options", "settings.xml"], folder, engine)
    return [row(folder, number, target) for number in range(1, n_iterations + 1)]


def prepare(folder: pathlib.Path, start: tuple[np.ndarray, np.ndarray]) -> pathlib.Path:
    """An empty folder with the LAMMPS data file of ``start``, positions wrapped into the box."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    positions, box = (np.asarray(values, float) / units.ANGSTROM for values in start)
    rows = np.column_stack([np.arange(1, len(positions) + 1), np.ones(len(positions)), positions % box])
    edges = "\n".join(f"0 {edge:.10g} {axis}lo {axis}hi" for edge, axis in zip(box, "xyz", strict=True))
    with open(folder / "start.data", "w") as file:
        file.write(f"beads\n\n{len(rows)} atoms\n1 atom types\n\n{edges}\n\nMasses\n\n1 {MASS}\n\nAtoms\n\n")
        np.savetxt(file, rows, fmt="%d %d %.8f %.8f %.8f")
    return folder


def interaction(low: float, high: float, step: float, **more: dict) -> dict:
    """Settings of the one pair interaction on a grid [nm]."""
    return {"name": NAME, "type1": TYPE, "type2": TYPE, "min": low, "max": high, "step": step, **more}


def inverse_settings(method: str, n_iterations: int, cores: int, regularization: float, temperature: float) -> dict:
    """Settings of ``csg_inverse``: the tutorial's, on ``cores`` cores."""
    table = {
        "table": "pair.table",
        "scale": 1 / units.ANGSTROM,
        "y_scale": 1 / units.KCAL,
        "table_begin": 0.20,
        "table_bins": 0.002,
    }
    command = f"mpirun -np {cores} lmp -sf omp -pk omp 1"
    program = {"command": command, "opts": "-in ${script} -screen none", "script": "run.in", "topol": "start.data", "traj": "traj.dump"}
    return {
        "non-bonded": interaction(R_MIN, R_MAX, STEP, inverse={"target": "target.dat", "lammps": table, **EXTRAS[method]}),
        "inverse": {
            "kBT": units.thermal_energy(temperature),
            "program": "lammps",
            "lammps": program,
            "simulation": {"tasks": cores},
            "initial_configuration": "maindir",
            "filelist": "start.data run.in",
            "iterations_max": n_iterations,
            "method": method,
            "imc": {"default_reg": regularization},
        },
    }


def row(folder: pathlib.Path, number: int, target: tuple[np.ndarray, np.ndarray]) -> dict:
    """Figures of iteration ``number``: its time lies between the end marks of the step before and of its own."""
    before, step = (folder / f"step_{n:03d}" for n in (number - 1, number))
    call(["csg_stat", "--options", "../rdf.xml", "--top", "start.data", "--trj", "traj.dump", "--ext", "judged"], step)
    g = table(step / f"{NAME}.judged")[1]
    r, potential = table(before / f"{NAME}.pot.new")
    wanted = np.interp(JUDGED, *target)
    return {
        "seconds": (step / "done").stat().st_mtime - (before / "done").stat().st_mtime,
        "r": r,
        "potential": potential,
        "g": g,
        "rms": float(np.sqrt(np.mean((g - wanted) ** 2))),
    }


def force_match(
    folder: pathlib.Path,
    positions: np.ndarray,
    forces: np.ndarray,
    box: np.ndarray,
    r_max: float = R_MAX,
    step: float = 0.02,
    out_step: float = 0.002,
    frames_per_block: int = 5,
    three_body: dict | None = None,
) -> dict:
    """Run ``csg_fmatch`` in ``folder`` (made anew) on ``positions`` [nm], ``forces`` [kJ/mol/nm] (F, N, 3) and ``box`` (F, 3).

    Returns ``seconds`` and, under ``pair``, ``r``, ``force``, ``error`` and ``potential``. ``three_body`` adds the term
    f(theta) exp(gamma / (r_ij - a)) exp(gamma / (r_ik - a)) with a, gamma [nm] and the grid low, step [rad] of f up to pi: ``triple``
    then holds ``theta``, ``potential`` and ``error`` of f. Raises ``RuntimeError`` where csg_fmatch stops.
    """
    folder = prepare(pathlib.Path(folder), (positions[0], box[0]))
    write_frames(folder / "frames.dump", positions, forces, box)
    grid = {"min": R_MIN, "max": r_max, "step": step, "out_step": out_step}
    terms = [{"name": NAME, "type1": TYPE, "type2": TYPE, "fmatch": grid}]
    if three_body:
        shape = {"a": three_body["a"], "sigma": 1.0, "gamma": three_body["gamma"]}
        angles = {"min": three_body["low"], "max": np.pi, "step": three_body["step"], "out_step": three_body["step"] / 10}
        types = dict.fromkeys(("type1", "type2", "type3"), TYPE)
        terms.append({"name": "triple", "threebody": "true", **types, "fmatch": shape | angles})
    solver = {"constrainedLS": "true", "frames_per_block": frames_per_block}
    write(folder / "settings.xml", {"nbsearch": "grid", "fmatch": solver, "non-bonded": terms})
    command = ["csg_fmatch", "--top", "start.data", "--trj", "frames.dump", "--options", "settings.xml", "--no-map"]
    began = time.perf_counter()
    call(command, folder)
    found = {"seconds": time.perf_counter() - began}
    call(["csg_call", "table", "integrate", f"{NAME}.force", "minus.pot"], folder)
    r, force, error = table(folder / f"{NAME}.force", 3)
    found["pair"] = {"r": r, "force": force, "error": error, "potential": -table(folder / "minus.pot")[1]}
    if three_body:
        theta, potential, error = table(folder / "triple.pot", 3)
        found["triple"] = {"theta": theta, "potential": potential, "error": error}
    return found


def write_frames(path: pathlib.Path, positions: np.ndarray, forces: np.ndarray, box: np.ndarray) -> None:
    """A LAMMPS dump of all frames."""
    index = np.column_stack([np.arange(1, positions.shape[1] + 1), np.ones(positions.shape[1])])
    with open(path, "w") as file:
        for number, (x, f, edges) in enumerate(zip(positions, forces, np.asarray(box, float) / units.ANGSTROM, strict=True)):
            bounds = "\n".join(f"0 {edge:.10g}" for edge in edges)
            file.write(f"ITEM: TIMESTEP\n{number}\nITEM: NUMBER OF ATOMS\n{len(x)}\nITEM: BOX BOUNDS pp pp pp\n{bounds}\n")
            file.write("ITEM: ATOMS id type x y z fx fy fz\n")
            rows = np.column_stack([index, np.asarray(x, float) / units.ANGSTROM % edges, np.asarray(f, float) / units.KCAL_PER_ANGSTROM])
            np.savetxt(file, rows, fmt="%d %d %.7f %.7f %.7f %.8g %.8g %.8g")


def table(path: pathlib.Path, columns: int = 2) -> np.ndarray:
    """The first ``columns`` (2 or 3) columns of numbers of a VOTCA table, (columns, n); the flag in the last one is left out."""
    return np.loadtxt(path, usecols=range(columns), comments=("#", "@"), ndmin=2).T


def write(path: pathlib.Path, settings: dict) -> None:
    """A settings file of VOTCA: nested dicts are elements, a list repeats its element."""
    root = xml.Element("cg")
    _fill(root, settings)
    xml.ElementTree(root).write(path)


def _fill(parent: xml.Element, settings: dict) -> None:
    for name, value in settings.items():
        for each in value if isinstance(value, list) else [value]:
            element = xml.SubElement(parent, name)
            if isinstance(each, dict):
                _fill(element, each)
            else:
                element.text = str(each)


def call(command: list[str], folder: pathlib.Path, engine: pathlib.Path | None = None) -> None:
    """Run one program of VOTCA with ``engine`` before the path; ``RuntimeError`` with the last lines of what it said where it fails."""
    path = os.environ["PATH"] if engine is None else f"{engine}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    (folder / f"{command[0]}.out").write_text(done.stdout)
    if done.returncode:
        raise RuntimeError(f"{command[0]} stopped with code {done.returncode}: {done.stdout[-2000:]}")
