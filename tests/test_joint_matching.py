"""Joint matching: reweighting, its gradient, both losses fall, states, resuming, refusals."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench import fitting, jobs, potentials, simulation, types
from workbench.fitting import joint_matching
from workbench.fitting.joint_matching import Settings
from workbench.observables import rdf
from workbench.potentials import behler_parrinello, lennard_jones

from .test_force_matching import weights
from .test_potentials_contract import liquid

RUN = simulation.replicas.Settings(n_steps=80, save_every=20, timestep_fs=4.0, friction=5.0)
RADIAL = behler_parrinello.symmetry_functions.Settings(cutoff=0.5, n_radial=5, zetas=())
QUICK = Settings(
    n_epochs=1, n_iterations=2, n_steps=3, n_replicas=4, equilibration_steps=40, distribution=rdf.Settings(n_bins=20), simulation=RUN
)


def argon(temperature=300.0, n_frames=40, seed=0):
    """Frames and forces of a Lennard-Jones liquid."""
    start = liquid(1)
    truth = lennard_jones.build(start, lennard_jones.Settings(epsilon=1.0, sigma=0.3, cutoff=0.6))
    settings = simulation.replicas.Settings(
        n_steps=20 * n_frames + 400, save_every=20, timestep_fs=4.0, temperature=temperature, friction=5.0, seed=seed
    )
    run = simulation.replicas.run(truth, start.start([0]), settings).take(slice(20, None))
    x, box = torch.tensor(run.positions, dtype=torch.float64), torch.tensor(run.box)
    forces = potentials.forces(truth, x, box).numpy()
    states = (types.State(temperature=temperature),)
    return types.ReferenceData(positions=x.numpy(), forces=forces, box=run.box, beads=start.beads, states=states)


def model(data, **settings):
    prior = potentials.repulsion.build(data, potentials.repulsion.Settings(cutoff=0.6))
    return prior + behler_parrinello.build(data, behler_parrinello.Settings(functions=RADIAL, widths=(6,), **settings))


def test_reweighting_is_that_of_the_boltzmann_factor():
    """Of a harmonic well, sampled at one stiffness and asked for at another; with its slope."""
    x = torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    k = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    g, share = joint_matching.reweighted((x**2)[:, None], 0.5 * (k - 1) * x**2)
    assert float(g.detach()) == pytest.approx(1 / 1.3, rel=0.01)
    (slope,) = torch.autograd.grad(g.sum(), k)
    assert float(slope) == pytest.approx(-1 / 1.3**2, rel=0.02)
    assert 0.9 < float(share.detach()) < 1
    assert float(joint_matching.reweighted((x**2)[:, None], torch.zeros(len(x), dtype=torch.float64))[1]) == pytest.approx(1.0)


def test_structure_improves_where_forces_alone_leave_it_wrong():
    """A network that never saw a force learns g(r) from simulations of itself."""
    data = argon()
    settings = dataclasses.replace(
        QUICK, n_epochs=0, n_iterations=8, n_steps=10, learning_rate=0.03, final_learning_rate=0.005, effective_share=0.5
    )
    fit = fitting.joint_matching.fit(model(data), data, settings)
    rms, force = fit.history["rms_rdf"], fit.history["validation_loss"]
    best = int(fit.history["loss"].argmin())
    assert rms[best] < 0.5 * rms[0]
    assert force[best] < force[0]
    assert np.all(fit.history["steps"] >= 1)


def test_every_temperature_is_simulated_at_its_own():
    both = [argon(t) for t in (250.0, 350.0)]
    arrays = {name: np.concatenate([getattr(d, name) for d in both]) for name in ("positions", "forces", "box")}
    states = tuple(types.State(temperature=t) for t in (250.0, 350.0))
    data = types.ReferenceData(**arrays, state=np.repeat([0, 1], 40), states=states, beads=both[0].beads)
    data = data.take(np.arange(80).reshape(2, 40).T.ravel())
    fit = fitting.joint_matching.fit(model(data, states=True), data, QUICK)
    assert len(fit.history["loss"]) == 2
    assert potentials.at(fit.potential, states[0]).parts[1].temperature == 250.0


def test_goes_on_where_it_stopped(tmp_path):
    data = argon()
    potential = model(data)

    def stop(iteration, metrics):
        raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        fitting.joint_matching.fit(potential, data, QUICK, checkpoint=tmp_path, on_step=stop)
    resumed = fitting.joint_matching.fit(potential, data, QUICK, checkpoint=tmp_path)
    undisturbed = fitting.joint_matching.fit(potential, data, QUICK)
    assert torch.equal(weights(resumed), weights(undisturbed))
    assert np.array_equal(resumed.history["rms_rdf"], undisturbed.history["rms_rdf"])


def test_refusals():
    data = argon(n_frames=10)
    with pytest.raises(ValueError, match="give frames that have forces and a box"):
        fitting.joint_matching.fit(model(data), dataclasses.replace(data, forces=None), QUICK)
    with pytest.raises(ValueError, match="has no parameters to fit"):
        fitting.joint_matching.fit(lennard_jones.build(data, lennard_jones.Settings(cutoff=0.6)), data, QUICK)
    with pytest.raises(ValueError, match="1 frames leave none to train on"):
        fitting.joint_matching.fit(model(data), data.take([0]), dataclasses.replace(QUICK, validation_fraction=0.9))
    hot = dataclasses.replace(QUICK, simulation=dataclasses.replace(RUN, timestep_fs=200.0))
    with pytest.raises(ValueError, match="broke down in iteration 1: stopped at step"):
        fitting.joint_matching.fit(model(data), data, hot)
