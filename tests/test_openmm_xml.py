"""The XML files give OpenMM the energy and the forces of the potential, and run without the workbench."""

import dataclasses
import subprocess
import sys

import numpy as np
import openmm
import pytest

from tests import _exports
from tests.test_potentials_contract import chain
from tests.test_tabulated import filled
from workbench import units
from workbench.export import openmm_xml
from workbench.potentials import Sum


@pytest.mark.parametrize("name", [name for name in _exports.CASES if name != "orders"])  # for which OpenMM has no force
def test_openmm_gives_the_same_energy_and_forces(name):
    found = openmm_xml.parity(*_exports.CASES[name]())
    assert found.passed and found.engine == "OpenMM"
    assert max(found.energy_difference, found.force_difference) < 1e-10


def test_a_molecule_without_a_box():
    data = chain(n_frames=20)
    assert openmm_xml.parity(filled(data, start=0.1, cutoff=0.5, spacing=0.02), data.start([0])).passed


def test_the_script_runs_as_it_is(tmp_path):
    potential, start = _exports.molecules()
    rng = np.random.default_rng(0)
    thermal = np.sqrt(units.thermal_energy(300.0) / start.beads.masses)[:, None] * rng.standard_normal(start.positions.shape)
    settings = openmm_xml.Settings(n_steps=60, save_every=20, timestep_fs=1.0, friction=20.0)
    paths = openmm_xml.write(potential, dataclasses.replace(start, velocities=thermal), tmp_path, settings)
    assert [p.name for p in paths] == ["system.xml", "state.xml", "beads.pdb", "run.py"]
    subprocess.run([sys.executable, "-W", "error", "run.py", "Reference"], cwd=tmp_path, check=True)
    log = np.loadtxt(tmp_path / "log.csv", delimiter=",", skiprows=1)
    assert log[:, 0].tolist() == [20, 40, 60] and abs(log[:, 3].mean() - 300) < 60
    assert (tmp_path / "frames.dcd").stat().st_size > 3 * 12 * start.beads.n_beads
    state = openmm.XmlSerializer.deserialize((tmp_path / "state.xml").read_text())
    np.testing.assert_allclose(state.getPositions(asNumpy=True)._value, start.positions[0], rtol=1e-14)
    np.testing.assert_allclose(state.getVelocities(asNumpy=True)._value, thermal[0], rtol=1e-14)
    system = openmm.XmlSerializer.deserialize((tmp_path / "system.xml").read_text())
    np.testing.assert_allclose(system.getDefaultPeriodicBoxVectors()[1][1]._value, start.box[0, 1])
    assert "Python" not in (tmp_path / "system.xml").read_text()


@pytest.mark.parametrize("name", _exports.REFUSALS)
def test_what_no_engine_runs_is_refused_and_nothing_written(name, tmp_path):
    potential, start, words = _exports.refused(name)
    with pytest.raises(ValueError, match=words):
        openmm_xml.write(potential, start, tmp_path / "new", openmm_xml.Settings())
    assert not (tmp_path / "new").exists()


def test_weights_and_networks_in_a_sum_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no native force for BondOrder"):
        openmm_xml.write(*_exports.orders(), tmp_path / "new", openmm_xml.Settings())
    potential, start = _exports.liquid()
    with pytest.raises(ValueError, match=r"no native force for 0\.5 times PairTables"):
        openmm_xml.write(Sum([potential], [0.5]), start, tmp_path / "new", openmm_xml.Settings())
    network, start = _exports.network()
    start = dataclasses.replace(start, box=np.full((1, 3), 2.0))
    with pytest.raises(ValueError, match=r"no native force for CGnet: run it with simulation\.openmm_engine"):
        openmm_xml.write(_exports.spheres()[0] + network, start, tmp_path / "new", openmm_xml.Settings())
    assert not (tmp_path / "new").exists()
