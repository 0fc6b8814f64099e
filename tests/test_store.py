import dataclasses
import io
import json
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from workbench import mappings, store, systems
from workbench.store import _nouns
from workbench.types import Beads, Fit, Mapping, Observation, ReferenceData, Start, State, System, Target, Trajectory

RANDOM = np.random.default_rng(0)
PICK = mappings.by_pick.Settings(atoms=((4,), (6, 8)))


def beads() -> Beads:
    return Beads.from_bonds(names=("A", "B"), types=("A", "B"), masses=[1.5, 2.5], molecule=[0, 0], bonds=[(0, 1)])


def frames(dtype=np.float32) -> dict:
    return {"positions": RANDOM.normal(size=(5, 2, 3)).astype(dtype), "forces": RANDOM.normal(size=(5, 2, 3)).astype(dtype)}


NOUNS = {
    "State": lambda: State(temperature=310.5, pressure=1.01325),
    "System": lambda: systems.load("alanine_dipeptide"),
    "System in a box": lambda: systems.load("water_tip3p"),
    "Beads": beads,
    "Trajectory": lambda: Trajectory(
        **frames(),
        velocities=RANDOM.normal(size=(5, 2, 3)),
        box=np.ones((5, 3)),
        time=np.arange(5.0),
        state=np.arange(5) % 2,
        replica=np.zeros(5, int),
        energy=RANDOM.normal(size=5),
        virial=RANDOM.normal(size=(5, 3, 3)),
        states=(State(), State(temperature=400.0)),
        parents=("aa", "bb"),
    ),
    "Trajectory of a system": lambda: Trajectory(positions=np.zeros((2, 22, 3)), system=systems.load("alanine_dipeptide")),
    "ReferenceData": lambda: ReferenceData(**frames(np.float64), beads=beads(), force_kind="mean", force_error=np.full((5, 2, 3), 0.25)),
    "Start": lambda: Start(positions=np.ones((3, 2, 3)), beads=beads(), box=np.ones((3, 3))),
    "Target": lambda: Target(observable="rdf", settings=PICK, value=np.array(0.1), error=np.array([0.2]), unit="nm", state=State()),
    "Observation": lambda: Observation(
        name="rdf", x=(np.arange(3.0),), value=np.array([0.0, np.inf, np.nan]), error=np.zeros(3), unit="", n_effective=7.5
    ),
    "Observation of a number": lambda: Observation(name="T", x=(), value=np.float64(300.25), error=0.5, unit="K", n_effective=3.0),
    "Fit": lambda: Fit(potential=None, settings=PICK, history={"loss": np.array([3.0, 2.0])}, parents=("cc",)),
}


def assert_same(a, b, where="value"):
    """Equal down to the last bit, dtype and shape."""
    if callable(a):  # a force field: what it makes counts
        assert a() == b(), where
        return
    assert type(a) is type(b) or isinstance(a, np.ndarray), where
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape, where
        assert a.tobytes() == np.asarray(b).tobytes(), where
    elif dataclasses.is_dataclass(a):
        for f in dataclasses.fields(a):
            assert_same(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}")
    elif isinstance(a, tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key}]")
    else:
        assert a == b, where


@pytest.mark.parametrize("make", NOUNS.values(), ids=NOUNS.keys())
def test_every_noun_comes_back_bit_for_bit(make, tmp_path):
    value = make()
    read = store.load(store.save(value, tmp_path / "noun"))
    assert_same(value, read)
    assert store.identity(read) == store.identity(value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noun"]


def test_a_mapping_with_a_decoder_comes_back(dipeptide, tmp_path):
    mapping = mappings.by_pick.build(dipeptide, None, PICK)
    mapping = Mapping(templates=mapping.templates, decoder=RANDOM.normal(size=(22, 2)))
    assert_same(mapping, store.load(store.save(mapping, tmp_path / "mapping.json")))


def test_identity_depends_on_every_bit_and_on_nothing_else():
    positions = RANDOM.normal(size=(70_000, 1, 3))
    changed = positions.copy()
    changed[69_999, 0, 2] = np.nextafter(changed[69_999, 0, 2], 9.0)
    one, same, other = (store.identity(Trajectory(positions=p)) for p in (positions, positions.copy(), changed))
    assert one == same != other
    assert store.identity(PICK) != store.identity(dataclasses.replace(PICK, molecule=1))
    assert store.identity({"a": 1, "b": 2}) == store.identity({"b": 2, "a": 1})
    assert store.identity(1) != store.identity("1") and store.identity((1, 2)) != store.identity((12,))
    assert store.identity(np.float64(0.5)) == store.identity(0.5)


@pytest.mark.parametrize("name", ["positions.npy", "manifest.json", "beads.masses.npy"])
def test_one_flipped_byte_is_refused_wherever_it_is(name, tmp_path):
    folder = store.save(NOUNS["ReferenceData"](), tmp_path / "noun")
    whole = (folder / name).read_bytes()
    start = 128 if name.endswith(".npy") else 0
    for offset in range(start, len(whole), 37):
        (folder / name).write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
        with pytest.raises(store.Damaged):
            store.load(folder)
    (folder / name).write_bytes(whole[:-1])
    with pytest.raises(store.Damaged):
        store.load(folder)
    (folder / name).write_bytes(whole)
    store.load(folder)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.* does not exist"):
        store.load(tmp_path / "nowhere")
    folder = store.save(Trajectory(**frames()), tmp_path / "noun")
    (folder / "forces.npy").unlink()
    with pytest.raises(store.Damaged, match=r"forces\.npy is missing or damaged"):
        store.load(folder)


class Trap:
    """Unpickling one would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_nothing_is_ever_unpickled(tmp_path):
    folder = store.save(Trajectory(**frames()), tmp_path / "noun")
    np.save(folder / "positions.npy", np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    with pytest.raises(store.Damaged, match=r"positions\.npy is missing or damaged"):
        store.load(folder)
    (tmp_path / "pickle").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ValueError, match="not a text file"):
        store.load(tmp_path / "pickle")
    buffer = io.BytesIO()
    np.savez(buffer, trap=np.array([Trap(tmp_path / "sprung")], dtype=object))
    (tmp_path / "checkpoint.bin").write_bytes(buffer.getvalue())
    with pytest.raises(store.Damaged, match="damaged"):
        store.read_checkpoint(tmp_path / "checkpoint.bin", "id")
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(ValueError, match="cannot save an array of Python objects"):
        store.save(Fit(potential=None, settings=PICK, history={"loss": np.array([None])}), tmp_path / "fit")
    with pytest.raises(ValueError, match="PythonForce, which is code in disguise"):
        store.force_field_text("<System><Forces><Force type='PythonForce'/></Forces></System>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.bin", "noun", "pickle"]


def test_a_manifest_can_name_only_nouns(tmp_path):
    folder = store.save(State(), tmp_path / "noun")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["checksum"]
    manifest["value"]["noun"] = "Callable"
    manifest["checksum"] = _nouns._manifest_checksum(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(store.Damaged, match="holds a 'Callable', which is no noun of the workbench"):
        store.load(folder)


FULL = """
import resource, sys
import numpy as np
from workbench import store
from workbench.types import Trajectory
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    {action}
except store.DiskFull as error:
    print(error)
"""


@pytest.mark.parametrize(
    "action",
    [
        "store.save(Trajectory(positions=np.ones((9000, 5, 3))), sys.argv[1] + '/noun')",
        "store.write_checkpoint(sys.argv[1] + '/checkpoint.bin', {'x': np.ones(90_000)}, {'identity': 'id'})",
        "store.write_bytes(sys.argv[1] + '/file', bytes(200_000))",
    ],
)
def test_a_full_disk_leaves_what_was_there(action, tmp_path):
    store.save(Trajectory(positions=np.zeros((3, 5, 3))), tmp_path / "noun")
    store.write_checkpoint(tmp_path / "checkpoint.bin", {"x": np.zeros(3)}, {"identity": "id"})
    store.write_bytes(tmp_path / "file", b"old")
    before = {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    code = textwrap.dedent(FULL).replace("{action}", action)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.startswith("no room left on the disk while writing") and done.stdout.count("\n") == 1, done.stderr
    assert {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_checkpoint_comes_back_and_the_one_before_is_kept(tmp_path):
    path = tmp_path / "run" / "checkpoint.bin"
    assert store.read_checkpoint(path, "id") is None
    for step in (1, 2):
        store.write_checkpoint(path, {"x": np.full(3, step, np.float32)}, {"identity": "id", "step": step})
    arrays, meta = store.read_checkpoint(path, "id")
    assert meta["step"] == 2 and arrays["x"].dtype == np.float32 and arrays["x"].tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="is the checkpoint of another run"):
        store.read_checkpoint(path, "other")
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(store.Damaged, match=r"rename checkpoint_prev\.bin to checkpoint\.bin to go on from the one before"):
        store.read_checkpoint(path, "id")
    os.replace(store.previous(path), path)
    assert store.read_checkpoint(path, "id")[1]["step"] == 1


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    path = tmp_path / "checkpoint.bin"
    store.write_checkpoint(path, {}, {"identity": "id", "step": 1})
    os.replace(path, store.previous(path))
    assert store.read_checkpoint(path, "id")[1]["step"] == 1


def test_saving_replaces_what_was_there(tmp_path):
    store.save(State(temperature=1.0), tmp_path / "noun")
    store.save(State(temperature=2.0), tmp_path / "noun")
    assert store.load(tmp_path / "noun").temperature == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["noun"]


def test_large_arrays_are_read_from_the_disk(tmp_path):
    read = store.load(store.save(Trajectory(**frames()), tmp_path / "noun"))
    assert isinstance(read.positions, np.memmap) and not read.positions.flags.writeable
    torch.from_numpy(np.array(read.positions))


def test_systems_with_empty_lists_and_force_fields_can_be_read(tmp_path):
    read = store.load(store.save(systems.load("alanine_dipeptide"), tmp_path / "noun"))
    assert isinstance(read, System) and read.constraints.shape == (0, 2) and read.force_field().startswith("<?xml")
