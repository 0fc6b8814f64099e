"""The fitting panel with tables: which choices can start, the curves of an iteration, and a fit by its buttons."""

import dataclasses
import html

import numpy as np
import pytest

import widgets
from tests import _liquids
from widgets import fit_pictures, fitting_choice, plots
from widgets.frame import png
from workbench import fitting, potentials, rooms, types
from workbench.potentials import tabulated

SHORT = {"n_iterations": 2, "tolerance": 1e-4, "equilibration_steps": 40}
GRID = _liquids.GRID


@pytest.fixture
def panel(tmp_path):
    made = widgets.FittingPanel(_liquids.sampled(), tmp_path)
    made.potential.value = "tabulated"
    made.forms["potentials", "tabulated"].set(GRID)
    return made


def _short(form, **changed):
    run = dataclasses.replace(form.value.simulation, n_steps=200)
    form.set(dataclasses.replace(form.value, simulation=run, **{**SHORT, **changed}))


def _why(panel):
    return html.unescape(panel.task.start_button.tooltip) if panel.task.start_button.disabled else ""


def test_tables_are_fitted_to_structure_without_a_prior(panel):
    assert panel.method.value == "iterative_boltzmann" and not panel.prior.value and panel.prior.disabled
    assert "bonded terms are tables" in panel.prior.description
    assert _why(panel) == ""
    for method in fitting_choice.solvers("tabulated"):
        panel.method.value = method
        assert _why(panel) == "", method
    panel.potential.value = "cgnet"
    assert panel.method.value == "force_matching" and panel.prior.value and not panel.prior.disabled


def test_a_choice_that_cannot_work_says_why(panel):
    panel.method.value = "force_matching"
    assert "force_matching does not solve for tabulated: choose iterative_boltzmann or" in _why(panel)
    assert panel.code().startswith("# force_matching does not solve")
    panel._toggle_code()
    assert "# force_matching does not solve" in panel._code_box.value
    panel.potential.value = "lennard_jones"
    assert "no fit changes it: choose another potential, such as cgnet" in _why(panel)
    panel.method.value = "inverse_monte_carlo"
    assert "such as tabulated" in _why(panel)
    panel.potential.value = "three_body_spline"
    assert "potentials.three_body_spline.build(" in panel._code_box.value  # what is shown follows the choices
    assert panel.method.value == "spline_force_matching" and "pair tables" in panel.prior.description
    assert _why(panel) == ""
    panel.potential.value = "deepcg"
    assert "prior = potentials.repulsion.build(" in panel._code_box.value and "stay apart" in panel.prior.description
    assert _why(panel) == ""


def test_frames_without_a_box_or_forces_are_told_before_the_start(tmp_path):
    data = _liquids.sampled()
    panel = widgets.FittingPanel(dataclasses.replace(data, box=None, forces=None), tmp_path)
    assert "force_matching needs forces" in _why(panel)
    panel.potential.value = "tabulated"
    assert "needs a periodic box" in _why(panel)
    form = panel.forms["potentials", "tabulated"]
    form.set(dataclasses.replace(form.value, pairs=False))
    assert _why(panel) == ""


def test_every_potential_has_a_fit_or_says_that_none_changes_it():
    for potential in rooms.available("potentials"):
        able = fitting_choice.solvers(potential)
        assert set(able) <= set(rooms.available("fitting"))
        if not able:
            assert "no fit changes it" in fitting_choice.refusal(potential, "force_matching", None, None)
    for method in rooms.available("fitting"):
        assert method in fitting_choice.solvers(fitting_choice.solved_by(method))


def test_the_simulation_of_an_iteration_is_folded_into_the_form(panel):
    nested = panel.fit_form._inputs["simulation"]
    nested._inputs["n_steps"].value = "0"
    assert "simulation.replicas.Settings.n_steps = 0" in panel.fit_form.error and "n_steps = 0" in _why(panel)
    nested._inputs["n_steps"].value = "1234"
    assert panel.fit_form.value.simulation.n_steps == 1234 and _why(panel) == ""
    assert "simulation=simulation.replicas.Settings(n_steps=1234, save_every=20" in panel.code()


def test_a_fit_shows_its_iterations_and_is_found_again(panel):
    _short(panel.fit_form)
    panel.task.start_button.click()
    assert panel.task.job is not None, panel.task.status.value
    assert panel.task.job.wait(120) == "finished", panel.task.job.error
    panel.task.refresh()
    assert "2 / 2 iterations" in html.unescape(panel.task.count.value)
    assert list(panel.task.job.progress["curves"]) == ["pair A-A"]
    fit = panel.session.fit
    assert panel.summary() == f"rms {fit.history['rms_rdf'].min():.2g}"
    assert panel.image.value == fit_pictures.finished(fit)
    names = {"data": panel.session.data}
    lines = [line for line in panel.code().splitlines() if not line.startswith("data = ")]
    exec("\n".join(lines), names)  # the code that is copied finds the run of the panel
    assert np.array_equal(names["fit"].potential.values(), fit.potential.values())

    again = widgets.FittingPanel(panel.session)
    assert (again.potential.value, again.method.value, again.task.unit) == ("tabulated", "iterative_boltzmann", "iterations")
    assert again.fit_form.value == panel.fit_form.value and again.image.value == panel.image.value


def test_a_fit_that_diverges_says_so_in_one_sentence(panel):
    run = dataclasses.replace(panel.fit_form.value.simulation, timestep_fs=900.0)
    panel.fit_form.set(dataclasses.replace(panel.fit_form.value, simulation=run))
    panel.task.start_button.click()
    assert panel.task.job.wait(120) == "failed"
    panel.task.refresh()
    said = html.unescape(panel.task.status.value)
    assert "the fit diverged in iteration 0" in said and "Traceback" not in said and not panel.task.start_button.disabled


def test_direct_inversion_and_force_matching_show_their_tables():
    data = _liquids.sampled(True)
    tables = tabulated.build(data, GRID)
    matched = fitting.spline_force_matching.fit(tables, data, fitting.spline_force_matching.Settings(n_blocks=4))
    direct = fitting.boltzmann_inversion.fit(tables, data, fitting.boltzmann_inversion.Settings())
    for fit, said in ((direct, "fitted"), (matched, "% of force")):
        assert fit_pictures.finished(fit).startswith(b"\x89PNG") and said in fit_pictures.summary(fit, {})


def test_the_worst_tables_come_first_and_no_more_than_fit():
    x = np.linspace(0.2, 0.8, 5).tolist()
    curves = {
        f"pair A-{k}": {"x": x, "unit": "nm", "target": [0, 1, 1, 1, 1], "current": [0, 1, 1, 1, 1 + k], "earlier": []} for k in range(9)
    }
    assert sorted(curves, key=lambda name: -fit_pictures._off(curves[name]))[0] == "pair A-8"
    assert fit_pictures._mosaic(6, beside=True) == [[0, 1, 6], [2, 3, 6], [4, 5, 6]]
    assert fit_pictures._mosaic(1, beside=True) == [[0, 1]] and fit_pictures._mosaic(3, beside=False) == [[0, 1], [2, -1]]
    history = {"step": [0, 1], "error": [0.2, 0.1], "rms_rdf": [0.2, 0.05], "js_bonded": [0.1, None]}
    seen = []

    def draw(*axes):
        seen.extend([plots.curve("angle A-B-A", {**curves["pair A-1"], "unit": "rad"}, axes[0]), plots.convergence(history, 0.01, axes[1])])

    png(draw, n_axes=2)
    assert seen[0].get_xlabel() == "angle [rad]" and seen[0].get_ylabel() == "density [1/rad]"
    assert [line.get_label() for line in seen[1].lines][-2:] == ["with pressure", "tolerance 0.01"]
    plain = {name: {key: value for key, value in told.items() if key != "earlier"} for name, told in curves.items()}
    progress = {"curves": plain, "history": history}
    assert fit_pictures.live(progress, fitting.iterative_boltzmann.Settings(), [plain]).startswith(b"\x89PNG")
    assert fit_pictures.live({}, None) is None


def test_a_potential_without_tables_has_no_curves_to_show():
    made = potentials.lennard_jones.build(None, potentials.lennard_jones.Settings())
    assert fit_pictures.finished(types.Fit(potential=made, settings=None, history={})) is None
