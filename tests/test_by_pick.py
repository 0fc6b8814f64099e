import json

import numpy as np
import pytest

from workbench import mappings, store, systems
from workbench.mappings import _json

by_pick = mappings.by_pick


def build(system, **values):
    return by_pick.build(system, None, by_pick.Settings(**values))


def test_five_single_atom_beads_select_these_atoms(dipeptide, backbone):
    matrix = backbone.expand(dipeptide).toarray()
    np.testing.assert_array_equal(matrix, np.eye(22)[[4, 6, 8, 14, 16]])
    beads = backbone.beads(dipeptide)
    assert beads.names == ("C", "N", "CA", "C2", "N2") and beads.types == beads.names
    assert beads.bonds.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    np.testing.assert_allclose(beads.masses, [12.01, 14.01, 12.01, 12.01, 14.01])


def test_beads_stand_at_the_centre_of_mass_or_of_geometry(dipeptide):
    methyl = (10, 11, 12, 13)
    masses = dipeptide.masses[list(methyl)]
    by_mass = build(dipeptide, atoms=(methyl,)).expand(dipeptide) @ dipeptide.positions
    np.testing.assert_allclose(by_mass[0], masses @ dipeptide.positions[list(methyl)] / masses.sum())
    by_place = build(dipeptide, atoms=(methyl,), weights="geometric").expand(dipeptide) @ dipeptide.positions
    np.testing.assert_allclose(by_place[0], dipeptide.positions[list(methyl)].mean(0))


def test_default_names_are_unique_and_types_follow_them(dipeptide):
    template = build(dipeptide, atoms=((1,), (4, 5))).templates[0]
    assert template.names == template.types == ("B1", "B2")
    assert build(dipeptide, atoms=((1,), (4,)), types=("T", "T")).templates[0].types == ("T", "T")


def test_all_like_molecules_get_the_beads_and_the_others_none():
    system = systems.load("alanine_dipeptide", solvent="tip3p")
    solute = build(system, atoms=((4,), (6,), (8,), (14,), (16,)))
    assert solute.expand(system).shape == (5, system.n_atoms)
    water = build(system, atoms=((0, 1, 2),), names=("W",), molecule=1)
    matrix = water.expand(system)
    assert matrix.shape == (608, system.n_atoms) and matrix[:, :22].nnz == 0
    np.testing.assert_allclose(matrix.sum(1), 1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"atoms": ((4, 4),)}, "atom 4 is picked twice, in bead 'B1': an atom belongs to one bead at most"),
        ({"atoms": ((4,), (6, 4))}, "atom 4 is picked twice, in beads 'B1' and 'B2'"),
        ({"atoms": ((4,), ())}, "bead 'B2' is empty: give it at least one atom"),
        ({"atoms": ()}, "a mapping needs at least one bead"),
        ({"atoms": ((4,), (6,)), "names": ("A", "A")}, "the bead name 'A' is used twice"),
        ({"atoms": ((4,), (6,)), "names": ("A",)}, "1 bead names for 2 beads"),
        ({"atoms": ((4,), (6,)), "types": ("A",)}, "1 bead types for 2 beads"),
        ({"atoms": ((22,),)}, "bead 'B1' names atom 22; the molecule has 22, counted from 0"),
        ({"atoms": (4, 6)}, "bead 'B1' = 4: give the numbers of its atoms"),
        ({"atoms": (("CA",),)}, r"bead 'B1' = \('CA',\): give the numbers of its atoms"),
        ({"atoms": ((4,),), "molecule": 1}, "there is no molecule 1 in 'alanine_dipeptide': it has 1, counted from 0"),
        ({"atoms": ((-1,),)}, "must be at least 0"),
    ],
)
def test_bad_picks_are_refused(dipeptide, values, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(dipeptide, **values)


def test_json_out_and_in_is_the_same_mapping(dipeptide, tmp_path):
    mapping = build(dipeptide, atoms=((4, 5), (8, 10)), names=("carbonyl", "chiral"))
    read = store.load(store.save(mapping, tmp_path / "mapping.json"))
    assert store.identity(read) == store.identity(mapping)
    np.testing.assert_array_equal(read.expand(dipeptide).toarray(), mapping.expand(dipeptide).toarray())
    assert json.loads((tmp_path / "mapping.json").read_text())["molecules"][0]["beads"][0]["atoms"] == [4, 5]


def test_a_mapping_of_another_molecule_is_refused(backbone):
    with pytest.raises(ValueError, match="this mapping was made for another molecule"):
        backbone.expand(systems.load("water_tip3p"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda bead: bead.update(weights=[0.5]), "the weights of bead 'C' sum to 0.5, not 1"),
        (lambda bead: bead.update(weights=[float("nan")]), "NaN"),
        (lambda bead: bead.update(weights=[1.0, 0.0]), "bead 'C' has 1 atoms but 2 weights"),
        (lambda bead: bead.update(atoms=[99]), "bead 'C' names atom 99; the molecule has 22"),
        (lambda bead: bead.update(atoms=["4"]), "bead 'C' names atom '4'"),
        (lambda bead: bead.update(atoms=[4, 4], weights=[0.5, 0.5]), "bead 'C' holds an atom twice"),
        (lambda bead: bead.update(atoms=[], weights=[]), "bead 'C' is empty"),
        (lambda bead: bead.update(name="N"), "the bead name 'N' is used twice"),
        (lambda bead: bead.pop("type"), "the mapping lacks or misspells 'type'"),
    ],
)
def test_damaged_mapping_json_is_refused(backbone, change, sentence):
    body = json.loads(_json.dumps(backbone))
    change(body["molecules"][0]["beads"][0])
    with pytest.raises(ValueError, match=sentence):
        _json.loads(json.dumps(body))


def test_what_is_no_mapping_is_refused(tmp_path):
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"list\.json is not a mapping of this workbench"):
        store.load(tmp_path / "list.json")
    (tmp_path / "broken.json").write_text('{"format": ')
    with pytest.raises(ValueError, match=r"broken\.json is not JSON"):
        store.load(tmp_path / "broken.json")
    (tmp_path / "binary.json").write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(ValueError, match=r"binary\.json is not a text file"):
        store.load(tmp_path / "binary.json")
    (tmp_path / "empty.json").write_text('{"format": "cg-workbench mapping", "version": 1, "molecules": []}')
    with pytest.raises(ValueError, match="a mapping needs at least one bead"):
        store.load(tmp_path / "empty.json")
