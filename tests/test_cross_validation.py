"""Cross-validation: it finds the settings that fit, its errors are those of the folds, it resumes, it refuses."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import cross_validation, fitting, potentials
from workbench.cross_validation import Candidate, SearchSettings, Settings, force_error, score, search
from workbench.descriptors import internal_coordinates

from .test_feature_regression import CLASSICAL, known
from .test_potentials_contract import chain

REGRESSION = fitting.feature_regression.Settings(n_blocks=4)


def test_the_model_that_made_the_data_wins():
    data, _, _ = known(300, noise=100.0)
    no_dihedrals = dataclasses.replace(CLASSICAL, features=internal_coordinates.Settings(distances="none", dihedrals=False))
    candidates = [Candidate(parts=(part,), training=REGRESSION) for part in (no_dihedrals, CLASSICAL)]
    scores = score(candidates, data, Settings(n_folds=4))
    assert scores.best == 1
    assert scores.by_fold.shape == (2, 4)
    assert scores.mean[1] == pytest.approx(100.0**2, rel=0.1)  # nothing but noise is left
    behind, error = scores.behind()
    assert behind[1] == error[1] == 0 and behind[0] > 5 * error[0]
    np.testing.assert_allclose(scores.error, scores.by_fold.std(1, ddof=1) / 2)


def test_scores_are_force_errors_of_frames_left_out():
    data, _, _ = known(100, noise=10.0)
    scores = score([Candidate(parts=(potentials.harmonic.Settings(), CLASSICAL), training=REGRESSION)], data, Settings(n_folds=2))
    first, second = data.take(slice(0, 50)), data.take(slice(50, None))
    prior = potentials.harmonic.build(second, potentials.harmonic.Settings())
    fit = fitting.feature_regression.fit(prior + potentials.feature_splines.build(second, CLASSICAL), second, REGRESSION)
    assert scores.by_fold[0, 0] == pytest.approx(force_error(fit.potential, first), rel=1e-6)
    error = potentials.forces(fit.potential, torch.tensor(first.positions)) - torch.tensor(first.forces)
    assert force_error(fit.potential, first) == pytest.approx(float(error.square().mean()))


def test_a_stopped_run_goes_on(tmp_path):
    data, _, _ = known(80)
    candidates = [Candidate(parts=(CLASSICAL,), training=REGRESSION)] * 2

    class Stop(Exception):
        pass

    def stop(done, metrics):
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        score(candidates, data, Settings(n_folds=2), on_step=stop, checkpoint=tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    resumed = score(candidates, data, Settings(n_folds=2), checkpoint=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} > made
    assert np.array_equal(resumed.by_fold, score(candidates, data, Settings(n_folds=2)).by_fold)
    with pytest.raises(ValueError, match="another run"):
        score(candidates, data, Settings(n_folds=4), checkpoint=tmp_path)


def test_three_stages(tmp_path):
    data, _, _ = known(60)
    settings = SearchSettings(
        depths=(1, 2),
        widths=(4, 8),
        strengths=(1e-3, 4.0),
        network=potentials.cgnet.Settings(width=6),
        training=fitting.force_matching.Settings(n_epochs=4, batch_size=16, learning_rate=0.01),
        folds=Settings(n_folds=2),
    )
    seen = []
    found = search(
        data, (potentials.harmonic.Settings(),), settings, on_step=lambda done, m: seen.append((done, m["stage"])), checkpoint=tmp_path
    )
    assert seen == list(zip(range(1, 13), ["n_layers"] * 4 + ["width"] * 4 + ["lipschitz"] * 4, strict=True))
    assert list(found.stages) == ["n_layers", "width", "lipschitz"]
    assert found.network.n_layers == settings.depths[found.stages["n_layers"].best]
    assert found.network.width == settings.widths[found.stages["width"].best]
    assert found.training.lipschitz == settings.strengths[found.stages["lipschitz"].best]
    assert all(c.parts[-1].n_layers == found.network.n_layers for c in found.stages["width"].candidates)
    again = search(data, (potentials.harmonic.Settings(),), settings, checkpoint=tmp_path)
    assert np.array_equal(again.stages["lipschitz"].by_fold, found.stages["lipschitz"].by_fold)


def test_refusals():
    data = chain(8)
    candidate = Candidate(parts=(CLASSICAL,), training=REGRESSION)
    with pytest.raises(ValueError, match="8 frames are too few for 5 folds"):
        score([candidate], data)
    with pytest.raises(ValueError, match="no candidate"):
        score([], data, Settings(n_folds=2))
    with pytest.raises(ValueError, match="needs forces"):
        score([candidate], dataclasses.replace(data, forces=None), Settings(n_folds=2))
    with pytest.raises(ValueError, match="no Settings of potentials"):
        score([Candidate(parts=(REGRESSION,), training=REGRESSION)], data, Settings(n_folds=2))
    with pytest.raises(ValueError, match="between 2 and 100"):
        cross_validation.Settings(n_folds=1)
