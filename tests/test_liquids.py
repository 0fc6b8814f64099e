"""Liquids from single molecules: packing, composition, the same physics as the molecules alone, and what is refused."""

import numpy as np
import openmm
import pytest
from openmm import unit

from workbench import reference, systems, units
from workbench.systems import _water, water_tip4p2005


def on_reference(system, positions=None) -> openmm.Context:
    physics = openmm.XmlSerializer.deserialize(system.force_field())
    context = openmm.Context(physics, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(system.positions if positions is None else positions)
    return context


def energy(context: openmm.Context) -> float:
    return context.getState(getEnergy=True).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)


def density(system) -> float:
    return system.masses.sum() / system.box.prod() / units.GRAM_PER_CM3


@pytest.fixture(scope="module")
def methanol():
    return systems.from_smiles("CO", n_molecules=20, density=0.7866, cutoff_nm=0.5)


def test_density_composition_and_charge(methanol):
    assert density(methanol) == pytest.approx(0.7866, abs=1e-9)
    assert methanol.molecule[-1] == 19 and methanol.n_atoms == 120
    (copies,) = methanol.kinds().values()
    assert copies.shape == (20, 6)
    assert methanol.partial_charges().reshape(20, 6).sum(1) == pytest.approx(0.0, abs=1e-9)


def test_no_two_molecules_overlap_across_the_box(methanol):
    apart = methanol.positions[:, None] - methanol.positions[None]
    apart -= np.round(apart / methanol.box) * methanol.box
    other = methanol.molecule[:, None] != methanol.molecule[None]
    assert np.linalg.norm(apart, axis=-1)[other].min() > 0.165


def test_the_same_seed_gives_the_same_liquid(methanol):
    again = systems.from_smiles("CO", n_molecules=20, density=0.7866, cutoff_nm=0.5)
    np.testing.assert_array_equal(again.positions, methanol.positions)
    other = systems.from_smiles("CO", n_molecules=20, density=0.7866, cutoff_nm=0.5, seed=1)
    assert np.abs(other.positions - methanol.positions).max() > 0.1


def test_far_apart_the_liquid_has_the_energy_of_its_molecules():
    single = systems.from_smiles("CO", force_field="gaff2")
    gas = systems.from_smiles("CO", n_molecules=2, density=1e-3 * 2, cutoff_nm=1.5)  # some 3.8 nm apart in a box of 3.8 nm
    apart = np.concatenate([single.positions, single.positions + gas.box / 2])
    # the dipole of methanol is 0.05 e nm: 1389 * 0.05^2 / 3.3^3 is 0.1 kJ/mol
    assert energy(on_reference(gas, apart)) == pytest.approx(2 * energy(on_reference(single)), abs=0.3)


def test_rigid_bonds_to_hydrogen():
    rigid = systems.from_smiles("CO", n_molecules=20, density=0.7866, cutoff_nm=0.5, constraints="h-bonds")
    assert len(rigid.constraints) == 20 * 4
    physics = openmm.XmlSerializer.deserialize(rigid.force_field())
    assert physics.getNumConstraints() == 80
    run = reference.sample(rigid, reference.Settings(n_frames=2, interval_ps=0.02, timestep_fs=2.0, equilibration_ps=0.02))
    for pair in rigid.constraints:
        length = np.linalg.norm(run.positions[:, pair[0]] - run.positions[:, pair[1]], axis=-1)
        assert np.ptp(length) < 1e-5


def test_a_smiles_with_dots_is_a_mixture_whose_water_is_tip3p():
    mixture = systems.from_smiles("CO.O.O", n_molecules=10, cutoff_nm=0.45)
    kinds = [copies.shape for copies in mixture.kinds().values()]
    assert kinds == [(10, 6), (20, 3)]
    assert mixture.residue_names[-1] == "HOH" and len(mixture.constraints) == 60 and "TIP3P" in mixture.source
    assert mixture.partial_charges()[-3:] == pytest.approx([-0.834, 0.417, 0.417])
    run = reference.sample(mixture, reference.Settings(n_frames=2, interval_ps=0.01, equilibration_ps=0.02))
    assert np.isfinite(run.forces).all()


def test_ions_make_a_neutral_liquid_and_one_kind_alone_does_not():
    salt = systems.from_smiles("CC[n+]1ccn(C)c1.FC(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F", n_molecules=4, cutoff_nm=0.5)
    assert salt.partial_charges().sum() == pytest.approx(0.0, abs=1e-9)
    assert np.add.reduceat(salt.partial_charges(), np.flatnonzero(np.r_[1, np.diff(salt.molecule)])) == pytest.approx([1] * 4 + [-1] * 4)
    with pytest.raises(ValueError, match=r"net charge of \+4 e: a periodic liquid must be neutral: add counter-ions"):
        systems.from_smiles("CC[n+]1ccn(C)c1", n_molecules=4, cutoff_nm=0.5)


def test_massless_sites_are_copied_with_their_molecules():
    water = _water.molecule(water_tip4p2005.MODEL)
    mixture = systems.liquid([(water, 12), (systems.from_smiles("CO", force_field="gaff2"), 6)], density=0.9, cutoff_nm=0.4)
    assert mixture.virtual_sites.tolist() == [4 * i + 3 for i in range(12)] and np.all(mixture.masses[mixture.virtual_sites] == 0)
    run = reference.sample(mixture, reference.Settings(n_frames=2, interval_ps=0.01, equilibration_ps=0.02))
    site = np.linalg.norm(run.positions[:, 3:48:4] - run.positions[:, 0:48:4], axis=-1)
    np.testing.assert_allclose(site, 0.01546, atol=1e-5)
    real = run.forces[:, mixture.masses > 0]
    assert np.abs(real.sum(1)).max() < 1e-2 * np.abs(real).max()  # the force on a site is in those on its atoms: nothing is lost


def test_what_cannot_be_is_refused_in_a_sentence(methanol):
    with pytest.raises(ValueError, match=r"30 molecules cannot be packed into a box of 0\.810 nm: choose a lower density"):
        systems.from_smiles("CO", n_molecules=30, density=3.0, cutoff_nm=0.4)
    with pytest.raises(ValueError, match=r"the cut-off of 1\.0 nm exceeds half the box of 1\.1\d+ nm: take more molecules"):
        systems.from_smiles("CO", n_molecules=20)
    with pytest.raises(ValueError, match="MMFF94 is for a single molecule: choose force_field='gaff2'"):
        systems.from_smiles("CO", n_molecules=20, force_field="mmff94", cutoff_nm=0.5)
    with pytest.raises(ValueError, match="must be one molecule without a box"):
        systems.liquid([(methanol, 2)], density=1.0)
    with pytest.raises(ValueError, match=r"has terms that no liquid can hold \(\w+.*\): choose force_field='gaff2'"):
        systems.liquid([(systems.from_smiles("CO", force_field="mmff94"), 20)], density=0.7, cutoff_nm=0.5).force_field()
    with pytest.raises(ValueError, match="GAFF2 has no parameters for the element Si"):
        systems.from_smiles("C[Si](C)(C)C", n_molecules=10)
