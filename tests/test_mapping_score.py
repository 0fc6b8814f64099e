"""Scores of mappings with known answers: what beads keep, how slow they are, whom they treat alike."""

import dataclasses

import numpy as np
import pytest

from tests._molecules import drawn, system
from workbench import mapping_score, mappings, reference, systems, validation
from workbench.types import Mapping, Template, Trajectory


def picked(molecule, atoms, **values):
    return mappings.by_pick.build(molecule, None, mappings.by_pick.Settings(atoms=atoms, **values))


@pytest.fixture(scope="module")
def peptide_frames(dipeptide):
    return reference.sample(dipeptide, reference.Settings(n_frames=1200, interval_ps=0.1, equilibration_ps=5.0))


@pytest.fixture(scope="module")
def walker():
    """A-B-C on a line; AB relaxes in 20 ps, BC in 5 ps; frames every 1 ps."""
    rng, n = np.random.default_rng(5), 40_000
    lengths = np.empty((n, 2))
    lengths[0] = 0
    decay = np.exp(-1 / np.array([20.0, 5.0]))
    kicks = rng.normal(size=(n, 2)) * np.sqrt(1 - decay**2)
    for i in range(1, n):
        lengths[i] = decay * lengths[i - 1] + kicks[i]
    lengths = 0.3 + 0.01 * lengths
    positions = np.zeros((n, 3, 3))
    positions[:, 1, 0], positions[:, 2, 0] = lengths[:, 0], lengths.sum(1)
    return Trajectory(positions=positions, time=np.arange(n, dtype=float), system=system("CNO", [(0, 1), (1, 2)]))


def test_every_heavy_atom_a_bead_loses_nothing(dipeptide, peptide_frames):
    heavy = tuple((i,) for i, element in enumerate(dipeptide.elements) if element != "H")
    score = validation.score_mapping(peptide_frames, picked(dipeptide, heavy))
    assert score.rmsd < 1e-4
    assert score.smoothness == pytest.approx(1, abs=1e-6) and score.smoothness_error < 1e-6
    assert score.connected == 1 and score.covered == pytest.approx(dipeptide.masses[dipeptide.masses > 2].sum() / dipeptide.masses.sum())


def test_one_bead_loses_the_radius_of_gyration(dipeptide, peptide_frames):
    whole = mappings.center_of_mass.build(dipeptide, None, mappings.center_of_mass.Settings(group="molecule"))
    score = validation.score_mapping(peptide_frames, whole)
    places = peptide_frames.positions[-300:].astype(float)
    centre = np.einsum("fad,a->fd", places, dipeptide.masses / dipeptide.masses.sum())
    known = np.sqrt(np.square(places - centre[:, None])[:, dipeptide.masses > 2].sum(2).mean())
    assert score.rmsd == pytest.approx(known, rel=1e-4)
    assert score.smoothness is None and "one bead a molecule has no inner distances" in score.reasons["smoothness"]
    assert score.noise is None and score.force_variance is None and "feels no force" in score.reasons["noise"]


def test_more_beads_keep_more(dipeptide, peptide_frames, backbone):
    eight = picked(dipeptide, ((1,), (4, 5), (6,), (8,), (10,), (14, 15), (16,), (18,)))
    few, many = (validation.score_mapping(peptide_frames, mapping) for mapping in (backbone, eight))
    assert many.rmsd + 3 * many.rmsd_error < few.rmsd < 0.05 and 0 < few.rmsd_error < few.rmsd
    assert many.rmsd < 0.02
    assert 0 < few.noise_least < few.noise_most < 1 and few.noise.names == ("C", "N", "CA", "C2", "N2")
    assert few.force_variance == pytest.approx(few.noise.basic.mean())
    assert not few.reasons.keys() & {"rmsd", "noise"}
    everything = validation.score_mapping(peptide_frames, backbone, mapping_score.Settings(atoms="all"))
    assert everything.rmsd > few.rmsd  # hydrogens follow the backbone less


def test_relaxation_times_of_known_processes(walker):
    names = ("A", "B", "C")
    slow, fast, both = (
        picked(walker.system, atoms, names=names[: len(atoms)]) for atoms in (((0,), (1,)), ((1,), (2,)), ((0,), (1,), (2,)))
    )
    found = validation.score_mapping(walker, slow)
    assert found.relaxation == pytest.approx(20, rel=0.15)
    assert abs(found.smoothness - 1) < 4 * found.smoothness_error + 0.02
    lost = validation.score_mapping(walker, fast)
    assert abs(lost.smoothness - 5 / 20) < 4 * lost.smoothness_error and lost.smoothness_error < 0.05
    assert validation.score_mapping(walker, both).smoothness == pytest.approx(1)
    every_second = validation.score_mapping(walker, fast, mapping_score.Settings(lag=2))
    assert abs(every_second.smoothness - 5 / 20) < 4 * every_second.smoothness_error


def test_frames_too_far_apart_say_so(walker):
    apart = walker.take(slice(None, None, 200))
    score = validation.score_mapping(apart, picked(walker.system, ((0,), (1,))))
    assert score.smoothness is score.relaxation is None
    assert "frames 200 ps apart do not remember each other" in score.reasons["smoothness"]
    assert "sample at a shorter interval" in score.reasons["smoothness"]


def test_what_one_frame_cannot_tell_is_none(dipeptide, backbone):
    frame = Trajectory(positions=dipeptide.positions[None], system=dipeptide)
    score = validation.score_mapping(frame, backbone)
    assert score.rmsd is score.rmsd_error is score.noise is score.noise_least is score.smoothness is None
    assert score.reasons["noise"].startswith("noise.measure: this trajectory has no forces")
    assert "a decoder needs more" in score.reasons["rmsd"] and "too few for relaxation times" in score.reasons["smoothness"]
    assert score.connected == 1 and 0 < score.covered < 1 and 0 <= score.symmetry <= 1
    with pytest.raises(ValueError, match="does not know its system"):
        validation.score_mapping(dataclasses.replace(frame, system=None), backbone)


@pytest.mark.parametrize(
    ("atoms", "symmetry"),
    [
        ([(0, 1), (2, 3), (4, 5)], 1.0),  # three equal beads
        ([(0, 1, 2), (3, 4), (5,)], 4 / 15),  # 3 + 1 of 15 pairs of carbons, and of hydrogens
        ([(0, 1, 2, 3, 4, 5)], 1.0),
        ([(0,), (1, 2, 3, 4, 5)], 10 / 15),
    ],
)
def test_symmetry_of_benzene(atoms, symmetry):
    benzene = drawn("c1ccccc1")
    beads = tuple((*bead, *(6 + a for a in bead)) for bead in atoms)
    score = validation.score_mapping(Trajectory(positions=benzene.positions[None], system=benzene), picked(benzene, beads))
    assert score.symmetry == pytest.approx(symmetry) and score.covered == pytest.approx(1)


def test_connectivity():
    butane = drawn("CCCC")
    frame = Trajectory(positions=butane.positions[None], system=butane)
    assert validation.score_mapping(frame, picked(butane, ((0, 1), (2, 3)))).connected == 1
    assert validation.score_mapping(frame, picked(butane, ((0, 3), (1, 2)))).connected == 0.5
    assert validation.score_mapping(frame, picked(butane, ((0, 1),))).covered == pytest.approx(24.022 / butane.masses.sum())


def test_shared_atoms_and_no_symmetry():
    molecule = system("CNO", [(0, 1), (1, 2)])
    weights = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5]])
    shared = Mapping(templates=(Template(topology=next(iter(molecule.kinds())), names=("A", "B"), types=("A", "B"), weights=weights),))
    score = validation.score_mapping(Trajectory(positions=molecule.positions[None], system=molecule), shared)
    assert score.covered == pytest.approx(1) and score.connected == 1
    assert score.symmetry is None and "no two atoms of the mapped molecules are equivalent" in score.reasons["symmetry"]


def test_a_liquid_is_scored_molecule_by_molecule():
    methanol = systems.load("methanol", n_molecules=60, cutoff_nm=0.6)
    frames = reference.sample(methanol, reference.Settings(n_frames=60, interval_ps=0.02, equilibration_ps=0.5))
    mapping = mappings.center_of_mass.build(methanol, None, mappings.center_of_mass.Settings())
    wrapped = dataclasses.replace(frames, positions=(frames.positions % frames.box[:, None]).astype(np.float32))
    found, same = (validation.score_mapping(f, mapping) for f in (frames, wrapped))
    assert 0.05 < found.rmsd < 0.09 and same.rmsd == pytest.approx(found.rmsd, rel=1e-4)  # C and O about 0.07 nm from the centre of mass
    assert found.noise_least < found.noise_most and found.covered == pytest.approx(1) and found.symmetry == 1
    parted = picked(methanol, ((0, 2, 3, 4), (1, 5)))
    assert validation.score_mapping(frames, parted).rmsd < 0.02 < found.rmsd
