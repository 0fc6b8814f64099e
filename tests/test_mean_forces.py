import dataclasses

import numpy as np
import openmm
import pytest

from workbench import mappings, mean_forces, reference, store, systems
from workbench.types import Mapping, State, System, Template, Trajectory

SPRINGS = ((0, 1, 8000.0), (1, 2, 5000.0), (2, 3, 3000.0), (3, 4, 9000.0), (0, 4, 1000.0))
"""Springs without rest length between five atoms [kJ/mol/nm^2]: the mean force on any linear bead is linear, and known."""


def spring_xml():
    physics, force = openmm.System(), openmm.HarmonicBondForce()
    for _ in range(5):
        physics.addParticle(12.0)
    for i, j, k in SPRINGS:
        force.addBond(i, j, 0.0, k)
    physics.addForce(force)
    physics.addForce(openmm.CMMotionRemover())
    return openmm.XmlSerializer.serialize(physics)


@pytest.fixture(scope="module")
def springs():
    rng = np.random.default_rng(0)
    system = System(
        name="springs",
        elements=("C",) * 5,
        atom_names=tuple("ABCDE"),
        residue_names=("SPR",) * 5,
        residue=np.zeros(5, int),
        molecule=np.zeros(5, int),
        masses=np.full(5, 12.0),
        charges=np.zeros(5),
        bonds=np.array([[i, i + 1] for i in range(4)]),
        constraints=np.zeros((0, 2), int),
        virtual_sites=np.zeros(0, int),
        positions=rng.normal(size=(5, 3)) * 0.1,
        box=None,
        force_field=spring_xml,
        state=State(),
    )
    return Trajectory(positions=rng.normal(size=(3, 5, 3)) * 0.1, system=system)


def known_force(weights, beads):
    """The mean force at ``beads`` (F, b, 3): minus the Hessian of the potential of mean force, ``(C H^+ C^T)^+``, times them."""
    hessian = np.zeros((5, 5))
    for i, j, k in SPRINGS:
        hessian[[i, j], [i, j]] += k
        hessian[[i, j], [j, i]] -= k
    both = np.block([[hessian, weights.T], [weights, np.zeros((len(weights),) * 2)]])  # stationary energy at given C r = R
    multipliers = np.linalg.inv(both)[5:, 5:]
    return np.einsum("ab,fbx->fax", multipliers, beads)


def mapping_of(system, weights):
    names = tuple("PQR"[: len(weights)])
    return Mapping(templates=(Template(topology=next(iter(system.kinds())), names=names, types=names, weights=np.array(weights)),))


def settings(n_frames, **changes):
    sampling = reference.Settings(n_frames=n_frames, interval_ps=0.1, equilibration_ps=2.0, timestep_fs=2.0, friction_per_ps=20.0)
    return mean_forces.Settings(sampling=sampling, **changes)


ATOMS = [[1.0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0]]
CENTRES = [[0.5, 0.5, 0, 0, 0], [0, 0, 0.3, 0.3, 0.4]]


@pytest.mark.parametrize("weights", [ATOMS, CENTRES])
def test_the_known_mean_force(springs, weights):
    data = mean_forces.sample(springs, mapping_of(springs.system, weights), settings(1000))
    wanted = known_force(np.array(weights), data.positions)
    deviation = (data.forces - wanted) / data.force_error
    assert np.sqrt((deviation**2).mean()) == pytest.approx(1.0, abs=0.45)  # the error bars are right ...
    assert np.abs(deviation).max() < 4.5  # ... and nothing is far outside them
    assert data.force_error.max() < 0.2 * np.abs(wanted).max()
    assert data.force_kind == "mean" and data.states[0].temperature == 300.0
    asked = np.einsum("bn,fnx->fbx", weights, springs.positions)
    if weights is ATOMS:
        np.testing.assert_allclose(data.positions, asked, atol=1e-7)  # frozen
    else:
        assert 1e-4 < np.abs(data.positions - asked).max() < 0.02  # held


def test_a_stiffer_spring_holds_closer(springs):
    mapping = mapping_of(springs.system, CENTRES)
    asked = np.einsum("bn,fnx->fbx", CENTRES, springs.positions)
    off = [np.abs(mean_forces.sample(springs, mapping, settings(200, spring=k)).positions - asked).max() for k in (1e4, 1e5)]
    assert off[1] < 0.2 * off[0]


def test_a_pilot_run_brings_beads_where_they_were_asked_for(springs):
    mapping = mapping_of(springs.system, CENTRES)
    asked = np.einsum("bn,fnx->fbx", CENTRES, springs.positions)
    plain, moved = (mean_forces.sample(springs, mapping, settings(1000, spring=1e5, pilot=pilot)) for pilot in (0, 500))
    assert np.abs(moved.positions - asked).max() < 0.25 * np.abs(plain.positions - asked).max()
    deviation = (moved.forces - known_force(np.array(CENTRES), moved.positions)) / moved.force_error
    assert np.sqrt((deviation**2).mean()) == pytest.approx(1.0, abs=0.45)


def test_the_error_falls_with_the_square_root_of_the_samples(springs):
    mapping = mapping_of(springs.system, ATOMS)
    lengths = (100, 400, 1600, 6400)
    first = springs.take(slice(0, 2))
    errors = [np.sqrt((mean_forces.sample(first, mapping, settings(n)).force_error ** 2).mean()) for n in lengths]
    assert np.polyfit(np.log(lengths), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.1)


def test_rigid_water_is_held_by_its_centres():
    water = systems.load("water_tip3p")
    quick = reference.Settings(n_frames=1, interval_ps=0.02, equilibration_ps=0.1)
    frames = reference.sample(water, quick)
    mapping = mappings.center_of_mass.build(water, None, mappings.center_of_mass.Settings())
    data = mean_forces.sample(frames, mapping, mean_forces.Settings(sampling=dataclasses.replace(quick, n_frames=20), spring=2e5))
    centres = np.einsum("bn,fnx->fbx", mapping.expand(water).toarray(), frames.positions.astype(float))
    apart = data.positions - centres
    assert np.abs(apart - np.round(apart / frames.box[:, None]) * frames.box[:, None]).max() < 0.03
    assert 20 < np.sqrt((data.forces**2).mean()) < 1000 and np.all(data.force_error > 0)


def test_a_run_goes_on_after_its_finished_configurations(springs, tmp_path):
    mapping, seen = mapping_of(springs.system, ATOMS), []
    whole = mean_forces.sample(springs, mapping, settings(40))

    def stop(index, metrics):
        seen.append(index)
        assert metrics["total"] == 3
        if index == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mean_forces.sample(springs, mapping, settings(40), on_step=stop, checkpoint=tmp_path / "run")
    seen.clear()
    data = mean_forces.sample(springs, mapping, settings(40), on_step=lambda index, _: seen.append(index), checkpoint=tmp_path / "run")
    assert set(seen) == {2}
    assert store.identity(data) == store.identity(whole)
    with pytest.raises(ValueError, match="another"):
        mean_forces.sample(springs, mapping, settings(50), checkpoint=tmp_path / "run")


def test_what_has_no_mean_force_is_refused(springs):
    mapping = mapping_of(springs.system, ATOMS)
    with pytest.raises(ValueError, match="do not know their system"):
        mean_forces.sample(dataclasses.replace(springs, system=None), mapping, settings(40))
    with pytest.raises(ValueError, match="n_frames = 5: standard errors need at least 20 samples"):
        mean_forces.sample(springs, mapping, settings(5))
    with pytest.raises(ValueError, match="the optimal force map needs forces"):
        mean_forces.sample(springs, mapping, settings(40), force_map="optimal")
