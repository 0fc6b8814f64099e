import dataclasses

import numpy as np
import pytest

from workbench import force_maps, mappings, projection, reference, store, systems, units
from workbench.types import Mapping, State, Template, Trajectory


@pytest.fixture(scope="module")
def peptide_frames(dipeptide):
    settings = reference.Settings(n_frames=30, interval_ps=0.02, equilibration_ps=0.5, velocities=True)
    return reference.sample(dipeptide, settings)


@pytest.fixture(scope="module")
def water():
    return systems.load("water_tip3p")


@pytest.fixture(scope="module")
def centres(water):
    return mappings.center_of_mass.build(water, None, mappings.center_of_mass.Settings())


@pytest.fixture(scope="module")
def water_frames(water):
    return reference.sample(water, reference.Settings(n_frames=4, interval_ps=0.02, equilibration_ps=0.1, timestep_fs=2.0))


def test_single_atom_beads_take_positions_forces_and_velocities_of_their_atoms(peptide_frames, backbone):
    data = projection.project(peptide_frames, backbone)
    chosen = [4, 6, 8, 14, 16]
    for name in ("positions", "forces", "velocities"):
        np.testing.assert_array_equal(getattr(data, name), getattr(peptide_frames, name)[:, chosen])
    assert data.force_kind == "basic" and data.beads.bonds.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    np.testing.assert_array_equal(data.time, peptide_frames.time)
    assert data.energy is None  # the energy of the atoms is not that of the beads
    assert data.states[0].temperature == 300.0


def test_centres_of_mass_and_summed_forces(peptide_frames, dipeptide):
    mapping = mappings.center_of_mass.build(dipeptide, None, mappings.center_of_mass.Settings(group="residue"))
    data = projection.project(peptide_frames, mapping)
    atoms = np.arange(6, 16)
    masses = dipeptide.masses[atoms]
    np.testing.assert_allclose(data.positions[:, 1], masses @ peptide_frames.positions[:, atoms].astype(float) / masses.sum(), atol=1e-6)
    np.testing.assert_allclose(data.forces[:, 1], peptide_frames.forces[:, atoms].astype(float).sum(1), rtol=1e-5, atol=1e-2)
    # an isolated molecule exerts no net force on itself, and its kinetic momentum is that of its beads
    np.testing.assert_allclose(data.forces.astype(float).sum(1), 0, atol=0.5)
    momentum = np.einsum("b,fbx->fx", data.beads.masses, data.velocities.astype(float))
    np.testing.assert_allclose(momentum, np.einsum("n,fnx->fx", dipeptide.masses, peptide_frames.velocities.astype(float)), atol=1e-3)


def test_the_force_map_satisfies_the_condition_of_consistency(dipeptide, backbone):
    for mapping in (backbone, mappings.center_of_mass.build(dipeptide, None, mappings.center_of_mass.Settings(group="residue"))):
        weights = mapping.expand(dipeptide)
        product = force_maps.basic(weights, dipeptide) @ weights.T
        np.testing.assert_allclose(product.toarray(), np.eye(weights.shape[0]), atol=1e-12)


def test_molecules_are_made_whole_before_projecting(water_frames, centres):
    box = water_frames.box[:, None]
    wrapped = dataclasses.replace(water_frames, positions=(water_frames.positions % box).astype(np.float32))
    assert np.abs(wrapped.positions - water_frames.positions).max() > 0.5  # some molecules are cut by the box
    apart = projection.project(wrapped, centres).positions - projection.project(water_frames, centres).positions
    np.testing.assert_allclose(apart - np.round(apart / box) * box, 0, atol=1e-6)
    whole = projection.whole(wrapped.positions, wrapped.box, water_frames.system).reshape(4, 64, 3, 3)
    np.testing.assert_allclose(np.linalg.norm(whole[:, :, 1] - whole[:, :, 0], axis=-1), 0.09572, atol=1e-6)


def test_a_long_molecule_is_made_whole_along_its_bonds(dipeptide, backbone, peptide_frames):
    box = np.full((30, 3), 0.8)  # shorter than the molecule, longer than twice any bond
    moved = dataclasses.replace(
        peptide_frames, positions=(peptide_frames.positions % 0.8).astype(np.float32), box=box, forces=None, velocities=None
    )
    data = projection.project(moved, backbone)
    wanted = projection.project(peptide_frames, backbone).positions
    np.testing.assert_allclose(data.positions - data.positions[:, :1], wanted - wanted[:, :1], atol=1e-6)
    assert data.forces is None and data.force_kind == "none"


def test_forces_on_rigid_groups_are_summed_whole(water, water_frames):
    oxygen = mappings.by_pick.build(water, None, mappings.by_pick.Settings(atoms=((0,),), names=("O",)))
    data = projection.project(water_frames, oxygen)
    np.testing.assert_array_equal(data.positions, np.float32(projection.whole(water_frames.positions, water_frames.box, water)[:, ::3]))
    summed = water_frames.forces.astype(float).reshape(4, 64, 3, 3).sum(2)
    np.testing.assert_allclose(data.forces, summed, rtol=1e-5, atol=1e-2)
    split = mappings.by_pick.build(water, None, mappings.by_pick.Settings(atoms=((0,), (1, 2))))
    with pytest.raises(ValueError, match=r"cannot sum forces: beads .* share atom .* or a rigid constraint on it"):
        projection.project(water_frames, split)
    projection.project(dataclasses.replace(water_frames, forces=None), split)


def test_beads_that_share_an_atom_are_refused(dipeptide, peptide_frames):
    weights = np.zeros((2, 22))
    weights[0, [4, 6]] = weights[1, [6, 8]] = 0.5
    shared = Mapping(templates=(Template(topology=next(iter(dipeptide.kinds())), names=("A", "B"), types=("A", "B"), weights=weights),))
    with pytest.raises(ValueError, match="share atom 6"):
        projection.project(peptide_frames, shared)


def test_atoms_and_beads_have_the_same_pressure(dipeptide, backbone, peptide_frames):
    virial = np.random.default_rng(0).normal(size=(30, 3, 3))
    states = (State(temperature=300.0), State(temperature=400.0))
    frames = dataclasses.replace(peptide_frames, virial=virial, states=states, state=np.arange(30) % 2)
    beads = projection.project(frames, backbone)
    kt = units.BOLTZMANN * np.where(np.arange(30) % 2, 400.0, 300.0)
    atoms_pv = 22 * kt + np.trace(virial, axis1=1, axis2=2) / 3
    np.testing.assert_allclose(5 * kt + np.trace(beads.virial, axis1=1, axis2=2) / 3, atoms_pv)
    np.testing.assert_allclose(beads.virial[:, 0, 1], virial[:, 0, 1])


def test_rigid_water_as_one_bead_a_molecule_has_the_pressure_of_its_atoms(water, centres):
    settings = reference.Settings(n_frames=3, interval_ps=0.02, equilibration_ps=0.1, timestep_fs=2.0, virial=True)
    frames = reference.sample(water, settings)
    beads = projection.project(frames, centres)
    kt = units.thermal_energy(300.0) * np.eye(3)
    np.testing.assert_allclose(64 * kt + beads.virial, 192 * kt + frames.virial, rtol=1e-12)


def test_pieces_give_the_same_bits(water_frames, centres, monkeypatch):
    at_once = projection.project(water_frames, centres)
    monkeypatch.setattr(projection, "CHUNK_BYTES", 24 * 192)
    np.testing.assert_array_equal(projection.project(water_frames, centres).positions, at_once.positions)
    np.testing.assert_array_equal(projection.project(water_frames, centres).forces, at_once.forces)


def test_a_folder_keeps_the_result_and_refuses_another(peptide_frames, backbone, dipeptide, tmp_path):
    data = projection.project(peptide_frames, backbone, folder=tmp_path / "data")
    assert store.identity(data) == store.identity(projection.project(peptide_frames, backbone))
    assert isinstance(data.positions, np.memmap)
    assert store.identity(projection.project(peptide_frames, backbone, folder=tmp_path / "data")) == store.identity(data)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    other = mappings.by_pick.build(dipeptide, None, mappings.by_pick.Settings(atoms=((4,),)))
    with pytest.raises(ValueError, match="holds something else"):
        projection.project(peptide_frames, other, folder=tmp_path / "data")
    assert store.identity(store.load(tmp_path / "data")) == store.identity(data)


def test_parents_tell_frames_and_mapping(peptide_frames, backbone, dipeptide):
    first = projection.project(peptide_frames, backbone)
    assert first.parents[1:] == peptide_frames.parents and len(first.parents) == 2
    other = mappings.by_pick.build(dipeptide, None, mappings.by_pick.Settings(atoms=((4,), (6,))))
    assert projection.project(peptide_frames, other).parents[0] != first.parents[0]
    assert projection.project(peptide_frames.take(slice(0, 10)), backbone).parents[0] != first.parents[0]


def test_what_cannot_be_projected_is_refused(peptide_frames, backbone, water_frames):
    with pytest.raises(ValueError, match="this trajectory does not know its system"):
        projection.project(Trajectory(positions=np.zeros((1, 22, 3))), backbone)
    with pytest.raises(ValueError, match="made for another molecule"):
        projection.project(water_frames, backbone)
    for name in ("molecule", "optimal"):
        with pytest.raises(ValueError, match=f"force_map = '{name}' needs forces: this trajectory has none"):
            projection.project(dataclasses.replace(peptide_frames, forces=None), backbone, force_map=name)
    with pytest.raises(ValueError, match="force_map = 'best': choose basic, molecule or optimal"):
        projection.project(peptide_frames, backbone, force_map="best")


def test_the_published_frames_are_what_they_are_said_to_be(ala2_reference):
    assert ala2_reference.positions.shape == ala2_reference.forces.shape == (10_000, 5, 3)
    np.testing.assert_allclose(ala2_reference.positions.mean(1), 0, atol=1e-9)
    bonds = np.linalg.norm(np.diff(ala2_reference.positions, axis=1), axis=-1).mean(0)
    np.testing.assert_allclose(bonds, [0.1335, 0.1449, 0.1522, 0.1335], atol=3e-3)  # C-N, N-CA, CA-C, C-N of a peptide
    held_out = ala2_reference.forces[8000:] / units.KCAL_PER_ANGSTROM
    assert (held_out**2).mean() == pytest.approx(723.13, rel=1e-3)
