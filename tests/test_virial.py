"""The virial of a sampling: pressures of gases and liquids against what is known of them."""

import dataclasses

import numpy as np
import openmm
import pytest
import torch
from openmm import unit

from workbench import reference, store, systems, units
from workbench.potentials import _base, lennard_jones
from workbench.types import System

SHORT = {"n_frames": 20, "interval_ps": 0.1, "equilibration_ps": 0.5, "checkpoint_every": 5}


def pressure(frames, n: int) -> np.ndarray:
    """Diagonal of the pressure tensor [kJ/mol/nm^3], (F, 3), of ``n`` particles with mass."""
    kt = units.thermal_energy(frames.states[0].temperature)
    return (n * kt + np.diagonal(frames.virial, axis1=1, axis2=2)) / frames.box.prod(1)[:, None]


@pytest.fixture(scope="module")
def argon() -> tuple[System, lennard_jones.LennardJones]:
    """A Lennard-Jones liquid that goes smoothly to zero at its cut-off, as a system and as a potential."""
    fluid = systems.load("lennard_jones_fluid", n_particles=216)
    physics, pairs = smooth(fluid)
    pairs.setUseDispersionCorrection(False)
    _, sigma, epsilon = (value._value for value in pairs.getParticleParameters(0))
    cutoff = pairs.getCutoffDistance()._value
    settings = lennard_jones.Settings(epsilon=epsilon, sigma=sigma, cutoff=cutoff, switch_width=0.2 * cutoff)
    return with_physics(fluid, physics), lennard_jones.build(None, settings)


def smooth(system: System) -> tuple[openmm.System, openmm.NonbondedForce]:
    """Its force field without jumps at the cut-off, which two ways of differentiating would meet differently."""
    physics = openmm.XmlSerializer.deserialize(system.parameters())
    (pairs,) = [force for force in physics.getForces() if isinstance(force, openmm.NonbondedForce)]
    pairs.setUseSwitchingFunction(True)
    pairs.setSwitchingDistance(0.8 * pairs.getCutoffDistance())
    pairs.setEwaldErrorTolerance(1e-5)
    return physics, pairs


def with_physics(system: System, physics: openmm.System) -> System:
    return dataclasses.replace(system, force_field=store.force_field_text(openmm.XmlSerializer.serialize(physics)))


def dimers(n: int) -> System:
    """``n`` springs of two atoms that pass through each other: an ideal gas of molecules."""
    fluid = systems.load("lennard_jones_fluid", n_particles=2 * n, density=0.1)
    physics = openmm.System()
    physics.setDefaultPeriodicBoxVectors(*np.diag(fluid.box))
    springs = openmm.HarmonicBondForce()
    springs.setUsesPeriodicBoundaryConditions(True)
    bonds = np.arange(2 * n).reshape(n, 2)
    for first, second in bonds.tolist():
        physics.addParticle(10.0)
        physics.addParticle(30.0)
        springs.addBond(first, second, 0.2, 1000.0)
    physics.addForce(springs)
    positions = np.repeat(fluid.positions[:n], 2, axis=0) + np.tile([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0]], (n, 1))
    masses = np.tile([10.0, 30.0], n)
    molecules = dataclasses.replace(fluid, molecule=np.repeat(np.arange(n), 2), bonds=bonds, masses=masses, positions=positions)
    return with_physics(molecules, physics)


def test_an_ideal_gas_of_molecules_has_the_ideal_pressure():
    frames = reference.sample(dimers(20), reference.Settings(**SHORT, virial=True))
    ideal = 20 * units.thermal_energy(300.0) / frames.box.prod(1)[:, None]
    np.testing.assert_allclose(pressure(frames, 40), np.broadcast_to(ideal, (20, 3)), rtol=1e-4)


def test_a_lennard_jones_liquid_has_the_virial_of_its_pairs(argon):
    system, potential = argon
    frames = reference.sample(system, reference.Settings(**SHORT, temperature=101.8, timestep_fs=4.0, virial=True))
    positions, box = (torch.from_numpy(np.array(array, np.float64)) for array in (frames.positions, frames.box))
    pairs = _base.evaluate(potential, positions, box, virial=True).virial.numpy()
    diagonal = np.diagonal(pairs, axis1=1, axis2=2)
    assert diagonal.std() > 20
    np.testing.assert_allclose(np.diagonal(frames.virial, axis1=1, axis2=2), diagonal, atol=0.5)  # positions are rounded to float32
    assert not frames.virial[:, ~np.eye(3, dtype=bool)].any()


def test_at_constant_pressure_the_virial_gives_that_pressure(argon):
    system, _ = argon
    settings = reference.Settings(
        n_frames=200, interval_ps=0.4, equilibration_ps=20.0, temperature=101.8, pressure=1000.0, timestep_fs=5.0, virial=True
    )
    found = pressure(reference.sample(system, settings), 216).mean(1) / units.BAR
    blocks = found.reshape(20, -1).mean(1)
    error = blocks.std(ddof=1) / np.sqrt(20)
    assert error < 60
    assert abs(blocks.mean() - 1000.0) < 4 * error


@pytest.mark.parametrize("name", ["water_tip3p", "water_tip4p2005"])
def test_rigid_water_has_the_pressure_that_a_barostat_sees(name):
    """OpenMM's own molecular pressure of molecules at rest is -dU/dV.

    It moves geometric centres: with masses of 1 plus the atom's share in the virtual site those are the centres of mass.
    """
    water = systems.load(name)
    physics, _ = smooth(water)
    masses = np.ones(water.n_atoms)
    masses[water.virtual_sites] = 0
    for index in water.virtual_sites.tolist():
        site = physics.getVirtualSite(index)
        for k in range(3):
            masses[site.getParticle(k)] += site.getWeight(k)
    for index, mass in enumerate(masses):
        physics.setParticleMass(index, mass)
    water = dataclasses.replace(with_physics(water, physics), masses=masses)
    frames = reference.sample(water, reference.Settings(n_frames=3, interval_ps=0.01, equilibration_ps=0.1, virial=True))
    barostat = openmm.MonteCarloBarostat(1.0, 300.0)
    physics.addForce(barostat)
    context = openmm.Context(physics, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"})
    ideal = 64 * units.thermal_energy(300.0) / water.box.prod()
    for frame, found in enumerate(pressure(frames, np.count_nonzero(masses)).mean(1)):
        context.setPositions(frames.positions[frame])
        context.setVelocities(np.zeros((water.n_atoms, 3)))
        at_rest = barostat.computeCurrentPressure(context).value_in_unit(unit.bar)
        assert (found - ideal) / units.BAR == pytest.approx(at_rest, abs=30)  # of a virial of thousands; 2 at an Ewald tolerance of 1e-6


def test_the_frames_are_the_same_with_and_without_it():
    water = systems.load("water_tip3p")
    settings = reference.Settings(**SHORT, timestep_fs=2.0, pressure=1.0)
    plain, kept = (reference.sample(water, dataclasses.replace(settings, virial=virial)) for virial in (False, True))
    assert plain.virial is None and kept.virial.shape == (20, 3, 3)
    for name in ("positions", "forces", "energy", "box"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(kept, name))


def test_a_run_that_was_stopped_has_the_virial_of_one_that_was_not(tmp_path):
    class Stop(Exception):
        pass

    def stop(frame, metrics):
        if frame == 13:
            raise Stop

    water = systems.load("water_tip3p")
    settings = reference.Settings(**SHORT, timestep_fs=2.0, pressure=1.0, virial=True)
    with pytest.raises(Stop):
        reference.sample(water, settings, checkpoint=tmp_path, on_step=stop)
    resumed = reference.sample(water, settings, checkpoint=tmp_path)
    np.testing.assert_array_equal(resumed.virial, reference.sample(water, settings).virial)


def test_what_has_no_virial_is_refused(dipeptide, argon, tmp_path):
    with pytest.raises(ValueError, match="virial = True: 'alanine_dipeptide' has no box; leave the virial out"):
        reference.sample(dipeptide, reference.Settings(**SHORT, virial=True), checkpoint=tmp_path / "run")
    system, _ = argon
    tight = dataclasses.replace(system, box=np.full(3, 1.7))
    with pytest.raises(ValueError, match=r"a box of 1.7000 nm is too close to twice the cut-off to be strained"):
        reference.sample(tight, reference.Settings(**SHORT, virial=True), checkpoint=tmp_path / "run")
    light = dataclasses.replace(system, masses=np.r_[np.zeros(1), system.masses[1:]])
    with pytest.raises(ValueError, match="molecule 0 of 'lennard_jones_fluid' has no mass"):
        reference.sample(light, reference.Settings(**SHORT, virial=True), checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()
