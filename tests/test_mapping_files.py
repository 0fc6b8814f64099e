"""Mappings in files of GROMACS, VOTCA and CGsmiles and as a bead list: there and back, files of others, and refusals in a sentence."""

import dataclasses

import numpy as np
import pytest

from tests._molecules import drawn, system
from workbench import mapping_files, mappings, systems

PROPANE = """<cg_molecule>
  <name>ppn</name> <!-- molecule name in cg representation -->
  <ident>ppn</ident>
  <topology>
    <cg_beads>
      <cg_bead><name>A1</name><type>A</type><mapping>A</mapping><beads>1:ppn:C1 1:ppn:H4 1:ppn:H5 1:ppn:H6</beads></cg_bead>
      <cg_bead><name>B1</name><type>B</type><symmetry>1</symmetry><mapping>B</mapping><beads> 1:ppn:C2 1:ppn:H7 1:ppn:H8 </beads></cg_bead>
      <cg_bead><name>A2</name><type>A</type><mapping>A</mapping><beads>1:ppn:C3 1:ppn:H9 1:ppn:H10 1:ppn:H11</beads></cg_bead>
    </cg_beads>
    <cg_bonded><bond><name>bond</name><beads>A1 B1 B1 A2</beads></bond></cg_bonded>
  </topology>
  <maps>
    <map><name>A</name><weights> 12 1 1 1 </weights></map>
    <map><name>B</name><weights> 12 1 1 </weights></map>
  </maps>
</cg_molecule>
"""
"""The example of the VOTCA manual, https://www.votca.org/csg/input_files.html."""


def assert_same(read, made, ulps=4):
    assert len(read.templates) == len(made.templates)
    for a, b in zip(read.templates, made.templates, strict=True):
        assert (a.topology, a.names, a.types) == (b.topology, b.names, b.types)
        np.testing.assert_allclose(a.weights, b.weights, rtol=ulps * 2e-16, atol=0)


def picked(system, /, **values):
    return mappings.by_pick.build(system, None, mappings.by_pick.Settings(**values))


@pytest.fixture(scope="module")
def hexane():
    return systems.load("hexane", n_molecules=1)


@pytest.fixture(scope="module")
def pairs(hexane):
    return mappings.every_n.build(hexane, None, mappings.every_n.Settings(n=2))


@pytest.fixture(scope="module")
def liquid():
    """Two methanols and three waters."""
    return drawn("CO.CO.O.O.O")


@pytest.mark.parametrize("ending", ["json", "ndx", "xml", "cgsmiles", "beads", "txt"])
def test_beads_of_hexane_go_out_and_in(hexane, pairs, ending, tmp_path):
    mapping_files.write(pairs, hexane, tmp_path / f"hexane.{ending}")
    assert_same(mapping_files.read(tmp_path / f"hexane.{ending}", hexane), pairs)


@pytest.mark.parametrize("ending", ["json", "ndx", "beads"])
def test_picked_atoms_weights_and_types_go_out_and_in(dipeptide, backbone, ending, tmp_path):
    path = tmp_path / f"peptide.{ending}"
    by_place = picked(dipeptide, atoms=((4, 5), (8,), (10, 11, 12, 13)), types=("CO", "CA", "CB"), weights="geometric")
    (template,) = by_place.templates
    uneven = np.array(template.weights)
    uneven[0, [4, 5]] = 0.3, 0.7
    uneven = dataclasses.replace(by_place, templates=(dataclasses.replace(template, weights=uneven),))
    for mapping in (backbone, by_place, uneven):
        mapping_files.write(mapping, dipeptide, path)
        assert_same(mapping_files.read(path, dipeptide), mapping)


@pytest.mark.parametrize("ending", ["ndx", "beads", "cgsmiles"])
def test_two_kinds_of_molecule_in_one_file(liquid, ending, tmp_path):
    made = mappings.center_of_mass.build(liquid, None, mappings.center_of_mass.Settings())
    mapping_files.write(made, liquid, tmp_path / f"mixture.{ending}")
    assert_same(mapping_files.read(tmp_path / f"mixture.{ending}", liquid), made)


def test_an_index_of_one_molecule_counts_from_one(dipeptide, backbone, tmp_path):
    mapping_files.write(backbone, dipeptide, tmp_path / "one.ndx")
    lines = [line for line in (tmp_path / "one.ndx").read_text().splitlines() if not line.startswith(";")]
    assert lines == ["[ C ]", "5", "[ N ]", "7", "[ CA ]", "9", "[ C2 ]", "15", "[ N2 ]", "17"]


def test_an_index_of_the_whole_system_has_every_bead_of_it(liquid, tmp_path):
    made = mappings.center_of_mass.build(liquid, None, mappings.center_of_mass.Settings())
    mapping_files.write(made, liquid, tmp_path / "all.ndx", whole=True)
    text = (tmp_path / "all.ndx").read_text()
    assert text.count("[ ") == made.expand(liquid).shape[0]
    numbers = [int(n) for line in text.splitlines() if line[0].isdigit() for n in line.split()]
    assert numbers == list(range(1, liquid.n_atoms + 1))
    assert_same(mapping_files.read(tmp_path / "all.ndx", liquid), made)
    (tmp_path / "all.ndx").write_text(text.replace("\n16 17 18", "\n16 17"))
    with pytest.raises(ValueError, match="other beads than the first of its kind"):
        mapping_files.read(tmp_path / "all.ndx", liquid)


def test_an_index_by_gromacs(tmp_path):
    """As ``gmx make_ndx`` writes it: columns, no comments; group names may hold blanks and signs."""
    water = systems.load("water_tip3p")
    (tmp_path / "index.ndx").write_text("[ OW_&_r1 ]\n   4\n[ r1 HW ]\n   5    6\n\n")
    read = mapping_files.read(tmp_path / "index.ndx", water)
    assert read.templates[0].names == ("OW_&_r1", "r1 HW") and read.expand(water).shape[0] == 2 * 64
    np.testing.assert_array_equal(read.templates[0].weights, [[1, 0, 0], [0, 0.5, 0.5]])
    (tmp_path / "index.ndx").write_text("[ O ]\n1\n")
    assert_same(mapping_files.read(tmp_path / "index.ndx", water, molecule=3), picked(water, atoms=((0,),), names=("O",)))


def test_the_example_of_the_votca_manual(tmp_path):
    bonds = [(0, 1), (1, 2), *((0, i) for i in (3, 4, 5)), *((1, i) for i in (6, 7)), *((2, i) for i in (8, 9, 10))]
    propane = system("CCC" + "H" * 8, bonds, residues=("ppn",) * 11)
    propane = dataclasses.replace(propane, atom_names=("C1", "C2", "C3", *(f"H{i}" for i in range(4, 12))))
    (tmp_path / "propane.xml").write_text(PROPANE)
    read = mapping_files.read(tmp_path / "propane.xml", propane)
    (template,) = read.templates
    assert template.names == ("A1", "B1", "A2") and template.types == ("A", "B", "A")
    np.testing.assert_allclose(template.weights[0, [0, 3, 4, 5]], np.array([12, 1, 1, 1]) / 15)
    np.testing.assert_allclose(template.weights[1, [1, 6, 7]], np.array([12, 1, 1]) / 14)
    mapping_files.write(read, propane, tmp_path / "again.xml")
    assert_same(mapping_files.read(tmp_path / "again.xml", propane), read)
    text = (tmp_path / "again.xml").read_text()
    assert text.count("<map>") == 2 and text.count("<bond>") == 2 and text.count("<angle>") == 1


@pytest.mark.parametrize(
    ("smiles", "text", "beads"),
    [
        ("c1ccccc1", "{[#TC5]1[#TC5][#TC5]1}.{#TC5=[$]cc[$]}", [[0, 1], [2, 3], [4, 5]]),
        ("Cc1ccccc1", "{[#SC4]1[#TC5][#TC5]1}.{#SC4=Cc(c[!])c[!],#TC5=[!]ccc[!]}", [[0, 1, 2, 6], [2, 3, 4], [4, 5, 6]]),
        ("CC=CCC", "{[#A][#B]}.{#A=CC=[$],#B=[$]=CCC}", [[0, 1], [2, 3, 4]]),
        ("OCOCCOCO", "{[#OH][#PEO]|2[#OH]}.{#PEO=[$]COC[$],#OH=[$]O}", [[0], [1, 2, 3], [4, 5, 6], [7]]),
        ("C1COCCOCCOCCO1", "{[#PEO]1[#PEO]|2[#PEO]1}.{#PEO=[$]COC[$]}", [[0, 1, 11], [2, 3, 4], [5, 6, 7], [8, 9, 10]]),
    ],
    ids=["benzene", "toluene with shared atoms", "pentene", "repeated", "crown ether"],
)
def test_examples_of_the_cgsmiles_documentation(smiles, text, beads, tmp_path):
    """https://cgsmiles.readthedocs.io, its pages on graphs and fragments; the beads up to the symmetry of the molecule."""
    molecule = drawn(smiles)
    (tmp_path / "bead.cgsmiles").write_text(text)
    (template,) = mapping_files.read(tmp_path / "bead.cgsmiles", molecule).templates
    heavy = [i for i, e in enumerate(molecule.elements) if e != "H"]
    found = [np.flatnonzero(row[heavy]).tolist() for row in template.weights]
    if smiles.startswith("C1"):
        assert sorted(map(len, found)) == [3] * 4 and sorted(a for bead in found for a in bead) == list(range(12))
    elif smiles == "OCOCCOCO":
        assert found in (beads, [[0], *beads[1:3], [7]])
    else:
        assert found == beads
    assert all(np.isclose(template.weights.sum(1), 1))


def test_what_is_written_as_cgsmiles(tmp_path):
    """Strings that the cgsmiles package 1.0.2 resolves to the same molecules and beads."""
    known = {
        "hexane": "{[#C2H5][#C2H4][#C2H5]}.{#C2H5=[$]CC,#C2H4=[$]CC[$]}",
        "methanol": "{[#CH4O]}.{#CH4O=CO}",
        "dimethyl_carbonate": "{[#CH3O][#CO][#CH3O]}.{#CH3O=[$]OC,#CO=[$]C[$]=O}",
    }
    for name, text in known.items():
        molecule = systems.load(name, n_molecules=1)
        mapping = mappings.every_n.build(molecule, None, mappings.every_n.Settings(n=2))
        mapping_files.write(mapping, molecule, tmp_path / "m.cgsmiles")
        assert (tmp_path / "m.cgsmiles").read_text().strip() == text


@pytest.mark.parametrize("name", ["toluene", "aniline", "ortho_terphenyl", "alanine_dipeptide", "polyalanine"])
@pytest.mark.parametrize("n", [2, 3])
def test_cgsmiles_comes_back_up_to_symmetry(name, n, tmp_path):
    molecule = systems.load(name) if "alanine" in name else systems.load(name, n_molecules=1)
    made = mappings.every_n.build(molecule, None, mappings.every_n.Settings(n=n))
    mapping_files.write(made, molecule, tmp_path / "m.cgsmiles")
    read = mapping_files.read(tmp_path / "m.cgsmiles", molecule)
    (a,), (b,) = read.templates, made.templates
    assert (a.names, a.types) == (b.names, b.types)
    for one, other in zip(a.weights, b.weights, strict=True):  # the same atoms but for their numbers: beads of the same elements
        np.testing.assert_allclose(np.sort(one[one > 0]), np.sort(other[other > 0]), rtol=1e-12)
    assert sorted(map(tuple, read.beads(molecule).bonds.tolist())) == sorted(map(tuple, made.beads(molecule).bonds.tolist()))


def test_what_cgsmiles_cannot_hold_is_refused(dipeptide, backbone, tmp_path):
    halves = picked(dipeptide, atoms=(tuple(range(14)), tuple(range(14, 22))), weights="geometric")
    apart = picked(dipeptide, atoms=((0, 1, 2, 3, 18, 19, 20, 21), tuple(range(4, 18))))
    for mapping, refusal in ((backbone, "every atom in one"), (halves, "centre of mass"), (apart, "'B1' falls apart")):
        with pytest.raises(ValueError, match=refusal):
            mapping_files.write(mapping, dipeptide, tmp_path / "no.cgsmiles")
    assert not (tmp_path / "no.cgsmiles").exists()


@pytest.mark.parametrize(
    ("name", "text", "refusal"),
    [
        ("a.ndx", "hello\n", r"a.ndx, line 1: 'hello' is neither '\[ group \]' nor atom numbers"),
        ("a.ndx", "", "a.ndx holds no groups"),
        ("a.ndx", "[ A ]\n99\n", "group 'A' names atom 99; 'hexane' has 20, from 1"),
        ("a.ndx", "[ A ]\n0\n", "group 'A' names atom"),
        ("a.ndx", "[ A ]\n1\n[ A ]\n2\n", "group 'A' stands there twice"),
        ("a.ndx", "[ A ]\n[ B ]\n2\n", "group 'A' is empty"),
        ("a.ndx", "[ A ]\n1 1\n", "bead 'A' holds an atom twice"),
        ("a.xml", "<cg_molecule>", "a.xml is not XML"),
        ("a.xml", "<topology/>", "a.xml is not a VOTCA mapping"),
        ("a.xml", PROPANE, "no molecule of 'hexane' has all the atoms, such as 1:ppn:C1"),
        ("a.xml", PROPANE.replace("ppn", "MOL").replace("<mapping>B", "<mapping>Z"), "uses the map 'Z', which <maps> does not hold"),
        ("a.xml", PROPANE.replace("ppn", "MOL").replace("12 1 1 1", "12 1 1"), "bead 'A1' has 4 atoms but 3 weights"),
        ("a.xml", PROPANE.replace("ppn", "MOL").replace("12 1 1 1", "12 a b c"), "the weights of map 'A' are not all numbers"),
        ("a.xml", PROPANE.replace("ppn", "MOL").replace("<type>B</type>", ""), "a <cg_bead> lacks its <type>"),
        ("a.beads", "B1 0,1\n", "line 1: 'B1 0,1' is not a bead: write 'name type: atoms'"),
        ("a.beads", "B1: 0-x\n", "'0-x' is no atom"),
        ("a.beads", "B1: 5-2\n", "'5-2' is no atom"),
        ("a.beads", "B1: 20\n", "bead 'B1' names atom 20 of a molecule that has 20, counted from 0"),
        ("a.beads", "B1: 0 | heavy\n", "has the weights 'heavy'"),
        ("a.beads", "molecule 7\nB1: 0\n", "there is no molecule 7 in 'hexane'"),
        ("a.beads", "# nothing\n", "a.beads holds no beads"),
        ("a.cgsmiles", "CCCCCC", "'CCCCCC' is not a CGsmiles of two resolutions"),
        ("a.cgsmiles", "", "a.cgsmiles is empty"),
        ("a.cgsmiles", "{[#A][#B]}.{#A=CC[$]}", "there is no fragment for bead 'B'"),
        ("a.cgsmiles", "{[#A][#A]}.{#A=CC[$]}", "no molecule of 'hexane' is the one drawn in"),
        ("a.cgsmiles", "{[#A][#A]1}.{#A=CCC[$]}", "a ring or branch in it stays open"),
        ("a.cgsmiles", "{[#A][#A]}.{#A=CC(C[$]}", "is not SMILES"),
        ("a.cgsmiles", "{A}.{#A=CCC[$]}", "of the bead graph cannot be read"),
        ("a.cgsmiles", "{[#A]|x}.{#A=CCC[$]}", "of the bead graph cannot be read"),
        ("a.top", "", "a.top: mapping files end in json, ndx, xml"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(hexane, name, text, refusal, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=refusal):
        mapping_files.read(tmp_path / name, hexane)


def test_wrong_calls_are_refused(hexane, pairs, liquid, tmp_path):
    with pytest.raises(ValueError, match=r"there is no mapping file .*none.ndx"):
        mapping_files.read(tmp_path / "none.ndx", hexane)
    (tmp_path / "a.ndx").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"a.ndx is not a text file"):
        mapping_files.read(tmp_path / "a.ndx", hexane)
    with pytest.raises(ValueError, match="kind = 'pdb': choose one of json, index, votca, cgsmiles, beads"):
        mapping_files.write(pairs, hexane, tmp_path / "a.ndx", kind="pdb")
    with pytest.raises(ValueError, match="whole=True is for a GROMACS index"):
        mapping_files.write(pairs, hexane, tmp_path / "a.xml", whole=True)
    with pytest.raises(ValueError, match="weights = 'heavy': choose mass or geometric"):
        mapping_files.read(tmp_path / "a.ndx", hexane, weights="heavy")
    with pytest.raises(ValueError, match="this mapping was made for another molecule"):
        mapping_files.write(pairs, liquid, tmp_path / "a.xml")
    both = mappings.center_of_mass.build(liquid, None, mappings.center_of_mass.Settings())
    with pytest.raises(ValueError, match="holds one kind of molecule and this mapping has 2"):
        mapping_files.write(both, liquid, tmp_path / "a.xml")
    with pytest.raises(ValueError, match="VOTCA finds atoms by name, and molecule 4 of 'drawn' has several 1:MOL:H"):
        mapping_files.write(both, liquid, tmp_path / "a.xml", molecule=4)


def test_one_kind_of_several_goes_to_votca(backbone, tmp_path):
    solvated = systems.load("alanine_dipeptide", solvent="tip3p")
    water = picked(solvated, atoms=((0, 1, 2),), names=("W",), molecule=1)
    both = dataclasses.replace(water, templates=backbone.templates + water.templates)
    mapping_files.write(both, solvated, tmp_path / "water.xml", molecule=5)
    assert_same(mapping_files.read(tmp_path / "water.xml", solvated), water)
