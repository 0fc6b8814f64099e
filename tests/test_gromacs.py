"""GROMACS gives the energy and the forces of bonded terms and Lennard-Jones pairs; tables of other pairs say the same when read back."""

import dataclasses
import os
import subprocess

import numpy as np
import pytest

from tests import _exports
from workbench import units
from workbench.export import _base, gromacs
from workbench.potentials import Sum, lennard_jones, tabulated

engine = _exports.needs("gmx_d", "gmx")
GROMACS_RUNS = ("molecules", "priors", "spheres")
"""Cases of which it runs a part or all."""


@engine
@pytest.mark.parametrize("name", GROMACS_RUNS)
def test_gromacs_gives_the_same_energy_and_forces(name):
    found = gromacs.parity(*_exports.CASES[name]())
    assert found.passed and found.engine == "GROMACS" and found.version[0].isdigit()
    assert ("read back" in found.note) == (name != "spheres")


@engine
def test_bonded_tables_and_weights_alone():
    potential, start = _exports.molecules()
    bonded = tabulated.parts(potential)[1]
    found = gromacs.parity(Sum([bonded, _exports.priors()[0].parts[0]], [0.5, 2.0]), start)
    assert found.passed and "read back" not in found.note


@pytest.mark.parametrize("name", ["liquid", "mixture"])
def test_pair_tables_are_read_back(name):
    found = gromacs.parity(*_exports.CASES[name]())
    assert found.passed and found.version == "none" and found.note.startswith("non-bonded tables")


def test_a_table_that_is_damaged_does_not_pass():
    potential, start = _exports.mixture()
    model = _base.take_apart(potential, start, "GROMACS")
    files = gromacs._files(model, None, gromacs.Settings())
    energy, forces = gromacs.read_back(model, files)
    assert _base.compare(potential, start, energy, forces, "", "").passed
    files["table_T1_T2.xvg"] = files["table_T1_T1.xvg"]
    energy, forces = gromacs.read_back(model, files)
    assert not _base.compare(potential, start, energy, forces, "", "").passed


def test_tables_are_in_the_format_of_gromacs(tmp_path):
    """Seven columns from zero to beyond the cut-off, the potential in that of C12; a group and a table for each type."""
    gromacs.write(*_exports.mixture(), tmp_path, gromacs.Settings())
    columns = np.loadtxt(tmp_path / "table_T1_T2.xvg").T
    assert columns.shape == (7, 3601) and not columns[1:5].any() and columns[0, 0] == 0
    np.testing.assert_allclose(np.diff(columns[0]), 0.0005, atol=1e-12)
    assert not columns[5:, columns[0] >= 0.8].any() and columns[5, 0] > 1e5 and (columns[6, columns[0] < 0.1] > 0).all()
    text = (tmp_path / "grompp.mdp").read_text()
    assert "energygrp-table = T1 T1 T1 T2 T2 T2" in text and "vdwtype = User" in text
    assert (tmp_path / "index.ndx").read_text().startswith("[ T1 ]\n1\n3\n") and (tmp_path / "table.xvg").exists()
    bonded = tmp_path / "bonded"
    gromacs.write(*_exports.molecules(), bonded, gromacs.Settings())
    angle, turn, bond = (np.loadtxt(bonded / f"table_{name}0.xvg") for name in "adb")
    assert (angle[0, 0], angle[-1, 0], turn[0, 0], turn[-1, 0], bond[0, 0]) == (0, 180, -180, 180, 0)
    np.testing.assert_allclose(turn[0, 1:], turn[-1, 1:], atol=1e-9)


def test_molecules_of_a_kind_are_one_moleculetype(tmp_path):
    potential, start = _exports.molecules()
    gromacs.write(potential, start, tmp_path, gromacs.Settings())
    text = (tmp_path / "topol.top").read_text()
    assert text.count("[ moleculetype ]") == 1 and text.endswith("[ molecules ]\nM1 27\n")
    assert text.split("[ exclusions ]")[1].split("\n\n")[0].count("\n") == 9


@engine
def test_molecules_that_interlace_are_one(tmp_path):
    potential, start = _exports.priors()
    order = np.arange(start.beads.n_beads)
    order[[1, 7]] = order[[7, 1]]  # beads of two molecules change places
    place = np.argsort(order)
    beads = start.beads
    rows = {name: place[getattr(beads, name)] for name in ("bonds", "angles", "dihedrals", "exclusions")}
    mixed = dataclasses.replace(beads, molecule=beads.molecule[order], masses=beads.masses[order], **rows)
    start = dataclasses.replace(start, positions=start.positions[:, order], beads=mixed)
    gromacs.write(potential, start, tmp_path, gromacs.Settings())
    assert (tmp_path / "topol.top").read_text().endswith("[ molecules ]\nM1 1\n")
    assert gromacs.parity(potential, start).passed


@engine
@pytest.mark.parametrize("with_velocities", [False, True])
def test_the_run_runs_as_it_is(with_velocities, tmp_path):
    potential, start = _exports.spheres()
    if with_velocities:
        rng = np.random.default_rng(0)
        spread = np.sqrt(units.thermal_energy(300.0) / start.beads.masses)[:, None]
        start = dataclasses.replace(start, velocities=spread * rng.standard_normal(start.positions.shape))
    gromacs.write(potential, start, tmp_path, gromacs.Settings(n_steps=200, save_every=20, timestep_fs=1.0, friction=20.0))
    program = _base.program(("gmx_d", "gmx"), None, "")
    environment = {**os.environ, "GMX": program, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(["sh", "run.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "WARNING" not in done.stdout + done.stderr
    lines = (tmp_path / "run.log").read_text().splitlines()
    found = [float(lines[k + 1].split()[0]) for k, line in enumerate(lines) if line.split()[:1] == ["Temperature"]]
    found = found or [float(lines[k + 1].split()[-2]) for k, line in enumerate(lines) if "Temperature Pressure" in line]
    assert np.mean(found) == pytest.approx(300.0, rel=0.15)


@pytest.mark.parametrize("name", _exports.REFUSALS)
def test_what_no_engine_runs_is_refused_and_nothing_written(name, tmp_path):
    potential, start, words = _exports.refused(name)
    with pytest.raises(ValueError, match=words):
        gromacs.write(potential, start, tmp_path / "new", gromacs.Settings())
    assert not (tmp_path / "new").exists()


def test_what_gromacs_does_not_run_is_refused(tmp_path):
    potential, start = _exports.liquid()
    with pytest.raises(ValueError, match="GROMACS needs a periodic box"):
        gromacs.write(potential, dataclasses.replace(start, box=None), tmp_path / "new", gromacs.Settings())
    for name in ("water", "orders", "triples"):
        with pytest.raises(ValueError, match=r"GROMACS cannot run (StillingerWeber|BondOrder|ThreeBodySpline) here"):
            gromacs.write(*_exports.CASES[name](), tmp_path / "new", gromacs.Settings())
    with pytest.raises(ValueError, match="there is no program no_such_gmx here: install GROMACS"):
        gromacs.parity(*_exports.spheres(), executable="no_such_gmx")
    assert not (tmp_path / "new").exists()


@engine
def test_lennard_jones_with_a_weight_and_two_of_them():
    """One form runs as it is; of a sum of two the table is read back."""
    first, start = _exports.spheres()
    other = lennard_jones.build(None, lennard_jones.Settings(sigma=0.25, cutoff=0.9)).bind(start.beads)
    assert gromacs.parity(Sum([first], [0.7]), start).note == ""
    both = gromacs.parity(first + other, start)
    assert both.passed and "read back" in both.note
