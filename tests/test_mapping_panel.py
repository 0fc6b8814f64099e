"""The mapping panel: every method of the room, scores, mappings side by side, files, and the code that does the same."""

import asyncio

import numpy as np
import pytest

import widgets
from widgets import mapping_scores
from widgets.bead_editor import BeadEditor
from widgets.mapping_compare import MOST
from widgets.mapping_file_row import KINDS
from workbench import mappings, reference, rooms, store, systems, types


@pytest.fixture(scope="module")
def toluene():
    return systems.load("toluene")


@pytest.fixture(scope="module")
def frames(dipeptide):
    settings = reference.Settings(n_frames=200, interval_ps=0.05, equilibration_ps=0.1, n_threads=1)
    return reference.sample(dipeptide, settings)


@pytest.fixture
def panel(toluene, tmp_path):
    return widgets.MappingPanel(toluene, tmp_path)


@pytest.fixture
def framed(dipeptide, frames, tmp_path):
    return widgets.MappingPanel(widgets.Session.of(None, tmp_path, system=dipeptide, all_atom=frames))


def level(panel, k):
    panel.scheme.choice.value = "spectral"
    if panel.scheme.level.value == k:
        panel.scheme.build.click()
    panel.scheme.level.slider.value = k


def same_by_code(panel, **names):
    exec(panel.code(), names)
    return store.identity(names["mapping"]) == store.identity(panel.mapping)


def test_every_file_of_the_room_is_offered_and_its_code_makes_the_same(panel, toluene):
    offered = [name for _, name in panel.scheme.choice.options]
    assert offered[0] == "by_pick" and sorted(offered) == list(rooms.available("mappings"))
    for name in offered[1:]:
        panel.scheme.choice.value = name
        if panel.scheme.build.disabled:
            assert name == "autoencoder" and "Frames are needed" in panel.scheme.build.tooltip
            continue
        panel.scheme.build.click()
        if name == "repeat_units":
            assert "cgw-bad" in panel.status.value and "repeat unit" in panel.status.value
            continue
        assert panel.editor.title == name.replace("_", " ") + (", level 1" if name == "spectral" else "")
        assert f"mappings.{name}.build(system, None" in panel.code() and same_by_code(panel, system=toluene)


def test_the_slider_runs_over_the_levels_and_redraws_at_once(panel, toluene):
    panel.scheme.choice.value = "spectral"
    assert [label for label, _ in panel.scheme.level.slider.options] == ["0: 7 beads", "1: 4 beads", "2: 2 beads", "3: 1 bead"]
    assert panel.mapping is None  # looking at a scheme changes nothing
    for k, beads in ((0, 7), (2, 2), (3, 1)):
        level(panel, k)
        assert len(panel.editor.beads) == beads and f"level={k}" in panel.code() and same_by_code(panel, system=toluene)
    panel.scheme.form._inputs["weights"].value = "none"
    assert [k for _, k in panel.scheme.level.slider.options] == [0, 1, 2]
    assert len(panel.editor.beads) == 1 and "weights='none', level=2" in panel.code()
    panel.undo.click()
    assert "weights" not in panel.code() and same_by_code(panel, system=toluene)


def test_a_built_mapping_is_edited_by_clicks(panel, toluene):
    level(panel, 2)
    panel._picked(panel.editor.beads[0].atoms[0])
    assert panel.editor.title == "spectral, level 2, edited"
    assert "by_pick.build" in panel.code() and same_by_code(panel, system=toluene)
    panel.undo.click()
    assert "spectral.build" in panel.code() and same_by_code(panel, system=toluene)


def test_where_beads_stand_survives_an_edit(dipeptide):
    editor = BeadEditor(dipeptide)
    settings = mappings.by_pick.Settings(atoms=((0, 1), (4, 5)), weights="geometric")
    editor.load(mappings.by_pick.build(dipeptide, None, settings))
    editor.new_bead()
    editor.toggle(8)
    assert editor.settings().weights == "geometric"
    assert np.allclose(editor.centres(0), dipeptide.positions[:2].mean(0))
    editor.weigh("mass")
    assert not np.allclose(editor.centres(0), dipeptide.positions[:2].mean(0))
    editor.undo()
    assert editor.settings().weights == "geometric"


def test_scores_say_what_they_cannot_tell(panel, framed, toluene):
    assert panel.compare.score.disabled
    level(panel, 2)
    panel.compare.score.click()
    assert "symmetry <b>100 %</b>" in panel.compare.told.value
    assert "reconstruction, noise, relaxation kept: frames are needed" in panel.compare.told.value
    assert same_by_code(panel, system=toluene) and "validation.score_mapping(types.Trajectory(" in panel.code()
    level(framed, 1)
    framed.compare.score.click()
    told = framed.compare.told.value
    assert "reconstruction <b>0.0" in told and "noise <b>" in told and "relaxation kept <b>" in told
    assert framed.code().endswith("score = validation.score_mapping(all_atom, mapping)")
    level(framed, 2)
    assert "not scored yet" in framed.compare.told.value and "score" not in framed.code()
    framed.session.all_atom = None
    level(framed, 1)
    assert "not scored yet" in framed.compare.told.value  # it was a score of other frames


def test_up_to_four_stand_side_by_side_and_a_click_brings_one_back(panel, toluene):
    for k in range(MOST):
        level(panel, k)
        panel.compare.keep.click()
        assert panel.compare.keep.disabled  # it is kept already
    level(panel, 1)
    panel.undo.click()
    panel._picked(0)
    assert "take one away" in panel.compare.keep.tooltip
    first = panel.compare.kept[1]
    assert "spectral, level 1: 4 beads" in first.told.value and "symmetry" in first.told.value
    picture, _, again, away = first.card.children
    assert bytes(picture.value).startswith(b"\x89PNG")
    again.click()
    assert len(panel.editor.beads) == 4 and "cgw-chosen" in first.card._dom_classes and same_by_code(panel, system=toluene)
    away.click()
    assert len(panel.compare.cards.children) == MOST - 1 and not panel.compare.keep.disabled
    panel.session.system = systems.load("propane")
    assert panel.compare.cards.children == ()


@pytest.mark.parametrize("ending", KINDS.values())
def test_files_go_out_and_come_in(panel, toluene, tmp_path, ending):
    level(panel, 1)
    panel.file.value = str(tmp_path / "beads.json")
    panel.files.kind.value = ending
    assert panel.file.value.endswith(f"beads.{ending}")
    panel.save.click()
    assert same_by_code(panel, system=toluene) and "mapping_files.write(mapping, system" in panel.code()
    made = panel.mapping.templates[0].weights
    panel.clear.click()
    panel._act(panel._load)
    assert np.allclose(panel.mapping.templates[0].weights, made) and same_by_code(panel, system=toluene)
    assert "mapping_files.read" in panel.code()
    panel.files.path.write_text("[nothing")
    kept = panel.mapping
    panel._act(panel._load)
    assert "cgw-bad" in panel.status.value and panel.mapping is kept


def test_a_file_of_something_else_is_refused(panel, toluene, tmp_path):
    panel.file.value = str(tmp_path / "beads.docx")
    (tmp_path / "beads.docx").write_text("")
    panel._act(panel._load)
    assert "mapping files end in" in panel.status.value
    level(panel, 1)
    panel.file.value = str(tmp_path)
    for act in (panel._load, panel._save):
        panel._act(act)
        assert "cgw-bad" in panel.status.value and panel.mapping is not None


def test_a_learned_mapping_comes_beside_the_event_loop_and_can_be_stopped(framed, dipeptide, frames):
    scheme = framed.scheme
    scheme.choice.value = "autoencoder"
    assert not scheme.build.disabled
    scheme.form.set(mappings.autoencoder.Settings(n_beads=2, rho=0.0, restarts=1, n_epochs=20))

    async def learn():
        scheme.build.click()
        assert scheme.build.description == "stop" and scheme.choice.disabled
        while scheme._running:
            await asyncio.sleep(0.05)

    asyncio.run(learn())
    assert len(framed.editor.beads) == 2 and framed.mapping.decoder is not None
    assert "autoencoder.build(system, all_atom, " in framed.code() and same_by_code(framed, system=dipeptide, all_atom=frames)
    scheme.form.set(mappings.autoencoder.Settings(n_beads=3, rho=0.0, restarts=1, n_epochs=5000))

    async def stop():
        scheme.build.click()
        await asyncio.sleep(0.2)
        scheme.build.click()
        assert scheme.build.description == "build" and "stopped" in framed.status.value

    asyncio.run(stop())
    assert len(framed.editor.beads) == 2


def test_a_mapping_from_elsewhere_tells_how_it_comes_back(framed, dipeptide, tmp_path):
    settings = mappings.by_pick.Settings(atoms=((0, 1), (4, 5)))
    framed.session.mapping = mappings.by_pick.build(dipeptide, None, settings)
    assert "by_pick.build" in framed.code() and same_by_code(framed, system=dipeptide)
    one = mappings.center_of_mass.build(dipeptide, None, mappings.center_of_mass.Settings())
    weights = np.full((1, dipeptide.n_atoms), 1 / dipeptide.n_atoms)
    weights[0, :2] += (0.01, -0.01)
    template = types.Template(topology=one.templates[0].topology, names=("A",), types=("A",), weights=weights)
    elsewhere = types.Mapping(templates=(template,))
    framed.session.mapping = elsewhere
    assert "made elsewhere" in framed.code()
    framed.session.save()
    again = widgets.MappingPanel(widgets.Session.of(None, tmp_path, system=dipeptide, mapping=elsewhere))
    assert "store.load" in again.code() and same_by_code(again)


def test_parts_of_a_score_have_a_tip_each():
    assert set(mapping_scores.LABELS) <= set(mapping_scores.TIPS)
