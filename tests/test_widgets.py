"""The panels without a browser: forms, the bead editor, the session, and every panel driven by its buttons."""

import asyncio
import dataclasses
import html
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

import widgets
from widgets import plots, settings_form, task, validation_panel
from widgets.bead_editor import BeadEditor, parse_atoms, write_atoms
from widgets.frame import png
from workbench import reference, report, rooms, store, systems, types
from workbench.simulation import replicas

ATOMS = (4, 6, 8, 14, 16)


# --- forms


@pytest.mark.parametrize("room", ["systems", "mappings", "potentials", "fitting", "simulation", "observables"])
def test_every_method_of_a_room_has_a_form_that_gives_its_settings_back(room):
    for name in rooms.available(room):
        cls = rooms.method(room, name).Settings
        form = widgets.SettingsForm(cls)
        assert form.error == "" and form.value == cls(), f"{room}.{name}"


def test_a_form_refuses_what_the_settings_refuse_in_one_sentence():
    form = widgets.SettingsForm(replicas.Settings)
    form._inputs["n_steps"].value = "0"
    assert form.value is None
    assert form.error == "simulation.replicas.Settings.n_steps = 0: must be at least 1."
    form._inputs["n_steps"].value = "many"
    assert "must be int" in form.error
    form._inputs["n_steps"].value = "1e6"
    assert form.value.n_steps == 1_000_000
    form._inputs["timestep_fs"].value = "1e999"
    assert form.value is None


def test_settings_as_code_are_the_settings():
    made = replicas.Settings(n_steps=7, integrator="overdamped", bond_range=(0.4, 3.0))
    code = settings_form.as_code(made)
    assert code == "simulation.replicas.Settings(n_steps=7, integrator='overdamped', bond_range=(0.4, 3.0))"
    script = settings_form.script(f"s = {code}")
    assert script.startswith("from workbench import simulation\n")
    names = {}
    exec(script, names)
    assert names["s"] == made


# --- the bead editor


def test_atoms_as_text():
    assert parse_atoms("1,2,5-8", 22) == [1, 2, 5, 6, 7, 8]
    assert parse_atoms(" 3 ; 0 - 1 ", 22) == [3, 0, 1]
    assert write_atoms((1, 2, 5, 6, 7, 8, 20)) == "1-2,5-8,20"
    for text, reason in (("1,x", "neither an atom nor a range"), ("8-5", "runs backwards"), ("22", "no atom 22"), ("1,1-2", "named twice")):
        with pytest.raises(ValueError, match=reason):
            parse_atoms(text, 22)


@pytest.fixture
def editor(dipeptide):
    made = BeadEditor(dipeptide)
    for count, atom in enumerate(ATOMS):
        if count:
            made.new_bead()
        made.toggle(atom)
    return made


def test_picks_make_the_mapping(editor, dipeptide, backbone):
    mapping = editor.mapping()
    assert np.array_equal(mapping.templates[0].weights, backbone.templates[0].weights)
    assert len(editor.free()) == 17


def test_a_second_pick_frees_an_atom_and_another_beads_atom_moves(editor):
    assert "free again" in editor.toggle(16)
    assert editor.current.atoms == ()
    assert editor.toggle(4) == "atom 4 (ACE C) moved from 'B1' to 'B5'."
    with pytest.raises(ValueError, match="bead 'B1' is empty"):
        editor.mapping()
    editor.choose(1)
    editor.toggle(7, residue=True)
    assert editor.current.atoms == tuple(range(6, 16))


def test_undo_and_redo_are_exact(editor):
    states = [editor.state]
    for act in (lambda: editor.rename("end"), lambda: editor.remove(0), editor.clear, lambda: editor.type_atoms("0-5")):
        act()
        states.append(editor.state)
    for state in reversed(states[:-1]):
        editor.undo()
        assert editor.state == state
    for state in states[1:]:
        editor.redo()
        assert editor.state == state
    assert not editor.can_redo
    editor.undo()
    editor.rename("other")
    assert not editor.can_redo  # a new act ends what could be redone


def test_the_editor_refuses_in_one_sentence(editor, dipeptide):
    with pytest.raises(ValueError, match="used twice"):
        editor.rename("B1")
    editor.new_bead()
    with pytest.raises(ValueError, match="still empty"):
        editor.new_bead()
    other = BeadEditor(systems.load("water_tip3p"))
    other.type_atoms("0-2")
    with pytest.raises(ValueError, match="made for another molecule"):
        editor.load(other.mapping())


# --- the mapping panel


@pytest.fixture
def panel(dipeptide, tmp_path):
    made = widgets.MappingPanel(dipeptide, tmp_path)
    for count, atom in enumerate(ATOMS):
        if count:
            made.add.click()
        made.view._heard(made.view._view, {"type": "pick", "atom": atom, "shift": False}, [])
        made.view._heard(made.view._view, {"type": "updateIDs", "data": []}, [])  # NGL has more to say than picks
    return made


def test_a_panel_gives_the_mapping_and_its_code(panel, dipeptide):
    assert panel.mapping is not None and panel.session.mapping is panel.mapping
    names = {"system": dipeptide}
    exec(panel.code(), names)
    assert store.identity(names["mapping"]) == store.identity(panel.mapping)
    assert panel._repr_mimebundle_()["image/png"]


def test_a_mapping_file_goes_out_and_in_and_bad_ones_are_refused(panel, tmp_path):
    panel.file.value = str(tmp_path / "mapping.json")
    panel._act(panel._save)
    text = (tmp_path / "mapping.json").read_text()
    saved = panel.mapping
    panel.clear.click()
    assert panel.mapping is None and panel.save.disabled
    panel._act(panel._load)
    assert store.identity(panel.mapping) == store.identity(saved)
    for change, reason in (
        (("1.0", "0.5"), "sum to 0.5"),
        (('"B2"', '"B1"'), "used twice"),
        (('"topology": "', '"topology": "0'), "another molecule"),
        (("{", "", 1), "is not JSON"),
    ):
        (tmp_path / "mapping.json").write_text(text.replace(*change))
        panel._act(panel._load)
        assert "cgw-bad" in panel.status.value and reason in panel.status.value
        assert store.identity(panel.mapping) == store.identity(saved)
    panel.file.value = str(tmp_path / "nowhere.json")
    panel._act(panel._load)
    assert "there is no file" in panel.status.value


def test_text_and_buttons_do_what_the_mouse_does(panel):
    panel.beads.atoms.value = "16-17"
    assert panel.editor.current.atoms == (16, 17)
    panel.beads.name.value = "B1"
    assert "used twice" in panel.status.value
    panel.beads.atoms.value = "99"
    assert "no atom 99" in panel.status.value and panel.editor.current.atoms == (16, 17)
    panel.undo.click()
    assert panel.editor.current.atoms == (16,)


def test_a_click_with_shift_takes_the_residue(panel):
    panel.add.click()
    panel.view._heard(panel.view._view, {"type": "pick", "atom": 7, "shift": True}, [])
    assert panel.editor.current.atoms == tuple(range(6, 16))
    assert "moved from" in panel.status.value


def test_what_cannot_be_is_said_in_one_sentence(panel, tmp_path):
    def refused(reason):
        assert "cgw-bad" in panel.status.value and reason in panel.status.value
        assert "Traceback" not in panel.status.value and panel.editor.current.atoms == (16,)

    panel.beads.atoms.value = "16,16"
    refused("named twice")
    panel.beads.atoms.value = "O1"
    refused("neither an atom nor a range")
    panel.beads.name.value = "  "
    refused("needs a name")
    (tmp_path / "noise.json").write_bytes(bytes(range(256)))
    panel.file.value = str(tmp_path / "noise.json")
    panel._act(panel._load)
    refused("not a text file")
    panel.file.value = str(tmp_path)
    panel._act(panel._load)
    refused("there is no file")
    water = BeadEditor(systems.load("water_tip3p"))
    water.type_atoms("0-2")
    store.save(water.mapping(), tmp_path / "water.json")
    panel.file.value = str(tmp_path / "water.json")
    panel._act(panel._load)
    refused("another molecule")


def test_an_atom_typed_into_two_beads_moves_and_leaves_an_empty_one(panel):
    panel.beads.atoms.value = "14"
    assert "atom 14 (ALA C) moved from 'B4' to 'B5'" in html.unescape(panel.status.value)
    assert panel.mapping is None and panel.save.disabled
    assert panel.code() == "# bead 'B4' is empty: give it at least one atom."


# --- session and workbench


def test_a_change_makes_what_follows_out_of_date(panel):
    session = panel.session
    session.fit = object()
    assert session.has("fit")
    session.data = object()
    assert session.stale("fit") and session.has("data")
    panel.beads.atoms.value = "16-17"
    assert session.stale("data")
    panel.undo.click()  # the same mapping again
    assert not session.stale("data")


def test_the_workbench_from_system_to_report_and_opened_again(tmp_path):
    bench = widgets.Workbench(tmp_path / "bench")
    for name in ("System", "Mapping", "Validate"):
        bench.show(name)
    panels = bench.panels
    assert panels["Reference"].task.start_button.disabled
    panels["System"].load.click()
    for count, atom in enumerate(ATOMS):
        if count:
            panels["Mapping"].add.click()
        panels["Mapping"].view._on_pick(atom)
    for name, values in {
        "Reference": {"n_frames": 300, "interval_ps": 0.05, "equilibration_ps": 0.5},
        "Model": {"n_epochs": 2, "n_threads": 1},
        "Simulate": {"n_steps": 200, "save_every": 20, "n_threads": 1},
    }.items():
        form = panels[name].fit_form if name == "Model" else panels[name].form
        form.set(dataclasses.replace(form.value, **values))
        panels[name].task.start_button.click()
        assert panels[name].task.job is not None, panels[name].task.status.value
        assert panels[name].task.job.wait(120) == "finished", panels[name].task.job.error
        panels[name].task.refresh()
        assert "finished" in panels[name].task.status.value
        assert bytes(panels[name].image.value).startswith(b"\x89PNG")
    panels["Validate"].make()
    assert bench.session.report is not None, panels["Validate"].status.value
    assert "<iframe" in panels["Validate"].page.value
    again = widgets.Workbench(tmp_path / "bench")
    for noun in ("system", "mapping", "all_atom", "data", "fit", "model"):
        assert again.session.has(noun), noun
    assert np.array_equal(again.session.model.positions, bench.session.model.positions)
    assert again.session.has("report") and "<iframe" in again.panels["Validate"].page.value
    for made, found in zip(bench.session.report.comparisons, again.session.report.comparisons, strict=True):
        assert found.score == pytest.approx(made.score, rel=1e-7) or not np.isfinite(made.score)
        assert (found.name, found.passed) == (made.name, made.passed)
    assert again.panels["Simulate"].form.value == panels["Simulate"].form.value  # the settings of the job that was found
    again.session.put("model", panels["Simulate"].session.data, {})
    assert report.load(again.session.data, again.session.model, again.session.folder / "report") is None  # of another model

    for form in (panels["Model"].fit_form, panels["Simulate"].form):
        form.set(dataclasses.replace(form.value, seed=1))  # what no job has run yet
    lines = [panel.code() for panel in panels.values()]
    script = [lines[list(panels).index(name)] for name in ("System", "Mapping", "Reference", "Model", "Simulate", "Validate")]
    script.append("assert report.html.exists() and len(model) and len(all_atom) == 300")
    run = subprocess.run([sys.executable, "-c", "\n".join(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr

    saved = next((tmp_path / "bench").glob("fitting/*/result/*.safetensors"))
    saved.write_bytes(b"x" + saved.read_bytes()[1:])
    damaged = widgets.Workbench(tmp_path / "bench")
    assert "damaged" in damaged.status.value and "damaged" in damaged.panels["Model"].task.status.value


@pytest.fixture
def chain():
    """Two hundred frames of a chain of four beads with random forces."""
    generator = np.random.default_rng(0)
    at = np.array([[0.0, 0.0, 0.0], [0.15, 0.0, 0.0], [0.2, 0.14, 0.0], [0.34, 0.16, 0.05]])
    names = tuple("ABCD")
    beads = types.Beads.from_bonds(
        names=names, types=names, masses=np.full(4, 12.0), molecule=np.zeros(4, int), bonds=((0, 1), (1, 2), (2, 3))
    )
    return types.ReferenceData(
        positions=at + generator.normal(0, 0.01, (200, 4, 3)),
        forces=generator.normal(0, 100, (200, 4, 3)),
        states=(types.State(),),
        beads=beads,
        force_kind="basic",
    )


def test_a_gpu_that_is_not_there_and_a_killed_job_are_told(tmp_path, chain):
    panel = widgets.FittingPanel(chain, tmp_path)
    if not torch.cuda.is_available():
        panel.fit_form.set(dataclasses.replace(panel.fit_form.value, device="cuda"))
        panel.task.start_button.click()
        panel.task.job.wait(60)
        panel.task.refresh()
        assert "failed: " in panel.task.status.value and "use device='cpu'" in html.unescape(panel.task.status.value)
    panel.fit_form.set(dataclasses.replace(panel.fit_form.value, device="cpu", n_epochs=100_000, patience=100_000))
    panel.task.start_button.click()
    while not panel.task.job.progress:
        assert panel.task.job.state == "running", panel.task.job.error
    os.kill(json.loads((panel.task.job.folder / "process.json").read_text())["pid"], signal.SIGKILL)
    assert panel.task.job.wait(30) == "interrupted"
    panel.task.refresh()
    assert "start again to go on from its checkpoint" in panel.task.status.value and not panel.task.start_button.disabled
    assert panel.task.cancel_button.disabled


def test_a_panel_that_opens_again_finds_its_job(tmp_path, dipeptide):
    panel = widgets.ReferencePanel(dipeptide, tmp_path)
    panel.form.set(reference.Settings(n_frames=200_000, interval_ps=0.5))
    panel.task.start_button.click()
    other = widgets.ReferencePanel(panel.session, tmp_path)
    assert other.task.job.state == "running" and other.task.start_button.disabled
    assert not other.task.cancel_button.disabled
    while not other.task.job.progress:
        assert other.task.job.state == "running", other.task.job.error
    other.task.cancel_button.click()
    assert panel.task.job.wait(60) == "cancelled"
    panel.task.refresh()
    assert "goes on from here" in panel.task.status.value


# --- words and pictures


def test_numbers_are_written_for_people():
    assert task.duration(70.2) == "1 min 10 s" and task.duration(7260) == "2 h 1 min"
    assert re.sub("\u00a0", " ", task.spaced(12345)) == "12 345"
    assert validation_panel.with_error(0.003521, 0.00104) == "0.0035 ± 0.0010"
    assert validation_panel.with_error(0.02, float("nan")) == "0.02"
    assert validation_panel.with_error(float("inf"), float("nan")) == "none shared"


def test_pictures_take_a_result_and_give_their_axes_back(dipeptide, backbone):
    history = {"step": [1, 2, 3], "train_loss": [9.0, 8.0, None], "validation_loss": [9.5, 8.5, 8.4], "prior_loss": [9.0] * 3}
    for draw in (lambda ax: plots.loss(history, ax), lambda ax: plots.molecule(dipeptide, backbone, ax)):
        seen = []
        assert png(lambda ax, draw=draw, seen=seen: seen.append((ax, draw(ax)))).startswith(b"\x89PNG")
        assert seen[0][0] is seen[0][1]


def test_a_bead_is_where_its_mapping_puts_it(editor):
    weights = editor.mapping().templates[0].weights
    for bead in range(5):
        assert np.allclose(editor.centres(bead)[0], weights[bead] @ editor.system.positions)


def test_a_job_that_ends_while_it_is_drawn_is_looked_at_again(tmp_path):
    """A state read anew after the drawing would leave 'running' on the screen for ever."""

    class Ending:
        folder, error = tmp_path / "a" / "b", None

        def __init__(self):
            self.state, self.progress = "running", {"step": 1, "total": 2, "left": 1.0, "metrics": {}}

    def draw(job):
        job.state = "finished"

    async def attached():
        ended = []
        bar = task.TaskBar(Ending, unit="steps", on_progress=draw, on_finished=ended.append)
        bar.attach(Ending())
        await asyncio.sleep(4 * task.POLL)
        return ended, bar.status.value

    ended, status = asyncio.run(attached())
    assert len(ended) == 1
    assert "finished, saved in" in status
