import numpy as np
import pytest

from tests import _molecules
from workbench import mappings, systems

functional_groups = mappings.functional_groups


def build(system, **values):
    return functional_groups.build(system, None, functional_groups.Settings(**values))


@pytest.mark.parametrize(
    ("smiles", "types"),
    [
        ("CCO", ("methyl", "methylene", "hydroxyl")),
        ("Cc1ccccc1", ("methyl", "aromatic")),
        ("Clc1ccc2ccccc2c1", ("aromatic",)),
        ("CC(=O)O", ("methyl", "carboxyl")),
        ("COC(=O)CC#N", ("methyl", "ester", "methylene", "nitrile")),
        ("C[N+](=O)[O-]", ("methyl", "nitro")),
        ("CC(=O)NC(C)C(=O)NC", ("methyl", "amide", "methine", "methyl", "amide", "methyl")),
        ("FC(F)(F)C(C)C", ("haloalkyl", "methine", "methyl", "methyl")),
        ("NC(=O)N", ("amide",)),
        ("C[Si](C)(C)C", ("methyl", "silyl", "methyl", "methyl", "methyl")),
    ],
)
def test_groups_of_known_molecules(smiles, types):
    assert build(_molecules.drawn(smiles)).templates[0].types == types


def test_bond_orders_come_from_the_bonds_of_any_system(dipeptide):
    mapping = build(dipeptide)
    template = mapping.templates[0]
    assert sorted(template.types) == ["amide", "amide", "methine", "methyl", "methyl", "methyl"]
    amide = template.atoms(template.types.index("amide"))
    assert sorted(dipeptide.elements[a] for a in amide) == ["C", "H", "N", "O"]
    wanted = dipeptide.masses[amide] @ dipeptide.positions[amide] / dipeptide.masses[amide].sum()
    np.testing.assert_allclose((mapping.expand(dipeptide) @ dipeptide.positions)[template.types.index("amide")], wanted)
    assert mapping.beads(dipeptide).masses.sum() == pytest.approx(dipeptide.masses.sum())


def test_earlier_patterns_take_their_atoms_first():
    ethanol = _molecules.drawn("CCO")
    assert build(ethanol, patterns=("CO", "C")).templates[0].types == ("G2", "G1")
    assert build(ethanol, patterns=("C", "CO")).templates[0].types == ("G1_2", "G1")  # the oxygen is left over and joins
    assert build(ethanol, patterns=("[CX4;H3,H4]", "CO"), names=()).templates[0].types == ("methyl", "G2")


def test_leftover_atoms_join_the_nearest_bead():
    hexanol = _molecules.drawn("CCCCCO")
    template = build(hexanol, patterns=("[OX2H]", "[CX4H3]"), names=("head", "tail")).templates[0]
    assert [[a for a in template.atoms(bead) if a < 6] for bead in range(2)] == [[0, 1, 2], [3, 4, 5]]


def test_overlapping_matches_join_or_the_first_is_taken():
    hexane = _molecules.drawn("CCCCCC")
    assert len(build(hexane, patterns=("CC",)).templates[0].names) == 1
    first = [len(build(_molecules.shuffled(hexane, seed)[0], patterns=("CC",), overlaps="first").templates[0].names) for seed in range(10)]
    assert len(set(first)) == 1 and first[0] >= 2


@pytest.mark.parametrize("smiles", ["CC(=O)Nc1ccc2ccccc2c1", "OCC(O)C(=O)OCC", "CCCCO"])
def test_the_order_of_the_atoms_does_not_matter(smiles):
    molecule = _molecules.drawn(smiles)

    def groups(system, old):
        template = build(system).templates[0]
        return {(kind, frozenset(old[template.atoms(b)].tolist())) for b, kind in enumerate(template.types)}

    wanted = groups(molecule, np.arange(molecule.n_atoms))
    for seed in range(10):
        assert groups(*_molecules.shuffled(molecule, seed)) == wanted


def test_mixtures_and_what_is_kept():
    mixture = _molecules.drawn("Cc1ccccc1.O.CO")
    mapping = build(mixture)
    assert [t.types for t in mapping.templates] == [("methyl", "aromatic"), ("hydroxyl_2",), ("methyl", "hydroxyl")]
    assert [t.types for t in build(mixture, molecules=(2,)).templates] == [("methyl", "hydroxyl")]


def test_charged_molecules():
    acetate = _molecules.drawn("CC(=O)[O-]")
    assert build(acetate, charge=-1).templates[0].types == ("methyl", "carboxyl")
    assert build(systems.from_smiles("CC(=O)[O-]")).templates[0].types == ("methyl", "carboxyl")


def test_refusals():
    toluene = _molecules.drawn("Cc1ccccc1")
    with pytest.raises(ValueError, match=r"'C\(' is not a SMARTS: write one such as"):
        build(toluene, patterns=("C(",))
    with pytest.raises(ValueError, match="'' is not a SMARTS"):
        build(toluene, patterns=("",))
    with pytest.raises(ValueError, match="no pattern matches molecule 0, C7H8, of 'drawn': add one, or name in molecules what to keep"):
        build(toluene, patterns=("O",))
    with pytest.raises(ValueError, match="1 names for 2 patterns: give one each, or none"):
        build(toluene, patterns=("C", "c"), names=("a",))
    with pytest.raises(ValueError, match="no bond orders fit the molecule of atoms 0 to 14 of 'drawn' with charge 5: check its hydrogens"):
        build(toluene, charge=5)
