import dataclasses
import itertools

import numpy as np
import pytest

from tests.test_potentials_contract import chain, liquid
from tests.test_tabulated import mixture
from workbench import types
from workbench.fitting import _histograms as histograms
from workbench.observables import _base as observed
from workbench.potentials import tabulated

PAIRS = tabulated.Settings(start=0.1, cutoff=0.6, spacing=0.02, bonds=False)


def gas(n_frames=30, n=200, edge=2.0, seed=0):
    """Beads that know nothing of each other; the edges of the box vary."""
    rng = np.random.default_rng(seed)
    box = edge * rng.uniform(0.9, 1.1, (n_frames, 3))
    beads = types.Beads.from_bonds(names=("A", "B") * (n // 2), types=("A", "B") * (n // 2), masses=[1.0] * n, molecule=range(n), bonds=[])
    return types.ReferenceData(positions=rng.uniform(size=(n_frames, n, 3)) * box[:, None], box=box, beads=beads)


def test_pairs_are_counted_as_one_by_one():
    data = mixture()
    tables = tabulated.build(data, PAIRS)
    counts = histograms.pair_counts(data, tables)
    wanted = np.zeros_like(counts)
    kinds = data.beads.types
    for frame, (i, j) in itertools.product(range(len(data)), itertools.combinations(range(len(kinds)), 2)):
        if (i, j) == (0, 1):  # bonded, so excluded
            continue
        d = data.positions[frame, i] - data.positions[frame, j]
        d -= np.rint(d / data.box[frame]) * data.box[frame]
        bin = int(np.floor((np.linalg.norm(d) - 0.09) / 0.02))
        if 0 <= bin < wanted.shape[2]:
            wanted[frame, tables.pairs.index(tuple(sorted((kinds[i], kinds[j])))), bin] += 1
    np.testing.assert_array_equal(counts, wanted)
    assert histograms.n_pairs(tables).tolist() == [32 * 31 / 2, 32 * 32 - 1, 32 * 31 / 2]


def test_chunks_of_frames_do_not_show(monkeypatch):
    data = gas(n_frames=7)
    tables = tabulated.build(data, PAIRS)
    whole = histograms.pair_counts(data, tables)
    monkeypatch.setattr(histograms, "PAIRS_AT_ONCE", 1)
    np.testing.assert_array_equal(histograms.pair_counts(data, tables), whole)


def test_a_gas_has_no_structure_whatever_the_box():
    data = gas(n_frames=100)
    tables = tabulated.build(data, PAIRS)
    counts = histograms.pair_counts(data, tables)
    g = histograms.rdf(counts, data, tables)
    error = np.sqrt(np.maximum(counts.sum(0), 1)) / histograms.ideal(data, tables) / len(data)
    assert np.abs((g - 1) / error).max() < 4.5 and np.mean(((g - 1) / error) ** 2) == pytest.approx(1, abs=0.4)


def test_bonded_terms_are_counted_at_the_nearest_knot_and_a_dihedral_is_periodic():
    data = chain(n_frames=40, wobble=0.03)
    tables = tabulated.build(data, tabulated.Settings(pairs=False))
    counts = histograms.bonded_counts(data, tables)
    for kind, rows in (("bond", data.beads.bonds), ("angle", data.beads.angles), ("dihedral", data.beads.dihedrals)):
        assert counts[kind].shape == (40, len(rows), len(tables.knots(kind)))
        for frames, q in observed.measure(data, tuple(map(tuple, rows.tolist()))):
            for term in range(len(rows)):
                found = counts[kind][frames, term]
                at = tables.knots(kind)[found[:, : -1 if kind == "dihedral" else None].argmax(1)]
                away = q[:, term] - at
                assert np.abs((away + np.pi) % (2 * np.pi) - np.pi).max() <= np.diff(tables.knots(kind))[0] / 2 * (1 + 1e-9)
    np.testing.assert_array_equal(counts["dihedral"][..., 0], counts["dihedral"][..., -1])
    for kind, density in histograms.densities(counts, tables).items():
        np.testing.assert_allclose(np.trapezoid(density, tables.knots(kind), axis=1), 1, atol=1e-9)


def test_ideal_chains_are_distributed_by_the_jacobian():
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(20000, 3, 3))
    x = np.cumsum(np.concatenate([np.zeros((20000, 1, 3)), steps / np.linalg.norm(steps, axis=2, keepdims=True) * 0.15], 1), axis=1)
    beads = types.Beads.from_bonds(names="AAAA", types="AAAA", masses=[1.0] * 4, molecule=[0] * 4, bonds=[(0, 1), (1, 2), (2, 3)])
    data = types.ReferenceData(positions=x, beads=beads)
    tables = tabulated.build(data, tabulated.Settings(pairs=False, bonds=False, n_angle=20, n_dihedral=20))
    density = histograms.densities(histograms.bonded_counts(data, tables), tables)
    np.testing.assert_allclose(density["angle"][0], histograms.bin_jacobian("angle", tables.knots("angle")) / 2, atol=0.03)
    np.testing.assert_allclose(density["dihedral"][0], 1 / (2 * np.pi), rtol=0.12)
    knots = np.linspace(0.1, 0.2, 11)
    np.testing.assert_allclose(histograms.bin_jacobian("bond", knots), knots**2 + 0.01**2 / 12, rtol=1e-12)


def test_targets_that_tell_no_potential_are_refused():
    data = liquid(n_frames=20)
    tables = tabulated.build(data, tabulated.Settings(start=0.1, cutoff=0.6, spacing=0.02))
    r = tables.knots()
    good = 1 / (1 + np.exp(-(r - 0.3) / 0.01))[None] * (r > 0.2)
    histograms.check(data, tables, good)
    gap, negative, empty, late = good.copy(), good.copy(), good * 0, 1 + 0 * good
    gap[0, 15], negative[0, 15] = 0, -0.1
    for bad, words in (
        (gap, "gap at 0.400 nm"),
        (negative, "negative"),
        (np.nan * good, "not finite"),
        (empty, "up to the cut-off of 0.600"),
    ):
        with pytest.raises(ValueError, match=words):
            histograms.check(data, tables, bad)
    with pytest.raises(ValueError, match="begin the tables at smaller distances"):
        histograms.check(data, tables, late)
    small = dataclasses.replace(data, positions=data.positions * 0.9, box=data.box * 0.9)
    with pytest.raises(ValueError, match=r"needs a box of twice that: the smallest is 1\.116 nm"):
        histograms.check(small, tables, good)
    with pytest.raises(ValueError, match="periodic box"):
        histograms.ideal(dataclasses.replace(data, box=None), tables)


def test_bonds_off_the_grid_are_refused():
    data = chain()
    tables = tabulated.build(data, tabulated.Settings(pairs=False))
    longer = dataclasses.replace(data, positions=data.positions * 5)
    with pytest.raises(ValueError, match="no bond A-B of the data lies between"):
        histograms.check_bonded(tables, histograms.densities(histograms.bonded_counts(longer, tables), tables))
