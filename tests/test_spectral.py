import time

import networkx
import numpy as np
import pytest
import scipy.optimize

from tests import _molecules
from workbench import mappings, systems
from workbench.mappings import _graph

spectral = mappings.spectral
SMILES = [
    "Cc1ccccc1",
    "COC(=O)OC",
    "c1ccc2ccccc2c1",
    "c1ccc(-c2ccccc2-c2ccccc2)cc1",
    "CC(C)(C)CC(C)C",
    "CC(=O)Oc1ccccc1C(=O)O",
    "OCC1OC(O)C(O)C(O)C1O",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "C1C2CC3CC1CC(C2)C3",
    "c1ccsc1",
    "CC1=C(C)C(=O)C(C)=C(C)C1=O",
    "C[Si](C)(C)O[Si](C)(C)O[Si](C)(C)C",
    "CC(C)CCCC(C)C1CCC2C1(CCC3C2CC=C4C3(CCC(C4)O)C)C",
    "CC(=O)NC(C)C(=O)NC",
    "C(=O)1OCC(CO)C(CC)C1",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
]


def levels(system, **values):
    return spectral.levels(system, spectral.Settings(**values))


def from_one(groups):
    return [tuple(atom + 1 for atom in group) for group in groups]


def in_old_numbers(found, old):
    return [sorted(tuple(sorted(old[list(group)].tolist())) for group in groups) for groups in found]


def literal(graph, weights):
    """The published words, one merge at a time on a shrinking graph, with dense eigenvectors and the lower number first."""
    now = networkx.Graph()
    now.add_nodes_from((v, {"atoms": (v,), "mass": d["mass"]}) for v, d in graph.nodes(data=True))
    now.add_edges_from(graph.edges)
    found = [sorted(atoms for _, atoms in now.nodes(data="atoms"))]
    while len(now) > 1:
        order = sorted(now, key=lambda v: min(now.nodes[v]["atoms"]))
        m = np.array([now.nodes[v]["mass"] for v in order])
        diagonal = {"none": 0 * m, "mass": m / m.max(), "diff": (m - m.min()) / m.mean()}[weights]
        vector = np.abs(np.linalg.eigh(networkx.to_numpy_array(now, nodelist=order) + np.diag(diagonal))[1][:, -1])
        weight = {v: round(float(w), 10) for v, w in zip(order, vector / vector[0], strict=True)}
        after, gone, closed, recent, last = now.copy(), set(), set(), set(), None
        for visited in sorted(order, key=lambda v: (weight[v], order.index(v))):
            if visited in gone:
                continue
            if weight[visited] != last:
                closed, recent, last = closed | recent, set(), weight[visited]
            options = [v for v in after[visited] if v not in closed and weight[v] >= weight[visited]]
            merging = visited
            for other in [v for v in options if weight[v] == min(weight[u] for u in options)]:
                after.nodes[other]["atoms"] += after.nodes[merging]["atoms"]
                after.nodes[other]["mass"] += after.nodes[merging]["mass"]
                after.add_edges_from((other, v) for v in list(after[merging]) if v != other)
                after.remove_node(merging)
                gone |= {merging, other}
                recent |= {merging, other}
                merging = other
        now = after
        found.append(sorted(tuple(sorted(atoms)) for _, atoms in now.nodes(data="atoms")))
    return found


@pytest.mark.parametrize(
    ("smiles", "weights", "sizes", "first"),
    [
        ("Cc1ccccc1", "diff", [7, 4, 2, 1], [(1, 2), (3,), (4, 5, 6), (7,)]),
        ("Cc1ccccc1", "mass", [7, 4, 2, 1], [(1, 2), (3,), (4, 5, 6), (7,)]),
        ("Cc1ccccc1", "none", [7, 4, 1], [(1, 2), (3,), (4, 5, 6), (7,)]),
        ("COC(=O)OC", "none", [6, 3, 1], [(1, 2), (3, 4), (5, 6)]),
    ],
)
def test_the_published_examples(smiles, weights, sizes, first):
    found = levels(systems.from_smiles(smiles), weights=weights)
    assert [len(groups) for groups in found] == sizes
    assert from_one(found[1]) == first


def test_toluene_second_level():
    assert from_one(levels(_molecules.drawn("Cc1ccccc1"))[2]) == [(1, 2, 3, 7), (4, 5, 6)]


def test_weights_of_dimethyl_carbonate_and_its_eigenvalue():
    (_, _, graph), *_ = _graph.kinds(_molecules.drawn("COC(=O)OC"))
    log_x = spectral.weights(graph, spectral.Settings(weights="none"))
    x = np.exp([log_x[v] - log_x[0] for v in graph])
    np.testing.assert_allclose(x, [1, 1.931852, 2.732051, 1.414214, 1.931852, 1], atol=1e-6)
    np.testing.assert_allclose(networkx.to_numpy_array(graph) @ x, 1.9318516526 * x, atol=1e-9)


@pytest.mark.parametrize("weights", ["none", "mass", "diff"])
@pytest.mark.parametrize("smiles", SMILES)
def test_other_molecules_follow_the_words_whatever_the_order_of_their_atoms(smiles, weights):
    molecule = _molecules.drawn(smiles)
    (_, _, graph), *_ = _graph.kinds(molecule)
    found = levels(molecule, weights=weights)
    assert found == literal(graph, weights)
    for seed in range(100 if smiles == SMILES[0] else 10):
        other, old = _molecules.shuffled(molecule, seed)
        assert in_old_numbers(levels(other, weights=weights), old) == found


@pytest.mark.parametrize("weights", ["none", "diff"])
@pytest.mark.parametrize("polymer", [_molecules.polyethylene(10_000), _molecules.polystyrene(1250)], ids=["polyethylene", "polystyrene"])
def test_ten_thousand_atoms_in_any_order(polymer, weights):
    start = time.perf_counter()
    found = levels(polymer, weights=weights)
    assert time.perf_counter() - start < 10
    assert len(found[0]) == 10_000 and len(found[-1]) == 1
    assert max(map(len, found[3])) <= 16  # no lump where weights lie close
    for seed in range(2):
        other, old = _molecules.shuffled(polymer, seed)
        assert in_old_numbers(levels(other, weights=weights), old) == found


def test_equivalent_atoms_of_a_long_chain_have_the_same_weight_to_the_last_bit():
    (_, _, graph), *_ = _graph.kinds(_molecules.polyethylene(10_000))
    log_x = np.array(list(spectral.weights(graph, spectral.Settings(weights="diff")).values()))
    assert np.array_equal(log_x, log_x[::-1]) and len(set(log_x)) == 5000


def test_weights_stay_exact_where_they_fall_over_thousands_of_decades():
    chain = _molecules.chain(5000, "C", [], [4], (0, 0), start="C" * 6, before=_molecules.RING)  # a ring holds the eigenvector
    (_, _, graph), *_ = _graph.kinds(chain)
    log_x = np.array(list(spectral.weights(graph, spectral.Settings(weights="none")).values()))
    assert log_x[-1] < -1500
    decay = scipy.optimize.brentq(lambda d: np.exp(d) - 2 * np.cosh(2 * d) / np.cosh(3 * d), 0.1, 1)  # ring and chain meet
    k = np.arange(1, 5001)  # bonds from beyond the far end: x ~ sinh(decay k)
    log_sinh = k * decay + np.log1p(-np.exp(-2 * k * decay))
    np.testing.assert_allclose(log_x[::-1][:5000] - log_x[-1], log_sinh - log_sinh[0], atol=1e-8)


def test_build_gives_centres_of_mass_of_one_level():
    toluene = systems.from_smiles("Cc1ccccc1")
    mapping = spectral.build(toluene, None, spectral.Settings(weights="diff", level=2))
    template, masses = mapping.templates[0], toluene.masses
    ring = template.atoms(1)
    assert sorted(ring[ring < 7].tolist()) == [3, 4, 5] and len(ring) == 6  # three carbons, three hydrogens
    np.testing.assert_allclose(
        (mapping.expand(toluene) @ toluene.positions)[1], masses[ring] @ toluene.positions[ring] / masses[ring].sum()
    )
    assert mapping.beads(toluene).masses.sum() == pytest.approx(masses.sum())


def test_equivalent_beads_share_a_type():
    toluene = _molecules.drawn("Cc1ccccc1")
    assert spectral.build(toluene, None, spectral.Settings()).templates[0].types == ("C2H3", "CH", "C3H3", "CH")
    hexane = _molecules.drawn("CCCCCC")
    single = spectral.build(hexane, None, spectral.Settings(level=0)).templates[0].types
    assert single == single[::-1] and len(set(single)) == 3
    assert len(set(spectral.build(hexane, None, spectral.Settings(level=0, types="composition")).templates[0].types)) == 2


def test_every_kind_of_molecule_gets_its_template():
    mixture = _molecules.drawn("Cc1ccccc1.O.Cc1ccccc1.O")
    mapping = spectral.build(mixture, None, spectral.Settings(level=2))
    assert [len(t.names) for t in mapping.templates] == [2, 1]
    assert mapping.expand(mixture).shape == (6, mixture.n_atoms)
    only = spectral.build(mixture, None, spectral.Settings(level=1, molecules=(2,)))
    assert [len(t.names) for t in only.templates] == [4]
    assert levels(mixture, molecules=(1,)) == [[(0,)]]


def test_a_mass_cap_holds_and_passes_the_merge_on():
    phenyls = _molecules.drawn("c1ccc(-c2ccccc2-c2ccccc2)cc1")
    for cap in (30.0, 45.0, 80.0):
        (_, _, graph), *_ = _graph.kinds(phenyls)
        found = levels(phenyls, mass_cap=cap)
        heaviest = [max(sum(graph.nodes[a]["mass"] for a in group) for group in groups) for groups in found]
        assert 20 < heaviest[-1] <= cap
        sizes = [sorted(map(len, groups)) for groups in found]
        for seed in range(10):
            other, _ = _molecules.shuffled(phenyls, seed)
            assert [sorted(map(len, groups)) for groups in levels(other, mass_cap=cap)] == sizes
    assert levels(phenyls, mass_cap=1e6) == levels(phenyls)


def test_a_ring_of_like_atoms_merges_at_once_and_in_pairs_under_a_cap():
    benzene = _molecules.drawn("c1ccccc1")
    assert [len(groups) for groups in levels(benzene)] == [6, 1]
    assert [len(groups) for groups in levels(benzene, mass_cap=26.1)][:2] == [6, 3]


def test_single_atoms_hydrogen_and_massless_sites_have_an_answer():
    assert levels(_molecules.drawn("C")) == [[(0,)]]
    assert levels(_molecules.drawn("[H][H]")) == [[(0,), (1,)], [(0, 1)]]
    water = systems.load("water_tip4p2005")
    template = spectral.build(water, None, spectral.Settings(level=0)).templates[0]
    assert template.names == ("B1",) and template.types == ("H2O",) and template.weights[0, 3] == 0


def test_refusals():
    pieces = _molecules.system("CHHHCHHH", [(0, 1), (0, 2), (0, 3), (4, 5), (4, 6), (4, 7)])
    with pytest.raises(ValueError, match="atoms 0 to 7 of 'drawn' falls into 2 pieces that no bond joins"):
        levels(pieces)
    toluene = _molecules.drawn("Cc1ccccc1")
    with pytest.raises(ValueError, match="level = 4: nothing merges in 'drawn' after level 3: choose 0 to 3"):
        spectral.build(toluene, None, spectral.Settings(level=4))
    with pytest.raises(ValueError, match="there is no molecule 1 in 'drawn': it has 1, counted from 0"):
        levels(toluene, molecules=(1,))
    with pytest.raises(ValueError, match="choose one of 'none', 'mass', 'diff'"):
        spectral.Settings(weights="heavy")
