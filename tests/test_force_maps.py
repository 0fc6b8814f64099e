import dataclasses

import numpy as np
import pytest

from tests.benchmarks import _chain, _water_aimd
from workbench import force_maps, mappings, projection, reference, systems, units
from workbench.types import Mapping, Template, Trajectory


@pytest.fixture(scope="module")
def peptide_frames(dipeptide):
    return reference.sample(dipeptide, reference.Settings(n_frames=2000, interval_ps=0.05, equilibration_ps=5.0))


@pytest.fixture(scope="module")
def chain_frames():
    settings = reference.Settings(n_frames=6000, interval_ps=0.05, equilibration_ps=5.0, friction_per_ps=5.0)
    return reference.sample(_chain.load(), settings)


@pytest.fixture(scope="module")
def aimd(data_folder):
    return _water_aimd.load(data_folder)


def root_mean_square(forces):
    return np.sqrt((forces.astype(float) ** 2).mean())


def cases(peptide_frames, chain_frames, backbone):
    residues = mappings.center_of_mass.build(peptide_frames.system, None, mappings.center_of_mass.Settings(group="residue"))
    return [(peptide_frames, backbone), (peptide_frames, residues), (chain_frames, _chain.backbone(chain_frames.system))]


def test_the_optimal_map_meets_the_conditions_and_is_the_quietest(peptide_frames, chain_frames, backbone):
    for frames, mapping in cases(peptide_frames, chain_frames, backbone):
        system = frames.system
        weights = mapping.expand(system)
        best = force_maps.optimal(frames, mapping)
        np.testing.assert_allclose((best @ weights.T).toarray(), np.eye(len(weights.toarray())), atol=1e-10)
        tied = best.toarray()[:, system.constraints]
        np.testing.assert_array_equal(tied[..., 0], tied[..., 1])
        noise = {name: root_mean_square(projection.project(frames, mapping, force_map=name).forces) for name in ("basic", "optimal")}
        assert noise["optimal"] < 0.95 * noise["basic"]
        # any other direction that keeps the conditions is noisier
        other = force_maps.basic(weights, system).toarray()
        for step in (0.01, -0.01):
            mixed = (1 - step) * best.toarray() + step * other
            assert root_mean_square(np.einsum("bn,fnx->fbx", mixed, frames.forces)) > noise["optimal"]


@pytest.mark.parametrize("name", ["basic", "optimal"])
def test_the_bead_virial_is_known(peptide_frames, chain_frames, backbone, name):
    # sum_I F_I . (R_I - R_mean) averages to -3 (B - 1) kBT for every force map that is consistent with the mapping
    for frames, mapping in cases(peptide_frames, chain_frames, backbone):
        data = projection.project(frames, mapping, force_map=name)
        assert data.force_kind == name
        centred = data.positions.astype(float) - data.positions.astype(float).mean(1, keepdims=True)
        virial = (data.forces * centred).sum((1, 2))
        error = virial.reshape(20, -1).mean(1).std(ddof=1) / np.sqrt(20)
        wanted = -3 * (data.n_particles - 1) * units.thermal_energy(300.0)
        assert abs(virial.mean() - wanted) < 4 * error
        if name == "optimal":
            assert error < 0.5 * abs(wanted)  # quiet enough for the comparison to mean something


def test_hydrogens_that_are_left_out_of_a_rigid_group_bias_the_virial(chain_frames):
    # the same identity fails for a map that takes the backbone atom without the hydrogen that a constraint ties to it
    mapping = _chain.backbone(chain_frames.system)
    weights = mapping.expand(chain_frames.system)
    positions = weights @ chain_frames.positions.astype(float).transpose(1, 0, 2).reshape(2 * _chain.LENGTH, -1)
    positions = positions.reshape(len(weights.toarray()), -1, 3).transpose(1, 0, 2)
    centred = positions - positions.mean(1, keepdims=True)
    virial = (chain_frames.forces[:, ::4] * centred).sum((1, 2))
    error = virial.reshape(20, -1).mean(1).std(ddof=1) / np.sqrt(20)
    assert abs(virial.mean() + 6 * units.thermal_energy(300.0)) > 5 * error


def test_the_known_optimum_of_two_independent_noises():
    # bead on atom 0, f0 = n0, f1 = n1: W = (1, a) minimises s0^2 + a^2 s1^2 + 2 a c at a = -c / s1^2
    covariance = np.array([[4.0, -1.5], [-1.5, 2.0]])
    best = force_maps.solve(np.array([[1.0, 0.0]]), covariance, np.array([0, 1]))
    np.testing.assert_allclose(best, [[1.0, 0.75]], rtol=1e-8)
    np.testing.assert_array_equal(force_maps.solve(np.array([[1.0, 0.0]]), covariance, np.array([0, 0])), [[1.0, 1.0]])
    np.testing.assert_array_equal(force_maps.solve(np.array([[1.0, 0.0]]), covariance, np.array([0, -1])), [[1.0, 0.0]])


def test_atoms_without_forces_do_no_harm():
    covariance = np.diag([1.0, 0.0, 2.0])
    best = force_maps.solve(np.array([[1.0, 0.0, 0.0]]), covariance, np.arange(3))
    np.testing.assert_allclose(best, [[1.0, 0.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(force_maps.solve(np.array([[0.5, 0.5, 0.0]]), np.zeros((3, 3)), np.arange(3)), [[1.0, 1.0, 0.0]], atol=1e-9)


def test_beads_that_share_an_atom_have_an_optimal_map(peptide_frames, dipeptide):
    weights = np.zeros((2, 22))
    weights[0, [4, 6]] = weights[1, [6, 8]] = 0.5
    shared = Mapping(templates=(Template(topology=next(iter(dipeptide.kinds())), names=("A", "B"), types=("A", "B"), weights=weights),))
    np.testing.assert_allclose(force_maps.optimal(peptide_frames, shared) @ weights.T, np.eye(2), atol=1e-10)


def test_published_water_forces(aimd):
    bare = projection.project(aimd, _water_aimd.oxygens(aimd.system))
    summed = projection.project(aimd, _water_aimd.oxygens(aimd.system), force_map="molecule")
    best = projection.project(aimd, _water_aimd.oxygens(aimd.system), force_map="optimal")
    noise = [root_mean_square(data.forces) / units.ELECTRONVOLT_PER_ANGSTROM for data in (bare, summed, best)]
    assert noise[:2] == pytest.approx([1.003, 0.279], abs=5e-4)
    assert noise[2] <= noise[1]
    assert summed.force_kind == "basic" and best.force_kind == "optimal"


def test_copies_of_a_molecule_share_one_map(aimd):
    best = force_maps.optimal(aimd, _water_aimd.oxygens(aimd.system)).toarray()
    blocks = best.reshape(64, 64, 3)
    np.testing.assert_array_equal(blocks[np.arange(64), np.arange(64)], np.tile(blocks[0, 0], (64, 1)))
    assert np.count_nonzero(best) == 192
    assert best[0, 1] == pytest.approx(best[0, 2], rel=0.01)  # both hydrogens alike


def test_rigid_water_has_one_map_only():
    water = systems.load("water_tip3p")
    frames = reference.sample(water, reference.Settings(n_frames=2, interval_ps=0.01, equilibration_ps=0.0))
    for name in ("basic", "molecule", "optimal"):
        ones = force_maps.matrix(name, frames, _water_aimd.oxygens(water)).toarray()
        np.testing.assert_allclose(ones, np.kron(np.eye(64), np.ones((1, 3))), atol=1e-12)


def test_a_massless_site_gets_no_coefficient(peptide_frames, dipeptide, backbone):
    masses = dipeptide.masses.copy()
    masses[0] = 0.0
    frames = dataclasses.replace(peptide_frames, system=dataclasses.replace(dipeptide, masses=masses))
    best = force_maps.optimal(frames, backbone).toarray()
    assert np.all(best[:, 0] == 0) and np.all(best[:, 1] != 0)


def test_pieces_give_the_same_map(peptide_frames, backbone, monkeypatch):
    at_once = force_maps.optimal(peptide_frames, backbone).toarray()
    monkeypatch.setattr(force_maps, "CHUNK_BYTES", 24 * 22 * 300)
    np.testing.assert_allclose(force_maps.optimal(peptide_frames, backbone).toarray(), at_once, atol=1e-9)


def test_what_has_no_map_is_refused(peptide_frames, dipeptide, backbone, chain_frames):
    with pytest.raises(ValueError, match="force_map = 'best': choose basic, molecule or optimal"):
        force_maps.matrix("best", peptide_frames, backbone)
    with pytest.raises(ValueError, match="needs forces: this trajectory has none"):
        force_maps.optimal(dataclasses.replace(peptide_frames, forces=None), backbone)
    with pytest.raises(ValueError, match="17 free coefficients and 90 force samples: give it at least 57 frames"):
        force_maps.optimal(peptide_frames.take(slice(0, 30)), backbone)
    with pytest.raises(ValueError, match="one bead a molecule; molecule 0 has more"):
        projection.project(peptide_frames, backbone, force_map="molecule")
    both = mappings.by_pick.build(chain_frames.system, None, mappings.by_pick.Settings(atoms=((0,), (1,))))
    with pytest.raises(ValueError, match="no force map serves these beads: rigid constraints tie them"):
        force_maps.optimal(chain_frames, both)
    two = dataclasses.replace(systems.load("water_tip3p"), constraints=np.array([[0, 3]]))
    frames = Trajectory(positions=np.zeros((9, 192, 3)), forces=np.zeros((9, 192, 3)), system=two)
    with pytest.raises(ValueError, match="rigid constraints between molecules"):
        force_maps.optimal(frames, _water_aimd.oxygens(two))
