import json
import os
import pathlib

import numpy as np
import openmm
import pytest
from openmm import unit
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from workbench import mappings, reference, store, systems
from workbench.systems import _antechamber, _mmff
from workbench.systems import smiles as _smiles
from workbench.types import System

MOLECULES = (
    *("CCO", "CC(=O)NC", "Cc1ccccc1", "CC#C", "CC#N", "C1CC1", "C1CCC1", "C1CO1", "CS(=O)(=O)C", "CS(C)=O", "CSSC", "O", "C", "N"),
    *("C[NH3+]", "CC(=O)[O-]", "C[n+]1ccn(C)c1", "[NH4+]", "[Na+]", "O=C1NC=CC(=O)N1", "c1ccsc1", "c1cc[nH]c1", "c1ccncc1"),
    *("FC(F)(F)CCl", "BrCCI", "COP(=O)(OC)OC", "C[Si](C)(C)C", "CN=[N+]=[N-]", "C=C=C", "C[N+](=O)[O-]", "CN(C)C=O", "Nc1ccccc1"),
    *("CC(=O)N[C@@H](C)C(=O)NC", "C1=CC1", "C1=CCC1", "[C-]#[N+]C", "ClP(Cl)Cl", "C(=O)1OCC(CO)C(CC)C1", "COC(=O)OC", "C12CC1C2"),
)
KCAL = unit.kilocalorie_per_mole

AMBER = json.loads(pathlib.Path(__file__).with_name("gaff2_energies.json").read_text())["molecules"]


@pytest.fixture(scope="module")
def working():
    """AmberTools that runs; without it a test is skipped, but not in CI."""
    try:
        return _antechamber._make(Chem.AddHs(Chem.MolFromSmiles("C")), "C")
    except ValueError as missing:
        assert not os.environ.get("CI"), missing
        pytest.skip(str(missing))


@pytest.fixture
def ambertools(working, tmp_path, monkeypatch):
    """An empty cache of parameters."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _smiles._xml.cache_clear()
    return working


def on_reference(xml: str) -> openmm.Context:
    physics = openmm.XmlSerializer.deserialize(xml)
    return openmm.Context(physics, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))


@pytest.mark.parametrize("smiles", MOLECULES)
def test_mmff94_has_the_energy_and_forces_of_rdkit(smiles):
    system = systems.from_smiles(smiles, force_field="mmff94")
    molecule = _smiles.draw(smiles, "mmff94", 0)
    theirs = rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, _mmff.properties(molecule))
    ours = on_reference(system.force_field())
    rng = np.random.default_rng(0)
    for width in (0.0, 0.02, 0.05, 0.1, 0.2):  # angstrom
        positions = 10 * system.positions + width * rng.normal(size=system.positions.shape)
        flat = positions.ravel().tolist()
        ours.setPositions(positions / 10)
        state = ours.getState(getEnergy=True, getForces=True)
        assert state.getPotentialEnergy().value_in_unit(KCAL) == pytest.approx(theirs.CalcEnergy(flat), abs=1e-5)
        forces = state.getForces(asNumpy=True).value_in_unit(KCAL / unit.angstrom)
        np.testing.assert_allclose(forces, -np.array(theirs.CalcGrad(flat)).reshape(-1, 3), atol=1e-4)


@pytest.mark.parametrize("term", ["Bond", "Angle", "StretchBend", "Oop", "Torsion"])
def test_every_kind_of_term_has_the_energy_of_rdkit(term):
    smiles = "CC(=O)C#CNc1ccccc1"
    system = systems.from_smiles(smiles, force_field="mmff94")
    molecule = _smiles.draw(smiles, "mmff94", 0)
    types = _mmff.properties(molecule)
    for other in ("Bond", "Angle", "StretchBend", "Oop", "Torsion", "Vdw", "Ele"):
        getattr(types, f"SetMMFF{other if other != 'Vdw' else 'VdW'}Term")(other == term)
    theirs = rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, types)
    names = {"Bond": ["bond"], "Angle": ["angle", "linear angle"], "StretchBend": ["stretch-bend"], "Oop": ["out of plane"]}
    physics = openmm.XmlSerializer.deserialize(system.force_field())
    for force in physics.getForces():
        force.setForceGroup(1 if force.getName() in names.get(term, ["torsion"]) else 0)
    ours = on_reference(openmm.XmlSerializer.serialize(physics))
    positions = 10 * system.positions + 0.1 * np.random.default_rng(1).normal(size=system.positions.shape)
    ours.setPositions(positions / 10)
    energy = ours.getState(getEnergy=True, groups={1}).getPotentialEnergy().value_in_unit(KCAL)
    assert abs(energy) > 0.01
    assert energy == pytest.approx(theirs.CalcEnergy(positions.ravel().tolist()), abs=1e-6)


def test_atoms_stand_in_the_order_of_the_smiles():
    system = systems.from_smiles("CC(=O)N", force_field="mmff94", temperature=250.0)
    assert system.elements == ("C", "C", "O", "N", "H", "H", "H", "H", "H")
    assert system.atom_names == ("C1", "C2", "O1", "N1", "H1", "H2", "H3", "H4", "H5")
    assert system.bonds[:3].tolist() == [[0, 1], [0, 4], [0, 5]] and len(system.bonds) == 8
    assert system.masses.sum() == pytest.approx(59.068, abs=0.005)
    assert system.name == "C2H5NO" and "MMFF94" in system.source and system.state.temperature == 250.0
    assert system.box is None and len(system.constraints) == 0
    assert np.linalg.norm(system.positions[1] - system.positions[2]) == pytest.approx(0.1222, abs=0.002)  # C=O of an amide


def test_the_configuration_of_a_stereocentre_is_the_written_one():
    for smiles in ("N[C@@H](C)C(=O)O", "N[C@H](C)C(=O)O"):
        molecule = Chem.Mol(_smiles.draw(smiles, "mmff94", 3))
        written = Chem.CanonSmiles(smiles)
        Chem.AssignStereochemistryFrom3D(molecule)
        assert Chem.MolToSmiles(Chem.RemoveHs(molecule)) == written


@pytest.mark.parametrize(("smiles", "charge"), [("CCO", 0), ("C[NH3+]", 1), ("CC(=O)[O-]", -1), ("[NH3+]CCC(=O)[O-]", 0), ("[Mg+2]", 2)])
def test_total_charge_is_exact(smiles, charge):
    assert systems.from_smiles(smiles, force_field="mmff94").charges.sum() == pytest.approx(charge, abs=1e-9)


def test_the_force_field_is_made_when_first_asked_for(monkeypatch):
    def refuse(molecule: Chem.Mol) -> openmm.System:
        raise AssertionError("made too early")

    monkeypatch.setattr(_mmff, "force_field", refuse)
    _smiles.draw.cache_clear()
    system = systems.from_smiles("CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O", force_field="mmff94", seed=7)
    with pytest.raises(AssertionError, match="made too early"):
        system.force_field()


def test_the_same_settings_give_the_same_system():
    first: System = systems.from_smiles("OCC(CC)CO", force_field="mmff94", seed=5)
    _smiles.draw.cache_clear()
    again = systems.from_smiles("OCC(CC)CO", force_field="mmff94", seed=5)
    assert store.identity(first) == store.identity(again)
    assert np.abs(systems.from_smiles("OCC(CC)CO", force_field="mmff94", seed=6).positions - again.positions).max() > 0.01


def test_it_is_sampled_at_its_temperature(tmp_path):
    system = systems.from_smiles("CC(=O)N", force_field="mmff94")
    trajectory = reference.sample(system, reference.Settings(n_frames=20), checkpoint=tmp_path / "run")
    positions = np.asarray(trajectory.positions)
    assert np.isfinite(positions).all()
    lengths = np.linalg.norm(positions[:, system.bonds[:, 0]] - positions[:, system.bonds[:, 1]], axis=-1)
    rest = np.linalg.norm(system.positions[system.bonds[:, 0]] - system.positions[system.bonds[:, 1]], axis=-1)
    np.testing.assert_allclose(lengths.mean(0), rest, atol=0.004)


@pytest.mark.parametrize(
    ("smiles", "sentence"),
    [
        ("", "'' is not a SMILES"),
        ("ethanol", "'ethanol' is not a SMILES"),
        ("C1CC", "'C1CC' is not a SMILES"),
        ("C(C)(C)(C)(C)C", "is of no possible molecule: Explicit valence for atom # 0 C, 5, is greater than permitted"),
        ("c1cccc1", "is of no possible molecule: Can't kekulize mol"),
        ("CCO.O", r"'CCO.O' holds 2 molecules, parted by '\.': give one at a time, or n_molecules above 1 for a liquid"),
        ("C[CH2]", "is of a radical"),
        ("C[Fe]C", r"MMFF94 has no atom type for an atom of '.*Fe.*' \(elements C, Fe, H\)"),
        ("*C", "MMFF94 has no atom type"),
        ("O=C=O", r"MMFF94 charges of 'O=C=O' add up to -1.000 e, not 0"),  # a fault of RDKit's
    ],
)
def test_bad_smiles_are_refused_in_a_sentence(smiles, sentence, capfd):
    with pytest.raises(ValueError, match=sentence):
        systems.from_smiles(smiles, force_field="mmff94")
    assert capfd.readouterr().err == ""


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="force_field = 'opls': choose one of"):
        systems.from_smiles("CCO", force_field="opls")
    with pytest.raises(ValueError, match=r"smiles = 3: must be str, not int"):
        systems.from_smiles(3)


@pytest.mark.parametrize("smiles", AMBER)
def test_gaff2_has_the_bonded_energies_of_ambertools(smiles, ambertools):
    physics = openmm.XmlSerializer.deserialize(systems.from_smiles(smiles, force_field="gaff2").force_field())
    groups = {openmm.HarmonicBondForce: 1, openmm.HarmonicAngleForce: 2, openmm.PeriodicTorsionForce: 3}
    for force in physics.getForces():
        force.setForceGroup(groups.get(type(force), 0))
    context = on_reference(openmm.XmlSerializer.serialize(physics))
    context.setPositions(np.array(AMBER[smiles]["positions"]) / 10)
    for group, term in enumerate(("bond", "angle", "torsion"), start=1):
        energy = context.getState(getEnergy=True, groups={group}).getPotentialEnergy().value_in_unit(KCAL)
        assert energy == pytest.approx(AMBER[smiles]["energies"][term], abs=1e-3), term


def gaff2_charges(smiles: str) -> np.ndarray:
    physics = openmm.XmlSerializer.deserialize(systems.from_smiles(smiles, force_field="gaff2").force_field())
    (force,) = [f for f in physics.getForces() if isinstance(f, openmm.NonbondedForce)]
    return np.array([force.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge) for i in range(force.getNumParticles())])


@pytest.mark.parametrize(("smiles", "charge"), [("CC(=O)N", 0), ("C[NH3+]", 1), ("CC(=O)[O-]", -1), ("O=C=O", 0)])
def test_gaff2_charges_add_up_exactly(smiles, charge, ambertools):
    charges = gaff2_charges(smiles)
    assert charges.sum() == pytest.approx(charge, abs=1e-9)
    assert np.abs(charges).max() > 0.05


def test_gaff2_parameters_are_made_once_for_every_spelling(ambertools, monkeypatch):
    first = gaff2_charges("CCO")  # C C O H3 H2 H
    (kept,) = _antechamber._folder().iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(_antechamber, "_make", lambda *a: pytest.fail("made again"))
        again = gaff2_charges("OCC")  # O C C H H2 H3
    np.testing.assert_allclose(again, first[[2, 1, 0, 8, 6, 7, 3, 4, 5]], atol=1e-12)
    text = kept.read_text()
    kept.write_text(text.replace("c3", "c1", 1))  # damaged: made anew
    _smiles._xml.cache_clear()
    np.testing.assert_allclose(gaff2_charges("CCO"), first, atol=1e-12)
    assert kept.read_text() == text


def test_gaff2_is_loaded_without_its_programs_and_asks_for_them_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("AMBERHOME", raising=False)
    monkeypatch.setattr(_antechamber.shutil, "which", lambda name: None)
    monkeypatch.setattr(_antechamber.importlib.util, "find_spec", lambda name: None)
    system = systems.from_smiles("CCCO", force_field="gaff2")
    assert "GAFF2" in system.source and system.charges.sum() == 0
    with pytest.raises(ValueError, match=r"antechamber, which is not installed: install the extra 'gaff' \(pip install"):
        system.force_field()
    assert list(tmp_path.iterdir()) == []


def test_gaff2_refuses_elements_it_does_not_cover():
    with pytest.raises(ValueError, match=r"GAFF2 has no parameters for the element Si of 'C\[Si\]\(C\)\(C\)C': it covers H, C, N"):
        systems.from_smiles("C[Si](C)(C)C", force_field="gaff2")


def test_what_antechamber_cannot_do_is_said_in_a_sentence(ambertools):
    with pytest.raises(ValueError, match=r"antechamber made no GAFF2 parameters for '\[H\]\[H\]' \(status \d+\): choose another"):
        systems.from_smiles("[H][H]", force_field="gaff2").force_field()
    assert not _antechamber._folder().exists()


def test_auto_takes_gaff2_where_it_can_be_had_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_antechamber, "_programs", lambda: (_ for _ in ()).throw(ValueError("not installed")))
    assert "GAFF2" in systems.from_smiles("Cc1ccccc1").source  # its parameters come with the library
    assert "MMFF94" in systems.from_smiles("CCCCCl").source
    assert "MMFF94" in systems.from_smiles("C[Si](C)(C)C").source


def test_partial_charges_come_with_the_force_field():
    toluene = systems.from_smiles("Cc1ccccc1", force_field="gaff2")
    assert not toluene.charges.any()
    charges = toluene.partial_charges()
    assert charges.sum() == pytest.approx(0.0, abs=1e-9) and charges[:2].max() - charges[:2].min() > 0.02
    beads = mappings.by_pick.build(toluene, None, mappings.by_pick.Settings(atoms=((0, 7, 8, 9), (1, 2, 3, 4, 5, 6)))).beads(toluene)
    assert beads.charges[0] == pytest.approx(charges[[0, 7, 8, 9]].sum(), abs=1e-12) and abs(beads.charges[0]) > 0.01


def test_loading_a_molecule_makes_no_parameters(ambertools, monkeypatch):
    monkeypatch.setattr(_antechamber, "_make", lambda *a: pytest.fail("made before forces are asked for"))
    systems.from_smiles("CC(C)Cc1ccc(cc1)C(C)C(=O)O", force_field="gaff2", seed=11)
    systems.from_smiles("CCCCCl", n_molecules=20, cutoff_nm=0.5)


SMALL = sorted(smiles for smiles, made in _antechamber._library().items() if len(made.types) <= 25)


@pytest.mark.parametrize("smiles", SMALL)
def test_the_parameters_of_the_library_are_those_of_antechamber(smiles, ambertools):
    made = _antechamber._make(Chem.AddHs(Chem.MolFromSmiles(smiles)), smiles)
    kept = _antechamber._library()[smiles]
    assert made.types == kept.types and made.table == kept.table
    np.testing.assert_allclose(made.charges, kept.charges, atol=2e-3)
