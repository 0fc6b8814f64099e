import networkx
import numpy as np

from workbench.mappings import _refinement


def lists(graph):
    return [list(graph[v]) for v in range(len(graph))]


def relabelled(graph, seed):
    old = np.random.default_rng(seed).permutation(len(graph))
    return networkx.relabel_nodes(graph, {int(v): i for i, v in enumerate(old)}), old


def test_a_path_folds_and_a_ring_is_one_colour():
    path = _refinement.refine(lists(networkx.path_graph(7)), [0] * 7)
    assert np.array_equal(path, path[::-1]) and len(set(path)) == 4
    assert len(set(_refinement.refine(lists(networkx.cycle_graph(9)), [0] * 9))) == 1


def test_a_key_breaks_the_symmetry():
    colours = _refinement.refine(lists(networkx.cycle_graph(6)), [1, 0, 0, 0, 0, 0])
    assert colours[1] == colours[5] and colours[2] == colours[4] and len(set(colours)) == 4


def test_colours_are_equitable_and_the_coarsest():
    for seed in range(20):
        graph = networkx.gnp_random_graph(30, 0.08, seed=seed)
        colours = _refinement.refine(lists(graph), [0] * 30)
        slow = [0] * 30
        for _ in range(30):  # the definition, round by round
            seen = [(slow[v], tuple(sorted(slow[u] for u in graph[v]))) for v in range(30)]
            slow = [sorted(set(seen)).index(s) for s in seen]
        pairs = set(zip(colours.tolist(), slow, strict=True))
        assert len(pairs) == len(set(slow)) == len(set(colours))


def test_colours_and_places_do_not_depend_on_the_order_of_vertices():
    tree = networkx.random_labeled_tree(60, seed=4)
    keys = [tree.degree(v) % 2 for v in range(60)]
    colours, places = _refinement.refine(lists(tree), keys), _refinement.rank(lists(tree), keys)
    edges = {frozenset(places[list(edge)].tolist()) for edge in tree.edges}
    assert sorted(places) == list(range(60))
    for seed in range(20):
        other, old = relabelled(tree, seed)
        shuffled_keys = [keys[v] for v in old]
        assert np.array_equal(_refinement.refine(lists(other), shuffled_keys), colours[old])
        again = _refinement.rank(lists(other), shuffled_keys)
        assert {frozenset(again[list(edge)].tolist()) for edge in other.edges} == edges  # the same graph, place by place


def test_ten_thousand_vertices():
    colours = _refinement.refine(lists(networkx.path_graph(10_000)), [0] * 10_000)
    places = _refinement.rank(lists(networkx.cycle_graph(10_000)), [0] * 10_000)
    assert len(set(colours)) == 5000 and len(set(places)) == 10_000
