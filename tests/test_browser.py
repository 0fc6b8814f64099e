"""The workbench in a real browser: Chromium over JupyterLab on localhost, from a click on an atom to the report."""

import json
import re

import pytest

from tests._browser import Notebook, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ATOMS = (4, 6, 8, 14, 16)


def test_five_beads_by_clicking_their_atoms(browser, lab, artefacts):
    cells = [
        "import widgets\nfrom workbench import systems\n"
        "panel = widgets.MappingPanel(systems.load('alanine_dipeptide'), folder='runs/mapping')\npanel"
    ]
    with Notebook(browser, lab, artefacts, "mapping.ipynb", cells) as book:
        page = book.page
        page.wait_for_function("window.cgwStage && window.cgwStage.compList.length > 0", timeout=90_000)
        page.wait_for_timeout(1500)
        camera = page.evaluate("window.cgwStage.viewerControls.getOrientation().elements.map(v => Math.round(v * 1e4))")
        book.pick_beads(ATOMS)
        assert page.evaluate("window.cgwStage.viewerControls.getOrientation().elements.map(v => Math.round(v * 1e4))") == camera
        page.wait_for_function("window.cgwStage.compList.some(c => c.name === 'beads')")
        page.wait_for_timeout(600)
        page.screenshot(path=artefacts / "mapping_1280x800.png")
        book.check()
        book.button("save").click()
        until((lab[0] / "mapping.json").exists, "mapping.json")
        beads = json.loads((lab[0] / "mapping.json").read_text())["molecules"][0]["beads"]
        assert [bead["atoms"] for bead in beads] == [[atom] for atom in ATOMS]
        book.button("undo").click()
        page.wait_for_function("document.querySelector('.cgw-field-atoms input').value === ''")
        book.button("redo").click()
        page.wait_for_function("document.querySelector('.cgw-field-atoms input').value === '16'")
        book.pick(6)  # it stands in another bead: it moves, with a note
        page.wait_for_function("document.querySelector('.cgw-status').innerText.includes('moved from')", timeout=10_000)
        book.pick(8, shift=True)  # its whole residue
        page.wait_for_function("document.querySelector('.cgw-field-atoms input').value === '6-16'", timeout=10_000)
        book.button("undo").click()
        book.resize(900, 700)
        page.screenshot(path=artefacts / "mapping_900x700.png")
        book.check()


def test_the_whole_workbench_from_a_click_to_the_report(browser, lab, artefacts):
    cells = ["import widgets\nbench = widgets.Workbench('runs/bench')\nbench"]
    with Notebook(browser, lab, artefacts, "bench.ipynb", cells) as book:
        page = book.page
        page.wait_for_selector(".cgw-steps", timeout=90_000)
        assert book.button("Start").count() == 0  # the first step is the system
        book.button("Load").click()
        book.says("22 atoms")
        page.wait_for_function("window.cgwStage && window.cgwStage.compList.length > 0")
        book.shoot("1_system")

        book.step("Mapping")
        page.wait_for_function("document.querySelectorAll('.cgw-bead').length === 1")
        page.wait_for_timeout(2500)
        book.pick_beads(ATOMS)
        page.locator(".cgw-steps button").filter(has_text="5 beads").wait_for()
        book.shoot("2_mapping")

        book.step("Model")
        assert book.button("Start").is_disabled()
        assert "Sample the reference first" in book.button("Start").get_attribute("title")
        book.step("Reference")
        book.fill("n_frames", -1)
        page.locator(".cgw-bad:visible").filter(has_text="must be at least 1").first.wait_for()
        assert book.button("Start").is_disabled()
        book.fill("n_frames", 3000)
        book.fill("interval_ps", 0.1)
        book.button("Start").click()
        book.says("finished, saved in reference")
        book.shoot("3_reference")

        book.step("Model")
        book.fill("n_epochs", 300)
        book.fill("patience", 300)
        book.fill("n_threads", 1)
        book.button("Start").click()
        page.locator(".cgw-picture img:visible").first.wait_for()
        first = page.locator(".cgw-picture img:visible").first.get_attribute("src")
        page.wait_for_function(
            "src => [...document.querySelectorAll('.cgw-picture img')].some(i => i.offsetParent && i.src !== src)", arg=first
        )
        page.locator(".cgw-foot:visible").filter(has_text="left").first.wait_for(timeout=30_000)
        book.shoot("4_model_running")
        book.button("Cancel").click()
        book.says("cancelled, kept in")
        book.button("Start").click()
        book.says("running")
        book.says("finished, saved in fitting", 120)
        page.locator(".cgw-steps button").filter(has_text="of prior").wait_for()
        book.shoot("5_model")

        book.step("Simulate")
        book.fill("n_steps", 8000)
        book.fill("save_every", 100)
        book.fill("n_threads", 1)
        book.button("Start").click()
        book.says("this tab can be closed")
        book.restart()  # the job goes on without this kernel, and the workbench finds it
        book.step("Simulate")
        book.says("finished, saved in simulation", 120)
        page.locator(".cgw-picture canvas:visible").first.wait_for()
        book.shoot("6_simulate")

        book.step("Validate")
        book.button("Make the report").click()
        book.says("the report is", 60)
        frame = page.frame_locator(".cgw-picture iframe")
        frame.get_by_text("Jensen-Shannon", exact=False).first.wait_for(timeout=20_000)
        book.shoot("7_validate")
        book.button("Copy as code").click()
        page.locator(".cgw-code pre:visible").filter(has_text="validation.report(").wait_for()
        book.check()
        book.restart()
        page.locator(".cgw-steps button").filter(has_text=re.compile("fail|all pass")).wait_for()  # the report was found again
        page.frame_locator(".cgw-picture iframe").get_by_text("Jensen-Shannon", exact=False).first.wait_for(timeout=20_000)
        book.check()
    assert list((lab[0] / "runs" / "bench" / "report").glob("report.html"))
