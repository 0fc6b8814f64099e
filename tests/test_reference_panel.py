"""The reference panel without a browser: what is drawn while it samples, and the noise meter."""

import html
import types

import numpy as np
import pytest
from matplotlib.figure import Figure

import widgets
from widgets import plots
from workbench import noise, reference, systems

HISTORY = {
    "step": [0, 0, 1, 2, 3],
    "time": [0.5, 1.0, 1.5, 2.0, 2.5],
    "energy": [9.0, 7.0, 4.0, 2.0, 3.0],
    "temperature": [290.0, 310.0, 300.0, 302.0, 298.0],
    "density": [0.7, None, 0.74, 0.76, 0.75],
}


@pytest.fixture(scope="module")
def frames(dipeptide):
    return reference.sample(dipeptide, reference.Settings(n_frames=160, interval_ps=0.02, equilibration_ps=0.2))


@pytest.fixture
def panel(dipeptide, tmp_path):
    return widgets.ReferencePanel(dipeptide, tmp_path)


def test_a_series_is_drawn_against_its_time_with_the_mean_since_the_first_kept_frame():
    ax = Figure().add_subplot()
    assert plots.series(HISTORY, "density", "density [g/cm³]", ax, level=0.78) is ax
    raw, mean, experiment = ax.get_lines()
    assert raw.get_xdata().tolist() == HISTORY["time"] and np.isnan(raw.get_ydata()[1])
    assert mean.get_xdata().tolist() == [1.5, 2.0, 2.5] and mean.get_ydata() == pytest.approx([0.74, 0.75, 0.75])
    assert experiment.get_ydata()[0] == 0.78 and ax.get_xlabel() == "time [ps]"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["running mean 0.7500", "equilibration", "experiment"]


def test_density_is_drawn_where_the_run_says_it(panel, monkeypatch):
    drawn = []
    series = plots.series
    monkeypatch.setattr(plots, "series", lambda history, name, *rest, **more: drawn.append(name) or series(history, name, *rest, **more))
    panel._draw(types.SimpleNamespace(progress={"history": HISTORY}))
    panel._draw(types.SimpleNamespace(progress={"history": {**HISTORY, "density": []}}))
    assert drawn == ["energy", "temperature", "density", "energy", "temperature"]
    assert bytes(panel.image.value).startswith(b"\x89PNG")


def test_the_noise_meter_says_what_is_missing_then_draws_a_bar_a_bead(panel, frames, backbone):
    session, meter = panel.session, panel.meter
    assert meter.disabled and "Sample the reference first" in meter.tooltip and meter.tooltip in html.unescape(panel.said.value)
    session.all_atom = frames
    assert meter.disabled and meter.tooltip == "Make a mapping first."
    session.mapping = backbone
    assert not meter.disabled and "noise.measure" not in panel.code()
    meter.click()
    assert bytes(panel.bars.value).startswith(b"\x89PNG") and panel.bars.layout.display == ""
    assert np.array_equal(panel.noise.most, noise.measure(frames, backbone).most)
    assert panel.code().startswith("from workbench import noise, reference\n") and "noise.measure(all_atom, mapping)" in panel.code()
    session.mapping = None
    assert panel.noise is None and panel.bars.layout.display == "none" and "noise.measure" not in panel.code()


def test_a_refusal_of_the_noise_meter_is_one_sentence(panel, frames, backbone):
    panel.session.all_atom, panel.session.mapping = frames.take(slice(0, 9)), backbone
    panel.meter.click()
    assert "give it more frames" in html.unescape(panel.said.value) and not panel.meter.disabled


def test_frames_without_forces_or_of_another_system_have_no_noise_to_measure(panel, frames, backbone):
    panel.session.mapping = backbone
    panel.session.all_atom = reference.Trajectory(positions=frames.positions, system=frames.system)
    assert panel.meter.tooltip == "These frames hold no forces."
    panel.session.system = systems.load("alanine_dipeptide", solvent="obc2")
    assert "another system" in panel.meter.tooltip


def test_bars_go_from_the_least_to_the_most(frames, backbone):
    measured, ax = noise.measure(frames, backbone), Figure().add_subplot()
    assert plots.noise(measured, ax) is ax
    bars = [patch for patch in ax.patches if patch.get_width() > 0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(measured.names) and len(bars) == 5
    for bar, least, most in zip(bars, measured.least, measured.most, strict=True):
        assert bar.get_x() == pytest.approx(100 * least) and bar.get_width() == pytest.approx(max(100 * (most - least), 0.5))


def test_a_late_result_of_another_system_does_not_replace_frames_of_this_one(panel, frames, tmp_path):
    panel.session.all_atom = frames
    panel.session.system = other = systems.load("alanine_dipeptide", solvent="obc2")
    kept = reference.sample(other, reference.Settings(n_frames=2, interval_ps=0.01, equilibration_ps=0.0))
    panel.session.all_atom = kept
    panel._finish(types.SimpleNamespace(result=lambda: frames))
    assert panel.session.all_atom is kept
