"""Files of other programs that are cut off, something else, or do not fit are refused in one sentence, and nothing is lost."""

import functools
import pathlib
import shutil

import numpy as np
import pytest

from workbench import reference, systems

DATA = pathlib.Path(__file__).parent / "data"


@functools.cache
def water():
    return systems.from_files(DATA / "water.gro", DATA / "water.trr")


@pytest.mark.parametrize("name", ["water.xtc", "water.trr", "water_real.lammpstrj", "water_real.dcd"])
def test_a_file_cut_off_in_a_frame_is_refused_and_its_whole_frames_can_be_read(name, tmp_path):
    system, whole = water(), reference.read(water(), DATA / name)
    data = (DATA / name).read_bytes()
    cut = tmp_path / name
    for lost in (1, 50, 150):
        cut.write_bytes(data[:-lost])
        with pytest.raises(ValueError, match=rf"ends in the middle of a frame: its first {len(whole) - 1} frames are whole"):
            reference.read(system, cut, folder=tmp_path / "frames")
        assert not (tmp_path / "frames").exists()
        np.testing.assert_array_equal(
            reference.read(system, cut, n_frames=len(whole) - 1).positions, whole.take(slice(0, len(whole) - 1)).positions
        )


def test_archives_cut_off_are_refused(tmp_path):
    frames = reference.read(water(), DATA / "water.trr")
    np.savez(tmp_path / "whole.npz", positions=frames.positions, box=frames.box)
    amide = systems.from_files(DATA / "amide.psf", DATA / "amide.dcd")
    for path, system in ((tmp_path / "whole.npz", water()), (DATA / "amide.h5", amide)):
        cut = tmp_path / f"cut{path.suffix}"
        cut.write_bytes(path.read_bytes()[:-700])
        with pytest.raises(ValueError, match="cannot be read as what its ending says"):
            reference.read(system, cut)


def test_a_topology_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"amide.dcd holds 12 atoms a frame and the topology water.gro 24"):
        systems.from_files(DATA / "water.gro", DATA / "amide.dcd")
    with pytest.raises(ValueError, match=r"amide.dcd holds 12 atoms a frame and the topology of 'water' 24"):
        reference.read(water(), DATA / "amide.dcd")


def test_units_of_a_dump_are_asked_for():
    with pytest.raises(ValueError, match=r"does not state its units: give lammps_units='real' or 'metal'"):
        reference.read(water(), DATA / "water_scaled.lammpstrj")
    with pytest.raises(ValueError, match=r"units lj cannot be converted"):
        reference.read(water(), DATA / "water_scaled.lammpstrj", lammps_units="lj")
    with pytest.raises(ValueError, match=r"lammps_units = 'metal' but .* says that it is in units real"):
        reference.read(water(), DATA / "water_real.lammpstrj", lammps_units="metal")
    with pytest.raises(ValueError, match=r"lammps_units = 'real' is for LAMMPS dumps"):
        reference.read(water(), DATA / "water.trr", lammps_units="real")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"water.xtc holds no forces"):
        reference.read(water(), DATA / "water.xtc", need_forces=True)
    with pytest.raises(ValueError, match=r"there is no trajectory file .*none.xtc"):
        reference.read(water(), tmp_path / "none.xtc")
    with pytest.raises(ValueError, match=r"there is no topology file .*none.pdb"):
        systems.from_files(tmp_path / "none.pdb")
    with pytest.raises(ValueError, match=r"water.mov: trajectories end in dcd, xtc"):
        reference.read(water(), tmp_path / "water.mov")
    with pytest.raises(ValueError, match=r"water.xyz: topologies end in pdb, gro"):
        systems.from_files(tmp_path / "water.xyz")
    with pytest.raises(ValueError, match=r"amide.psf holds no coordinates: give a trajectory"):
        systems.from_files(DATA / "amide.psf")
    lines = [line for line in (DATA / "water.pdb").read_text().splitlines(True) if not line.startswith("CRYST1")]
    (tmp_path / "liquid.pdb").write_text("".join(lines))
    for make in (systems.from_files, systems.from_pdb):
        with pytest.raises(ValueError, match=r"'liquid' has 8 molecules but no box: give box="):
            make(tmp_path / "liquid.pdb")
    assert systems.from_files(tmp_path / "liquid.pdb", box="vacuum").box is None
    assert systems.from_files(tmp_path / "liquid.pdb", box=(1.5, 1.6, 1.7)).box.tolist() == [1.5, 1.6, 1.7]


def test_bad_atoms_are_refused(tmp_path):
    text = (DATA / "water.gro").read_text()
    rows = text.splitlines(True)
    (tmp_path / "clash.gro").write_text("".join([*rows[:5], rows[5][:20] + rows[2][20:], *rows[6:]]))
    with pytest.raises(ValueError, match=r"'clash': atoms 0 and 3 are 0.0000 nm apart: atoms overlap"):
        systems.from_files(tmp_path / "clash.gro")
    (tmp_path / "ligand.gro").write_text(text.replace("SOL", "LIG").replace(" OW", "OX1").replace("HW", "HX"))
    with pytest.raises(ValueError, match=r"gives no bonds for atom 0 .* or find them by bonds='distance'"):
        systems.from_files(tmp_path / "ligand.gro")
    assert len(systems.from_files(tmp_path / "ligand.gro", bonds="distance").bonds) == 16
    (tmp_path / "skew.gro").write_text("".join([*rows[:-1], "   1.5 1.6 1.7 0.0 0.0 0.3 0.0 0.0 0.0\n"]))
    with pytest.raises(ValueError, match="box that is not orthorhombic"):
        systems.from_files(tmp_path / "skew.gro")
    bare = [line for line in (DATA / "water.pdb").read_text().splitlines(True) if "HW2" not in line]
    (tmp_path / "bare.pdb").write_text("".join(bare))
    with pytest.raises(ValueError, match=r"bare.pdb: amber14-all.xml, amber14/tip3p.xml cannot describe it"):
        systems.from_pdb(tmp_path / "bare.pdb", cutoff_nm=0.7)


@pytest.mark.parametrize("name", ["water.xtc", "water.trr", "water_real.dcd", "amide.h5", "water_real.lammpstrj", "w.npz"])
def test_files_that_are_something_else_are_refused(name, tmp_path):
    shutil.copy(DATA / "amide.prmtop", tmp_path / name)
    with pytest.raises(ValueError, match="cannot be read as what its ending says"):
        reference.read(water(), tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"cannot be read as what its ending says|holds 0 atoms a frame|holds 0 frames"):
        reference.read(water(), tmp_path / name)


def test_dumps_that_cannot_be_matched_are_refused(tmp_path):
    text = (DATA / "water_real.lammpstrj").read_text()
    changes = {
        "noid": (("ATOMS id", "ATOMS mol"), r"noid.lammpstrj has the columns mol type x y z .*: dump at least id x y z"),
        "skew": (("BOX BOUNDS pp", "BOX BOUNDS xy xz yz pp"), "skew.lammpstrj has a box that is not orthorhombic"),
        "twice": (("\n3 2 ", "\n1 2 "), "twice.lammpstrj, frame 0, holds other atoms than the first, or one of them twice"),
        "open": (("pp pp pp", "pp pp ff"), "open.lammpstrj holds no box but 'water' is periodic"),
        "word": (("\n3 2 ", "\n3 x2 y"), "word.lammpstrj, frame 0, cannot be read"),
    }
    for name, ((old, new), refusal) in changes.items():
        (tmp_path / f"{name}.lammpstrj").write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=refusal):
            reference.read(water(), tmp_path / f"{name}.lammpstrj")


def test_frames_without_forces_are_left_out_when_forces_are_needed(tmp_path):
    data = (DATA / "water.trr").read_bytes()
    size = len(data) // 3
    bare = bytearray(data[size : 2 * size - 12 * 24])
    bare[60:64] = bytes(4)  # the size of the forces in the header of frame 1: none
    (tmp_path / "some.trr").write_bytes(data[:size] + bare + data[2 * size :])
    system = systems.from_files(DATA / "water.gro", tmp_path / "some.trr")
    with pytest.raises(ValueError, match=r"some.trr holds forces in 2 of 3 frames: need_forces=True keeps those"):
        reference.read(system, tmp_path / "some.trr")
    frames, whole = reference.read(system, tmp_path / "some.trr", need_forces=True), reference.read(system, DATA / "water.trr")
    np.testing.assert_array_equal(frames.forces, whole.forces[[0, 2]])
    np.testing.assert_array_equal(frames.positions, whole.positions[[0, 2]])


@pytest.mark.parametrize("ending", ["pdb", "psf", "prmtop"])
def test_topologies_that_are_something_else_are_refused(ending, tmp_path):
    shutil.copy(DATA / "water_trr.txt", tmp_path / f"bad.{ending}")
    with pytest.raises(ValueError, match=rf"bad.{ending} cannot be read as .*: check the file"):
        systems.from_files(tmp_path / f"bad.{ending}")


def test_wrong_choices_are_refused():
    for given, refusal in (({"bonds": "guess"}, "choose file or distance"), ({"constraints": "some"}, "choose none, water, h-bonds")):
        with pytest.raises(ValueError, match=refusal):
            systems.from_files(DATA / "water.gro", **given)
    for box in ("periodic", (1.0, 1.0), (1.0, -1.0, 1.0)):
        with pytest.raises(ValueError, match="box = "):
            systems.from_files(DATA / "water.gro", box=box)
    with pytest.raises(ValueError, match="holds 3 frames; wanted 4"):
        reference.read(water(), DATA / "water.trr", n_frames=4)
