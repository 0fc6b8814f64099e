import subprocess
import sys
import textwrap

import numpy as np
import pytest

from workbench import store, systems
from workbench.recorder import Recorder
from workbench.types import State

SHAPES = {"positions": (2, 3), "time": ()}


def recorder(folder, identity="id", n_frames=10, **values) -> Recorder:
    return Recorder(folder, identity, n_frames, SHAPES, {"time": np.float64}, (State(),), ("parent",), **values)


def frames(start: int, stop: int) -> dict:
    time = np.arange(start, stop, dtype=float)
    return {"positions": np.tile(time[:, None, None], (1, 2, 3)), "time": time}


@pytest.mark.parametrize("on_disk", [True, False])
def test_frames_come_back_in_order(on_disk, tmp_path):
    r = recorder(tmp_path / "run" if on_disk else None)
    for start, stop in ((0, 3), (3, 4), (4, 10)):
        r.append(**frames(start, stop))
        assert r.complete == (stop == 10)
        r.commit()
    trajectory = r.trajectory()
    assert trajectory.time.tolist() == list(range(10)) and trajectory.time.dtype == np.float64
    assert trajectory.positions.dtype == np.float32 and trajectory.positions[:, 1, 2].tolist() == list(range(10))
    assert trajectory.parents == ("parent",)


def test_only_what_was_committed_is_seen_by_others(tmp_path):
    r = recorder(tmp_path)
    assert len(store.load(tmp_path)) == 0
    r.append(**frames(0, 4))
    assert len(store.load(tmp_path)) == 0
    r.commit()
    r.append(**frames(4, 6))
    assert store.load(tmp_path).time.tolist() == [0, 1, 2, 3]


def test_a_new_process_goes_on_after_rewinding_to_its_checkpoint(tmp_path):
    r = recorder(tmp_path)
    r.append(**frames(0, 4))
    r.commit()
    r.append(**frames(4, 7))
    r.commit()
    again = recorder(tmp_path)
    assert again.done == 7
    again.rewind(4)
    assert store.load(tmp_path).time.tolist() == [0, 1, 2, 3]
    again.append(**frames(14, 20))
    assert len(store.load(tmp_path)) == 4  # rows being written anew are no longer vouched for
    assert again.complete and again.trajectory().time.tolist() == [0, 1, 2, 3, *range(14, 20)]


def test_a_checkpoint_whose_frames_were_never_saved_is_refused(tmp_path):
    r = recorder(tmp_path)
    r.append(**frames(0, 4))
    r.commit()
    with pytest.raises(store.Damaged, match="the checkpoint belongs to frame 5, which was never saved"):
        r.rewind(5)


def test_another_run_and_a_damaged_folder_are_refused(tmp_path):
    r = recorder(tmp_path)
    r.append(**frames(0, 4))
    r.commit()
    with pytest.raises(ValueError, match="holds another run"):
        recorder(tmp_path, identity="other")
    data = bytearray((tmp_path / "positions.npy").read_bytes())
    data[130] ^= 1
    (tmp_path / "positions.npy").write_bytes(data)
    with pytest.raises(store.Damaged, match=r"positions\.npy is damaged: the checksum of rows 0 to 4 differs"):
        recorder(tmp_path)


def test_the_system_goes_with_the_frames(tmp_path):
    water = systems.load("water_tip3p")
    for folder in (tmp_path, None):
        r = Recorder(folder, "id", 2, {"positions": (192, 3)}, {}, (State(),), (), water)
        r.append(positions=water.positions[None])
        assert store.identity(r.trajectory().system) == store.identity(water)
    again = Recorder(tmp_path, "id", 2, {"positions": (192, 3)}, {}, (State(),), (), water)
    again.append(positions=water.positions[None])
    assert store.identity(again.trajectory().system) == store.identity(water)


def test_room_for_all_frames_is_asked_for_at_once(tmp_path):
    code = textwrap.dedent("""
        import resource, sys
        from workbench import store
        from workbench.recorder import Recorder
        from workbench.types import State
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            Recorder(sys.argv[1], "id", 10_000, {"positions": (2, 3)}, {}, (State(),), ())
        except store.DiskFull as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True)
    assert done.stdout.startswith("no room left on the disk while writing"), done.stderr
    assert not list((tmp_path / "run").iterdir())
