import dataclasses

import numpy as np
import pytest

from tests.benchmarks import _water_aimd
from workbench import mappings, noise, projection, reference, systems
from workbench.types import Mapping, State, System, Template, Trajectory

OWN, SOLVENT = np.array([300.0, 200.0]), np.array([150.0, 400.0])
"""Standard deviations of the noise between each bead and its hydrogen, and of the noise on that hydrogen alone [kJ/mol/nm]."""
STIFFNESS = 40_000.0


@pytest.fixture(scope="module")
def diatomic():
    """H-A-B-H with beads A and B: the mean force is a spring between them, the noise is known."""
    system = System(
        name="diatomic",
        elements=("C", "H", "N", "H"),
        atom_names=("A", "HA", "B", "HB"),
        residue_names=("ABH",) * 4,
        residue=np.zeros(4, int),
        molecule=np.zeros(4, int),
        masses=np.array([12.0, 1.0, 14.0, 1.0]),
        charges=np.zeros(4),
        bonds=np.array([[0, 1], [0, 2], [2, 3]]),
        constraints=np.zeros((0, 2), int),
        virtual_sites=np.zeros(0, int),
        positions=np.eye(4, 3),
        box=None,
        force_field=lambda: "",
        state=State(),
    )
    template = Template(topology=next(iter(system.kinds())), names=("A", "B"), types=("A", "B"), weights=np.eye(4)[[0, 2]])
    return system, Mapping(templates=(template,))


@pytest.fixture(scope="module")
def diatomic_frames(diatomic):
    rng = np.random.default_rng(1)
    direction = rng.normal(size=(8000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = 0.15 + 0.008 * rng.normal(size=(8000, 1))
    positions, forces = rng.normal(size=(8000, 4, 3)) * 0.01, np.zeros((8000, 4, 3))
    positions[:, 2] = positions[:, 0] + length * direction
    for bead, sign in ((0, 1.0), (1, -1.0)):
        own, solvent = OWN[bead] * rng.normal(size=(8000, 3)), SOLVENT[bead] * rng.normal(size=(8000, 3))
        forces[:, 2 * bead] = sign * STIFFNESS * (length - 0.15) * direction + own
        forces[:, 2 * bead + 1] = solvent - own
    return Trajectory(positions=positions, forces=forces, system=diatomic[0])


def test_a_known_noise_lies_in_the_bracket(diatomic, diatomic_frames):
    found = noise.measure(diatomic_frames, diatomic[1], noise.Settings(n_frames=8000))
    signal = (STIFFNESS * 0.008) ** 2 / 3  # variance per component of the mean force
    left = OWN**2 * SOLVENT**2 / (OWN**2 + SOLVENT**2)  # what the best mixture of both atoms keeps of the noise
    assert found.names == ("A", "B")
    np.testing.assert_allclose(found.basic, signal + OWN**2, rtol=0.05)
    np.testing.assert_allclose(found.optimal, signal + left, rtol=0.05)
    np.testing.assert_allclose(found.unexplained, left, rtol=0.05)
    known = OWN**2 / (signal + OWN**2)
    assert np.all(np.abs(found.least - (known - left / (signal + OWN**2))) < 4 * found.least_error)
    assert np.all(np.abs(found.most - known) < 4 * found.most_error)  # the model holds the true mean force: the bound is tight
    assert np.all((found.least < known) & (found.least_error < 0.05) & (found.most_error < 0.05))
    np.testing.assert_allclose(found.most_optimal, left / (signal + left), rtol=0.05)


def test_forces_without_noise(diatomic, diatomic_frames):
    forces = np.array(diatomic_frames.forces)
    apart = diatomic_frames.positions[:, 2] - diatomic_frames.positions[:, 0]
    length = np.linalg.norm(apart, axis=1, keepdims=True)
    forces[:, 0] = STIFFNESS * (length - 0.15) * apart / length
    forces[:, 2], forces[:, 1::2] = -forces[:, 0], 0.0
    found = noise.measure(dataclasses.replace(diatomic_frames, forces=forces), diatomic[1])
    np.testing.assert_allclose(found.least, 0, atol=1e-6)
    np.testing.assert_allclose(found.most, 0, atol=2e-3)  # what is left: held-out distances beyond those learned from


def test_forces_of_nothing_but_noise(diatomic, diatomic_frames):
    forces = np.random.default_rng(2).normal(size=diatomic_frames.forces.shape)
    found = noise.measure(dataclasses.replace(diatomic_frames, forces=forces), diatomic[1])
    np.testing.assert_allclose(found.least, 0, atol=0.02)  # no map takes noise from independent forces ...
    np.testing.assert_allclose(found.most, 1, atol=0.01)  # ... and no model explains them
    assert np.all(found.most <= 1)


def test_published_water(data_folder):
    water = _water_aimd.load(data_folder)
    found = noise.measure(water, _water_aimd.oxygens(water.system))
    assert found.names == ("O",)
    assert found.basic / found.optimal == pytest.approx(13.0, rel=0.03)
    assert 1 - 1 / 12.5 < found.least[0] < found.most[0] < 1
    assert found.most_optimal[0] < 0.9  # pair forces between oxygens do explain something


def test_the_bracket_of_a_sampled_peptide(dipeptide, backbone):
    frames = reference.sample(dipeptide, reference.Settings(n_frames=2000, interval_ps=0.1, equilibration_ps=5.0))
    found = noise.measure(frames, backbone)
    assert found.names == ("C", "N", "CA", "C2", "N2")
    assert np.all((found.least > 0.1) & (found.least < found.most) & (found.most < 1))
    # a better model narrows the bracket from above and leaves the lower bound alone
    coarse = noise.measure(frames, backbone, noise.Settings(n_knots=2))
    np.testing.assert_array_equal(coarse.least, found.least)
    assert coarse.unexplained.mean() > found.unexplained.mean()


def test_pairs_see_the_nearest_image_and_copies_are_pooled():
    water = systems.load("water_tip3p")
    mapping = mappings.center_of_mass.build(water, None, mappings.center_of_mass.Settings())
    frames = reference.sample(water, reference.Settings(n_frames=40, interval_ps=0.05, equilibration_ps=0.2, timestep_fs=2.0))
    found = noise.measure(frames, mapping)
    assert len(found.names) == 1 and found.least[0] == pytest.approx(0, abs=1e-12)  # rigid water: one map only
    wrapped = dataclasses.replace(frames, positions=(frames.positions % frames.box[:, None]).astype(np.float32))
    assert noise.measure(wrapped, mapping).most == pytest.approx(found.most, abs=1e-3)
    apart = projection.project(frames, mapping).positions
    assert np.abs(apart[:, :, None] - apart[:, None]).max() > frames.box.min() / 2  # so that images matter


def test_what_cannot_be_measured_is_refused(diatomic, diatomic_frames):
    mapping = diatomic[1]
    with pytest.raises(ValueError, match="this trajectory has no forces"):
        noise.measure(dataclasses.replace(diatomic_frames, forces=None), mapping)
    with pytest.raises(ValueError, match="this trajectory does not know its system"):
        noise.measure(dataclasses.replace(diatomic_frames, system=None), mapping)
    with pytest.raises(ValueError, match="20 frames leave 5 to judge and 15 to learn from; 8 of each"):
        noise.measure(diatomic_frames.take(slice(0, 20)), mapping)


def test_a_single_bead_in_vacuum(dipeptide):
    frames = reference.sample(dipeptide, reference.Settings(n_frames=300, interval_ps=0.02, equilibration_ps=0.5))
    carbon = mappings.by_pick.build(dipeptide, None, mappings.by_pick.Settings(atoms=((8,),)))
    found = noise.measure(frames, carbon)
    assert found.most[0] == 1  # no other bead, no mean force
    whole = mappings.center_of_mass.build(dipeptide, None, mappings.center_of_mass.Settings(group="molecule"))
    with pytest.raises(ValueError, match="feels no force"):
        noise.measure(frames, whole)
