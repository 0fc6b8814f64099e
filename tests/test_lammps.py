"""LAMMPS gives the energy and the forces of every potential that it is given, and runs the input as it is."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from tests import _exports
from tests.test_potentials_contract import chain
from tests.test_tabulated import filled
from workbench import export, potentials, trajectory_files, units
from workbench.export import _base, lammps
from workbench.potentials import Sum, harmonic, tabulated

engine = _exports.needs("lmp", "lmp_serial", "lmp_mpi")


@engine
@pytest.mark.parametrize("name", _exports.CASES)
def test_lammps_gives_the_same_energy_and_forces(name):
    found = lammps.parity(*_exports.CASES[name]())
    assert found.passed and found.engine == "LAMMPS" and "20" in found.version
    assert max(found.energy_difference, found.force_difference) < 1e-5


@engine
def test_a_molecule_without_a_box_and_sums_with_weights():
    data = chain(n_frames=20)
    tables = filled(data, start=0.1, cutoff=0.5, spacing=0.02)
    springs = harmonic.build(data, harmonic.Settings())
    start = data.start([0])
    for potential in (tabulated.parts(tables)[1], springs, Sum([springs, tables], [0.5, 2.0])):
        assert lammps.parity(potential, start, lammps.Settings(n_pair_points=4000)).passed


@engine
@pytest.mark.parametrize("excluded_bonds", [1, 3, 5])
def test_exclusions_are_those_of_the_beads(excluded_bonds):
    start = _exports.chains(excluded_bonds=excluded_bonds).start([0])
    pairs = tabulated.parts(_exports.molecules()[0])[0]
    soft = pairs.with_values(pairs.values() * 0.01)  # bonded neighbours that interact are within the wall
    assert lammps.parity(soft, start).passed


@engine
def test_the_input_runs_as_it_is(tmp_path):
    """From the positions and velocities of the start, at the temperature asked for."""
    potential, start = _exports.molecules()
    rng = np.random.default_rng(0)
    thermal = np.sqrt(units.thermal_energy(300.0) / start.beads.masses)[:, None] * rng.standard_normal(start.positions.shape)
    settings = lammps.Settings(n_steps=2000, save_every=100, timestep_fs=1.0, friction=20.0)
    for velocities in (None, thermal):
        paths = lammps.write(potential, dataclasses.replace(start, velocities=velocities), tmp_path, settings)
        assert {p.name for p in paths} >= {"in.lammps", "model.lammps", "system.data", "pair.table", "dihedral.table"}
        program = _base.program(("lmp", "lmp_serial", "lmp_mpi"), None, "")
        subprocess.run([program, "-in", "in.lammps", "-screen", "none"], cwd=tmp_path, check=True)
        source = trajectory_files.open_file(tmp_path / "frames.lammpstrj")
        frames = next(source.pieces(100))
        assert source.n_frames == 21 and {"forces", "time"} <= set(frames)
        np.testing.assert_allclose(frames["positions"][0], start.positions[0], atol=1e-5)
        assert frames["time"][-1] == pytest.approx(2.0)
        rows = [line.split() for line in (tmp_path / "log.lammps").read_text().splitlines()]
        temperature = [float(row[2]) for row in rows if len(row) == 6 and row[0].isdigit() and int(row[0]) % 100 == 0]
        kinetic = (start.beads.masses[:, None] * thermal[0] ** 2).sum() / (3 * start.beads.n_beads - 3) / units.BOLTZMANN
        assert temperature[0] == pytest.approx(300.0 if velocities is None else kinetic, rel=1e-5)
        assert np.mean(temperature[5:]) == pytest.approx(300.0, rel=0.1)


def test_tables_are_the_potential_in_other_units(tmp_path):
    potential, start = _exports.liquid()
    lammps.write(potential, start, tmp_path, lammps.Settings(n_pair_points=500))
    rows = np.loadtxt((tmp_path / "pair.table").read_text().splitlines()[5:])
    assert len(rows) == 500 and 0.4 < rows[0, 1] / 2.4 < 0.7 and rows[-1, 1] == pytest.approx(9.0)
    energy, slope = potential.curve(0, rows[:, 1] * units.ANGSTROM)
    np.testing.assert_allclose(rows[:, 2] * 4.184, energy, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rows[:, 3] * 41.84, -slope, rtol=1e-9, atol=1e-6)
    assert "pair_style table linear 500" in (tmp_path / "model.lammps").read_text()


def test_beads_outside_of_the_box_keep_their_image(tmp_path):
    potential, start = _exports.liquid()
    lammps.write(potential, start, tmp_path, lammps.Settings(n_pair_points=100))
    text = (tmp_path / "system.data").read_text()
    rows = np.loadtxt(text.split("Atoms # molecular")[1].splitlines())
    box = start.box[0]
    assert (rows[:, 3:6] >= 0).all() and (rows[:, 3:6] <= box * 10 + 1e-9).all() and rows[:, 6:].any()
    np.testing.assert_allclose(rows[:, 3:6] / 10 + rows[:, 6:] * box, start.positions[0], atol=1e-12)


def test_beads_of_one_type_may_differ_in_mass(tmp_path):
    potential, start = _exports.liquid()
    masses = np.where(np.arange(start.beads.n_beads) == 0, 20.0, 18.0)
    start = dataclasses.replace(start, beads=dataclasses.replace(start.beads, masses=masses))
    lammps.write(potential, start, tmp_path, lammps.Settings(n_pair_points=100))
    assert "1 18.0 # W\n2 20.0 # W\n" in (tmp_path / "system.data").read_text()
    assert (tmp_path / "model.lammps").read_text().count("pair_1") == 3


@pytest.mark.parametrize("name", _exports.REFUSALS)
def test_what_no_engine_runs_is_refused_and_nothing_written(name, tmp_path):
    potential, start, words = _exports.refused(name)
    with pytest.raises(ValueError, match=words):
        lammps.write(potential, start, tmp_path / "new", lammps.Settings())
    assert not (tmp_path / "new").exists()


def test_other_exclusions_and_a_missing_engine_are_refused(tmp_path):
    potential, _ = _exports.molecules()
    with pytest.raises(ValueError, match="or within whole molecules: these 378 exclusions are neither"):
        lammps.write(potential, _exports.chains(excluded_bonds=4).start([0]), tmp_path / "new", lammps.Settings())
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="there is no program no_such_lmp here: install LAMMPS"):
        lammps.parity(*_exports.liquid(), executable="no_such_lmp")
    with pytest.raises(ValueError, match="LAMMPS cannot run StillingerWeber here"):
        twice = _exports.water()[0] + _exports.water()[0]
        lammps.write(twice, _exports.water()[1], tmp_path / "new", lammps.Settings())


@engine
def test_an_engine_that_stops_says_why():
    potential, start = _exports.liquid()
    close = start.positions.copy()
    close[0, 1] = close[0, 0] + 0.01
    with pytest.raises(RuntimeError, match=r"ERROR.*Pair distance < table inner cutoff"):
        lammps.parity(potential, dataclasses.replace(start, positions=close))
    with pytest.raises(RuntimeError, match="stopped with code"):
        lammps.parity(potential, start, executable=sys.executable)


def test_parity_has_a_bar():
    found = {"engine": "LAMMPS", "version": "1"}
    assert export.Parity(**found, energy_difference=1e-5, force_difference=1e-5).passed
    assert not export.Parity(**found, energy_difference=1.1e-5, force_difference=0.0).passed
    assert not export.Parity(**found, energy_difference=0.0, force_difference=float("nan")).passed
    potential, start = _exports.spheres()
    own = potentials.evaluate(potential, *(potential.epsilon.new_tensor(a) for a in (start.positions, start.box)))
    moved = own.forces[0].numpy() * 1.001
    off = _base.compare(potential, start, 1.01 * float(own.energy), moved, "none", "0")
    assert off.energy_difference == pytest.approx(0.01) and off.force_difference == pytest.approx(0.001)
