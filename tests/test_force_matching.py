"""Force matching: recovery of a known potential, the Lipschitz bound, repeatability, resuming after a kill, refusals."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from workbench import fitting, potentials, store
from workbench.fitting.force_matching import Settings, _loss, _prepare
from workbench.potentials import _base

from .test_potentials_contract import chain

SMALL = potentials.cgnet.Settings(width=16, n_layers=2)


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
    prepared = _prepare([(1.0, prior)], [(1.0, network)], data, slice(None), torch.device("cpu"), torch.float64)
    error = torch.tensor(data.forces) - potentials.forces(prior + network, torch.tensor(data.positions))
    assert float(_loss([(1.0, network)], prepared).detach()) == pytest.approx(float(error.square().mean()), rel=1e-10)


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


def test_refusals():
    data, _ = known(50)
    network = potentials.cgnet.build(data, SMALL)
    prior = potentials.harmonic.build(data, potentials.harmonic.Settings())
    with pytest.raises(ValueError, match="needs forces"):
        fitting.force_matching.fit(network, type(data)(positions=data.positions, beads=data.beads), Settings())
    with pytest.raises(ValueError, match="no parameters"):
        fitting.force_matching.fit(prior, data, Settings())
    wild = type(data)(positions=data.positions, forces=data.forces * 1e30, beads=data.beads)
    with pytest.raises(ValueError, match="diverged in epoch"):
        fitting.force_matching.fit(network, wild, Settings(learning_rate=1.0, n_epochs=5))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="finds none"):
            fitting.force_matching.fit(network, data, Settings(device="cuda"))
    with pytest.raises(ValueError, match="did you mean 'n_epochs'"):
        Settings(n_epoch=3)
    with pytest.raises(ValueError, match="at least 1"):
        Settings(batch_size=0)


def test_a_generic_potential_learns_through_autograd():
    """A learned potential that is not built on a descriptor takes the general road to the same end."""

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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree():
    data, _ = known()
    network = potentials.cgnet.build(data, SMALL)
    here, there = (fitting.force_matching.fit(network, data, Settings(n_epochs=3, device=d)) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(here.history["validation_loss"], there.history["validation_loss"], rtol=1e-3)
