"""A grid of thermodynamic states sampled in turn, resumable, joined into one trajectory."""

import dataclasses

import numpy as np
import pytest

from workbench import jobs, reference, store, systems
from workbench.recorder import Recorder
from workbench.reference import _joined
from workbench.types import State

WARM = (State(temperature=300.0), State(temperature=500.0))
SHORT = reference.Settings(n_frames=20, interval_ps=0.02, equilibration_ps=0.1, checkpoint_every=5)


class Stop(Exception):
    """What a caller raises to cancel."""


def counted(system, states, folder, settings=SHORT):
    """The result, and how many steps each state took."""
    steps = []
    frames = reference.sample_states(
        system, states, settings, checkpoint=folder, on_step=lambda step, metrics: steps.append(metrics["state"])
    )
    return frames, np.bincount(steps, minlength=len(states)).tolist()


def test_every_state_is_the_run_of_its_own_temperature_and_seed(dipeptide):
    seen = []
    frames = reference.sample_states(dipeptide, WARM, SHORT, on_step=lambda step, metrics: seen.append((step, metrics)))
    assert frames.states == WARM and np.bincount(frames.state).tolist() == [20, 20]
    for index, state in enumerate(WARM):
        alone = reference.sample(dipeptide, dataclasses.replace(SHORT, temperature=state.temperature, seed=index))
        part = frames.take(frames.state == index)
        for name in ("positions", "forces", "energy", "time"):
            np.testing.assert_array_equal(getattr(part, name), getattr(alone, name))
        assert alone.parents[0] in frames.parents
    assert [step for step, _ in seen if step] == sorted(step for step, _ in seen if step)
    assert seen[-1][0] == seen[-1][1]["total"] == 40 and seen[-1][1]["state"] == 1


def test_pressures_are_states_too():
    water = systems.load("water_tip3p")
    states = (State(temperature=300.0), State(temperature=300.0, pressure=20_000.0))
    settings = dataclasses.replace(SHORT, timestep_fs=2.0, interval_ps=0.2, virial=True, pressure=1.0)
    frames = reference.sample_states(water, states, settings)
    np.testing.assert_array_equal(frames.box[:20], np.tile(water.box, (20, 1)))
    assert np.ptp(frames.box[20:, 0]) > 0 and frames.box[-1].prod() < water.box.prod()
    assert frames.virial.shape == (40, 3, 3)


def test_one_more_state_samples_only_that_one(dipeptide, tmp_path, monkeypatch):
    monkeypatch.setattr(_joined, "CHUNK_BYTES", 3 * 22 * 3 * 4 * 2)  # frames are joined three at a time
    first, steps = counted(dipeptide, WARM, tmp_path)
    assert min(steps) >= 20 and isinstance(first.positions, np.memmap)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["joined", "state-0", "state-1"]
    again, steps = counted(dipeptide, WARM, tmp_path)
    assert steps == [0, 0] and store.identity(again) == store.identity(first)
    hot = (*WARM, State(temperature=700.0))
    more, steps = counted(dipeptide, hot, tmp_path)
    assert steps[:2] == [0, 0] and steps[2] >= 20 and len(more) == 60
    assert store.identity(more) == store.identity(reference.sample_states(dipeptide, hot, SHORT))
    assert store.identity(more) == store.identity(store.load(tmp_path / "joined"))


def test_a_grid_that_was_stopped_goes_on_in_its_state(dipeptide, tmp_path):
    def stop(step, metrics):
        if step == 33:
            raise Stop

    with pytest.raises(Stop):
        reference.sample_states(dipeptide, WARM, SHORT, checkpoint=tmp_path, on_step=stop)
    frames, steps = counted(dipeptide, WARM, tmp_path)
    assert steps == [0, 10]  # from the checkpoint at frame 10 of the second state
    assert store.identity(frames) == store.identity(reference.sample_states(dipeptide, WARM, SHORT))


def test_a_stop_while_joining_costs_no_sampling(dipeptide, tmp_path, monkeypatch):
    commit = Recorder.commit

    def stop(self):
        commit(self)
        if self.folder is not None and self.folder.name == "joined" and self.done == 25:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(_joined, "CHUNK_BYTES", 1)
        patch.setattr(Recorder, "commit", stop)
        with pytest.raises(Stop):
            reference.sample_states(dipeptide, WARM, SHORT, checkpoint=tmp_path)
    assert len(store.load(tmp_path / "joined")) == 25
    frames, steps = counted(dipeptide, WARM, tmp_path)
    assert steps == [0, 0] and store.identity(frames) == store.identity(reference.sample_states(dipeptide, WARM, SHORT))


def test_it_runs_as_a_job(dipeptide, tmp_path):
    job = jobs.start("reference.sample_states", dipeptide, WARM, SHORT, folder=tmp_path / "job")
    assert job.wait(300) == "finished", job.error
    assert np.bincount(job.result().state).tolist() == [20, 20] and job.result().states[1].temperature == 500.0
    assert job.progress["step"] == job.progress["total"] == 40


def test_the_temperatures_are_those_of_the_states(dipeptide):
    settings = reference.Settings(n_frames=200, interval_ps=0.1, friction_per_ps=10.0, equilibration_ps=2.0)
    seen = ([], [])
    reference.sample_states(dipeptide, WARM, settings, on_step=lambda step, metrics: seen[metrics["state"]].append(metrics["temperature"]))
    for state, kelvin in zip(WARM, seen, strict=True):
        assert np.mean(kelvin[-200:]) == pytest.approx(state.temperature, abs=4 * state.temperature * np.sqrt(2 / 63) / np.sqrt(100))


def test_what_is_no_grid_is_refused(dipeptide, tmp_path):
    def refused(match, states, settings=SHORT):
        with pytest.raises(ValueError, match=match):
            reference.sample_states(dipeptide, states, settings, checkpoint=tmp_path / "grid")

    refused("there are no states: give at least one", ())
    refused("states 0 and 2 are the same, 300 K at constant volume: leave one out", (*WARM, State(temperature=300.0)))
    refused(r"states\[1\] = 300.0: give types.State", (WARM[0], 300.0))
    refused(r"pressure = 1.0 bar: 'alanine_dipeptide' has no box", (WARM[0], State(temperature=300.0, pressure=1.0)))
    refused(r"seed = 2147483647: must be between", WARM, dataclasses.replace(SHORT, seed=2**31 - 2))
    assert not (tmp_path / "grid").exists()
    reference.sample_states(dipeptide, WARM, SHORT, checkpoint=tmp_path / "grid")
    before = store.identity(store.load(tmp_path / "grid" / "joined"))
    refused("state-0 holds another run", WARM, dataclasses.replace(SHORT, friction_per_ps=2.0))
    assert store.identity(store.load(tmp_path / "grid" / "joined")) == before
