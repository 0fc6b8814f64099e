import dataclasses
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import openmm
import pytest
import torch
from openmm import unit

from workbench import reference, store, systems, units
from workbench.types import State, System

SHORT = {"n_frames": 40, "interval_ps": 0.02, "equilibration_ps": 0.1, "checkpoint_every": 10}


class Stop(Exception):
    """What a caller raises to cancel."""


def harmonic_wells(n: int, stiffness: float, mass: float) -> System:
    """``n`` independent particles, each in an isotropic harmonic well of ``stiffness`` [kJ/mol/nm^2]."""
    physics = openmm.System()
    well = openmm.CustomExternalForce(f"0.5*{stiffness}*(x*x+y*y+z*z)")
    for particle in range(n):
        physics.addParticle(mass)
        well.addParticle(particle)
    physics.addForce(well)
    none = np.zeros((0, 2), int)
    return System(
        name="wells",
        elements=("Ar",) * n,
        atom_names=("Ar",) * n,
        residue_names=("AR",) * n,
        residue=np.arange(n),
        molecule=np.arange(n),
        masses=np.full(n, mass),
        charges=np.zeros(n),
        bonds=none,
        constraints=none,
        virtual_sites=np.zeros(0, int),
        positions=np.zeros((n, 3)),
        box=None,
        force_field=store.force_field_text(openmm.XmlSerializer.serialize(physics)),
        state=State(),
    )


def test_harmonic_wells_have_the_exact_variance_and_temperature():
    n, stiffness, friction, interval = 50, 1000.0, 20.0, 0.5
    wells = harmonic_wells(n, stiffness, mass=10.0)
    settings = reference.Settings(n_frames=400, interval_ps=interval, friction_per_ps=friction, timestep_fs=5.0, velocities=True, seed=3)
    frames = reference.sample(wells, settings)
    samples = 400 * n * 3  # after 0.5 ps frames are independent: the slowest relaxation takes 1 / (friction / 2) = 0.1 ps
    error = np.sqrt(2 / samples)
    kt = units.thermal_energy(300.0)
    assert frames.positions.astype(float).var() / (kt / stiffness) == pytest.approx(1, abs=4 * error)
    assert (10.0 * frames.velocities.astype(float) ** 2).mean() / kt == pytest.approx(1, abs=4 * error)
    np.testing.assert_allclose(frames.forces, -stiffness * frames.positions, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(frames.energy, 0.5 * stiffness * (frames.positions.astype(float) ** 2).sum((1, 2)), rtol=1e-5)


def test_the_dipeptide_is_at_its_temperature_and_its_forces_belong_to_its_positions(dipeptide):
    seen = []
    settings = reference.Settings(n_frames=1000, interval_ps=0.1, friction_per_ps=10.0, equilibration_ps=5.0)
    frames = reference.sample(dipeptide, settings, on_step=lambda frame, metrics: seen.append((frame, metrics)))
    temperatures = np.array([metrics["temperature"] for frame, metrics in seen if frame > 0])
    assert temperatures.mean() == pytest.approx(300, abs=4 * 300 * np.sqrt(2 / 63) / np.sqrt(500))
    assert seen[0][0] == 0 and seen[-1][0] == 1000 and seen[-1][1]["total"] == 1000
    np.testing.assert_allclose(frames.time, 0.1 * np.arange(1, 1001))
    context = openmm.Context(openmm.XmlSerializer.deserialize(dipeptide.force_field()), openmm.VerletIntegrator(0.001))
    for frame in (0, 500, 999):
        context.setPositions(frames.positions[frame])
        state = context.getState(getForces=True, getEnergy=True)
        np.testing.assert_allclose(frames.forces[frame], state.getForces(asNumpy=True)._value, atol=0.5)  # positions are rounded to float32
        assert frames.energy[frame] == pytest.approx(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole), abs=1e-2)
    assert frames.system is dipeptide and frames.states[0].temperature == 300.0


def test_rigid_water_stays_rigid_and_keeps_its_box():
    water = systems.load("water_tip3p")
    frames = reference.sample(water, reference.Settings(**SHORT | {"n_frames": 5}, timestep_fs=2.0))
    molecules = frames.positions.astype(float).reshape(5, 64, 3, 3)
    np.testing.assert_allclose(np.linalg.norm(molecules[:, :, 1] - molecules[:, :, 0], axis=-1), 0.09572, atol=1e-6)
    np.testing.assert_allclose(frames.box, np.tile(water.box, (5, 1)))


def test_the_folder_and_the_memory_hold_the_same_frames_and_a_finished_run_is_loaded(dipeptide, tmp_path):
    settings = reference.Settings(**SHORT)
    kept = reference.sample(dipeptide, settings, checkpoint=tmp_path / "run")
    assert store.identity(kept) == store.identity(reference.sample(dipeptide, settings))
    calls = []
    again = reference.sample(dipeptide, settings, checkpoint=tmp_path / "run", on_step=lambda *step: calls.append(step))
    assert not calls and store.identity(again) == store.identity(kept) == store.identity(store.load(tmp_path / "run"))
    assert again.system.name == "alanine_dipeptide"
    other = reference.sample(dipeptide, dataclasses.replace(settings, seed=1))
    assert not np.array_equal(other.positions, kept.positions)


def test_a_cancelled_run_goes_on_where_it_was(dipeptide, tmp_path):
    settings = reference.Settings(**SHORT)

    def stop_at_25(frame, metrics):
        if frame == 25:
            raise Stop

    with pytest.raises(Stop):
        reference.sample(dipeptide, settings, checkpoint=tmp_path / "run", on_step=stop_at_25)
    assert len(store.load(tmp_path / "run")) == 20
    first = []
    resumed = reference.sample(dipeptide, settings, checkpoint=tmp_path / "run", on_step=lambda frame, metrics: first.append(frame))
    assert first[0] == 21
    assert store.identity(resumed) == store.identity(reference.sample(dipeptide, settings))


RUN = """
import sys
from workbench import reference, systems
name, platform, folder, timestep, pressure = sys.argv[1:]
settings = reference.Settings(
    n_frames=40, interval_ps=0.05, equilibration_ps=0.1, checkpoint_every=10, platform=platform, timestep_fs=float(timestep),
    pressure=float(pressure) if pressure else None,
)
reference.sample(systems.load(name), settings, checkpoint=folder, on_step=lambda frame, metrics: print(frame, flush=True))
"""


@pytest.mark.parametrize(
    ("name", "platform", "timestep", "pressure"),
    [
        ("alanine_dipeptide", "Reference", 1.0, None),
        ("alanine_dipeptide", "CPU", 1.0, None),
        ("water_tip3p", "CPU", 2.0, None),
        ("water_tip3p", "CPU", 2.0, 1.0),
    ],
)
def test_a_killed_run_resumes_bit_for_bit(name, platform, timestep, pressure, tmp_path):
    command = [sys.executable, "-c", RUN, name, platform, str(tmp_path / "run"), str(timestep), str(pressure or "")]
    for kill_at in (3, 28):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in child.stdout:
            if int(line) == kill_at:
                os.kill(child.pid, signal.SIGKILL)
                break
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
    resumed = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(resumed.stdout.split()[0]) > 10
    settings = reference.Settings(**{**SHORT, "interval_ps": 0.05}, platform=platform, timestep_fs=timestep, pressure=pressure)
    uninterrupted = reference.sample(systems.load(name), settings)
    saved = store.load(tmp_path / "run")
    for array in ("positions", "forces", "energy", "time"):
        np.testing.assert_array_equal(getattr(saved, array), getattr(uninterrupted, array))
    if pressure is not None:
        assert len(np.unique(saved.box[:, 0])) > 10
        np.testing.assert_array_equal(saved.box, uninterrupted.box)


def test_an_ideal_gas_at_constant_pressure_has_its_volume():
    """<V> = (N + 1) kBT / p for N particles without forces, whose box takes Monte Carlo moves."""
    n, pressure = 10, 100.0
    wells = harmonic_wells(n, stiffness=0.0, mass=10.0)
    volume = (n + 1) * units.thermal_energy(300.0) / (pressure * units.BAR)
    physics = openmm.XmlSerializer.deserialize(wells.force_field())
    physics.removeForce(0)
    edge = volume ** (1 / 3)
    physics.setDefaultPeriodicBoxVectors(*(np.eye(3) * edge))
    pairs = openmm.NonbondedForce()
    pairs.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    pairs.setCutoffDistance(0.1)
    for _ in range(n):
        pairs.addParticle(0.0, 0.1, 0.0)
    physics.addForce(pairs)
    text = store.force_field_text(openmm.XmlSerializer.serialize(physics))
    scattered = np.random.default_rng(0).uniform(0, edge, (n, 3))
    gas = dataclasses.replace(wells, box=np.full(3, edge), positions=scattered, force_field=text)
    settings = reference.Settings(
        n_frames=4000,
        interval_ps=0.5,
        timestep_fs=5.0,
        pressure=pressure,
        equilibration_ps=100.0,
        platform="Reference",
        friction_per_ps=10.0,
    )
    densities = []
    run = reference.sample(gas, settings, on_step=lambda frame, metrics: densities.append(metrics["density"]))
    volumes = run.box.prod(1)
    np.testing.assert_allclose(densities[-4000:], 10 * 10.0 / volumes / units.GRAM_PER_CM3)
    blocks = volumes.reshape(20, -1).mean(1)
    error = blocks.std(ddof=1) / np.sqrt(20)
    assert error < 0.03 * volume
    assert abs(blocks.mean() - volume) < 3 * error
    assert run.states[0].pressure == pressure


def test_a_pressure_needs_a_box(dipeptide):
    with pytest.raises(ValueError, match="has no box"):
        reference.sample(dipeptide, reference.Settings(pressure=1.0))


@pytest.fixture
def halfway(dipeptide, tmp_path):
    """A folder with 20 of 40 frames."""

    def stop(frame, metrics):
        if frame == 25:
            raise Stop

    with pytest.raises(Stop):
        reference.sample(dipeptide, reference.Settings(**SHORT), checkpoint=tmp_path / "run", on_step=stop)
    return tmp_path / "run"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("name", "offset"), [("checkpoint.bin", 500), ("positions.npy", 500), ("manifest.json", 50), ("energy.npy", 140)])
def test_one_flipped_byte_is_refused(dipeptide, halfway, name, offset):
    data = bytearray((halfway / name).read_bytes())
    data[offset] ^= 1
    (halfway / name).write_bytes(data)
    before = contents(halfway)
    with pytest.raises(store.Damaged, match=rf"{name.split('.')[0]}.* is .*(damaged|not a readable)"):
        reference.sample(dipeptide, reference.Settings(**SHORT), checkpoint=halfway)
    assert contents(halfway) == before


def test_a_folder_of_another_run_is_refused_and_left_alone(dipeptide, halfway):
    before = contents(halfway)
    with pytest.raises(ValueError, match="holds another run"):
        reference.sample(dipeptide, reference.Settings(**SHORT, seed=5), checkpoint=halfway)
    assert contents(halfway) == before


def test_a_full_disk_is_one_sentence_and_harms_nothing(halfway, tmp_path):
    before = contents(halfway)
    code = textwrap.dedent("""
        import resource, sys
        from workbench import reference, store, systems
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            reference.sample(systems.load("alanine_dipeptide"), reference.Settings(n_frames=2000), checkpoint=sys.argv[1])
        except store.DiskFull as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "new")], capture_output=True, text=True)
    assert done.stdout.startswith("no room left on the disk while writing") and not done.stderr
    assert contents(halfway) == before


@pytest.mark.skipif(
    "CUDA" in [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())], reason="has the CUDA platform"
)
def test_a_missing_gpu_is_refused(dipeptide, tmp_path):
    with pytest.raises(ValueError, match="device = 'cuda': OpenMM finds no usable NVIDIA GPU here: choose device='cpu'"):
        reference.sample(dipeptide, reference.Settings(**SHORT, device="cuda"), checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_samples_and_its_forces_are_those_of_the_force_field(dipeptide):
    frames = reference.sample(dipeptide, reference.Settings(**SHORT, device="cuda"))
    physics = openmm.XmlSerializer.deserialize(dipeptide.parameters())
    context = openmm.Context(physics, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    for frame in (0, -1):
        context.setPositions(frames.positions[frame].astype(float))
        exact = context.getState(forces=True).getForces(asNumpy=True)._value
        assert np.abs(frames.forces[frame] - exact).max() < 1e-2 * np.abs(exact).max()


def test_a_simulation_that_explodes_says_so(dipeptide):
    with pytest.raises(ValueError, match=r"reference.sample became unstable .*choose a timestep_fs below 5.0"):
        reference.sample(dipeptide, reference.Settings(**SHORT | {"equilibration_ps": 2.0}, timestep_fs=5.0))
