import numpy as np
import pytest

from tests import _molecules
from workbench import mappings

repeat_units = mappings.repeat_units
PEG = "O" + "CCO" * 6


def build(system, **values):
    return repeat_units.build(system, None, repeat_units.Settings(**values))


def heavy(system, **values):
    template = build(system, **values).templates[0]
    return [tuple(int(a) for a in template.atoms(bead) if system.elements[a] != "H") for bead in range(len(template.names))]


@pytest.mark.parametrize(
    ("molecule", "types"),
    [
        (_molecules.polystyrene(6), ("C8H9_2", *["C8H8"] * 4, "C8H9")),
        (_molecules.drawn(PEG), ("C2H5O2", *["C2H4O"] * 4, "C2H5O")),
        (_molecules.drawn("C" + "C(C)(C(=O)OC)C" * 8), ("C5H9O2", *["C5H8O2"] * 6, "C6H11O2")),
        (_molecules.drawn("c1ccc(cc1)-" * 6 + "c1ccccc1"), ("C6H5", *["C6H4"] * 5, "C6H5")),
        (_molecules.drawn("c1cc(CCCCCC)c(s1)-" * 6 + "c1cc(CCCCCC)cs1"), ("C10H15S_2", *["C10H14S"] * 5, "C10H15S")),
        (_molecules.polyethylene(10), ("CH3", *["CH2"] * 8, "CH3")),
    ],
    ids=["polystyrene", "ethylene glycol", "methacrylate", "phenylene", "hexylthiophene", "ethylene"],
)
def test_the_unit_is_found(molecule, types):
    mapping = build(molecule)
    assert mapping.templates[0].types == types
    beads = mapping.beads(molecule)
    assert beads.bonds.tolist() == [[i, i + 1] for i in range(len(types) - 1)]  # a chain
    assert beads.masses.sum() == pytest.approx(molecule.masses.sum())


def test_rings_of_the_backbone_stay_whole():
    terephthalate = _molecules.drawn("O" + "CCOC(=O)c1ccc(cc1)C(=O)O" * 5 + "C")
    groups = heavy(terephthalate)
    assert len(groups) == 5
    for k in range(5):
        ring = set(range(14 * k + 6, 14 * k + 12))
        assert sum(not ring.isdisjoint(group) for group in groups) == 1


def test_two_blocks_keep_their_units():
    types = build(_molecules.drawn("C" * 12 + "OCC" * 8 + "O")).templates[0].types
    assert types.count("CH2") == 9 and types.count("C2H4O") == 8  # the last two CH2 begin the first C2H4O


def test_a_large_end_group_is_a_bead_a_small_one_joins():
    groups = heavy(_molecules.drawn("C" + "OCC" * 6 + "Oc1ccccc1"))
    assert groups[-1] == tuple(range(20, 26)) and len(groups) == 7 and groups[1:3] == [(5, 6, 7), (8, 9, 10)]


def test_units_by_number_of_backbone_atoms():
    assert [len(group) for group in heavy(_molecules.polyethylene(12), backbone_atoms=4)] == [4, 4, 4]
    assert sorted(len(group) for group in heavy(_molecules.polyethylene(13), backbone_atoms=4)) == [4, 4, 5]
    assert [len(group) for group in heavy(_molecules.polystyrene(6), backbone_atoms=4)] == [16, 16, 16]
    copolymer = _molecules.drawn("CC(C)CC(C#N)CCCC(Cl)CC(C)CC(C#N)C")
    assert heavy(copolymer, backbone_atoms=2)[:3] == [(0, 1, 2), (3, 4, 5, 6), (7, 8)]


def test_units_by_a_pattern():
    units = heavy(_molecules.drawn(PEG), smarts="[CH2][CH2]O")
    assert [len(unit) for unit in units] == [3, 3, 3, 3, 3, 4]
    assert [len(group) for group in heavy(_molecules.polyethylene(12), smarts="CC")] == [2] * 6  # no gap between the pairs


@pytest.mark.parametrize("molecule", [_molecules.polystyrene(6), _molecules.drawn("C" + "OCC" * 6 + "Oc1ccccc1")])
def test_the_order_of_the_atoms_does_not_matter(molecule):
    def groups(system, old):
        template = build(system).templates[0]
        return {frozenset(old[a] for a in template.atoms(bead) if system.elements[a] != "H") for bead in range(len(template.names))}

    sizes = sorted(map(len, groups(molecule, np.arange(molecule.n_atoms))))
    backbone_bead = frozenset((16, 17, *range(18, 24)))
    for seed in range(10):
        found = groups(*_molecules.shuffled(molecule, seed))
        assert sorted(map(len, found)) == sizes
        if len(sizes) == 6:
            assert backbone_bead in found


def test_a_long_chain():
    assert set(build(_molecules.polystyrene(300)).templates[0].types) == {"C8H8", "C8H9", "C8H9_2"}


def test_refusals():
    toluene = _molecules.drawn("Cc1ccccc1")
    with pytest.raises(ValueError, match="molecule 0 of 'drawn' has no repeat unit that makes up half of its 7 heavy atoms: give smarts"):
        build(toluene)
    with pytest.raises(ValueError, match="backbone_atoms = 9: the backbone of molecule 0 of 'drawn' has 5 atoms"):
        build(toluene, backbone_atoms=9)
    with pytest.raises(ValueError, match="smarts = 'O' matches nothing in molecule 0 of 'drawn': change it"):
        build(toluene, smarts="O")
    with pytest.raises(ValueError, match="smarts = 'C' and backbone_atoms = 2: give one of them"):
        build(toluene, smarts="C", backbone_atoms=2)
    with pytest.raises(ValueError, match="molecule 1 of 'drawn' has no repeat unit"):
        build(_molecules.drawn(PEG + ".O"))
    assert len(build(_molecules.drawn(PEG + ".O"), molecules=(0,)).templates) == 1
