import numpy as np
import pytest

from tests import _chains, _liquids
from workbench import types, units
from workbench.fitting import _tables, boltzmann_inversion
from workbench.potentials import tabulated

fit, Settings = boltzmann_inversion.fit, boltzmann_inversion.Settings


def test_pairs_are_minus_kt_ln_g_where_sampled_and_a_wall_below():
    data = _liquids.sampled()
    found = fit(tabulated.build(data, _liquids.GRID), data, Settings())
    g, kT = found.history["target_rdf"][0], units.thermal_energy(300.0)
    u, r = found.potential.values()[0], found.potential.knots()
    sampled = g > 0.05
    np.testing.assert_allclose(u[sampled], (-kT * np.log(g[sampled]) + kT * np.log(g[-1])), atol=1e-6)
    assert (np.diff(u[r < 0.27]) < 0).all() and u[0] > 5
    smoothed = fit(tabulated.build(data, _liquids.GRID), data, Settings(smoothing=3)).potential.values()[0]
    assert np.square(np.diff(smoothed, 3))[9:].sum() < 0.5 * np.square(np.diff(u, 3))[9:].sum()


def test_bonded_terms_of_independent_coordinates_come_back():
    """A bond and an angle drawn from known energies, with their Jacobians."""
    rng, kT = np.random.default_rng(0), units.thermal_energy(300.0)
    q = np.linspace(0.2, 0.6, 4001)
    weight = q**2 * np.exp(-0.5 * 2000 * (q - 0.4) ** 2 / kT)
    bonds = rng.choice(q, size=(40_000, 2), p=weight / weight.sum())
    t = np.linspace(0, np.pi, 4001)
    weight = np.sin(t) * np.exp(-0.5 * 20 * (t - 2.0) ** 2 / kT)
    angle = rng.choice(t, size=40_000, p=weight / weight.sum())
    x = np.zeros((40_000, 3, 3))
    x[:, 0, 0] = bonds[:, 0]
    x[:, 2] = bonds[:, 1, None] * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], 1)
    names = ("A",) * 3
    beads = types.Beads.from_bonds(names=names, types=names, masses=[1.0] * 3, molecule=[0] * 3, bonds=[(0, 1), (1, 2)])
    data = types.ReferenceData(positions=x, beads=beads, force_kind="none")
    found = fit(tabulated.build(data, tabulated.Settings(pairs=False)), data, Settings()).potential
    for kind, center, constant, width in (("bond", 0.4, 2000, 0.06), ("angle", 2.0, 20, 0.5)):
        at, values = found.knots(kind), found.values(kind)[0]
        near = np.abs(at - center) < width
        wanted = 0.5 * constant * (at[near] - center) ** 2
        assert np.abs(values[near] - values[near].min() - wanted).max() < 0.35
        assert values[0] > 10 and (kind == "angle" or values[-1] > 10)


def test_a_freely_jointed_chain_has_no_angle_energy():
    data = _chains.freely_jointed(200, 10, 6, 0.3)
    tables = tabulated.build(data, tabulated.Settings(pairs=False, bonds=False, dihedrals=False))
    values = fit(tables, data, Settings()).potential.values("angle")[0]
    assert values[10:-10].std() < 0.3


def test_continuation_is_repulsive_and_dihedrals_close():
    knots = np.linspace(0.2, 0.6, 9)
    values = np.array([[0, 0, 5, 2, -1, -0.5, -0.2, 0.1, 0.1]], float)
    sampled = np.arange(9)[None] >= 2
    continued = _tables.continue_pairs(values, sampled, knots)[0]
    assert (np.diff(continued[:4]) < 0).all() and continued[-1] == 0
    circle = np.linspace(-np.pi, np.pi, 13)
    ring = _tables.continue_terms("dihedral", np.cos(circle)[None], np.abs(circle)[None] < 2, circle, np.ones(1))[0]
    assert ring[0] == ring[-1] and ring.min() == 0
    assert _tables.smooth(ring[None], 2, True)[0, 0] == _tables.smooth(ring[None], 2, True)[0, -1]


def test_targets_without_an_answer_are_refused():
    data = _liquids.sampled()
    with pytest.raises(ValueError, match="1 frame is not enough"):
        fit(tabulated.build(data, _liquids.GRID), data.take(slice(0, 1)), Settings())
    with pytest.raises(ValueError, match="begin the tables at smaller distances"):
        fit(tabulated.build(data, tabulated.Settings(start=0.4, cutoff=0.7, spacing=0.02)), data, Settings())
    with pytest.raises(ValueError, match="has a gap at"):
        fit(tabulated.build(data, tabulated.Settings(start=0.2, cutoff=0.7, spacing=0.0005)), data.take(slice(0, 2)), Settings())
