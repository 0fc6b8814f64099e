"""Scores, passes and the report, against models whose faults are known."""

import json
import re

import numpy as np
import pytest

from workbench import types, validation
from workbench.types import ReferenceData, State, Trajectory

LN2 = np.log(2)


def beads() -> types.Beads:
    return types.Beads.from_bonds(
        names=("C", "N", "CA", "C2", "N2"),
        types=("C", "N", "CA", "C", "N"),
        masses=(12.0, 14.0, 12.0, 12.0, 14.0),
        molecule=(0,) * 5,
        bonds=((0, 1), (1, 2), (2, 3), (3, 4)),
    )


def flexible_chain(frames: int = 4000, seed: int = 0, width: float = 0.004) -> np.ndarray:
    """A zigzag of five beads with independent Gaussian displacements [nm], (F, 5, 3)."""
    zigzag = np.array([[0, 0, 0], [0.13, 0.05, 0.02], [0.2, 0.17, 0.0], [0.33, 0.19, 0.06], [0.4, 0.3, 0.02]])
    return zigzag + np.random.default_rng(seed).normal(0, width, (frames, 5, 3))


def chain_data(positions: np.ndarray, **changes) -> ReferenceData:
    return ReferenceData(positions=positions, beads=beads(), force_kind="none", **changes)


def by_name(comparisons) -> dict[str, validation.Comparison]:
    return {comparison.name: comparison for comparison in comparisons}


def test_a_model_equal_to_the_reference_passes_everything():
    data = chain_data(flexible_chain())
    found = validation.compare(data, Trajectory(positions=data.positions))
    assert [c.name.split()[0] for c in found] == ["bond"] * 4 + ["angle"] * 3 + ["dihedral"] * 2 + ["surface", "free", "population"]
    assert all(c.passed and c.score == pytest.approx(0, abs=1e-12) and np.isfinite(c.error) for c in found)


def test_independent_samples_score_as_the_halves_do():
    """A second sample of the same size scores about half the floor, whose two samples are half as large."""
    found = by_name(validation.compare(chain_data(flexible_chain(8000, 1)), Trajectory(positions=flexible_chain(8000, 2))))
    for name in ("bond C-N", "angle N-CA-C2"):
        assert 0.2 < found[name].score / found[name].floor < 1.2 and found[name].passed
        assert 0 < found[name].error < found[name].floor


def test_scaled_coordinates_fail_the_bonds_and_nothing_else():
    data = chain_data(flexible_chain())
    found = validation.compare(data, Trajectory(positions=1.1 * data.positions))
    assert {c.name for c in found if not c.passed} == {c.name for c in found if c.name.startswith("bond")}
    assert all(0.3 < c.score <= LN2 for c in found if c.name.startswith("bond"))


def test_a_mirror_image_fails_the_dihedrals_and_the_surface():
    data = chain_data(flexible_chain())
    found = validation.compare(data, Trajectory(positions=data.positions * np.array([1, 1, -1])))
    assert {c.name for c in found if not c.passed} == {
        "dihedral C-N-CA-C2",
        "dihedral N-CA-C2-N2",
        "surface phi/psi",
        "free energy phi/psi",
        "population never visited",
    }
    scores = by_name(found)
    assert scores["surface phi/psi"].score == pytest.approx(LN2, abs=0.02)
    assert scores["free energy phi/psi"].score == np.inf and scores["population never visited"].score > 0.95


def test_score_of_shifted_gaussians_is_known():
    """Two Gaussians d standard deviations apart have a divergence of d^2 / 8 for small d (Fisher information)."""
    generator = np.random.default_rng(0)
    two = types.Beads.from_bonds(names=("A", "B"), types=("A", "B"), masses=(1.0, 1.0), molecule=(0, 0), bonds=((0, 1),))

    def dimers(mean: float) -> np.ndarray:
        positions = np.zeros((400_000, 2, 3))
        positions[:, 1, 2] = generator.normal(mean, 0.003, 400_000)
        return positions

    data = ReferenceData(positions=dimers(0.150), beads=two, force_kind="none")
    (found,) = validation.compare(data, Trajectory(positions=dimers(0.1509)))
    assert found.score == pytest.approx(0.3**2 / 8, rel=0.05)


def test_errors_shrink_as_one_over_root_n():
    """Away from zero the score is a smooth function of means, so its error goes as 1/sqrt(n)."""
    errors = []
    for frames in (2_000, 32_000):
        model = Trajectory(positions=flexible_chain(frames, 4, width=0.006))
        errors.append(by_name(validation.compare(chain_data(flexible_chain(frames, 3)), model))["bond C-N"].error)
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.35)


def test_bootstrap_error_is_the_spread_of_independent_repeats():
    repeats = []
    for seed in range(20):
        model = Trajectory(positions=flexible_chain(2000, 200 + seed, width=0.006))
        repeats.append(by_name(validation.compare(chain_data(flexible_chain(2000, 100 + seed)), model))["bond C-N"])
    spread = np.std([c.score for c in repeats], ddof=1)
    assert np.mean([c.error for c in repeats]) == pytest.approx(spread, rel=0.45)


@pytest.mark.parametrize(("far", "frames"), [(1e7, 10), (1e300, 10), (1e300, 4000), (np.nan, 10)])
def test_a_model_that_blew_up_scores_ln2_and_fails(far, frames, tmp_path):
    data = chain_data(flexible_chain())
    model = Trajectory(positions=data.positions.copy())
    positions = data.positions.copy()
    positions[-frames:, 0] = far
    object.__setattr__(model, "positions", positions)  # a file that changed after its frames were checked
    result = validation.report(data, model, tmp_path)
    for comparison in result.comparisons:
        worst = {"free energy phi/psi": np.inf, "population never visited": 1.0}.get(comparison.name, LN2)
        assert comparison.score == worst and not comparison.passed
    assert json.loads(result.json.read_text())["comparisons"][0]["score"] == pytest.approx(LN2)


def test_collapsed_beads_have_no_dihedral_and_fail_it():
    """Three beads on one point: the angle and dihedral are not defined, other terms still count."""
    data = chain_data(flexible_chain())
    positions = data.positions.copy()
    positions[0, :3] = positions[0, 0]
    found = by_name(validation.compare(data, Trajectory(positions=positions)))
    assert found["dihedral C-N-CA-C2"].score == LN2 and found["surface phi/psi"].score == LN2
    assert found["bond C2-N2"].passed and found["dihedral N-CA-C2-N2"].score == LN2


def diatomics(frames: int, seed: int) -> tuple[np.ndarray, types.Beads]:
    """Eight diatomic molecules with random centres and bonds of 0.11 nm across the borders of a 2 nm box."""
    generator = np.random.default_rng(seed)
    axis = generator.normal(size=(frames, 8, 3))
    axis *= generator.normal(0.11, 0.003, (frames, 8, 1)) / np.linalg.norm(axis, axis=-1, keepdims=True)
    first = generator.uniform(0, 2, (frames, 8, 3))
    positions = np.stack([first, first + axis], 2).reshape(frames, 16, 3) % 2.0
    topology = types.Beads.from_bonds(
        names=("A", "B") * 8,
        types=("A", "B") * 8,
        masses=(14.0, 16.0) * 8,
        molecule=np.repeat(np.arange(8), 2),
        bonds=[(2 * m, 2 * m + 1) for m in range(8)],
    )
    return positions, topology


def test_a_liquid_is_compared_by_its_radial_distributions():
    positions, topology = diatomics(3000, 0)
    box = np.full((3000, 3), 2.0)
    data = ReferenceData(positions=positions, beads=topology, box=box, force_kind="none")
    model = Trajectory(positions=diatomics(3000, 1)[0], box=box)
    found = by_name(validation.compare(data, model, validation.Settings(n_bins_rdf=20)))
    assert set(found) == {"bond A-B", "g(r) A-A", "g(r) A-B", "g(r) B-B"}
    assert all(c.passed for c in found.values())
    far = found["g(r) A-A"].reference.x[0] > 0.3
    reference = found["g(r) A-A"].reference
    assert np.all(np.abs(reference.value[far] - 1) < 4 * reference.error[far])
    clustered = Trajectory(positions=positions / 2, box=box)
    failed = by_name(validation.compare(data, clustered, validation.Settings(n_bins_rdf=20)))
    assert not any(c.passed for c in failed.values())


def test_replicas_of_a_model_are_its_blocks():
    data = chain_data(flexible_chain())
    still = np.repeat(flexible_chain(50, 9), 40, axis=0)
    stuck = Trajectory(positions=still, replica=np.repeat(np.arange(50), 40))
    found = by_name(validation.compare(data, stuck))["bond C-N"]
    assert found.model.n_effective < 200 < found.reference.n_effective


def test_report_is_complete_and_offline(tmp_path):
    data = chain_data(flexible_chain(), parents=("abc123",))
    model = Trajectory(positions=1.1 * data.positions * np.array([1, 1, -1]))
    result = validation.report(data, model, tmp_path / "report", details={"potential": "bonds <only> & angles"})
    assert not result.passed and len(result.comparisons) == 12

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    body = json.loads(result.json.read_text(), parse_constant=refuse)
    assert body["passed"] is False and len(body["comparisons"]) == 12
    assert [c["passed"] for c in body["comparisons"]] == [c.passed for c in result.comparisons]
    assert body["comparisons"][0]["score"] == pytest.approx(result.comparisons[0].score, rel=1e-6)
    assert body["comparisons"][10]["score"] is None  # no shared bins
    assert body["settings"]["max_surface"] == 0.15 and body["identities"]["reference_parents"] == ["abc123"]
    assert re.fullmatch("[0-9a-f]{16}", body["identities"]["model"]) and body["versions"]["workbench"]
    figures = sorted(tmp_path.glob("report/*.png"))
    assert len(figures) == 10 and all(figure.read_bytes().startswith(b"\x89PNG") for figure in figures)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(
        [*(f.name for f in figures), "report.html", "report.json"]
    )
    page = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "data:", result.html.read_text())
    assert not re.search(r"https?:|//[a-z]|<script|<link|src=\"(?!data:)|url\(", page)
    assert page.count("<img ") == page.count("alt=") == 10
    assert page.count("✗ FAIL") > 9 and "bonds &lt;only&gt; &amp; angles" in page


def test_report_is_the_same_twice_and_replaces_the_old_one(tmp_path):
    data = chain_data(flexible_chain(400))
    first = validation.report(data, Trajectory(positions=data.positions), tmp_path)
    before = first.json.read_bytes(), first.html.read_bytes()
    second = validation.report(data, Trajectory(positions=data.positions), tmp_path)
    assert (second.json.read_bytes(), second.html.read_bytes()) == before


def test_report_without_dihedrals(tmp_path):
    topology = types.Beads.from_bonds(
        names=("A", "B", "C"), types=("A", "B", "C"), masses=(1.0,) * 3, molecule=(0,) * 3, bonds=((0, 1), (1, 2))
    )
    data = ReferenceData(positions=flexible_chain()[:, :3], beads=topology, force_kind="none")
    result = validation.report(data, Trajectory(positions=flexible_chain(4000, 1)[:, :3]), tmp_path)
    assert result.passed and [c.name for c in result.comparisons] == ["bond A-B", "bond B-C", "angle A-B-C"]
    assert "Free-energy surface" not in result.html.read_text()


def test_refusals(tmp_path):
    data = chain_data(flexible_chain(100))
    with pytest.raises(ValueError, match="the model has 4 beads, the reference 5"):
        validation.report(data, Trajectory(positions=data.positions[:, :4]), tmp_path / "none")
    with pytest.raises(ValueError, match="reference is at 300 K, the model at 350 K"):
        validation.report(data, Trajectory(positions=data.positions, states=(State(temperature=350.0),)), tmp_path / "none")
    with pytest.raises(ValueError, match="periodic box"):
        validation.report(data, Trajectory(positions=data.positions, box=np.ones((100, 3))), tmp_path / "none")
    with pytest.raises(ValueError, match="at least 2"):
        validation.report(data, data.take(slice(0, 1)), tmp_path / "none")
    with pytest.raises(ValueError, match="did you mean 'max_bond'"):
        validation.Settings(max_bonds=0.1)
    assert not (tmp_path / "none").exists()


def test_reference_chain_against_itself_and_against_noise(ala2_reference):
    """The first 8,000 frames pass against all; noise of 0.01 nm shows in the bonds; the surface's floor is that of two halves."""
    found = by_name(validation.compare(ala2_reference, ala2_reference.take(slice(0, 8000))))
    assert all(c.passed for c in found.values())
    assert found["surface phi/psi"].floor == pytest.approx(0.055, abs=0.004)
    noisy = ala2_reference.positions + np.random.default_rng(0).normal(0, 0.01, ala2_reference.positions.shape)
    failed = by_name(validation.compare(ala2_reference, Trajectory(positions=noisy)))
    assert not failed["bond C-N"].passed and failed["surface phi/psi"].score > found["surface phi/psi"].score
