import io

import numpy as np
import openmm
import pytest
import torch
from openmm import app, unit

from workbench import geometry, store, systems
from workbench.systems import _pdb, _peptide, alanine_dipeptide

BACKBONE = [4, 6, 8, 14, 16]


def energy_and_forces(xml: str, positions: np.ndarray) -> tuple[float, np.ndarray]:
    context = openmm.Context(
        openmm.XmlSerializer.deserialize(xml), openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(positions)
    state = context.getState(getEnergy=True, getForces=True)
    return state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole), state.getForces(asNumpy=True)._value


def test_the_backbone_stands_where_the_standard_order_has_it(dipeptide):
    assert [dipeptide.atom_names[a] for a in BACKBONE] == ["C", "N", "CA", "C", "N"]
    assert [dipeptide.residue_names[a] for a in BACKBONE] == ["ACE", "ALA", "ALA", "ALA", "NME"]
    pairs = {tuple(pair) for pair in dipeptide.bonds.tolist()}
    assert {(4, 6), (6, 8), (8, 14), (14, 16)} <= pairs
    assert len(pairs) == 21 and dipeptide.n_atoms == 22


def test_it_is_one_neutral_flexible_molecule_of_the_right_mass(dipeptide):
    assert dipeptide.masses.sum() == pytest.approx(144.17, abs=0.05)  # C6 H12 N2 O2
    assert dipeptide.charges.sum() == pytest.approx(0, abs=1e-9)
    assert dipeptide.molecule.max() == 0 and len(dipeptide.constraints) == 0 and dipeptide.box is None


def test_it_is_the_l_enantiomer_at_c7eq(dipeptide):
    nitrogen, alpha, beta, carbon = (dipeptide.positions[a] for a in (6, 8, 10, 14))
    assert np.dot(nitrogen - alpha, np.cross(carbon - alpha, beta - alpha)) > 0
    quadruples = torch.tensor([BACKBONE[:4], BACKBONE[1:]])
    phi, psi = np.degrees(geometry.dihedrals(torch.tensor(dipeptide.positions.copy())[None], quadruples)[0].numpy())
    assert (phi, psi) == (pytest.approx(-75.0, abs=2), pytest.approx(54.0, abs=2))
    _, forces = energy_and_forces(dipeptide.force_field(), dipeptide.positions)
    assert np.abs(forces).max() < 200  # a minimum, to the three decimals (angstrom) of a PDB file


@pytest.mark.parametrize("force_field", ["amber14sb", "amber99sb-ildn"])
def test_native_obc2_gives_the_energy_of_the_interpreted_form(force_field):
    system = systems.load("alanine_dipeptide", solvent="obc2", force_field=force_field)
    pdb = app.PDBFile(io.StringIO(_pdb.pdb_text(system)))
    files = app.ForceField(_peptide.FORCE_FIELDS[force_field], "implicit/obc2.xml")
    interpreted = openmm.XmlSerializer.serialize(files.createSystem(pdb.topology, nonbondedMethod=app.NoCutoff))
    energy, forces = energy_and_forces(system.force_field(), system.positions)
    wanted, wanted_forces = energy_and_forces(interpreted, system.positions)
    assert energy == pytest.approx(wanted, rel=1e-6)
    assert np.abs(forces - wanted_forces).max() < 1e-2
    vacuum, _ = energy_and_forces(systems.load("alanine_dipeptide", force_field=force_field).force_field(), system.positions)
    assert energy < vacuum - 20  # water is a good solvent of a peptide


def test_explicit_water_is_rigid_and_the_peptide_flexible():
    system = systems.load("alanine_dipeptide", solvent="tip3p")
    waters = int(system.molecule[-1])
    assert system.residue_names.count("HOH") == 3 * waters
    assert len(system.constraints) == 3 * waters and system.constraints.min() >= 22
    np.testing.assert_allclose(system.box, 2.7)
    assert len(system.kinds()) == 2
    density = system.masses.sum() / system.box.prod() / 602.214
    assert 0.9 < density < 1.05
    alanine_dipeptide.load.cache_clear()
    assert store.identity(system) == store.identity(systems.load("alanine_dipeptide", solvent="tip3p"))


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match=r"solvent = 'ethanol': choose one of 'vacuum', 'obc2', 'tip3p'"):
        systems.load("alanine_dipeptide", solvent="ethanol")
    with pytest.raises(ValueError, match="no field 'solvnt': did you mean 'solvent'"):
        systems.load("alanine_dipeptide", solvnt="obc2")
    with pytest.raises(ValueError, match="there is no method 'alanin_dipeptide' in systems"):
        systems.load("alanin_dipeptide")


def test_pdb_text_is_read_back_as_the_same_molecule(dipeptide):
    text = _pdb.pdb_text(dipeptide)
    pdb = app.PDBFile(io.StringIO(text))
    assert [a.name for a in pdb.topology.atoms()] == list(dipeptide.atom_names)
    np.testing.assert_allclose(pdb.getPositions(asNumpy=True)._value, dipeptide.positions, atol=5.1e-5)
    bonds = set()
    for line in text.splitlines():
        if line.startswith("CONECT"):
            first, *others = (int(line[i : i + 5]) - 1 for i in range(6, len(line), 5))
            bonds |= {tuple(sorted((first, other))) for other in others}
    assert bonds == {tuple(pair) for pair in dipeptide.bonds.tolist()}


def test_pdb_text_of_some_atoms(dipeptide):
    text = _pdb.pdb_text(dipeptide, BACKBONE)
    assert [line[12:16].strip() for line in text.splitlines() if line.startswith("HETATM")] == ["C", "N", "CA", "C", "N"]
    assert "CONECT    3    2    4" in text
    with pytest.raises(ValueError, match="atom 22 is not in 'alanine_dipeptide', which has 22 atoms"):
        _pdb.pdb_text(dipeptide, [22])
