"""Topologies and trajectories of GROMACS, LAMMPS, LEaP, OpenMM and MDTraj (see ``data/README.md``)."""

import functools
import pathlib
import re

import numpy as np
import pytest

from workbench import mappings, projection, reference, systems, units

DATA = pathlib.Path(__file__).parent / "data"
AMIDE = np.loadtxt(DATA / "amide.txt")


@functools.cache
def water(topology="water.gro", trajectory="water.trr"):
    return systems.from_files(DATA / topology, DATA / trajectory)


def gmx_dump(what: str) -> np.ndarray:
    """Rows of x, v or f in the text that ``gmx dump`` wrote of frame 1."""
    rows = re.findall(rf"^ +{what}\[ *\d+\]=\{{(.*)\}}$", (DATA / "water_trr.txt").read_text(), re.M)
    return np.array([[float(v) for v in row.split(",")] for row in rows])


def is_whole(system, positions) -> bool:
    steps = positions[:, system.bonds[:, 0]] - positions[:, system.bonds[:, 1]]
    return bool(np.linalg.norm(steps, axis=-1).max() < 0.16)


def same_modulo_box(positions, wanted, box) -> bool:
    shift = (positions - wanted) / box
    return bool(np.abs(shift - np.round(shift)).max() < 2e-5)


def test_trr_of_gromacs_holds_what_gmx_dump_prints():
    system = water()
    frames = reference.read(system, DATA / "water.trr", need_forces=True)
    assert len(frames) == 3 and frames.time == pytest.approx([0, 0.004, 0.008])
    np.testing.assert_allclose(frames.forces[1], gmx_dump("f"), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(frames.velocities[1], gmx_dump("v"), rtol=1e-5, atol=1e-5)
    dumped = gmx_dump("x")
    assert not is_whole(system, dumped[None]) and is_whole(system, frames.positions)
    assert same_modulo_box(frames.positions[1], dumped, [1.5, 1.6, 1.7])
    np.testing.assert_allclose(frames.box, np.tile([1.5, 1.6, 1.7], (3, 1)), atol=1e-6)


def test_forces_of_rigid_molecules_reach_the_beads():
    system = water()
    beads = projection.project(
        reference.read(system, DATA / "water.trr"), mappings.center_of_mass.build(system, None, mappings.center_of_mass.Settings())
    )
    np.testing.assert_allclose(beads.forces[1], gmx_dump("f").reshape(8, 3, 3).sum(1), rtol=1e-4, atol=1e-2)


def test_xtc_holds_the_trr_to_its_precision():
    system = water("water.pdb", "water.xtc")
    frames = reference.read(system, DATA / "water.xtc")
    full = reference.read(water(), DATA / "water.trr")
    shift = (frames.positions - full.positions) / full.box[:, None]
    assert np.abs((shift - np.round(shift)) * 1.7).max() < 1e-4 and is_whole(system, frames.positions)
    assert frames.forces is None and frames.time == pytest.approx(full.time)


def test_topologies_of_gromacs_give_eight_rigid_waters():
    for system in (water(), water("water.pdb", "water.xtc")):
        assert len(system.kinds()) == 1 and system.molecule.max() == 7 and system.elements[:3] == ("O", "H", "H")
        assert system.bonds[:2].tolist() == [[0, 1], [0, 2]] and system.constraints[:3].tolist() == [[0, 1], [0, 2], [1, 2]]
        assert system.masses[:3] == pytest.approx([15.999, 1.008, 1.008], abs=2e-3) and is_whole(system, system.positions[None])
    assert len(systems.from_files(DATA / "water.gro", constraints="none").constraints) == 0
    np.testing.assert_allclose(systems.from_files(DATA / "water.gro", bonds="distance").bonds, water().bonds)


def test_lammps_dump_holds_what_its_log_prints():
    system = systems.from_files(DATA / "water.pdb", DATA / "water_real.lammpstrj", constraints="none")
    frames = reference.read(system, DATA / "water_real.lammpstrj")
    log = np.loadtxt(DATA / "water_lammps.txt", skiprows=1)
    _, time, _, x1, x2, fx1, fy2, fz24, vx3 = log.T
    np.testing.assert_allclose(frames.time, time * units.FEMTOSECOND)
    assert same_modulo_box(frames.positions[:, [0, 1], 0], 0.1 * np.stack([x1, x2], 1), 1.5)
    forces = frames.forces[:, [0, 1, 23], [0, 1, 2]]
    np.testing.assert_allclose(forces, 41.84 * np.stack([fx1, fy2, fz24], 1), rtol=1e-6)
    np.testing.assert_allclose(frames.velocities[:, 2, 0], 100 * vx3, rtol=1e-5)


def test_two_unit_styles_of_lammps_give_one_trajectory():
    system = systems.from_files(DATA / "water.pdb", constraints="none")
    real, metal = (reference.read(system, DATA / f"water_{style}.lammpstrj", need_forces=True) for style in ("real", "metal"))
    np.testing.assert_allclose(real.positions, metal.positions, atol=1e-6)
    np.testing.assert_allclose(real.forces, metal.forces, rtol=1e-4, atol=0.05)
    np.testing.assert_allclose(real.velocities, metal.velocities, atol=1e-4)
    np.testing.assert_allclose(real.time, metal.time)
    scaled = reference.read(system, DATA / "water_scaled.lammpstrj", lammps_units="real")
    np.testing.assert_allclose(scaled.positions, real.positions, atol=1e-5)
    assert scaled.forces is None
    dcd = reference.read(system, DATA / "water_real.dcd")
    assert same_modulo_box(dcd.positions, real.positions, [1.5, 1.6, 1.7]) and is_whole(system, dcd.positions)


@pytest.mark.parametrize("ending", ["dcd", "h5"])
def test_openmm_reporters_hold_what_the_context_printed(ending):
    system = systems.from_files(DATA / "amide.psf", DATA / f"amide.{ending}")
    frames = reference.read(system, DATA / f"amide.{ending}")
    np.testing.assert_allclose(frames.positions, AMIDE[:, 2:].reshape(3, 12, 3), atol=2e-6)
    assert frames.box is None
    if ending == "h5":
        np.testing.assert_allclose(frames.time, AMIDE[:, 0], rtol=1e-5)
        np.testing.assert_allclose(frames.energy, AMIDE[:, 1], rtol=1e-5)


def test_prmtop_brings_the_force_field_of_amber():
    import openmm

    system = systems.from_files(DATA / "amide.prmtop", DATA / "amide.dcd")
    context = openmm.Context(openmm.XmlSerializer.deserialize(system.parameters()), openmm.VerletIntegrator(0.001))
    context.setPositions(AMIDE[1, 2:].reshape(12, 3))
    assert context.getState(energy=True).getPotentialEnergy()._value == pytest.approx(AMIDE[1, 1], abs=0.01)
    psf = systems.from_files(DATA / "amide.psf", DATA / "amide.dcd")
    np.testing.assert_allclose(psf.charges, system.charges, atol=1e-5)
    np.testing.assert_allclose(psf.masses, system.masses, atol=1e-3)
    assert psf.bonds.tolist() == system.bonds.tolist() and len(system.bonds) == 11 and abs(system.charges.sum()) < 1e-6


def test_a_pdb_with_a_force_field_can_be_sampled():
    system = systems.from_pdb(DATA / "water.pdb", cutoff_nm=0.7)
    assert system.charges[:3] == pytest.approx([-0.834, 0.417, 0.417]) and len(system.constraints) == 24
    frames = reference.sample(system, reference.Settings(n_frames=2, equilibration_ps=0.0, interval_ps=0.01))
    assert np.isfinite(frames.forces).all()
    with pytest.raises(ValueError, match=r"cut-off of 1.0 nm exceeds half the box of 1\.500 nm"):
        systems.from_pdb(DATA / "water.pdb")
    with pytest.raises(ValueError, match=r"'water' has no force field, only atoms: .* cannot be simulated"):
        reference.sample(water(), reference.Settings(n_frames=2))


def test_a_folder_takes_the_frames_and_gives_them_again(tmp_path):
    system, path = water(), DATA / "water.trr"
    frames = reference.read(system, path, folder=tmp_path / "frames")
    assert isinstance(frames.positions.base if frames.positions.base is not None else frames.positions, np.memmap)
    again = reference.read(system, path, folder=tmp_path / "frames")
    memory = reference.read(system, path)
    for name in ("positions", "forces", "velocities", "box", "time"):
        np.testing.assert_array_equal(getattr(again, name), getattr(memory, name))
    with pytest.raises(ValueError, match="holds another run"):
        reference.read(system, path, n_frames=2, folder=tmp_path / "frames")
    assert len(reference.read(system, path, n_frames=2)) == 2


def test_pieces_join_without_a_seam(monkeypatch):
    from workbench import trajectory_files

    system = water()
    for name, given in (("water.trr", None), ("water.xtc", None), ("water_real.lammpstrj", None), ("water_real.dcd", None)):
        once = reference.read(system, DATA / name, lammps_units=given)
        monkeypatch.setattr(trajectory_files, "CHUNK_BYTES", 1)
        np.testing.assert_array_equal(reference.read(system, DATA / name, lammps_units=given).positions, once.positions)
        monkeypatch.undo()


def test_npz_in_project_units(tmp_path):
    system = water()
    frames = reference.read(system, DATA / "water.trr")
    arrays = {name: getattr(frames, name) for name in ("positions", "forces", "box", "time")}
    np.savez_compressed(tmp_path / "w.npz", **arrays)
    read = reference.read(system, tmp_path / "w.npz", need_forces=True)
    for name, values in arrays.items():
        np.testing.assert_array_equal(getattr(read, name), values)
    np.savez(tmp_path / "x.npz", coordinates=frames.positions)
    with pytest.raises(ValueError, match=r"x.npz holds coordinates: wanted positions \(F, N, 3\) in nm"):
        reference.read(system, tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", positions=frames.positions)
    with pytest.raises(ValueError, match=r"y.npz holds no box but 'water' is periodic: give box="):
        reference.read(system, tmp_path / "y.npz")
    boxed = reference.read(system, tmp_path / "y.npz", box=(1.5, 1.6, 1.7))
    np.testing.assert_allclose(boxed.box, frames.box, atol=1e-6)


def test_a_peptide_from_its_pdb_is_that_of_the_library(dipeptide):
    made = systems.from_pdb(pathlib.Path(systems.__file__).with_name("alanine_dipeptide.pdb"), force_field=["amber14/protein.ff14SB.xml"])
    assert made.box is None and made.kinds().keys() == dipeptide.kinds().keys()
    np.testing.assert_allclose(made.charges, dipeptide.charges)
    np.testing.assert_allclose(made.positions, dipeptide.positions)


def test_a_massless_site_belongs_to_its_water(tmp_path):
    rows = (DATA / "water.gro").read_text().splitlines(True)
    with_sites = [row for i, row in enumerate(rows[2:-1]) for row in ([row, row[:10] + "   MW" + row[15:]] if i % 3 == 2 else [row])]
    (tmp_path / "tip4p.gro").write_text("".join([rows[0], "32\n", *with_sites, rows[-1]]))
    system = systems.from_files(tmp_path / "tip4p.gro")
    assert system.virtual_sites.tolist() == list(range(3, 32, 4)) and system.elements[3] == "" and system.masses[3] == 0
    assert system.molecule.tolist() == np.repeat(np.arange(8), 4).tolist() and len(system.bonds) == 16 and len(system.constraints) == 24
