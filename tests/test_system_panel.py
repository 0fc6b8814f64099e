"""The system panel without a browser: library, SMILES with its picture, files with their frames; and what a session remembers of them."""

import asyncio
import datetime
import html
import pathlib
import time

import numpy as np
import pytest

import widgets
from widgets import aside
from widgets.smiles_preview import SmilesPreview, drawn
from workbench import rooms, systems
from workbench.systems import files, smiles

DATA = pathlib.Path(__file__).parent / "data"


def uploaded(*names):
    """What the browser sends of files in ``tests/data``."""
    now = datetime.datetime.now(datetime.UTC)
    contents = {name: (DATA / name).read_bytes() for name in names}
    return tuple(
        {"name": name, "type": "", "size": len(content), "content": memoryview(content), "last_modified": now}
        for name, content in contents.items()
    )


@pytest.fixture
def panel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return widgets.SystemPanel(folder=tmp_path / "runs")


def upload(panel, *names):
    """Choose 'files' and send some."""
    panel.kind.value = "files"
    panel.source.children[0].value = uploaded(*names)


def said(panel):
    return html.unescape(panel.status.value)


def test_every_system_of_the_library_has_its_form(panel):
    choice = panel.source.children[0]
    names = [name for name in rooms.available("systems") if name not in ("smiles", "files")]
    assert [name for _, name in choice.options] == names
    for name in names:
        choice.value = name
        assert panel.source.name == name and type(panel.form.value) is rooms.method("systems", name).Settings
        assert not panel.load.disabled and f'systems.load("{name}")' in panel.code()


def test_a_smiles_is_drawn_as_it_is_typed(panel):
    panel.kind.value = "SMILES"
    field, (preview,) = panel.form._inputs["smiles"], [made for made in panel.form.children if isinstance(made, SmilesPreview)]
    assert "<svg" in preview.value and "C₂H₆O" in preview.value
    field.value = "CO.O.O"
    assert "CH₄O + 2 H₂O" in preview.value and not panel.load.disabled
    for text, reason in (("CC(", "is not a SMILES"), ("C(C)(C)(C)(C)C", "no possible molecule"), ("CO.", "a dot parts two molecules")):
        field.value = text
        assert "<svg" not in preview.value and reason in html.unescape(preview.value)
        assert panel.load.disabled and reason in panel.load.tooltip and panel.code().startswith("# ")


@pytest.mark.parametrize("text,formula", [("[Ca+2]", "Ca²⁺"), ("[Cl-]", "Cl⁻"), ("c1ccccc1", "C₆H₆")])
def test_formulas_are_written_as_in_print(text, formula):
    assert formula in drawn(text)


def test_a_molecule_loads_and_says_its_force_field(panel):
    panel.kind.value = "SMILES"
    panel.form.set(smiles.Settings(smiles="Cc1ccccc1", force_field="mmff94"))
    panel.load.click()
    assert "15 atoms in 1 molecule, no box" in said(panel) and "MMFF94" in said(panel) and panel.summary() == "C7H8"
    names = {}
    exec(panel.code(), names)
    assert np.array_equal(names["system"].positions, panel.session.system.positions)
    panel.form.set(smiles.Settings(smiles="CO", n_molecules=20, density=0.75, cutoff_nm=0.5, force_field="mmff94"))
    panel.load.click()
    assert "choose force_field='gaff2'" in said(panel) and panel.summary() == "C7H8" and not panel.load.disabled


def test_a_liquid_says_its_box_and_density(panel):
    panel.source.children[0].value = "carbon_monoxide"
    panel.load.click()
    system = panel.session.system
    assert f"450 atoms in 150 molecules, box {system.box[0]:.2f} × " in said(panel)
    assert "density 0.793 g/cm³ (experiment 0.793)" in said(panel) and "2CLJQ" in said(panel)


def test_uploaded_files_become_system_and_frames_and_are_there_again(panel, tmp_path):
    upload(panel, "water.trr", "water.gro")
    assert panel.form.value.topology == "runs/uploads/water.gro" and panel.form.value.trajectory == "runs/uploads/water.trr"
    assert (tmp_path / "runs" / "uploads" / "water.trr").read_bytes() == (DATA / "water.trr").read_bytes()
    panel.load.click()
    assert "3 frames from water.trr, with forces, in nm, ps and kJ/mol as in the file." in said(panel)
    session = panel.session
    assert session.has("all_atom") and session.all_atom.system is not None
    names = {}
    exec(panel.code(), names)
    assert np.array_equal(names["all_atom"].forces, session.all_atom.forces)

    again = widgets.Workbench(tmp_path / "runs")
    assert again.session.has("all_atom") and np.array_equal(again.session.all_atom.forces, session.all_atom.forces)
    assert again.panels["Reference"].summary() == "3 frames"
    again.show("System")
    assert again.panels["System"].kind.value == "files" and "3 frames from water.trr" in said(again.panels["System"])
    again.panels["System"].load.click()  # the same files: nothing goes out of date
    assert again.session.all_atom.parents == session.all_atom.parents and again.session.has("all_atom")
    reference = again.panels["Reference"]
    assert "has no force field" in reference.task.start_button.tooltip and "reference.read(" in reference.code()


def test_units_of_a_trajectory_are_told(panel):
    upload(panel, "water.pdb", "water_real.lammpstrj")
    panel.load.click()
    assert "2 frames from water_real.lammpstrj, with forces, converted from units real to nm, ps and kJ/mol." in said(panel)
    upload(panel, "water_scaled.lammpstrj")
    panel.load.click()
    assert "does not state its units" in said(panel) and len(panel.session.all_atom) == 2
    panel.form._inputs["lammps_units"].value = "real"
    panel.load.click()
    assert "without forces, converted from units real" in said(panel) and "lammps_units='real'" in panel.code()


def test_a_file_that_was_cut_off_gives_its_whole_frames(panel, tmp_path):
    upload(panel, "water.gro", "water.trr")
    whole = tmp_path / "runs" / "uploads" / "water.trr"
    whole.write_bytes(whole.read_bytes()[:-100])
    panel.load.click()
    assert "2 frames from water.trr, with forces; the file ends in the middle of the next one" in said(panel)


def test_another_system_lets_go_of_frames_and_jobs(panel):
    upload(panel, "water.gro", "water.trr")
    panel.load.click()
    panel.kind.value = "library"
    panel.source.children[0].value = "alanine_dipeptide"
    panel.load.click()
    assert panel.session.stale("all_atom") and panel.session.frames is None
    again = widgets.Session(panel.session.folder)
    again.restore()
    assert again.system.name == panel.session.system.name and again.all_atom is None


@pytest.mark.parametrize(
    "typed,value",
    [("", ()), ("1.5, 1.6, 1.7", (1.5, 1.6, 1.7)), ("(1.5, 1.6, 1.7)", (1.5, 1.6, 1.7)), ("2", (2.0,)), ("none", ())],
)
def test_a_row_of_numbers_is_typed_with_commas(typed, value):
    form = widgets.SettingsForm(files.Settings(box=(9.0,)))
    form._inputs["box"].value = typed
    assert form.value.box == value
    form.set(form.value)
    assert form.value.box == value and "(" not in form._inputs["box"].value


def test_a_row_of_words_is_typed_with_commas_and_a_wrong_row_is_refused():
    form = widgets.SettingsForm(files.Settings)
    form._inputs["force_field"].value = "amber14-all.xml, amber14/tip3p.xml"
    assert form.value.force_field == ("amber14-all.xml", "amber14/tip3p.xml")
    form._inputs["box"].value = "1.5, x"
    assert form.value is None and form.error == "box = 1.5, x: write numbers parted by commas, such as 1, 2, 3."
    form._inputs["box"].value = "0, 1, 1"
    assert "must be at least 0.001 nm" in form.error
    form._inputs["box"].value = ""
    form._inputs["lammps_units"].value = "metal"
    assert form.value.lammps_units == "metal"
    form._inputs["lammps_units"].value = " none "
    assert form.value.lammps_units is None
    bonded = widgets.SettingsForm(rooms.method("observables", "bonded").Settings)
    bonded._inputs["range"].value = "0.5"
    assert bonded.error == "range = 0.5: write 2 values parted by commas."
    bonded._inputs["range"].value = "0.5, 3"
    assert bonded.value.range == (0.5, 3)
    groups = widgets.SettingsForm(rooms.method("mappings", "functional_groups").Settings)
    groups._inputs["patterns"].value = "[C,N], [#6](=O)"
    assert groups.value.patterns == ("[C,N]", "[#6](=O)")


def test_work_beside_a_loop_is_told_on_the_loop_and_a_refusal_too():
    async def both():
        seen = []
        aside.do(lambda: time.sleep(0.05) or 1, seen.append, seen.append)
        aside.do(lambda: systems.load("smiles", smiles="C("), seen.append, seen.append)
        before = list(seen)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if len(seen) == 2:
                break
        return before, seen

    before, seen = asyncio.run(both())
    assert before == [] and 1 in seen and any("is not a SMILES" in str(value) for value in seen)
