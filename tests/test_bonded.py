"""Distributions of distances, angles and dihedrals against known answers."""

import numpy as np
import pytest

from workbench import units
from workbench.observables import _base, bonded
from workbench.types import Beads, Trajectory


def bond(lengths: np.ndarray, replica: np.ndarray | None = None) -> Trajectory:
    """Two beads at the given distances [nm]."""
    positions = np.zeros((len(lengths), 2, 3))
    positions[:, 1, 0] = lengths
    return Trajectory(positions=positions, replica=replica)


def moments(observation) -> tuple[float, float]:
    """Mean and variance of a density over bins, with Sheppard's correction for the width of the bins."""
    (x,), width = observation.x, observation.x[0][1] - observation.x[0][0]
    weight = observation.value * width
    mean = float((weight * x).sum() / weight.sum())
    return mean, float((weight * (x - mean) ** 2).sum() / weight.sum() - width**2 / 12)


def test_harmonic_bond_has_the_variance_of_equipartition():
    stiffness, kt = 120_000.0, units.thermal_energy(300.0)
    lengths = np.random.default_rng(1).normal(0.15, np.sqrt(kt / stiffness), 200_000)
    found = bonded.compute(bond(lengths), bonded.Settings(beads=(0, 1)))
    mean, variance = moments(found)
    assert mean == pytest.approx(0.15, abs=4 * np.sqrt(kt / stiffness / 200_000))
    assert variance == pytest.approx(kt / stiffness, rel=4 * np.sqrt(2 / 200_000))
    assert found.unit == "1/nm" and found.x_unit == "nm"
    assert found.n_effective > 50_000
    exact = np.exp(-stiffness * (found.x[0] - 0.15) ** 2 / (2 * kt)) / np.sqrt(2 * np.pi * kt / stiffness)
    assert np.mean(np.abs(found.value - exact) < 3 * found.error + 1e-3 * exact.max()) > 0.95


def test_density_integrates_to_the_share_inside_the_range():
    lengths = np.linspace(0.0, 1.0, 10_001)[1:]
    found = bonded.compute(bond(lengths), bonded.Settings(beads=(0, 1), range=(0.25, 0.75), n_bins=50))
    assert found.value.sum() * 0.01 == pytest.approx(0.5, abs=1e-3)
    assert found.value == pytest.approx(np.full(50, 1.0), rel=0.02)


def test_errors_shrink_as_one_over_root_n():
    generator = np.random.default_rng(2)
    settings = bonded.Settings(beads=(0, 1), range=(0.1, 0.2), n_blocks=50, n_bins=20)
    errors = []
    for frames in (4_000, 64_000):
        found = bonded.compute(bond(generator.uniform(0.1, 0.2, frames)), settings)
        errors.append(np.sqrt(np.mean(found.error**2)))
        independent = np.sqrt(0.05 * 0.95 / frames) / 0.005
        assert errors[-1] == pytest.approx(independent, rel=0.1)
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.12)


def test_replicas_are_the_independent_samples():
    """Replicas that never move have as many independent samples as there are replicas, however many frames were kept."""
    generator = np.random.default_rng(3)
    still = generator.uniform(0.1, 0.2, 20)
    frames = bond(np.tile(still, 500), replica=np.tile(np.arange(20), 500))
    found = bonded.compute(frames, bonded.Settings(beads=(0, 1), range=(0.1, 0.2), n_bins=10))
    assert 10 < found.n_effective < 40
    assert bonded.compute(bond(np.tile(still, 500)), bonded.Settings(beads=(0, 1), range=(0.1, 0.2), n_bins=10)).n_effective > 5_000


def test_angles_and_dihedrals_are_found_in_their_bin():
    positions = np.array([[1.0, 0, 0], [0, 0, 0], [0, 1.0, 0], [0, 1.0, 1.0]])[None].repeat(4, 0)
    frames = Trajectory(positions=positions)
    angle = bonded.compute(frames, bonded.Settings(beads=(0, 1, 2), range=(0.0, np.pi), n_bins=9))
    assert angle.x[0][angle.value.argmax()] == pytest.approx(np.pi / 2)
    dihedral = bonded.compute(frames, bonded.Settings(beads=(0, 1, 2, 3), n_bins=8))
    assert dihedral.x[0][dihedral.value.argmax()] == pytest.approx(-np.pi / 2, abs=np.pi / 8 + 1e-9)
    assert dihedral.value.sum() * 2 * np.pi / 8 == pytest.approx(1.0)


def test_like_terms_are_pooled_and_boxes_are_periodic():
    positions = np.array([[[0.1, 0, 0], [0.95, 0, 0], [0.3, 0, 0], [0.55, 0, 0]]] * 3)
    found = bonded.compute(
        Trajectory(positions=positions, box=np.ones((3, 3))), bonded.Settings(beads=((0, 1), (2, 3)), range=(0.1, 0.3), n_bins=4)
    )
    assert found.value * 0.05 == pytest.approx([0.0, 0.5, 0.0, 0.5])


def test_terms_are_named_and_pooled_by_molecule():
    """Two like trimers and a dimer whose beads bear the same names: places of like molecules are one, others are told apart."""
    beads = Beads.from_bonds(
        names=("A", "B", "C", "A", "B", "C", "A", "B"),
        types=("A",) * 8,
        masses=(1.0,) * 8,
        molecule=(0, 0, 0, 1, 1, 1, 2, 2),
        bonds=((0, 1), (1, 2), (3, 4), (4, 5), (6, 7)),
    )
    assert bonded.named_terms(beads) == [
        ("bond A-B (0-1)", ((0, 1), (3, 4))),
        ("bond B-C", ((1, 2), (4, 5))),
        ("bond A-B (6-7)", ((6, 7),)),
        ("angle A-B-C", ((0, 1, 2), (3, 4, 5))),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beads": (0, 1, 2, 3, 4)}, "name 2 beads"),
        ({"beads": (0, 7)}, "has beads 0 to 1"),
        ({"beads": (1, 1)}, "named twice"),
        ({"range": (0.3, 0.2)}, "lower one first"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message):
        bonded.compute(bond(np.linspace(0.1, 0.2, 10)), bonded.Settings(**{"beads": (0, 1), **changes}))


def test_refuses_one_frame_and_frames_that_blew_up():
    with pytest.raises(ValueError, match="at least 2"):
        bonded.compute(bond(np.array([0.1])), bonded.Settings(beads=(0, 1)))
    with pytest.raises(ValueError, match="not finite"):
        bonded.compute(bond(np.array([0.1, 0.2, 1e300])), bonded.Settings(beads=(0, 1), range=(0.0, 1.0)))


def test_reference_chain_has_the_known_bond_lengths(ala2_reference):
    chain = ala2_reference.take(slice(0, 8000))
    for first, wanted in enumerate((0.1329263, 0.1465209, 0.1543668, 0.1335254)):
        exact = np.concatenate([values for _, values in _base.measure(chain, ((first, first + 1),))]).mean()
        assert exact == pytest.approx(wanted, abs=1e-7)
        mean, _ = moments(bonded.compute(chain, bonded.Settings(beads=(first, first + 1), n_bins=400)))
        assert mean == pytest.approx(wanted, abs=2e-6)
