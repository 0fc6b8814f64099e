"""Jobs: a verb in a process of its own, found again by its folder. The verbs themselves are tested elsewhere."""

import json
import os
import signal
import time

import numpy as np
import pytest

from workbench import jobs, store, types
from workbench.potentials import harmonic
from workbench.simulation import replicas


@pytest.fixture
def two_beads():
    """A stretched pair of beads: potential, start and the settings of a run of ``n_steps``."""
    rng = np.random.default_rng(0)
    positions = np.zeros((50, 2, 3))
    positions[:, 1, 0] = 0.3 + 0.01 * rng.standard_normal(50)
    beads = types.Beads.from_bonds(names=("A", "B"), types=("A", "B"), masses=[12.0, 12.0], molecule=[0, 0], bonds=[(0, 1)])
    data = types.ReferenceData(positions=positions, beads=beads, force_kind="none")
    potential = harmonic.build(data, harmonic.Settings(angles=False))

    def inputs(n_steps):
        return potential, data.start(range(4)), replicas.Settings(n_steps=n_steps, save_every=10, n_threads=1, checkpoint_every=20)

    return inputs


def _wait_for_steps(job, step):
    end = time.monotonic() + 60
    while job.progress.get("step", 0) < step:
        assert job.state == "running", job.error
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_gives_the_result_of_the_plain_call(two_beads, tmp_path):
    job = jobs.start("simulation.replicas", *two_beads(200), folder=tmp_path / "job")
    assert job.wait(120) == "finished", job.error
    expected = replicas.run(*two_beads(200), checkpoint=tmp_path / "plain")
    assert np.array_equal(job.result().positions, expected.positions)
    assert job.progress["step"] == job.progress["total"] == 200
    assert jobs.start("simulation.replicas", *two_beads(200), folder=tmp_path / "job").state == "finished"  # found, not run again
    with pytest.raises(ValueError, match="holds another job"):
        jobs.start("simulation.replicas", *two_beads(210), folder=tmp_path / "job")


@pytest.mark.parametrize("how", ["kill", "cancel"])
def test_a_job_that_was_stopped_goes_on_from_its_checkpoint(two_beads, tmp_path, how):
    steps = 8_000
    job = jobs.start("simulation.replicas", *two_beads(steps), folder=tmp_path / "job")
    _wait_for_steps(job, 300)
    assert jobs.attach(tmp_path / "job").state == "running"
    if how == "kill":
        os.kill(store.read_json(job.folder / "process.json")["pid"], signal.SIGKILL)
    else:
        job.cancel()
    assert job.wait(60) == {"kill": "interrupted", "cancel": "cancelled"}[how]
    done = len(store.load(job.checkpoint))
    assert 0 < done < 4 * steps // 10
    again = jobs.start("simulation.replicas", *two_beads(steps), folder=tmp_path / "job")
    _wait_for_steps(again, 1)
    assert len(store.load(again.checkpoint)) >= done
    assert again.wait(120) == "finished", again.error
    assert np.array_equal(again.result().positions, replicas.run(*two_beads(steps), checkpoint=tmp_path / "plain").positions)


def test_what_the_verb_refuses_becomes_one_sentence(two_beads, tmp_path):
    potential, start, settings = two_beads(100)
    far = types.Start(positions=start.positions * 40, beads=start.beads)
    job = jobs.start("simulation.replicas", potential, far, settings, folder=tmp_path / "job")
    assert job.wait(120) == "failed"
    assert job.error and "Traceback" not in job.error and "\n" not in job.error
    assert "Traceback" in (tmp_path / "job" / "job.log").read_text()


def _make(folder, **files):
    """A job folder as a process that is gone would have left it."""
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"verb": "reference.sample", "identity": "1234"}))
    for name, body in files.items():
        (folder / f"{name}.json").write_text(json.dumps(body))
    return jobs.attach(folder)


def test_only_verbs_of_the_workbench_can_be_named(tmp_path):
    for verb in ("os.system", "reference.projection", "fitting._loop", "store.load", "simulation.nothing", ""):
        with pytest.raises(ValueError, match=r"cannot run as a job|no method"):
            jobs.start(verb, folder=tmp_path / "job")
    assert not (tmp_path / "job").exists()


def test_a_folder_without_a_job_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        jobs.attach(tmp_path)
    (tmp_path / "job.json").write_text("[]")
    with pytest.raises(store.Damaged, match="does not describe a job"):
        jobs.attach(tmp_path)


def test_a_process_that_is_gone_reads_as_interrupted(tmp_path):
    job = _make(tmp_path / "job", process={"pid": os.getpid(), "created": 1.0})  # this number belongs to another process by now
    assert job.state == "interrupted"
    assert "start again" in job.error
    with pytest.raises(ValueError, match="has no result: it is interrupted"):
        job.result()


def test_a_failed_job_says_why(tmp_path):
    job = _make(tmp_path / "job", state={"state": "failed", "error": "the reason."})
    assert (job.state, job.error) == ("failed", "the reason.")
    assert job.wait(1) == "failed"


def test_find_lists_the_newest_last(tmp_path):
    for age, name in enumerate(("b", "a")):
        _make(tmp_path / name)
        os.utime(tmp_path / name / "job.json", (age, age))
    assert [job.folder.name for job in jobs.find(tmp_path)] == ["b", "a"]


def test_progress_estimates_the_time_left_and_thins_its_history(tmp_path, monkeypatch):
    clock = iter(range(100_000))
    monkeypatch.setattr(jobs, "WRITE_EVERY", 1e9)
    monkeypatch.setattr(jobs.time, "monotonic", lambda: next(clock))
    progress = jobs._Progress(tmp_path)
    for step in range(5001):
        progress(step, {"total": 10_000, "loss": 1.0 / (step + 1), "note": "not a number"})
    progress.write()
    body = store.read_json(tmp_path / "progress.json")
    assert (body["step"], body["total"]) == (5000, 10_000)
    assert body["left"] == pytest.approx(5000)  # the clock ticks once a step
    history = body["history"]
    assert 100 < len(history["step"]) <= jobs.HISTORY
    assert history["step"] == sorted(history["step"]) and history["step"][0] == 0
    assert history["loss"] == pytest.approx([1.0 / (step + 1) for step in history["step"]])
    assert set(history) == {"step", "loss"}


def test_curves_are_kept_of_the_latest_step_only(tmp_path):
    progress = jobs._Progress(tmp_path)
    for step in range(3):
        curve = {"x": [0.2, 0.3], "unit": "nm", "target": [0.0, 1.0], "current": [0.0, float(step)]}
        progress(step, {"total": 3, "error": 0.1, "curves": {"pair A-A": curve}})
    progress.write()
    body = store.read_json(tmp_path / "progress.json")
    assert body["curves"] == {"pair A-A": {"x": [0.2, 0.3], "unit": "nm", "target": [0.0, 1.0], "current": [0.0, 2.0]}}
    assert set(body["metrics"]) == {"error"} and set(body["history"]) == {"step", "error"}


def test_a_resumed_run_goes_on_in_the_same_history(tmp_path):
    first = jobs._Progress(tmp_path)
    for step in range(10):
        first(step, {"total": 20, "loss": 1.0})
    first.write()
    second = jobs._Progress(tmp_path)
    for step in range(5, 20):
        second(step, {"total": 20, "loss": 2.0})
    second.write()
    history = store.read_json(tmp_path / "progress.json")["history"]
    assert history["step"] == list(range(20))
    assert history["loss"] == [1.0] * 5 + [2.0] * 15


def test_a_cancel_file_stops_the_verb_at_its_next_step(tmp_path):
    progress = jobs._Progress(tmp_path)
    progress(1, {"total": 3})
    (tmp_path / "cancel").touch()
    with pytest.raises(jobs.Cancelled):
        progress(2, {"total": 3})
    assert store.read_json(tmp_path / "progress.json")["step"] == 2
