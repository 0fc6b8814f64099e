import networkx
import numpy as np
import pytest

from tests import _molecules
from workbench import mappings
from workbench.mappings import _graph

every_n = mappings.every_n


def build(system, **values):
    return every_n.build(system, None, every_n.Settings(**values))


def heavy(system, **values):
    template = build(system, **values).templates[0]
    return [tuple(int(a) for a in template.atoms(bead) if system.elements[a] != "H") for bead in range(len(template.names))]


def test_a_chain_is_cut_into_n():
    assert heavy(_molecules.polyethylene(12), n=4) == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)]
    assert sorted(map(len, heavy(_molecules.polyethylene(13), n=4))) == [4, 4, 5]  # one left over joins
    assert sorted(map(len, heavy(_molecules.polyethylene(14), n=4))) == [2, 4, 4, 4]  # two stand alone
    assert build(_molecules.polyethylene(12), n=4).templates[0].types == ("C4H9", "C4H8", "C4H9")


def test_one_atom_a_bead_and_one_bead_a_molecule():
    toluene = _molecules.drawn("Cc1ccccc1")
    assert heavy(toluene, n=1) == [(i,) for i in range(7)]
    assert heavy(toluene, n=100) == [tuple(range(7))]
    beads = build(toluene, n=3).beads(toluene)
    assert beads.masses.sum() == pytest.approx(toluene.masses.sum())


@pytest.mark.parametrize("smiles", ["CC(C)CCCC(C)C1CCC2C1(CCC3C2CC=C4C3(CCC(C4)O)C)C", "CCC(CC)(CC)CC", "c1ccc(-c2ccccc2-c2ccccc2)cc1"])
@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_beads_are_connected_hold_every_atom_once_and_do_not_depend_on_the_order(smiles, n):
    molecule = _molecules.drawn(smiles)
    (_, _, graph), *_ = _graph.kinds(molecule)
    groups = heavy(molecule, n=n)
    assert sorted(a for group in groups for a in group) == list(graph)
    assert all(networkx.is_connected(graph.subgraph(group)) for group in groups)
    assert min(map(len, groups)) >= n / 2 and max(map(len, groups)) <= 2 * n + 1
    classes = build(molecule, n=n).templates[0].types
    for seed in range(5):
        assert sorted(build(_molecules.shuffled(molecule, seed)[0], n=n).templates[0].types) == sorted(classes)


def test_without_symmetry_the_groups_are_the_same_in_any_order():
    molecule = _molecules.drawn("CCCCOC(=O)CNCCCl")
    wanted = set(heavy(molecule, n=3))
    for seed in range(20):
        other, old = _molecules.shuffled(molecule, seed)
        assert {tuple(sorted(old[list(group)].tolist())) for group in heavy(other, n=3)} == wanted


def test_a_long_polymer_has_few_types():
    template = build(_molecules.polystyrene(200), n=8).templates[0]
    sizes = np.array([len([a for a in template.atoms(b) if a < 1600]) for b in range(len(template.names))])
    assert sizes.sum() == 1600 and sizes.mean() == pytest.approx(8, abs=1.5) and len(set(template.types)) < 12


def test_mixtures_and_refusals():
    mixture = _molecules.drawn("CCCCCCCC.O")
    assert [len(t.names) for t in build(mixture).templates] == [2, 1]
    assert len(build(mixture, molecules=(1,)).templates) == 1
    with pytest.raises(ValueError, match="there is no molecule 2 in 'drawn'"):
        build(mixture, molecules=(2,))
    with pytest.raises(ValueError, match="must be at least 1"):
        every_n.Settings(n=0)
