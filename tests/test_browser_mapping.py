"""The mapping panel in a real browser: levels of the graph by a slider, scores, four mappings side by side, files of other programs."""

import pytest

from tests._browser import Notebook, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CELL = """import widgets
from workbench import reference, systems
session = widgets.Session('runs/levels')
session.system = systems.load('alanine_dipeptide')
session.all_atom = reference.sample(session.system, reference.Settings(n_frames=200, interval_ps=0.1, equilibration_ps=1, n_threads=1))
panel = widgets.MappingPanel(session)
panel"""


def test_levels_scores_and_files(browser, lab, artefacts):
    with Notebook(browser, lab, artefacts, "levels.ipynb", [CELL]) as book:
        page = book.page
        page.wait_for_function("window.cgwStage && window.cgwStage.compList.length > 0", timeout=90_000)
        page.locator(".cgw-field-scheme select").select_option(label="spectral")
        page.locator(".cgw-field-level").filter(has_text="beads").wait_for()
        book.button("build").click()
        book.says("spectral, level 1")
        page.wait_for_function("document.querySelectorAll('.cgw-bead').length === 6")
        page.locator(".cgw-field-level .noUi-handle").first.press("ArrowRight")
        book.says("spectral, level 2")
        page.wait_for_function("document.querySelectorAll('.cgw-bead').length === 3")
        book.resize(900, 700)
        page.screenshot(path=artefacts / "mapping_spectral_900x700.png")
        book.resize(1280, 800)
        book.button("compare").click()
        page.locator(".cgw-score").filter(has_text="relaxation kept").wait_for(timeout=40_000)
        page.locator(".cgw-field-level .noUi-handle").first.press("ArrowLeft")
        book.says("spectral, level 1")
        book.button("score").click()
        page.locator(".cgw-score").filter(has_text="nm").wait_for(timeout=40_000)
        book.button("compare").click()
        page.locator(".cgw-field-scheme select").select_option(label="functional groups")
        page.locator(".cgw-field-level").wait_for(state="hidden")
        book.button("build").click()
        book.says("functional groups")
        book.button("compare").click()
        page.wait_for_function("document.querySelectorAll('.cgw-card:has(.cgw-part)').length === 3", timeout=40_000)
        book.shoot("mapping_compare")
        page.locator(".cgw-card .cgw-cover").nth(0).click()
        book.says("spectral, level 2")
        page.locator(".cgw-field-kind select").select_option(label="GROMACS index")
        book.button("save").click()
        until((lab[0] / "mapping.ndx").exists, "mapping.ndx")
        book.button("clear").click()
        book.button("load").click()
        book.says("mapping.ndx")
        book.button("Copy as code").click()
        page.locator(".cgw-code pre").filter(has_text='mapping_files.read("mapping.ndx", system)').wait_for()
        (lab[0] / "mapping.ndx").write_text("no beads")
        book.button("load").click()
        page.locator(".cgw-foot .cgw-bad").filter(has_text="mapping.ndx").wait_for()
        book.check()
