"""The fitting panel in a real browser: tables fitted by iterative Boltzmann inversion, curves and errors as they come."""

import re

import pytest

from tests._browser import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CELL = """
import numpy as np
import widgets
from workbench import potentials, simulation, systems, types

water = systems.load("stillinger_weber_fluid", n_particles=216)
n = water.n_atoms
beads = types.Beads.from_bonds(names=("W",) * n, types=("W",) * n, masses=water.masses, molecule=range(n), bonds=[])
start = types.Start(positions=water.positions[None], box=water.box[None], beads=beads)
mw = potentials.stillinger_weber.build(None, potentials.stillinger_weber.Settings())
run = simulation.replicas.run(mw, start, simulation.replicas.Settings(n_steps=6000, save_every=20, timestep_fs=10.0, temperature=298.15))
frames = run.take(slice(100, None))
bench = widgets.Workbench("runs/fit")
bench.session.data = types.ReferenceData(
    positions=np.array(frames.positions, float), box=np.array(frames.box), beads=beads, states=frames.states, force_kind="none"
)
bench.show("Model")
bench
"""


def test_tables_by_iterative_boltzmann_inversion(browser, lab, artefacts):
    with Notebook(browser, lab, artefacts, "fitting.ipynb", [CELL]) as book:
        page = book.page
        page.wait_for_selector(".cgw-steps", timeout=90_000)
        assert "force_matching needs forces" in book.button("Start").get_attribute("title")
        dropdowns = page.locator(".cgw-form:visible select")
        dropdowns.nth(0).select_option("tabulated")
        page.wait_for_function("() => [...document.querySelectorAll('.cgw-form select')].some(s => s.value === 'iterative_boltzmann')")
        page.locator(".cgw-form:visible").get_by_text("bonded terms are tables").wait_for()
        book.shoot("fitting_1_form")
        dropdowns.nth(1).select_option("force_matching")
        refused = "b => b.title.includes('does not solve for tabulated')"
        page.wait_for_function(f"() => [...document.querySelectorAll('.cgw button')].some({refused})")
        dropdowns.nth(1).select_option("iterative_boltzmann")
        page.locator(".cgw-form:visible .jupyter-widget-Collapse-header").filter(has_text="simulation").click()
        book.fill("n_steps", 1500)
        book.shoot("fitting_2_folded_out")
        book.fill("n_iterations", 8)
        book.button("Start").click()
        page.locator(".cgw-foot:visible").filter(has_text=re.compile(r"[2-9] / 8 iterations")).first.wait_for(timeout=90_000)
        book.shoot("fitting_3_running")
        book.says("finished, saved in fitting", 120)
        page.locator(".cgw-steps button").filter(has_text="rms 0.").wait_for()
        book.shoot("fitting_4_finished")
        book.button("Copy as code").click()
        page.locator(".cgw-code pre:visible").filter(has_text="fitting.iterative_boltzmann.fit(tables, data").wait_for()
        book.check()
        dropdowns.nth(1).select_option("boltzmann_inversion")
        book.button("Start").click()
        book.says("finished, saved in fitting", 60)
        page.locator(".cgw-code pre:visible").filter(has_text="fitting.boltzmann_inversion.fit(tables, data").wait_for()
        book.button("Copy as code").click()
        book.shoot("fitting_5_direct")
        book.restart()
        book.check()
