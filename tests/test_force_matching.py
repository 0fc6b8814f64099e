"""Force matching: recovery of a known potential, the Lipschitz bound, repeatability, resuming after a kill, refusals."""

import dataclasses
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests import test_potentials_contract as contract
from workbench import fitting, jobs, potentials, rooms, store
from workbench.fitting import _frames
from workbench.fitting.force_matching import Settings
from workbench.potentials import _base

from .test_potentials_contract import chain

SMALL = potentials.cgnet.Settings(width=16, n_layers=2)


class Springs(_base.Potential):
    def __init__(self):
        super().__init__()
        self.k = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def forward(self, positions, box=None, pairs=None):
        return 0.5 * self.k * (positions[:, 1:] - positions[:, :-1]).square().sum((1, 2))

    def bind(self, beads):
        return self

    def recipe(self):
        return {}

    def to_openmm(self, beads, periodic):
        return None


def known(n_frames=400):
    """A chain whose forces come from a network of known weights, without noise."""
    data = chain(n_frames)
    truth = potentials.cgnet.build(data, potentials.cgnet.Settings(width=8, n_layers=1, seed=7)).double()
    forces = potentials.forces(truth, torch.tensor(data.positions)).numpy()
    return type(data)(positions=data.positions, forces=forces, beads=data.beads), truth


def test_recovers_a_known_potential():
    data, truth = known(2000)
    network = potentials.cgnet.build(data, SMALL)
    fit = fitting.force_matching.fit(network, data, Settings(n_epochs=60, batch_size=64, learning_rate=5e-3, lipschitz=None, n_threads=1))
    zero = np.mean(data.forces**2)
    assert fit.history["validation_loss"].min() < 0.01 * zero
    fresh = torch.tensor(chain(200, seed=5).positions)
    here, there = fit.potential(fresh).detach(), truth(fresh).detach()
    assert float(((here - here.mean()) - (there - there.mean())).std()) < 0.1 * float(there.std())


def test_stored_descriptors_give_the_loss_of_the_forces():
    """The shortcut through descriptors and their derivatives is the mean-square force error, nothing else."""
    data = chain(20)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    network = potentials.cgnet.build(data, SMALL).double()
    prepared = _frames.prepare([(1.0, prior)], [(1.0, network)], data, torch.device("cpu"), torch.float64)
    error = torch.tensor(data.forces) - potentials.forces(prior + network, torch.tensor(data.positions))
    assert float(_frames.Loss([(1.0, network)])(prepared).detach()) == pytest.approx(float(error.square().mean()), rel=1e-10)


def test_the_potential_given_is_left_alone_and_the_prior_is_kept():
    data, _ = known()
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    network = potentials.cgnet.build(data, SMALL)
    before = store.identity(prior + network)
    fit = fitting.force_matching.fit(prior + network, data, Settings(n_epochs=2))
    assert store.identity(prior + network) == before
    assert torch.equal(fit.potential.parts[0].constant, prior.constant)
    assert not torch.equal(fit.potential.parts[1].output.weight, network.output.weight)


def test_every_matrix_obeys_the_lipschitz_bound():
    data, _ = known()
    fit = fitting.force_matching.fit(potentials.cgnet.build(data, SMALL), data, Settings(n_epochs=3, lipschitz=0.7, learning_rate=0.05))
    norms = [float(torch.linalg.matrix_norm(m.weight, 2)) for m in fit.potential.modules() if isinstance(m, torch.nn.Linear)]
    assert max(norms) <= 0.7 * (1 + 1e-5)
    assert max(norms) > 0.6


def test_early_stopping_returns_the_best_epoch():
    noise = chain(200)
    data = type(noise)(positions=noise.positions, forces=1000 * noise.forces, beads=noise.beads)  # nothing to learn: overfits at once
    fit = fitting.force_matching.fit(
        potentials.cgnet.build(data, SMALL), data, Settings(n_epochs=200, patience=5, learning_rate=0.02, lipschitz=None)
    )
    losses = fit.history["validation_loss"]
    assert len(losses) == losses.argmin() + 6 < 200
    held_out = data.take(slice(160, None))
    error = torch.tensor(held_out.forces) - potentials.forces(fit.potential, torch.tensor(held_out.positions))
    assert float(error.square().mean()) == pytest.approx(losses.min(), rel=1e-4)


def weights(fit):
    return torch.cat([p.flatten() for p in fit.potential.parameters()])


def test_same_seed_same_weights_other_seed_others():
    data, _ = known()
    network = potentials.cgnet.build(data, SMALL)
    first, again, other = (fitting.force_matching.fit(network, data, Settings(n_epochs=2, seed=s, n_threads=1)) for s in (0, 0, 1))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


KILLED = """
import sys
from workbench import fitting, potentials
from tests.test_force_matching import SMALL, known
data, _ = known()
prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
network = potentials.cgnet.build(data, SMALL)
settings = fitting.force_matching.Settings(n_epochs=400, patience=400, n_threads=1, checkpoint_every=3)
fitting.force_matching.fit(prior + network, data, settings,
    checkpoint=sys.argv[1], on_step=lambda epoch, metrics: print(epoch, flush=True))
"""


def test_a_killed_fit_resumes_bit_for_bit(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    for line in child.stdout:
        if int(line) >= 8:
            os.kill(child.pid, signal.SIGKILL)
            break
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    data, _ = known()
    potential = potentials.harmonic.build(data, potentials.harmonic.Settings()) + potentials.cgnet.build(data, SMALL)
    settings = Settings(n_epochs=400, patience=400, n_threads=1, checkpoint_every=3)
    seen = []
    resumed = fitting.force_matching.fit(
        potential, data, settings, checkpoint=tmp_path / "run", on_step=lambda epoch, metrics: seen.append(epoch)
    )
    assert 6 < seen[0] < 400 and seen[0] % 3 == 1
    undisturbed = fitting.force_matching.fit(potential, data, settings)
    assert torch.equal(weights(resumed), weights(undisturbed))
    assert np.array_equal(resumed.history["validation_loss"], undisturbed.history["validation_loss"])


def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path):
    data, _ = known()
    network = potentials.cgnet.build(data, SMALL)
    fitting.force_matching.fit(network, data, Settings(n_epochs=3), checkpoint=tmp_path)
    path = tmp_path / "checkpoint.bin"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(store.Damaged, match=r"damaged .* rename checkpoint_prev"):
        fitting.force_matching.fit(network, data, Settings(n_epochs=3), checkpoint=tmp_path)
    assert path.read_bytes() == bytes(content)
    with pytest.raises(ValueError, match="another run"):
        (tmp_path / "checkpoint_prev.bin").replace(path)
        fitting.force_matching.fit(network, data, Settings(n_epochs=4), checkpoint=tmp_path)


OPTIMIZERS = {
    "adam": {"batch_size": 64, "learning_rate": 5e-3},
    "rprop": {"learning_rate": 1e-3, "patience": 50},
    "lbfgs": {"patience": 50},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_and_goes_on_where_it_stopped(name, tmp_path):
    data, _ = known()
    network = potentials.cgnet.build(data, SMALL)
    settings = Settings(optimizer=name, n_epochs=40, lipschitz=None, n_threads=1, **OPTIMIZERS[name])

    def stop(epoch, metrics):
        if epoch == 13:
            raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        fitting.force_matching.fit(network, data, settings, checkpoint=tmp_path, on_step=stop)
    resumed = fitting.force_matching.fit(network, data, settings, checkpoint=tmp_path)
    undisturbed = fitting.force_matching.fit(network, data, settings)
    assert torch.equal(weights(resumed), weights(undisturbed))
    assert np.array_equal(resumed.history["passes"], undisturbed.history["passes"])
    assert undisturbed.history["validation_loss"].min() < 0.2 * np.mean(data.forces**2)


def test_a_step_of_lbfgs_by_all_frames_is_that_of_the_whole_batch():
    """Gradients are summed over batches: their size changes nothing but rounding."""
    data, _ = known()
    network = potentials.cgnet.build(data, SMALL).double()
    settings = {"optimizer": "lbfgs", "lipschitz": None, "n_epochs": 5}
    one, many = (fitting.force_matching.fit(network, data, Settings(**settings, batch_size=size)) for size in (7, 512))
    np.testing.assert_allclose(one.history["validation_loss"], many.history["validation_loss"], rtol=1e-6)


def test_lbfgs_searches_along_its_line_until_the_loss_falls():
    data, _ = known()
    network = potentials.cgnet.build(data, SMALL).double()
    fit = fitting.force_matching.fit(network, data, Settings(optimizer="lbfgs", lipschitz=None, n_epochs=60, patience=60))
    evaluations = np.diff(fit.history["passes"])
    assert evaluations.max() > 2  # where the first length is wrong, another is tried
    assert (np.diff(fit.history["train_loss"]) < 0).all()


def test_frames_read_block_by_block_give_the_same_losses():
    data, _ = known()
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    potential = prior + potentials.cgnet.build(data, SMALL).double()
    settings = {"optimizer": "rprop", "n_epochs": 5, "learning_rate": 1e-3}
    held, read = (fitting.force_matching.fit(potential, data, Settings(**settings, frames_at_once=n)) for n in (None, 37))
    np.testing.assert_allclose(held.history["train_loss"], read.history["train_loss"], rtol=1e-9)
    np.testing.assert_allclose(held.history["validation_loss"], read.history["validation_loss"], rtol=1e-9)
    shuffled = fitting.force_matching.fit(potential, data, Settings(n_epochs=15, batch_size=32, frames_at_once=100, learning_rate=5e-3))
    assert shuffled.history["validation_loss"][-1] < 0.8 * shuffled.history["validation_loss"][0]


def test_the_learning_rate_falls_to_1e_8_geometrically():
    data, _ = known(50)
    fit = fitting.force_matching.fit(
        potentials.cgnet.build(data, SMALL), data, Settings(n_epochs=6, learning_rate=1e-3, final_learning_rate=1e-8)
    )
    np.testing.assert_allclose(fit.history["learning_rate"], 10.0 ** -np.arange(3, 9), rtol=1e-9)


SHARED = """
import os, sys
import numpy as np, torch
from workbench import fitting, potentials
from tests.test_force_matching import SMALL, known
rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
data, _ = known()
for name in ("adam", "lbfgs"):
    settings = fitting.force_matching.Settings(optimizer=name, n_epochs=4, batch_size=160, lipschitz=None)
    fit = fitting.force_matching.fit(potentials.cgnet.build(data, SMALL).double(), data, settings, checkpoint=f"{folder}/{name}")
    np.save(f"{folder}/{name}{rank}.npy", np.concatenate([p.detach().numpy().ravel() for p in fit.potential.parameters()]))
torch.distributed.destroy_process_group()
"""


def test_two_processes_make_the_steps_of_one(tmp_path):
    """Each takes half of the frames as one batch: the mean of their gradients is the gradient of all."""
    command = [sys.executable, "-W", "ignore", "-c", SHARED]
    children = [subprocess.Popen([*command, str(rank), str(tmp_path)]) for rank in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    data, _ = known()
    for name in ("adam", "lbfgs"):
        first, second = (np.load(tmp_path / f"{name}{rank}.npy") for rank in range(2))
        assert np.array_equal(first, second)
        settings = Settings(optimizer=name, n_epochs=4, batch_size=320, lipschitz=None)
        alone = fitting.force_matching.fit(potentials.cgnet.build(data, SMALL).double(), data, settings)
        np.testing.assert_allclose(first, weights(alone).numpy(), rtol=1e-6, atol=1e-8)
        assert (tmp_path / name / "checkpoint.bin").exists()


def test_a_rate_that_diverges_keeps_the_last_good_checkpoint(tmp_path):
    class Brittle(Springs):
        def forward(self, positions, box=None, pairs=None):
            return torch.sqrt(3 - self.k) * super().forward(positions) / self.k  # without forces best at k = 3, and not a number beyond

    data = chain(50)
    data = type(data)(positions=data.positions, forces=np.zeros_like(data.positions), beads=data.beads)
    rate = Settings(learning_rate=0.23, final_learning_rate=0.23)
    with pytest.raises(ValueError, match=r"diverged in epoch \d .* lower the learning rate of 0.23; earlier checkpoints are kept"):
        fitting.force_matching.fit(Brittle(), data, rate, checkpoint=tmp_path)
    epochs = []
    with pytest.raises(ValueError, match="diverged"):
        fitting.force_matching.fit(Brittle(), data, rate, checkpoint=tmp_path, on_step=lambda epoch, metrics: epochs.append(epoch))
    assert not epochs  # it went on from the last good epoch, and the next one diverged again
    assert (tmp_path / "checkpoint.bin").exists()


def test_refusals():
    data, _ = known(50)
    network = potentials.cgnet.build(data, SMALL)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    with pytest.raises(ValueError, match="needs forces"):
        fitting.force_matching.fit(network, type(data)(positions=data.positions, beads=data.beads), Settings())
    with pytest.raises(ValueError, match="no parameters"):
        fitting.force_matching.fit(prior, data, Settings())
    with pytest.raises(ValueError, match="set lipschitz to None"):
        fitting.force_matching.fit(network, data, Settings(optimizer="lbfgs"))
    wild = type(data)(positions=data.positions, forces=data.forces * 1e30, beads=data.beads)
    with pytest.raises(ValueError, match="diverged in epoch"):
        fitting.force_matching.fit(network, wild, Settings(learning_rate=1.0, n_epochs=5))
    with pytest.raises(ValueError, match="forces holds NaN or infinity, first in row 0"):
        type(data)(positions=data.positions, forces=np.full_like(data.forces, np.nan), beads=data.beads)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="finds none"):
            fitting.force_matching.fit(network, data, Settings(device="cuda"))
    with pytest.raises(ValueError, match="did you mean 'n_epochs'"):
        Settings(n_epoch=3)
    with pytest.raises(ValueError, match="at least 1"):
        Settings(batch_size=0)


def test_a_generic_potential_learns_through_autograd():
    """A learned potential that is not built on a descriptor takes the general road to the same end."""
    data = chain(100)
    true = Springs()
    with torch.no_grad():
        true.k.fill_(3.0)
    forces = potentials.forces(true, torch.tensor(data.positions)).numpy()
    data = type(data)(positions=data.positions, forces=forces, beads=data.beads)
    fit = fitting.force_matching.fit(
        Springs(), data, Settings(n_epochs=150, batch_size=20, learning_rate=0.1, final_learning_rate=1e-3, patience=150)
    )
    assert float(fit.potential.k) == pytest.approx(3.0, abs=1e-3)


@contract.on_a_gpu
@pytest.mark.parametrize("name", ["behler_parrinello", "cgnet", "deepcg", "deepcg_smooth", "painn", "schnet"])
def test_a_gpu_fits_as_a_cpu_does(name):
    data = contract.DATA[name](12)
    data = dataclasses.replace(data, forces=100 * np.random.default_rng(0).standard_normal(data.positions.shape))
    room = rooms.method("potentials", name)
    network = room.build(data, room.Settings(**contract.SETTINGS.get(name, {}))).double()
    settings = Settings(n_epochs=3, batch_size=4, validation_fraction=0.25)
    here, there = (fitting.force_matching.fit(network, data, dataclasses.replace(settings, device=d)) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(there.history["validation_loss"], here.history["validation_loss"], rtol=1e-5)
