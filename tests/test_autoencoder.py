import dataclasses

import numpy as np
import pytest
import scipy.optimize
import scipy.spatial.transform

from tests import _molecules
from workbench import mappings, projection, store, systems
from workbench.mappings import _gumbel
from workbench.types import Trajectory

autoencoder = mappings.autoencoder
SHORT = {"n_epochs": 150, "n_samples": 8, "learning_rate": 8e-3, "restarts": 3}
HALVES = [[0, 2, 3, 4], [1, 5, 6, 7]]  # the methyl groups of ethane, CC


def moving(system, frames=400, seed=0, copies=1):
    """Frames of two stiff halves that swing against each other; forces within a half are strong, those between the halves weak."""
    rng = np.random.default_rng(seed)
    turned = scipy.spatial.transform.Rotation.random(frames * copies, rng)
    x = np.zeros((frames * copies, 8, 3))
    f = np.zeros_like(x)
    for half, sign in zip(HALVES, (-1, 1), strict=True):
        shape = 0.03 * rng.standard_normal((len(half), 3))
        x[:, half] = shape - shape.mean(0) + 0.01 * rng.standard_normal((frames * copies, len(half), 3))
        x[:, half, 2] += sign * rng.uniform(0.08, 0.12, (frames * copies, 1))
        inner = 1000 * rng.standard_normal((frames * copies, len(half), 3))
        f[:, half] = inner - inner.mean(1, keepdims=True)
        f[:, half] += sign * 20 * rng.standard_normal((frames * copies, 1, 3))
    x, f = (np.einsum("fij,fnj->fni", turned.as_matrix(), values).reshape(frames, copies * 8, 3) for values in (x, f))
    return Trajectory(positions=x, forces=f, system=system)


@pytest.fixture(scope="module")
def ethane():
    return _molecules.drawn("CC")


@pytest.fixture(scope="module")
def frames(ethane):
    return moving(ethane)


@pytest.fixture(scope="module")
def training(ethane, frames):
    return autoencoder.train(ethane, frames, autoencoder.Settings(n_beads=2, **SHORT))


def train(system, trajectory, **values):
    return autoencoder.train(system, trajectory, autoencoder.Settings(**(SHORT | values)))


def groups(mapping):
    return [mapping.templates[0].atoms(bead).tolist() for bead in range(len(mapping.templates[0].names))]


def test_every_restart_finds_the_two_halves(ethane, training):
    assert training.converged.all() and training.assignments.shape == (3, 8)
    for row in training.assignments:
        assert sorted(np.flatnonzero(row == bead).tolist() for bead in (0, 1)) == HALVES
    template = training.mapping.templates[0]
    assert groups(training.mapping) == HALVES and template.names == ("B1", "B2") and template.types == ("CH3", "CH3")
    np.testing.assert_allclose(template.weights[0, HALVES[0]], 0.25)
    assert training.spread < 1e-12 and training.best == 0


def test_losses_of_the_map_are_those_of_the_frames(ethane, frames, training):
    beads = training.mapping.expand(ethane).toarray() @ frames.positions
    error = frames.positions - training.mapping.decoder @ beads
    assert training.reconstruction[training.best] == pytest.approx((error**2).mean(), rel=1e-9)
    forces = projection.project(frames, training.mapping).forces  # basic: summed over the bead
    assert training.force[training.best] == pytest.approx((forces.astype(float) ** 2).sum(2).mean(), rel=1e-5)


def test_the_decoder_moves_and_turns_with_the_beads(frames, training):
    weights, decoder = training.mapping.templates[0].weights, training.mapping.decoder
    np.testing.assert_allclose(decoder.sum(1), 1)
    turn = scipy.spatial.transform.Rotation.from_rotvec([1, 2, 3]).as_matrix()
    moved = frames.positions[0] @ turn.T + [5, -7, 9]
    np.testing.assert_allclose(decoder @ weights @ moved, (decoder @ weights @ frames.positions[0]) @ turn.T + [5, -7, 9])


def test_turning_every_frame_or_aligning_all_changes_nothing(ethane, frames, training):
    first = frames.positions[0] - frames.positions[0].mean(0)
    turns = [scipy.spatial.transform.Rotation.align_vectors(first, x - x.mean(0))[0].as_matrix() for x in frames.positions]
    turned = {name: np.einsum("fij,fnj->fni", turns, getattr(frames, name)) for name in ("positions", "forces")}
    turned["positions"] += np.random.default_rng(1).standard_normal((len(frames), 1, 3))
    again = autoencoder.train(ethane, dataclasses.replace(frames, **turned), autoencoder.Settings(n_beads=2, **SHORT))
    np.testing.assert_array_equal(again.assignments, training.assignments)
    for name in ("reconstruction", "force"):
        np.testing.assert_allclose(again.history[name], training.history[name], rtol=1e-6)


def test_forces_decide_where_positions_do_not():
    chain = _molecules.system("CCC", [(0, 1), (1, 2)])
    rng = np.random.default_rng(0)
    x = np.zeros((300, 3, 3))
    x[:, 0], x[:, 2] = rng.standard_normal((2, 300, 3))
    x[:, 1] = (x[:, 0] + x[:, 2]) / 2 + 0.1 * rng.standard_normal((300, 3))
    strong, weak = rng.standard_normal((2, 300, 3)) * np.array([100, 1])[:, None, None]
    frames = Trajectory(positions=x, forces=np.stack([weak, strong - weak, -strong], axis=1))
    assert groups(train(chain, frames, n_beads=2, rho=1e-3).mapping) == [[0], [1, 2]]
    swapped = dataclasses.replace(frames, forces=frames.forces[:, ::-1].copy())
    assert groups(train(chain, swapped, n_beads=2, rho=1e-3).mapping) == [[0, 1], [2]]


def test_gradients_are_those_of_the_losses():
    rng = np.random.default_rng(0)
    n, b, rho = 5, 3, 0.3
    logits, decoder, gumbel = rng.random((1, b, n)), rng.random((1, n, b)), rng.gumbel(size=(2, 1, 4, b, n))
    x, f = rng.standard_normal((2, n, 20))
    given = (gumbel, x @ x.T, f @ f.T, rng.uniform(1, 12, n), 0.8, rho)

    def loss(values):
        (reconstruction, force), _ = _gumbel.step(values[: b * n].reshape(1, b, n), values[b * n :].reshape(1, n, b), *given)
        return (reconstruction + rho * force).item()

    start = np.concatenate([logits.ravel(), decoder.ravel()])
    _, gradients = _gumbel.step(logits, decoder, *given)
    np.testing.assert_allclose(
        np.concatenate([g.ravel() for g in gradients]), scipy.optimize.approx_fprime(start, loss, 1e-7), rtol=1e-4, atol=1e-5
    )


def test_all_copies_of_a_molecule_are_samples_whole_across_the_box(frames):
    liquid = _molecules.drawn("CC.CC")
    box = np.array([3.0, 4.0, 5.0])
    pairs = {name: getattr(frames, name).reshape(200, 16, 3) for name in ("positions", "forces")}
    wrapped = pairs | {"positions": pairs["positions"] % box, "box": np.tile(box, (200, 1))}
    (copies,) = liquid.kinds().values()
    found = autoencoder.moments(liquid, Trajectory(**wrapped), copies, np.ones(8))
    wanted = autoencoder.moments(_molecules.drawn("CC"), frames, np.arange(8)[None], np.ones(8))
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert groups(train(liquid, Trajectory(**wrapped), n_beads=2).mapping) == HALVES


def test_one_kind_of_several_is_chosen(frames):
    mixture = _molecules.drawn("O.CC")
    both = {name: np.concatenate([np.ones((len(frames), 3, 3)), getattr(frames, name)], axis=1) for name in ("positions", "forces")}
    mapping = train(mixture, Trajectory(**both), n_beads=2, molecule=1).mapping
    assert groups(mapping) == HALVES and mapping.expand(mixture).shape == (2, 11)
    with pytest.raises(ValueError, match="'drawn' has 2 kinds of molecule and the autoencoder maps one: set molecule to one of 0, 1"):
        train(mixture, Trajectory(**both), n_beads=2)
    with pytest.raises(ValueError, match="there is no molecule 2 in 'drawn': it has 2, counted from 0"):
        train(mixture, Trajectory(**both), n_beads=2, molecule=2)


def test_beads_stand_at_the_centre_of_mass_where_wanted(ethane, frames):
    mapping = train(ethane, frames, n_beads=2, weights="mass").mapping
    np.testing.assert_allclose(mapping.templates[0].weights[0, HALVES[0]], np.array([12.011, 1.008, 1.008, 1.008]) / 15.035, rtol=1e-6)
    np.testing.assert_allclose(mapping.decoder.sum(1), 1)


def test_refining_lowers_the_loss_and_more_beads_tell_more(ethane, frames):
    raw, refined = (train(ethane, frames, n_beads=4, rho=0.0, n_epochs=20, refine=refine) for refine in (False, True))
    assert (refined.loss <= raw.loss).all() and refined.loss.sum() < raw.loss.sum()
    np.testing.assert_array_equal(raw.assignments, refined.assignments)
    curve = [train(ethane, frames, n_beads=b, rho=0.0, n_epochs=20, refine=True).loss.min() for b in (1, 2, 4)]
    assert curve == sorted(curve, reverse=True)


def test_every_bead_gets_an_atom(ethane, frames):
    each = train(ethane, frames, n_beads=8, n_epochs=1)
    assert groups(each.mapping) == [[a] for a in range(8)]
    np.testing.assert_allclose(each.reconstruction, 0, atol=1e-12)
    np.testing.assert_allclose(each.mapping.decoder, np.eye(8), atol=1e-6)


def test_one_bead_is_the_centre(ethane, frames):
    training = train(ethane, frames, n_beads=1, n_epochs=1)
    centred = frames.positions - frames.positions.mean(1, keepdims=True)
    assert training.reconstruction[0] == pytest.approx((centred**2).mean())
    np.testing.assert_allclose(training.mapping.decoder, 1)


def test_massless_sites_are_decoded_but_in_no_bead():
    water = systems.load("water_tip4p2005")
    training = train(water, Trajectory(positions=water.positions[None], box=water.box[None]), n_beads=3, rho=0.0, n_epochs=1)
    assert groups(training.mapping) == [[0], [1], [2]] and training.assignments[0, 3] == -1
    decoded = training.mapping.decoder @ (training.mapping.templates[0].weights @ water.positions[:4])
    np.testing.assert_allclose(decoded, water.positions[:4], atol=1e-5)


def test_runs_repeat_and_restarts_are_seeds(ethane, frames, training):
    again = train(ethane, frames, n_beads=2)
    np.testing.assert_array_equal(again.history["reconstruction"], training.history["reconstruction"])
    alone = train(ethane, frames, n_beads=2, seed=2, restarts=1)
    np.testing.assert_allclose(alone.history["force"][0], training.history["force"][2], rtol=1e-6)


def test_the_schedule_is_the_published_one(training):
    tau = training.history["temperature"]
    np.testing.assert_allclose(tau, 4 * np.exp(-np.arange(150) / 60) + 0.2)
    assert training.history["reconstruction"].shape == (3, 150)


def test_a_learned_mapping_is_saved_with_its_decoder(tmp_path, training):
    store.save(training.mapping, tmp_path / "mapping")
    np.testing.assert_array_equal(store.load(tmp_path / "mapping").decoder, training.mapping.decoder)


def test_progress_is_told_and_stops_the_training(ethane, frames):
    told = []

    def on_step(epoch, metrics):
        told.append((epoch, metrics))
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        autoencoder.build(ethane, frames, autoencoder.Settings(n_beads=2), on_step=on_step)
    assert [epoch for epoch, _ in told] == [1, 2, 3]
    assert set(told[0][1]) == {"total", "temperature", "reconstruction", "force"} and told[0][1]["total"] == 800


def test_without_forces_the_reconstruction_alone_is_learned(ethane, frames):
    bare = dataclasses.replace(frames, forces=None)
    training = train(ethane, bare, n_beads=2, rho=0.0)
    assert groups(training.mapping) == HALVES and np.isnan(training.force).all() and np.isnan(training.history["force"]).all()


@pytest.mark.parametrize(
    ("change", "values", "sentence"),
    [
        ({}, {"n_beads": 9}, "n_beads = 9: the molecule of 'drawn' has 8 atoms: choose at most so many"),
        ({"forces": None}, {}, "rho = 5.7e-06 weighs bead forces, and this trajectory has none: sample it with forces or set rho=0"),
        ({"forces": np.zeros((400, 8, 3))}, {}, "all forces of this trajectory are zero: give it forces or set rho=0"),
        ({"positions": np.ones((1, 8, 3)), "forces": np.ones((1, 8, 3))}, {}, "1 frames of 1 molecules .* 8 atoms move: give at least 3"),
        ({"positions": np.ones((9, 7, 3)), "forces": None, "system": None}, {}, "7 particles a frame, 'drawn' 8 atoms"),
    ],
)
def test_refusals(ethane, frames, change, values, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(ethane, dataclasses.replace(frames, **change), **values)


def test_frames_are_needed(ethane):
    with pytest.raises(ValueError, match="learns from frames: give it a trajectory of 'drawn', as"):
        autoencoder.build(ethane, None, autoencoder.Settings())


def test_forces_must_be_whole():
    water = systems.load("water_tip4p2005")
    run = Trajectory(positions=water.positions[None], forces=water.positions[None], box=water.box[None])
    with pytest.raises(ValueError, match="lack those of the rigid constraints of 'water_tip4p2005': sample it flexible or set rho=0"):
        train(water, run, n_beads=3)


def test_a_single_atom_is_a_bead():
    rng = np.random.default_rng(0)
    argon = _molecules.system("CCC", [], molecule=[0, 1, 2])
    run = Trajectory(positions=rng.random((4, 3, 3)), forces=rng.random((4, 3, 3)))
    training = train(argon, run, n_beads=1, n_epochs=2)
    assert training.reconstruction[0] == 0 and training.force[0] == pytest.approx((run.forces**2).sum(2).mean())
    np.testing.assert_allclose(training.mapping.decoder, [[1]])
