"""Batched Langevin dynamics: exact variance and temperature, resuming bit for bit, the guard."""

import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from workbench import potentials, simulation, store, types, units
from workbench.simulation._guard import Unstable
from workbench.simulation.replicas import Settings

from .test_potentials_contract import chain, liquid


def dimer(k=100_000.0, copies=200):
    """Two beads on a harmonic spring of known constant [kJ/mol/nm^2], and a start of many replicas."""
    beads = types.Beads.from_bonds(names=("A", "B"), types=("A", "B"), masses=[12.0, 16.0], molecule=[0, 0], bonds=[(0, 1)])
    spring = potentials.harmonic.Harmonic([[0, 1]], [])
    spring.center.fill_(0.15)
    spring.constant.fill_(k)
    return spring, types.Start(positions=np.tile([[0.0, 0, 0], [0.15, 0, 0]], (copies, 1, 1)), beads=beads)


def bond(trajectory):
    return np.linalg.norm(trajectory.positions[:, 1].astype(float) - trajectory.positions[:, 0], axis=-1)


def blocked(values, n=40):
    """Mean and standard error from blocks of consecutive values."""
    means = values[: len(values) // n * n].reshape(n, -1).mean(1)
    return means.mean(), means.std(ddof=1) / np.sqrt(n)


SETTINGS = {
    "baoab": {"integrator": "baoab", "timestep_fs": 3.0, "friction": 20.0},
    "overdamped": {"integrator": "overdamped", "timestep_fs": 2.0, "friction": 300.0},
}


@pytest.mark.parametrize("integrator", SETTINGS)
def test_bond_has_the_exact_variance(integrator):
    """In three dimensions p(r) is r^2 exp(-k (r - r0)^2 / 2kBT): its moments, by quadrature, within 3 standard errors."""
    k, r0, kT = 100_000.0, 0.15, units.thermal_energy(300.0)
    spring, start = dimer(k)
    run = simulation.replicas.run(spring, start, Settings(n_steps=6000, save_every=20, n_threads=1, **SETTINGS[integrator]))
    r = np.linspace(0.08, 0.22, 20001)
    p = r**2 * np.exp(-0.5 * k * (r - r0) ** 2 / kT)
    mean = np.sum(p * r) / p.sum()
    variance = np.sum(p * (r - mean) ** 2) / p.sum()
    measured = bond(run.take(run.time > 2.0))
    by_replica = measured.reshape(-1, 200).T.ravel()  # blocks of whole replicas, which are independent
    for value, exact in ((by_replica, mean), ((by_replica - mean) ** 2, variance)):
        estimate, error = blocked(value)
        assert abs(estimate - exact) < 3 * error
        assert error < 0.02 * exact


def test_kinetic_temperature_within_one_percent():
    data = chain(50, wobble=0.004)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    start = data.start(np.arange(200) % 50)
    run = simulation.replicas.run(prior, start, Settings(n_steps=3000, save_every=20, save_velocities=True, friction=20.0, n_threads=1))
    late = run.take(run.time > 1.0)
    kinetic = (np.asarray(data.beads.masses)[:, None] * late.velocities.astype(float) ** 2).sum((1, 2)) / (15 * units.BOLTZMANN)
    estimate, error = blocked(kinetic.reshape(-1, 200).T.ravel())
    assert error < 1.0
    assert estimate == pytest.approx(300.0, rel=0.01)


def test_free_particles_diffuse_as_the_friction_says():
    """Overdamped, without force: mean square displacement 6 D t with D = kBT / (m gamma), in a periodic box (nothing is centred)."""
    n = 64
    data = liquid(n_frames=20)
    nothing = potentials.repulsion.build(data, potentials.repulsion.Settings(epsilon=0.0, cutoff=0.5))
    run = simulation.replicas.run(
        nothing, data.start(range(20)), Settings(n_steps=100, save_every=100, integrator="overdamped", friction=50.0)
    )
    moved = run.positions.astype(float) - data.positions
    diffusion = units.thermal_energy(300.0) / (18.0 * 50.0)
    assert np.mean((moved**2).sum(-1)) == pytest.approx(6 * diffusion * 0.2, rel=4 / np.sqrt(1.5 * n * 20))


def fluid(n_frames=2):
    """Lennard-Jones beads below half of the box's range, and where they start."""
    data = liquid(n_frames)
    settings = potentials.lennard_jones.Settings(epsilon=0.6, sigma=0.28, cutoff=0.6, switch_width=0.2)
    return potentials.lennard_jones.build(data, settings), data


def test_verlet_keeps_the_energy_to_second_order_in_the_time_step():
    pairs, data = fluid()
    settings = {"integrator": "verlet", "precision": "double", "save_velocities": True, "skin": 0.02}
    warm = simulation.replicas.run(pairs, data.start([0]), Settings(n_steps=2000, save_every=2000, friction=20.0, save_velocities=True))
    start = types.Start(positions=warm.positions, velocities=warm.velocities, box=warm.box, beads=data.beads)
    spread = []
    for step in (4.0, 2.0):
        run = simulation.replicas.run(pairs, start, Settings(n_steps=int(2000 / step), save_every=1, timestep_fs=step, **settings))
        total = run.energy + 0.5 * (18.0 * run.velocities.astype(float) ** 2).sum((1, 2))
        spread.append(total.std())
        assert abs(np.polyfit(run.time, total, 1)[0]) * 1.0 < 0.01 * units.thermal_energy(300.0) * 192
    assert spread[0] < 0.01 * units.thermal_energy(300.0) * 192
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.35)
    drift = run.velocities.astype(float).sum(1)
    np.testing.assert_allclose(drift, drift[:1].repeat(len(drift), 0), atol=1e-4)  # nobody takes momentum away


def test_the_virial_that_is_kept_is_the_derivative_by_strain():
    pairs, data = fluid()
    run = simulation.replicas.run(pairs, data.start(range(2)), Settings(n_steps=20, save_every=10, virial=True, precision="double"))
    assert run.virial.shape == (4, 3, 3) and run.virial.dtype == np.float64
    x, box, step = torch.tensor(run.positions.astype(float)), torch.tensor(run.box), 1e-5
    for axis in range(3):
        stretch = torch.ones(3, dtype=torch.float64)
        stretch[axis] += step
        up = pairs(x * stretch, box * stretch)
        stretch[axis] -= 2 * step
        slope = (up - pairs(x * stretch, box * stretch)).numpy() / (2 * step)
        np.testing.assert_allclose(run.virial[:, axis, axis], -slope, rtol=1e-3, atol=0.05)
    spring, start = dimer(copies=1)
    with pytest.raises(ValueError, match="without a box has no pressure"):
        simulation.replicas.run(spring, start, Settings(virial=True))


KILLED = """
import sys
from workbench import simulation
from tests.test_replicas import chain_run
chain_run(checkpoint=sys.argv[1], on_step=lambda step, metrics: print(step, flush=True))
"""


def chain_run(**options):
    data = chain(30, wobble=0.004)
    potential = potentials.harmonic.build(data, potentials.harmonic.Settings()) + potentials.cgnet.build(
        data, potentials.cgnet.Settings(width=8)
    )
    settings = Settings(n_steps=6000, save_every=10, n_threads=1, checkpoint_every=7)
    return simulation.replicas.run(potential, data.start(range(8)), settings, **options)


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    for line in child.stdout:
        if int(line) >= 1000:
            os.kill(child.pid, signal.SIGKILL)
            break
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    seen = []
    resumed = chain_run(checkpoint=tmp_path / "run", on_step=lambda step, metrics: seen.append(step))
    assert 900 < seen[0] < 6000
    undisturbed = chain_run()
    for name in ("positions", "energy", "time", "replica"):
        assert np.array_equal(getattr(resumed, name), getattr(undisturbed, name))
    again = []
    chain_run(checkpoint=tmp_path / "run", on_step=lambda step, metrics: again.append(step))
    assert again == []


@pytest.mark.parametrize("integrator", ["baoab", "verlet"])
def test_a_liquid_resumes_bit_for_bit_with_its_neighbour_list(integrator, tmp_path):
    data = liquid(n_frames=2)
    pairs = potentials.lennard_jones.build(data, potentials.lennard_jones.Settings(sigma=0.2, cutoff=0.55))
    settings = Settings(integrator=integrator, n_steps=200, save_every=10, skin=0.05, timestep_fs=2.0, n_threads=1, checkpoint_every=4)

    def stop(step, metrics):
        if step == 110:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulation.replicas.run(pairs, data.start(range(2)), settings, checkpoint=tmp_path, on_step=stop)
    assert len(store.load(tmp_path)) == 2 * 8
    resumed = simulation.replicas.run(pairs, data.start(range(2)), settings, checkpoint=tmp_path)
    undisturbed = simulation.replicas.run(pairs, data.start(range(2)), settings, checkpoint=tmp_path / "other")
    assert np.array_equal(resumed.positions, undisturbed.positions)


def test_the_guard_names_the_bond_and_keeps_the_frames(tmp_path):
    spring, start = dimer(k=5000.0, copies=4)
    spring.center.fill_(0.6)
    settings = Settings(n_steps=1000, save_every=1, integrator="overdamped", friction=300.0)
    with pytest.raises(Unstable, match=r"replica \d the bond A \(0\)-B \(1\) is 0\.\d+ nm long, usual is 0\.150") as stopped:
        simulation.replicas.run(spring, start, settings, checkpoint=tmp_path)
    kept = stopped.value.trajectory
    assert len(kept) >= 4 and len(store.load(tmp_path)) == len(kept)
    free = simulation.replicas.run(
        spring, start, Settings(**{**{"n_steps": 1000, "save_every": 1, "guard": False}, "integrator": "overdamped", "friction": 300.0})
    )
    assert len(free) == 4000


def test_too_long_a_step_is_caught_as_heat_or_nan():
    spring, start = dimer()
    with pytest.raises(Unstable, match=r"stopped at step \d+"):
        simulation.replicas.run(spring, start, Settings(n_steps=2000, timestep_fs=25.0))
    with pytest.raises(Unstable, match="NaN or infinity"):
        simulation.replicas.run(spring, start, Settings(n_steps=20000, timestep_fs=25.0, guard=False))


def test_seed_decides_the_noise():
    spring, start = dimer(copies=3)
    first, again, other = (simulation.replicas.run(spring, start, Settings(n_steps=50, seed=s)).positions for s in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_refusals(tmp_path):
    spring, start = dimer(copies=1)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="finds none"):
            simulation.replicas.run(spring, start, Settings(device="cuda"))
    with pytest.raises(ValueError, match="at least 1"):
        Settings(n_steps=0)
    simulation.replicas.run(spring, start, Settings(n_steps=100), checkpoint=tmp_path)
    before = {p.name: p.read_bytes() for p in pathlib.Path(tmp_path).iterdir()}
    with pytest.raises(ValueError, match="another run"):
        simulation.replicas.run(spring, start, Settings(n_steps=200), checkpoint=tmp_path)
    assert {p.name: p.read_bytes() for p in pathlib.Path(tmp_path).iterdir()} == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_keeps_the_temperature():
    data = chain(50)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    run = simulation.replicas.run(
        prior, data.start(np.arange(1000) % 50), Settings(n_steps=1000, save_velocities=True, friction=20.0, device="cuda")
    )
    kinetic = (np.asarray(data.beads.masses)[:, None] * run.velocities[len(run) // 2 :].astype(float) ** 2).sum((1, 2)) / (
        15 * units.BOLTZMANN
    )
    assert kinetic.mean() == pytest.approx(300.0, rel=0.02)


def gas(temperatures, pressures, n=20):
    """Particles without forces, ``n`` in a cell, and a start with a replica for each state."""
    data = liquid(n_frames=1, n=n)
    nothing = potentials.repulsion.build(data, potentials.repulsion.Settings(epsilon=0.0, cutoff=0.3))
    states = tuple(types.State(temperature=t, pressure=p) for t, p in zip(temperatures, pressures, strict=True))
    k = len(states)
    edge = np.array([(n * units.thermal_energy(s.temperature) / (s.pressure * units.BAR)) ** (1 / 3) for s in states])
    x = np.random.default_rng(0).uniform(0, 1, (k, n, 3)) * edge[:, None, None]
    return nothing, types.Start(positions=x, box=np.repeat(edge[:, None], 3, 1), beads=data.beads, states=states)


def test_an_ideal_gas_has_the_exact_volume_at_every_pressure_and_temperature():
    """p(V) is V^N exp(-P V / kBT): its mean and variance, replica by replica at states of their own."""
    kinds, copies, n = ((300.0, 100.0), (300.0, 200.0), (450.0, 150.0)), 40, 20
    potential, start = gas(*zip(*kinds * copies, strict=True), n=n)
    settings = Settings(
        n_steps=10_000, save_every=50, timestep_fs=5.0, friction=5.0, compressibility=7e-3, barostat_time=0.5, barostat_every=2, n_threads=1
    )
    run = simulation.replicas.run(potential, start, settings)
    assert [(state.temperature, state.pressure) for state in run.states] == list(kinds)
    late = run.take(run.time > 10.0)
    for index, (temperature, pressure) in enumerate(kinds):
        unit = units.thermal_energy(temperature) / (pressure * units.BAR)
        mine = late.take(late.state == index)
        volumes = mine.box.prod(1).reshape(-1, copies) / unit
        for value, exact in ((volumes, n + 1), ((volumes - n - 1) ** 2, n + 1)):
            means = value.mean(0)
            error = means.std(ddof=1) / np.sqrt(copies)
            assert error < 0.08 * exact
            assert abs(means.mean() - exact) < 3.5 * error


def test_a_run_at_constant_pressure_goes_on_bit_for_bit(tmp_path):
    potential, start = gas((300.0, 350.0), (100.0, 150.0))
    settings = Settings(n_steps=200, save_every=20, checkpoint_every=2, barostat_every=5, compressibility=7e-3, n_threads=1)
    whole = simulation.replicas.run(potential, start, settings)

    def stop(step, metrics):
        if step == 120:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulation.replicas.run(potential, start, settings, checkpoint=tmp_path, on_step=stop)
    resumed = simulation.replicas.run(potential, start, settings, checkpoint=tmp_path)
    assert np.array_equal(resumed.positions, whole.positions) and np.array_equal(resumed.box, whole.box)
    assert whole.box.std(0).min() > 0


def test_what_has_no_pressure_is_refused():
    potential, start = gas((300.0,), (100.0,))
    with pytest.raises(ValueError, match="constant pressure needs a box"):
        simulation.replicas.run(potential, start, Settings(integrator="overdamped"))
    spring, dimers = dimer(copies=2)
    with pytest.raises(ValueError, match="constant pressure needs a box"):
        simulation.replicas.run(spring, dimers, Settings(pressure=1.0))
    with pytest.raises(ValueError, match="2 replicas and 1 states"):
        types.Start(positions=dimers.positions, beads=dimers.beads, states=(types.State(),))
    mixed = (types.State(pressure=1.0), types.State())
    with pytest.raises(ValueError, match="either all replicas have a pressure or none has"):
        simulation.replicas.run(
            potential,
            types.Start(positions=np.repeat(start.positions, 2, 0), box=np.repeat(start.box, 2, 0), beads=start.beads, states=mixed),
            Settings(),
        )
    with pytest.raises(ValueError, match="openmm_engine runs at the temperature of its settings"):
        simulation.openmm_engine.run(potential, start, simulation.openmm_engine.Settings())


def spheres(epsilons):
    """Lennard-Jones spheres around a lattice, a replica for each well depth [kJ/mol]."""
    data = liquid(n_frames=1)
    potential = potentials.lennard_jones.build(data, potentials.lennard_jones.Settings(sigma=0.28, cutoff=0.6))
    potential.epsilon = torch.tensor(epsilons, dtype=torch.float64)
    k = len(epsilons)
    return potential, types.Start(positions=np.repeat(data.positions, k, 0), box=np.repeat(data.box, k, 0), beads=data.beads)


def test_a_replica_that_explodes_is_retired_and_the_others_go_on(tmp_path):
    potential, start = spheres([0.5, 1e6, 0.6])
    settings = Settings(n_steps=400, save_every=20, timestep_fs=2.0, retire=True, n_threads=1)
    told = []
    run = simulation.replicas.run(potential, start, settings, on_step=lambda step, metrics: told.append(metrics["retired"]))
    assert set(run.replica) == {0, 2} and len(run) == 2 * 20
    assert np.isfinite(run.positions).all() and np.isfinite(run.energy).all()
    assert list(told[-1]) == [1] and "its energy ran away" in told[-1][1]
    with pytest.raises(Unstable, match="replica 1"):
        simulation.replicas.run(potential, start, Settings(n_steps=400, save_every=20, timestep_fs=2.0, n_threads=1))

    def stop(step, metrics):
        if step == 200:
            raise KeyboardInterrupt

    kept = Settings(n_steps=400, save_every=20, timestep_fs=2.0, retire=True, n_threads=1, checkpoint_every=3)
    with pytest.raises(KeyboardInterrupt):
        simulation.replicas.run(potential, start, kept, checkpoint=tmp_path, on_step=stop)
    resumed = simulation.replicas.run(potential, start, kept, checkpoint=tmp_path)
    whole = simulation.replicas.run(potential, start, kept)
    assert np.array_equal(resumed.positions, whole.positions) and np.array_equal(resumed.replica, whole.replica)


def test_what_boils_or_collapses_is_retired():
    potential, start = gas((300.0, 300.0, 300.0), (100.0, 100.0, 100.0))
    states = tuple(types.State(temperature=300.0, pressure=p) for p in (100.0, 1.0, 100_000.0))
    start = types.Start(positions=start.positions, box=start.box, beads=start.beads, states=states)
    settings = Settings(n_steps=20_000, save_every=100, timestep_fs=5.0, compressibility=7e-3, barostat_every=2, retire=True, n_threads=1)
    told = {}
    run = simulation.replicas.run(potential, start, settings, on_step=lambda step, metrics: told.update(metrics["retired"]))
    assert set(told) == {1, 2} and "boiled off" in told[1] and "shrank" in told[2]
    assert (run.replica == 0).sum() == 200 and (run.replica == 2).sum() < 200


def test_a_batch_of_which_nothing_is_left_stops():
    potential, start = spheres([1e6, 1e6])
    with pytest.raises(Unstable, match="no replica is left"):
        simulation.replicas.run(potential, start, Settings(n_steps=400, retire=True, n_threads=1))
