"""Atoms rebuilt from beads stand where the beads are, in molecules that could be real ones."""

import dataclasses

import numpy as np
import pytest

from tests._molecules import drawn
from workbench import backmapping, mappings, projection, reference, store, systems
from workbench.backmapping import _decoder, _relaxation
from workbench.types import Decoder, Mapping, Trajectory

RANDOM = np.random.default_rng(3)


def turns(count):
    q = np.linalg.qr(RANDOM.normal(size=(count, 3, 3)))[0]
    return q * np.sign(np.linalg.det(q))[:, None, None]


def off(rebuilt, beads, mapping):
    """Farthest distance of the beads of ``rebuilt`` from ``beads`` [nm], by the nearest image."""
    apart = projection.project(rebuilt, mapping).positions - beads.positions
    if beads.box is not None:
        apart = apart - np.round(apart / beads.box[:, None]) * beads.box[:, None]
    return np.linalg.norm(apart, axis=2).max()


@pytest.fixture(scope="module")
def peptide_frames(dipeptide):
    return reference.sample(dipeptide, reference.Settings(n_frames=640, interval_ps=0.5, equilibration_ps=5.0))


@pytest.fixture(scope="module")
def eight(dipeptide):
    """One bead a heavy atom of the backbone and of the side chain, carbonyls as one."""
    atoms = ((1,), (4, 5), (6,), (8,), (10,), (14, 15), (16,), (18,))
    return mappings.by_pick.build(dipeptide, None, mappings.by_pick.Settings(atoms=atoms))


def test_the_best_rotation_is_found_for_turned_molecules():
    shape = RANDOM.normal(size=(5, 3))
    q = turns(20)
    np.testing.assert_allclose((shape @ q) @ _decoder.rotations(shape @ q, shape), np.tile(shape, (20, 1, 1)), atol=1e-12)
    mirrored = _decoder.rotations((shape * [1, 1, -1])[None], shape)
    assert np.linalg.det(mirrored)[0] == pytest.approx(1)  # a rotation, also where a mirror would fit better


def test_a_decoder_learns_a_molecule_whose_atoms_follow_its_beads():
    """Four beads that move freely, six atoms that follow them linearly in the frame of the molecule: next to nothing is left."""
    shape = np.array([[0.2, 0, 0], [0, 0.2, 0], [0, 0, 0.2], [-0.2, -0.1, 0]])
    response = RANDOM.normal(size=(6, 3, 4, 3)) * 0.3
    known = Decoder(reference=shape - shape.mean(0), atoms=RANDOM.normal(size=(6, 3)) * 0.1, response=response, spread=np.zeros(6))
    beads = (shape + RANDOM.normal(size=(500, 4, 3)) * 0.01) @ turns(500) + RANDOM.normal(size=(500, 1, 3))
    places = _decoder.expected(known, beads)
    learned = _decoder.fit(beads[:400], places[:400])
    left = np.linalg.norm(_decoder.expected(learned, beads[400:]) - places[400:], axis=2)
    assert left.max() < 5e-4 and learned.spread.max() < 2e-4  # of the second order: the mean shape is not quite the known one
    q = turns(1)[0]
    turned = _decoder.expected(learned, beads[:5] @ q + 1.0)
    np.testing.assert_allclose(turned, _decoder.expected(learned, beads[:5]) @ q + 1.0, atol=1e-10)


@pytest.mark.parametrize("n_beads", [1, 2])
def test_beads_that_fix_no_frame_put_atoms_where_they_are_on_average(n_beads):
    """A spherical cloud about one bead, or rings about the line of two: the middle is the best guess, the spread the radius."""
    angle = RANDOM.uniform(0, 2 * np.pi, size=4000)
    ring = np.stack([0.1 * np.cos(angle), 0.1 * np.sin(angle), np.full(4000, 0.05)], axis=1)
    line = np.array([[0, 0, 0], [0, 0, 0.2]])
    q, shift = turns(4000), RANDOM.normal(size=(4000, 1, 3))
    beads = line[:n_beads] @ q + shift
    learned = _decoder.fit(beads, ring[:, None] @ q + shift)
    expected = _decoder.expected(learned, beads)
    np.testing.assert_allclose(expected, (np.array([[0, 0, 0.05]]) @ q if n_beads == 2 else 0) + shift, atol=0.005)
    assert learned.spread[0] == pytest.approx(0.1 if n_beads == 2 else np.hypot(0.1, 0.05), rel=0.02)


def test_too_few_molecules_for_a_decoder(dipeptide, backbone, peptide_frames):
    with pytest.raises(
        ValueError, match="a decoder of 5 beads has 16 coefficients a coordinate and 40 molecules to learn from: give it 64"
    ):
        backmapping.decoder(peptide_frames.take(slice(0, 40)), backbone)
    with pytest.raises(ValueError, match="does not know its system"):
        backmapping.decoder(dataclasses.replace(peptide_frames, system=None), backbone)


@pytest.mark.parametrize("learned", [False, True], ids=["placed", "decoded"])
@pytest.mark.parametrize(("beads", "most"), [("backbone", 0.03), ("eight", 0.01)])
def test_alanine_dipeptide_comes_back(dipeptide, peptide_frames, beads, most, learned, request):
    mapping = request.getfixturevalue(beads)
    held_out = peptide_frames.take(slice(600, None, 2))
    if learned:
        mapping = backmapping.decoder(peptide_frames.take(slice(0, 600)), mapping)
    steps = []
    wanted = projection.project(held_out, mapping)
    atoms = backmapping.rebuild(wanted, mapping, dipeptide, on_step=lambda frame, metrics: steps.append((frame, metrics)))
    assert [frame for frame, _ in steps] == list(range(1, 21)) and steps[-1][1]["total"] == 20
    assert off(atoms, wanted, mapping) < backmapping.Settings().tolerance
    assert np.all(np.isfinite(atoms.energy)) and atoms.energy.mean() < held_out.energy.mean()  # colder than 300 K
    found = backmapping.rmsd(atoms, held_out)
    assert found.value < most and 0 < found.error < found.value
    centres = _relaxation.handed_centres(dipeptide)
    assert centres[:, 0].tolist() == [8]  # the alpha carbon, L as in the system
    assert np.all(np.sign(_relaxation.volumes(atoms.positions, centres)) == np.sign(_relaxation.volumes(held_out.positions, centres)))


def test_a_linear_decoder_keeps_the_handedness_that_it_cannot_know(dipeptide, peptide_frames):
    """Three beads lie in a plane, and so do all atoms that are sums of them: the wall lifts them to the right side."""
    three = mappings.by_pick.build(dipeptide, None, mappings.by_pick.Settings(atoms=((4,), (8,), (14,))))
    flat = Mapping(templates=three.templates, decoder=RANDOM.dirichlet(np.ones(3), size=22))
    wanted = projection.project(peptide_frames.take(slice(0, None, 160)), three)
    atoms = backmapping.rebuild(wanted, flat, dipeptide)
    assert off(atoms, wanted, three) < 1e-3 and np.all(np.isfinite(atoms.energy))
    centres = _relaxation.handed_centres(dipeptide)
    own = np.sign(_relaxation.volumes(dipeptide.positions[None], centres))
    assert np.all(np.sign(_relaxation.volumes(atoms.positions, centres)) == own)


@pytest.mark.parametrize("name", ["methanol", "hexane", "water_tip4p2005"])
def test_liquids_come_back_in_their_box(name):
    """Beads are given wrapped into the box; rigid water stays rigid, with its massless site in place."""
    if name == "water_tip4p2005":
        system = systems.load(name)
    else:
        system = systems.load(name, n_molecules={"methanol": 60, "hexane": 20}[name], cutoff_nm=0.6)
    if name == "hexane":
        mapping = mappings.every_n.build(system, None, mappings.every_n.Settings(n=2))
    else:
        mapping = mappings.center_of_mass.build(system, None, mappings.center_of_mass.Settings())
    frames = reference.sample(system, reference.Settings(n_frames=2, interval_ps=0.1, equilibration_ps=0.2))
    wanted = projection.project(frames, mapping)
    wanted = dataclasses.replace(wanted, positions=(wanted.positions % wanted.box[:, None]).astype(np.float32))
    atoms = backmapping.rebuild(wanted, mapping, system)
    assert off(atoms, wanted, mapping) < 1e-3 and np.all(np.isfinite(atoms.energy))
    assert np.all(atoms.energy < frames.energy + 0.2 * abs(frames.energy))
    assert backmapping.rmsd(atoms, frames).value < {"methanol": 0.12, "hexane": 0.09, "water_tip4p2005": 0.015}[name]
    i, j = system.constraints.T
    lengths = np.linalg.norm(atoms.positions[:, i] - atoms.positions[:, j], axis=2)
    np.testing.assert_allclose(lengths, np.linalg.norm(frames.positions[:, i] - frames.positions[:, j], axis=2), atol=2e-6)
    bonds = system.bonds
    stretched = np.linalg.norm(atoms.positions[:, bonds[:, 0]] - atoms.positions[:, bonds[:, 1]], axis=2)
    assert stretched.max() < 0.17


def test_the_same_seed_gives_the_same_atoms(dipeptide):
    frames = Trajectory(positions=dipeptide.positions[None], system=dipeptide)
    one = mappings.center_of_mass.build(dipeptide, None, mappings.center_of_mass.Settings(group="molecule"))
    wanted = projection.project(frames, one)
    first, same = (backmapping.rebuild(wanted, one, dipeptide) for _ in range(2))
    np.testing.assert_array_equal(first.positions, same.positions)
    other = backmapping.rebuild(wanted, one, dipeptide, backmapping.Settings(seed=1))
    assert backmapping.rmsd(other, first).value > 0.05  # one bead says nothing of how the molecule is turned


def test_rmsd_of_known_shifts(dipeptide):
    frames = Trajectory(positions=np.tile(dipeptide.positions, (4, 1, 1)), system=dipeptide)
    shifted = dataclasses.replace(frames, positions=frames.positions + np.array([0.03, 0.04, 0.0]))
    assert backmapping.rmsd(shifted, frames).value == pytest.approx(0.05)
    hydrogens = np.where(dipeptide.masses < 2, 1.0, 0.0)[:, None]
    assert backmapping.rmsd(dataclasses.replace(frames, positions=frames.positions + hydrogens), frames).value == 0
    with pytest.raises(ValueError, match="compare the frames that the beads were taken from"):
        backmapping.rmsd(frames.take(slice(0, 2)), frames)


def test_beads_that_cannot_be_are_refused(dipeptide, backbone, peptide_frames):
    wanted = projection.project(peptide_frames.take(slice(0, 1)), backbone)
    torn = np.array(wanted.positions)
    torn[0, 4] += 50.0
    with pytest.raises(ValueError, match=r"frame 0 (has|cannot)|a bead of frame 0 stays"):
        backmapping.rebuild(
            dataclasses.replace(wanted, positions=torn), backbone, dipeptide, backmapping.Settings(n_steps=20, tolerance=1e-5)
        )
    with pytest.raises(ValueError, match="the frames have 22 beads; this mapping of 'alanine_dipeptide' has 5"):
        backmapping.rebuild(peptide_frames.take(slice(0, 1)), backbone, dipeptide)
    solvated = systems.load("alanine_dipeptide", solvent="tip3p")
    with pytest.raises(ValueError, match="608 molecules of 'alanine_dipeptide' have no beads"):
        backmapping.rebuild(wanted, backbone, solvated)
    boxed = dataclasses.replace(wanted, box=np.ones((1, 3)))
    with pytest.raises(ValueError, match="one of beads and system has a periodic box"):
        backmapping.rebuild(boxed, backbone, dipeptide)


def test_decoders_of_two_kinds_are_saved_and_loaded(tmp_path):
    mixture = drawn("CO.CO.O.O")
    made = mappings.center_of_mass.build(mixture, None, mappings.center_of_mass.Settings())
    frames = Trajectory(positions=RANDOM.normal(size=(20, mixture.n_atoms, 3)), system=mixture)
    learned = backmapping.decoder(frames, made)
    assert [isinstance(d, Decoder) for d in learned.decoder] == [True, True]
    read = store.load(store.save(learned, tmp_path / "mapping.json"))
    for one, other in zip(read.decoder, learned.decoder, strict=True):
        for field in dataclasses.fields(Decoder):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    assert store.identity(read) == store.identity(learned)
    only = dataclasses.replace(learned, decoder=(None, learned.decoder[1]))
    assert store.load(store.save(only, tmp_path / "only.json")).decoder[0] is None
    with pytest.raises(ValueError, match=r"Mapping.decoder has 1 entries for 2 kinds of molecule"):
        dataclasses.replace(learned, decoder=learned.decoder[:1])
    with pytest.raises(ValueError, match="a decoder of the mapping has 1 beads and 3 atoms; the molecule has 1 and 6"):
        dataclasses.replace(learned, decoder=learned.decoder[::-1])
    text = (tmp_path / "only.json").read_text().replace('"version": 2', '"version": 3')
    (tmp_path / "new.json").write_text(text)
    with pytest.raises(ValueError, match="is a mapping of version 3 and this workbench reads up to 2: update it"):
        store.load(tmp_path / "new.json")
