import dataclasses

import numpy as np
import pytest
import torch

from tests.test_potentials_contract import chain, liquid
from tests.test_tabulated import mixture
from workbench import potentials, store, types
from workbench.fitting import _continued, _evidence
from workbench.fitting import spline_force_matching as matching
from workbench.potentials import lennard_jones, repulsion, tabulated, three_body_spline

Settings = matching.Settings
PAIRS = tabulated.Settings(start=0.2, cutoff=0.6, spacing=0.02, bonds=False)


def with_forces(data, potential, noise=0.0, seed=0):
    """``data`` with the forces of ``potential`` and normal noise on them."""
    box = None if data.box is None else torch.tensor(data.box)
    force = potentials.forces(potential, torch.tensor(data.positions), box).detach().numpy()
    return dataclasses.replace(data, forces=force + noise * np.random.default_rng((7, seed)).standard_normal(force.shape))


def curves(table, seed=0):
    """Pair tables with a core, a well and waves, one different from the other."""
    r, rng = table.knots(), np.random.default_rng(seed)
    return table.with_values(
        np.stack([50 * np.exp(-(r - 0.2) / 0.03) - 2 * np.cos(15 * (r + rng.random())) * (0.6 - r) / 0.4 for _ in table.pairs])
    )


def drawn(n_frames, seed=0):
    """Two of the jittered lattice's beads of a pair at every distance: what a liquid has."""
    return liquid(n_frames=n_frames, seed=seed)


def chains(n_frames, wobble=0.05):
    """A chain in which ends are alike, with all its terms."""
    data = chain(n_frames=n_frames, wobble=wobble)
    return dataclasses.replace(data, beads=dataclasses.replace(data.beads, types=("A", "B", "B", "B", "A")))


def compared(found, true, counts, least=10):
    """Values at the knots between intervals that are well sampled, of both."""
    full = np.pad(counts >= least, ((0, 0), (1, 1)))
    inside = full[:, 1:] & full[:, :-1]
    return found[inside], true[inside], inside


def test_pairs_of_all_types_are_recovered_beside_a_part_that_is_fixed():
    data = mixture()
    positions = np.concatenate([mixture(seed=seed).positions for seed in range(10)])
    data = dataclasses.replace(data, positions=positions, box=np.tile(data.box[:1], (20, 1)))
    empty, prior = tabulated.build(data, PAIRS), repulsion.build(data, repulsion.Settings(cutoff=0.6)).double()
    true = curves(empty)
    data = with_forces(data, potentials.Sum([true, prior], [0.5, 1.0]))
    for how in ("bayesian", "none"):
        fit = matching.fit(potentials.Sum([empty, prior], [0.5, 1.0]), data, Settings(n_blocks=5, regularisation=how))
        table, counts = fit.potential.parts[0], fit.history["pair_count"]
        found, wanted, _ = compared(table.values(), true.values(), counts)
        assert len(found) > 40 and np.abs(found - wanted).max() < 1e-6 * np.ptp(wanted)
        assert fit.history["force_error_after"].max() < 1e-6 * fit.history["force_error_before"].max()
        assert fit.potential.weights == [0.5, 1.0] and not any(p.requires_grad for p in fit.potential.parameters())
    assert not empty.values().any() and empty.coefficients.requires_grad  # what was given is left as it is


def test_bonds_angles_and_dihedrals_are_recovered():
    data = chains(400)
    empty = tabulated.build(data, tabulated.Settings(pairs=False, bond_spacing=0.02, n_angle=20, n_dihedral=24))
    q = {kind: empty.knots(kind) for kind in ("bond", "angle", "dihedral")}
    true = empty.with_values(
        {
            "bond": np.stack([2000 * (q["bond"] - 0.14) ** 2, 3000 * (q["bond"] - 0.15) ** 2 - 400 * q["bond"] ** 3]),
            "angle": np.stack([30 * (q["angle"] - 2) ** 2, 10 * np.cos(q["angle"])]),
            "dihedral": np.stack([3 * np.cos(q["dihedral"]) + 2 * np.sin(2 * q["dihedral"])] * len(empty.tables["dihedral"])),
        }
    )
    data = with_forces(data, true)
    fit = matching.fit(empty, data, Settings(n_blocks=4))
    for kind in ("bond", "angle", "dihedral"):
        found, wanted, inside = compared(fit.potential.values(kind), true.values(kind), fit.history[f"{kind}_count"])
        apart = np.where(inside, fit.potential.values(kind) - true.values(kind), np.nan)
        assert len(found) > 8 and np.nanmax(np.nanmax(apart, 1) - np.nanmin(apart, 1)) < 1e-6 * np.ptp(wanted)
        sampled = fit.potential.values(kind)[:, :-1][fit.history[f"{kind}_count"] > 0]
        assert abs(sampled.min()) < 1e-12  # counted from the least energy that was met
    again = with_forces(data, fit.potential)
    assert np.quantile(np.abs(again.forces - data.forces), 0.9) < 1e-6  # where there were few data, parabolas go on
    start, stop, n = empty.grids["bond"]
    slope = fit.potential.curve("bond", 0, np.array([start, stop]))[1]
    assert n == 27 and slope[0] < -100 and slope[1] > 100


def test_pairs_and_three_body_splines_are_recovered_together():
    data = drawn(20)
    pairs = tabulated.build(data, PAIRS)
    three = three_body_spline.build(data, three_body_spline.Settings(cutoff=0.5, theta_min=0.9, n_angle=12))
    wanted = three.with_values(20 * (np.cos(three.knots()) + 1 / 3)[None] ** 2)
    true = curves(pairs) + wanted
    data = with_forces(data, true)
    fit = matching.fit(pairs + three, data, Settings(n_blocks=4))
    found, at, _ = compared(fit.potential.parts[0].values(), true.parts[0].values(), fit.history["pair_count"])
    assert np.abs(found - at).max() < 1e-6 * np.ptp(at)
    found, at, _ = compared(fit.potential.parts[1].values(), wanted.values(), fit.history["triple_count"])
    assert len(found) > 8 and np.abs(found - at).max() < 1e-6 * np.ptp(at)


def test_noise_is_within_the_errors_that_are_stated():
    data = drawn(60)
    empty = tabulated.build(data, PAIRS)
    true, off = curves(empty), []
    for seed in range(20):
        fit = matching.fit(empty, with_forces(data, true, noise=100.0, seed=seed), Settings(n_blocks=20))
        found, wanted, inside = compared(fit.potential.values(), true.values(), fit.history["pair_count"], 200)
        off.append((found - wanted) / fit.history["pair_error"][inside])
        assert fit.history["force_error_after"].mean() == pytest.approx(100.0, rel=0.02)
    off = np.array(off)[:, :-1]  # the last knot is zero
    assert 0.6 < np.mean(off**2) < 1.6 and np.mean(np.abs(off) < 2) > 0.9
    assert fit.history["pair_values"].shape == (20, 1, 21)


def test_evidence_smooths_what_is_noise():
    data = drawn(4)
    empty = tabulated.build(data, tabulated.Settings(start=0.1, cutoff=0.6, spacing=0.005, bonds=False))
    true = empty.with_values(5 * np.cos(8 * (empty.knots() - 0.6))[None] - 5)
    data = with_forces(data, true, noise=20.0)
    rough = {}
    for how in ("bayesian", "none"):
        fit = matching.fit(empty, data, Settings(n_blocks=2, regularisation=how))
        r = empty.knots()[empty.knots() > 0.26]
        rough[how] = np.std(np.diff(fit.potential.curve(0, r)[1] - true.curve(0, r)[1]))
    assert rough["bayesian"] < 0.3 * rough["none"]


def test_the_evidence_finds_the_strength_that_made_the_coefficients():
    rng = np.random.default_rng(0)
    n, noise, spread = 60, 0.3, 2.0
    bend = np.diff(np.eye(n), 2, axis=0)
    c = np.linalg.pinv(bend) @ (spread * rng.standard_normal(n - 2))
    design = rng.standard_normal((5000, n))
    force = design @ c + noise * rng.standard_normal(5000)
    (group,) = _evidence.groups([(np.eye(n), False)])
    assert group.rank == n - 2
    strength = _evidence.strengths(design.T @ design, design.T @ force, force @ force, 5000, [group])
    assert strength[0] == pytest.approx((noise / spread) ** 2, rel=0.5)


def test_a_wall_goes_on_where_pairs_came_no_closer():
    data = drawn(10)
    empty = tabulated.build(data, dataclasses.replace(PAIRS, start=0.04))
    data = with_forces(data, lennard_jones.build(data, lennard_jones.Settings(sigma=0.28, epsilon=1.0, cutoff=0.6)).double())
    fit = matching.fit(empty, data, Settings(n_blocks=5, regularisation="ridge"))
    empty_below = int(np.argmax(fit.history["pair_count"][0] >= _continued.LEAST_VISITS))
    assert empty_below > 2
    energy, slope = fit.potential.curve(0, np.linspace(0.02, empty.knots()[empty_below], 200))
    assert (slope < 0).all() and energy[0] > 1e4


def test_a_run_that_was_killed_goes_on_and_ends_alike(tmp_path):
    data = drawn(12)
    empty = tabulated.build(data, PAIRS)
    data = with_forces(data, curves(empty), noise=10.0)
    whole = matching.fit(empty, data, Settings(n_blocks=4))

    def stop(block, metrics):
        assert metrics["total"] == 4 and metrics["force_error_after"] < metrics["force_error_before"]
        if block == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        matching.fit(empty, data, Settings(n_blocks=4), on_step=stop, checkpoint=tmp_path)
    steps = []
    again = matching.fit(empty, data, Settings(n_blocks=4), on_step=lambda block, metrics: steps.append(block), checkpoint=tmp_path)
    assert steps == [3, 4]
    for name, value in whole.history.items():
        np.testing.assert_array_equal(again.history[name], value)
    assert store.identity(again.potential) == store.identity(whole.potential)
    with pytest.raises(ValueError, match="another run"):
        matching.fit(empty, data, Settings(n_blocks=3), checkpoint=tmp_path)


def test_two_threads_find_the_same():
    data = drawn(8)
    empty = tabulated.build(data, PAIRS)
    data = with_forces(data, curves(empty), noise=10.0)
    one, two = (matching.fit(empty, data, Settings(n_blocks=2, n_threads=n)).potential.values() for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-8)


def test_bad_input_is_refused():
    data = drawn(4)
    empty = tabulated.build(data, PAIRS)
    with pytest.raises(ValueError, match="needs forces"):
        matching.fit(empty, data, Settings())
    data = with_forces(data, curves(empty))
    with pytest.raises(ValueError, match="no table to solve for"):
        matching.fit(lennard_jones.build(data, lennard_jones.Settings(cutoff=0.6)), data, Settings())
    with pytest.raises(ValueError, match="two parts of the sum have pair tables"):
        matching.fit(empty + curves(empty), data, Settings())
    with pytest.raises(ValueError, match="needs at least 2"):
        matching.fit(empty, data.take(slice(0, 1)), Settings())
    with pytest.raises(ValueError, match="no table for type X"):
        beads = types.Beads.from_bonds(names=("X",) * 64, types=("X",) * 64, masses=[1.0] * 64, molecule=range(64), bonds=[])
        matching.fit(empty, dataclasses.replace(data, beads=beads), Settings())
    small = dataclasses.replace(data, box=data.box * 0.9)
    with pytest.raises(ValueError, match="must be at most half of it"):
        matching.fit(empty, small, Settings())
