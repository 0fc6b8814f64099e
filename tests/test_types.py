import dataclasses

import numpy as np
import pytest

from workbench import mappings, systems
from workbench.types import Beads, Mapping, Observation, ReferenceData, Start, State, System, Template, Trajectory


def chain(n: int, **values) -> Beads:
    bonds = [(i, i + 1) for i in range(n - 1)]
    return Beads.from_bonds(
        names=[f"B{i}" for i in range(n)], types=["B"] * n, masses=np.ones(n), molecule=np.zeros(n, int), bonds=bonds, **values
    )


def test_a_chain_of_beads_has_its_angles_dihedrals_and_exclusions():
    beads = chain(5)
    assert beads.angles.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert beads.dihedrals.tolist() == [[0, 1, 2, 3], [1, 2, 3, 4]]
    assert {tuple(p) for p in beads.exclusions.tolist()} == {(i, j) for i in range(5) for j in range(i + 1, 5) if j - i <= 2}
    assert len(chain(5, excluded_bonds=0).exclusions) == 0 and len(chain(5, excluded_bonds=3).exclusions) == 9


def test_a_ring_and_a_star_have_the_counts_of_geometry():
    ring = Beads.from_bonds(
        names="abcdef", types="abcdef", masses=np.ones(6), molecule=np.zeros(6, int), bonds=[(i, (i + 1) % 6) for i in range(6)]
    )
    assert (len(ring.bonds), len(ring.angles), len(ring.dihedrals), len(ring.exclusions)) == (6, 6, 6, 12)
    star = Beads.from_bonds(names="abcde", types="abcde", masses=np.ones(5), molecule=np.zeros(5, int), bonds=[(0, i) for i in range(1, 5)])
    assert (len(star.angles), len(star.dihedrals)) == (6, 0)


def test_bad_beads_are_refused():
    with pytest.raises(ValueError, match=r"Beads.masses must be above 0"):
        dataclasses.replace(chain(3), masses=np.array([1.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match=r"Beads.bonds names particle 7; there are 3, counted from 0"):
        dataclasses.replace(chain(3), bonds=np.array([[0, 7]]))
    with pytest.raises(ValueError, match="has 2 entries; there are 3 beads"):
        dataclasses.replace(chain(3), types=("a", "b"))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_frames_with_nan_are_refused_with_their_number(bad):
    positions = np.zeros((70_000, 1, 3), np.float32)
    positions[69_999, 0, 1] = bad
    with pytest.raises(ValueError, match=r"Trajectory.positions holds NaN or infinity, first in row 69999: leave out such rows"):
        Trajectory(positions=positions)
    with pytest.raises(ValueError, match=r"Trajectory.forces holds NaN or infinity, first in row 69999"):
        Trajectory(positions=np.zeros_like(positions), forces=positions)


def test_wrong_shapes_are_refused():
    positions = np.zeros((4, 2, 3))
    with pytest.raises(ValueError, match=r"Trajectory.positions has shape \(4, 3\); wanted \(any, any, 3\)"):
        Trajectory(positions=positions[:, 0])
    with pytest.raises(ValueError, match=r"Trajectory.forces has shape \(3, 2, 3\); wanted \(4, 2, 3\)"):
        Trajectory(positions=positions, forces=positions[:3])
    with pytest.raises(ValueError, match="ReferenceData has 2 beads a frame; its topology has 3"):
        ReferenceData(positions=positions, beads=chain(3))
    with pytest.raises(ValueError, match="force_kind = 'noisy': choose basic, optimal, mean or none"):
        ReferenceData(positions=positions, beads=chain(2), force_kind="noisy")
    with pytest.raises(ValueError, match="its system has 22"):
        Trajectory(positions=positions, system=systems.load("alanine_dipeptide"))
    with pytest.raises(ValueError, match=r"temperature = -1.0 K: must be above 0"):
        State(temperature=-1.0)


def test_arrays_of_a_noun_cannot_be_written():
    mine = np.zeros((2, 1, 3))
    trajectory = Trajectory(positions=mine)
    with pytest.raises(ValueError, match="read-only"):
        trajectory.positions[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        trajectory.positions = mine
    mine[0] = 1.0  # the caller's own array stays writable


def test_take_and_chunks_cut_every_array_alike():
    numbers = np.arange(10.0)
    frames = np.tile(numbers[:, None, None], (1, 2, 3))
    data = ReferenceData(positions=frames, forces=-frames, time=numbers, state=np.arange(10) % 2, beads=chain(2), force_error=frames / 10)
    part = data.take(slice(2, 5))
    assert isinstance(part, ReferenceData) and len(part) == 3 and part.n_particles == 2
    for name, factor in (("positions", 1), ("forces", -1), ("force_error", 0.1)):
        np.testing.assert_allclose(getattr(part, name)[:, 0, 0], factor * numbers[2:5])
    assert part.time.tolist() == [2.0, 3.0, 4.0] and part.state.tolist() == [0, 1, 0]
    assert data.take(np.array([7, 1])).time.tolist() == [7.0, 1.0]
    assert [len(piece) for piece in data.chunks(4)] == [4, 4, 2]
    assert np.concatenate([piece.time for piece in data.chunks(3)]).tolist() == numbers.tolist()


def test_start_takes_frames_and_refuses_those_that_are_not_there():
    data = ReferenceData(positions=np.arange(12.0).reshape(4, 1, 3), beads=chain(1), box=np.ones((4, 3)))
    start = data.start(frames=range(1, 3))
    np.testing.assert_array_equal(start.positions, data.positions[1:3])
    assert start.box.shape == (2, 3)
    for frames in ([4], [-1], []):
        with pytest.raises(ValueError, match="start: choose frames between 0 and 3"):
            data.start(frames)
    with pytest.raises(ValueError, match="Start has no replicas"):
        Start(positions=np.zeros((0, 1, 3)), beads=chain(1))


def test_kinds_tell_molecules_apart_by_their_bonds():
    system = systems.load("alanine_dipeptide", solvent="tip3p")
    peptide, water = system.kinds().values()
    assert peptide.shape == (1, 22) and water.shape == (608, 3)
    assert next(iter(systems.load("alanine_dipeptide").kinds())) == next(iter(system.kinds()))
    with pytest.raises(ValueError, match=r"System.molecule must count 0, 1, 2"):
        dataclasses.replace(system, molecule=system.molecule[::-1])
    with pytest.raises(ValueError, match=r"System.atom_names has 3 entries; there are 1846 atoms"):
        dataclasses.replace(system, atom_names=("a", "b", "c"))


def test_a_mixture_expands_in_the_order_of_the_system():
    system = systems.load("alanine_dipeptide", solvent="tip3p")
    residues = mappings.center_of_mass.build(system, None, mappings.center_of_mass.Settings(group="residue"))
    beads = residues.beads(system)
    assert beads.names[:4] == ("ACE", "ALA", "NME", "HOH") and beads.n_beads == 611
    assert beads.bonds.tolist() == [[0, 1], [1, 2]] and beads.molecule.tolist() == [0, 0, *range(609)]
    np.testing.assert_allclose(residues.expand(system).sum(1), 1)
    np.testing.assert_allclose(residues.expand(system) @ np.ones(system.n_atoms), 1)


def test_beads_far_apart_are_bonded_through_the_atoms_between(dipeptide):
    ends = mappings.by_pick.build(dipeptide, None, mappings.by_pick.Settings(atoms=((1,), (8,), (18,))))
    assert ends.beads(dipeptide).bonds.tolist() == [[0, 1], [1, 2]]


def test_templates_state_what_is_wrong():
    def template(**values):
        return Template(**{"topology": "t", "names": ("A", "B"), "types": ("A", "B"), "weights": np.eye(2)} | values)

    with pytest.raises(ValueError, match="the bead name 'A' is used twice"):
        template(names=("A", "A"))
    with pytest.raises(ValueError, match="bead 'B' is empty: give it at least one atom"):
        template(weights=np.array([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match=r"the weights of bead 'A' sum to 0.9, not 1"):
        template(weights=np.array([[0.9, 0.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="a mapping needs at least one bead"):
        Mapping(templates=())
    with pytest.raises(ValueError, match=r"Mapping.decoder has shape \(2, 3\); wanted \(2, 2\)"):
        Mapping(templates=(template(),), decoder=np.zeros((2, 3)))


def test_an_observation_may_hold_what_was_never_seen():
    seen = Observation(name="free energy", x=([0.0, 1.0],), value=[0.0, np.inf], error=[0.1, np.nan], unit="kJ/mol", n_effective=3.0)
    assert np.isinf(seen.value[1])
    with pytest.raises(ValueError, match=r"Observation.error has shape \(1,\); wanted \(2\)"):
        dataclasses.replace(seen, error=[0.1])


def test_a_system_without_atoms_is_refused(dipeptide):
    assert isinstance(dipeptide, System)
    with pytest.raises(ValueError, match="System has no atoms"):
        dataclasses.replace(dipeptide, elements=())
