"""The OpenMM engine: same energies and the same distribution as the replicas, temperature, resuming, the guard; a box of 64 waters."""

import numpy as np
import pytest
import torch

from workbench import mappings, potentials, projection, reference, simulation, systems, units
from workbench.potentials import evaluate
from workbench.simulation import openmm_engine, replicas
from workbench.simulation._guard import Unstable

from .test_potentials_contract import chain, liquid
from .test_replicas import blocked, bond, dimer


def test_bond_has_the_exact_variance_and_temperature():
    k, r0, kT = 100_000.0, 0.15, units.thermal_energy(300.0)
    spring, start = dimer(k, copies=1)
    settings = openmm_engine.Settings(n_steps=200_000, save_every=10, timestep_fs=3.0, friction=60.0, save_velocities=True)
    run = simulation.openmm_engine.run(spring, start, settings)
    r = np.linspace(0.08, 0.22, 20001)
    p = r**2 * np.exp(-0.5 * k * (r - r0) ** 2 / kT)
    mean = np.sum(p * r) / p.sum()
    variance = np.sum(p * (r - mean) ** 2) / p.sum()
    estimate, error = blocked((bond(run) - mean) ** 2)
    assert abs(estimate - variance) < 3 * error < 0.1 * variance
    kinetic = (np.array([12.0, 16.0])[:, None] * run.velocities.astype(float) ** 2).sum((1, 2)) / (6 * units.BOLTZMANN)
    estimate, error = blocked(kinetic)
    assert error < 1.5
    assert estimate == pytest.approx(300.0, rel=0.01)


def test_both_engines_sample_the_same_distribution():
    """Mean energy and mean angle of a chain with prior and network, by PythonForce and by the batch."""
    data = chain(100, wobble=0.004)
    network = potentials.cgnet.build(data, potentials.cgnet.Settings(width=8))
    potential = potentials.harmonic.build(data, potentials.harmonic.Settings()) + network
    many = simulation.replicas.run(
        potential, data.start(range(100)), replicas.Settings(n_steps=4000, save_every=20, friction=20.0, n_threads=1)
    )
    one = simulation.openmm_engine.run(potential, data.start([0]), openmm_engine.Settings(n_steps=20_000, save_every=20, friction=20.0))
    many = many.take(many.time > 1.0)
    from_many = blocked(many.energy.reshape(-1, 100).T.ravel())
    from_one = blocked(one.energy[50:])
    assert abs(from_many[0] - from_one[0]) < 3 * np.hypot(from_many[1], from_one[1])
    assert np.hypot(from_many[1], from_one[1]) < 0.05 * from_one[0]


@pytest.fixture(scope="module")
def waters():
    """64 waters, one bead each at the centre of mass, projected from a short all-atom run."""
    system = systems.load("water_tip3p", n_molecules=64)
    mapping = mappings.center_of_mass.build(system, None, mappings.center_of_mass.Settings())
    settings = reference.Settings(n_frames=4, interval_ps=0.02, timestep_fs=2.0, equilibration_ps=0.1, n_threads=1)
    return projection.project(reference.sample(system, settings), mapping)


def test_waters_run_in_both_engines(waters):
    """Same energy to 1e-6 in OpenMM and in torch, the same mean energy and pressure in both runs, the temperature in each."""
    assert waters.beads.n_beads == 64 and len(set(waters.beads.molecule.tolist())) == 64
    pairs = potentials.lennard_jones.build(
        waters, potentials.lennard_jones.Settings(epsilon=0.65, sigma=0.28, cutoff=0.55, switch_width=0.1)
    )
    one = simulation.openmm_engine.run(
        pairs, waters.start([0]), openmm_engine.Settings(n_steps=30_000, save_every=30, timestep_fs=5.0, friction=5.0, save_velocities=True)
    )
    many = simulation.replicas.run(
        pairs,
        waters.start([0, 1, 2, 3] * 4),
        replicas.Settings(
            n_steps=2500, save_every=50, timestep_fs=5.0, friction=5.0, save_velocities=True, precision="double", n_threads=1
        ),
    )
    energies = evaluate(pairs, torch.tensor(one.positions[-5:].astype(float)), torch.tensor(one.box[-5:])).energy.numpy()
    np.testing.assert_allclose(one.energy[-5:], energies, rtol=1e-4)  # positions are kept in single precision
    late_one, late_many = one.take(one.time > 20.0), many.take(many.time > 2.0)

    def pressure(run):
        x, box = torch.tensor(run.positions.astype(float)), torch.tensor(run.box)
        virial = evaluate(pairs, x, box, virial=True).virial
        trace = torch.diagonal(virial, dim1=1, dim2=2).sum(1).numpy()
        return (64 * units.thermal_energy(300.0) + trace / 3) / run.box.prod(1) / units.BAR

    for measure in (lambda run: run.energy, pressure):
        a = blocked(measure(late_one), 20)
        b = blocked(np.asarray(measure(late_many)).reshape(-1, 16).T.ravel(), 16)
        assert abs(a[0] - b[0]) < 3 * np.hypot(a[1], b[1])
    for run in (late_one, late_many):
        kinetic = (18.015 * run.velocities.astype(float) ** 2).sum((1, 2)) / (3 * 64 * units.BOLTZMANN)
        assert kinetic.mean() == pytest.approx(300.0, rel=0.01)


def molecule():
    data = chain(10, wobble=0.004)
    network = potentials.cgnet.build(data, potentials.cgnet.Settings(width=8))
    return potentials.harmonic.build(data, potentials.harmonic.Settings()) + network, data


def fluid():
    data = liquid()
    return potentials.lennard_jones.build(data, potentials.lennard_jones.Settings(sigma=0.2, cutoff=0.55)), data


def waters_of_one_bead():
    data = liquid()
    return potentials.stillinger_weber.build(data, potentials.stillinger_weber.Settings()), data


KINDS = [(molecule, "Reference"), (molecule, "CPU"), (fluid, "CPU"), (waters_of_one_bead, "Reference"), (waters_of_one_bead, "CPU")]


@pytest.mark.parametrize("made, platform", KINDS)
def test_a_stopped_run_goes_on_bit_for_bit(made, platform, tmp_path):
    potential, data = made()
    settings = openmm_engine.Settings(n_steps=600, save_every=10, timestep_fs=1.0, platform=platform, checkpoint_every=7)

    def stop(step, metrics):
        if step == 330:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulation.openmm_engine.run(potential, data.start([0]), settings, checkpoint=tmp_path / "a", on_step=stop)
    seen = []
    resumed = simulation.openmm_engine.run(
        potential, data.start([0]), settings, checkpoint=tmp_path / "a", on_step=lambda s, m: seen.append(s)
    )
    assert seen[0] == 290
    undisturbed = simulation.openmm_engine.run(potential, data.start([0]), settings, checkpoint=tmp_path / "b")
    assert np.array_equal(resumed.positions, undisturbed.positions)


def test_a_force_is_native_where_it_is_the_fastest():
    """Kernels of our own, one list for all of them, on the CPU; OpenMM's forces on a GPU and where nothing is said."""
    three_body, data = waters_of_one_bead()
    wall = potentials.repulsion.build(data, potentials.repulsion.Settings(cutoff=0.5))
    table = potentials.tabulated.build(data, potentials.tabulated.Settings(start=0.2, cutoff=0.6))
    both, start = three_body + wall + table, data.start([0])
    made = {platform: openmm_engine._system(both, start, platform, 0.1) for platform in ("Reference", "CPU", "CUDA", None)}
    names = {platform: [force.getName() for force in system.getForces()] for platform, (system, _) in made.items()}
    assert names["Reference"] == names["CPU"] == ["CustomNonbondedForce", "PythonForce"]
    assert names["CUDA"] == names[None] and "PythonForce" not in names["CUDA"]
    assert made["CPU"][1].cutoff == 0.6 and made["CUDA"][1] is None


def test_own_kernels_see_their_neighbours_while_beads_move():
    """Energies of saved frames, from a list that is kept, against a search of their own; and the virial."""
    potential, data = waters_of_one_bead()
    settings = openmm_engine.Settings(n_steps=400, save_every=20, timestep_fs=2.0, skin=0.03, virial=True)
    run = simulation.openmm_engine.run(potential, data.start([0]), settings)
    again = evaluate(potential, torch.tensor(run.positions.astype(float)), torch.tensor(run.box), virial=True)
    np.testing.assert_allclose(run.energy, again.energy.numpy(), rtol=1e-4)
    np.testing.assert_allclose(run.virial, again.virial.numpy(), atol=1e-2 * np.abs(run.virial).max())
    with pytest.raises(ValueError, match="without a box has no pressure"):
        simulation.openmm_engine.run(dimer(copies=1)[0], dimer(copies=1)[1], openmm_engine.Settings(virial=True))


def test_the_guard_and_the_refusals():
    spring, start = dimer(copies=1)
    with pytest.raises(Unstable, match="stopped"):
        simulation.openmm_engine.run(spring, start, openmm_engine.Settings(n_steps=5000, timestep_fs=25.0))
    with pytest.raises(ValueError, match="one replica"):
        simulation.openmm_engine.run(spring, dimer(copies=2)[1], openmm_engine.Settings())
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="CUDA platform"):
            simulation.openmm_engine.run(spring, start, openmm_engine.Settings(platform="CUDA"))
