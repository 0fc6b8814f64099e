"""From a SMILES to the noise meter, and from uploaded files to frames, in a real browser."""

import pathlib

import pytest

from tests._browser import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

DATA = pathlib.Path(__file__).parent / "data"


def picture(page):
    """The picture that is shown first."""
    return page.locator(".cgw-picture img:visible").first.get_attribute("src")


def test_a_liquid_from_its_smiles_and_frames_from_files(browser, lab, artefacts):
    cells = ["import widgets\nbench = widgets.Workbench('runs/liquid')\nbench"]
    with Notebook(browser, lab, artefacts, "liquid.ipynb", cells) as book:
        page = book.page
        page.wait_for_selector(".cgw-steps", timeout=90_000)
        book.shoot("system_library")
        book.button("SMILES").click()
        page.locator(".cgw-preview svg:visible").wait_for()
        book.fill("smiles", "C(C)(C)(C)(C)O")
        page.locator(".cgw-preview:visible").filter(has_text="no possible molecule").wait_for()
        assert book.button("Load").is_disabled() and "no possible molecule" in book.button("Load").get_attribute("title")
        book.shoot("system_refused")
        book.fill("smiles", "CO")
        page.locator(".cgw-preview:visible").filter(has_text="CH₄O").wait_for()
        book.fill("n_molecules", 20)
        book.fill("density", 0.75)
        book.fill("cutoff_nm", 0.5)
        book.button("Load").click()
        book.says("120 atoms in 20 molecules, box 1.12")
        book.says("GAFF2")
        page.wait_for_function("window.cgwStage && window.cgwStage.compList.length > 0")
        page.wait_for_timeout(1000)
        book.shoot("system_smiles")

        book.step("Reference")
        meter = book.button("Noise meter")
        assert meter.is_disabled() and "Sample the reference first" in meter.get_attribute("title")
        book.fill("n_frames", 400)
        book.fill("interval_ps", 0.02)
        book.fill("pressure", 1)
        book.fill("equilibration_ps", 1)
        before = picture(page)
        book.button("Start").click()
        page.wait_for_function(
            "src => [...document.querySelectorAll('.cgw-picture img')].some(i => i.offsetParent && i.src !== src)", arg=before
        )
        book.says("finished, saved in reference", 120)
        page.locator(".cgw-steps button").filter(has_text="400 frames").wait_for()
        assert meter.is_disabled() and "Make a mapping first" in meter.get_attribute("title")

        book.step("Mapping")
        page.wait_for_function("document.querySelectorAll('.cgw-bead').length === 1")
        page.wait_for_timeout(2500)
        book.pick(0, shift=True)  # its residue is the molecule; the like ones follow
        page.locator(".cgw-steps button").filter(has_text="1 bead").wait_for()
        book.step("Reference")
        meter.click()
        page.locator(".cgw-picture .cgw-status:visible").filter(has_text="no model of these beads").wait_for(timeout=30_000)
        assert page.locator(".cgw-picture img:visible").count() == 2
        book.shoot("reference_noise")
        book.button("Copy as code").click()
        page.locator(".cgw-code pre:visible").filter(has_text="noise.measure(all_atom, mapping)").wait_for()

        book.step("System")
        book.button("files").click()
        with page.expect_file_chooser() as chooser:
            page.locator(".widget-upload:visible, button:has-text('Upload topology'):visible").first.click()
        chooser.value.set_files([DATA / "water.gro", DATA / "water.trr"])
        page.wait_for_function("document.querySelector('.cgw-field-trajectory input').value.endsWith('uploads/water.trr')")
        book.button("Load").click()
        book.says("3 frames from water.trr, with forces")
        book.shoot("system_files")
        book.step("Reference")
        assert "has no force field" in book.button("Start").get_attribute("title")
        book.restart()
        page.locator(".cgw-steps button").filter(has_text="3 frames").wait_for()
        book.step("Reference")
        book.shoot("reference_files")
