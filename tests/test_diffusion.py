"""Diffusion: random walks of a known coefficient, across boxes that change, and what cannot be followed."""

import dataclasses

import numpy as np
import pytest

from workbench import units
from workbench.observables import diffusion
from workbench.types import Beads, ReferenceData, State, Trajectory

STEP_PS = 0.5


def walk(coefficient: float, frames: int, beads: int, seed: int = 0, replicas: int = 1, drift: float = 0.0) -> ReferenceData:
    """Brownian ``beads`` of D [nm^2/ps] that also move along x together by ``drift`` [nm/ps], replica after replica."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, np.sqrt(2 * coefficient * STEP_PS), (replicas, frames, beads, 3)) + np.array([drift * STEP_PS, 0, 0])
    known = Beads.from_bonds(names=("A",) * beads, types=("A",) * beads, masses=np.full(beads, 18.0), molecule=np.arange(beads), bonds=())
    return ReferenceData(
        positions=np.cumsum(steps, axis=1).reshape(-1, beads, 3),
        time=np.tile(np.arange(frames) * STEP_PS, replicas),
        replica=np.repeat(np.arange(replicas), frames),
        beads=known,
        states=(State(temperature=298.15),),
        force_kind="none",
    )


def in_box(frames: ReferenceData, box: np.ndarray) -> ReferenceData:
    """The same frames wrapped into ``box``, (3,) [nm]."""
    return dataclasses.replace(frames, positions=frames.positions % box, box=np.tile(box, (len(frames), 1)))


def test_the_transform_is_the_mean_over_origins_by_hand():
    x = np.cumsum(np.random.default_rng(0).normal(size=(37, 4, 3)), axis=0) + 50.0
    by_hand = [np.mean(((x[lag:] - x[: len(x) - lag]) ** 2).sum(2)) for lag in range(37)]
    assert diffusion.squared_displacement(x) == pytest.approx(by_hand, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("replicas", [1, 4, 20])
def test_a_random_walk_has_its_coefficient_and_its_errors_cover(replicas):
    settings = diffusion.Settings(remove_drift=False, window=(1.0, 5.0))
    found = [diffusion.compute(walk(2e-3, 2000 // replicas, 5, seed, replicas), settings) for seed in range(30)]
    off = np.array([(each.value - 2e-3) / each.error for each in found])
    assert 0.7 < off.std() < 1.5 and abs(off.mean()) < 0.6
    assert np.mean([each.value for each in found]) == pytest.approx(2e-3, rel=0.03) and found[0].unit == "nm^2/ps"


def test_the_drift_of_the_centre_of_mass_is_taken_out():
    """With it, of n independent walkers (n - 1) / n of the coefficient is left."""
    frames = walk(2e-3, 2000, 40, drift=0.1)
    settings = diffusion.Settings(window=(1.0, 5.0))
    still = diffusion.compute(frames, settings)
    assert still.value == pytest.approx(2e-3 * 39 / 40, abs=4 * still.error) and still.error < 0.03 * still.value
    assert diffusion.compute(frames, dataclasses.replace(settings, remove_drift=False)).value > 1.5 * still.value
    few = diffusion.compute(frames, dataclasses.replace(settings, particles=(0, 7, 8)))
    assert few.value == pytest.approx(2e-3, abs=4 * few.error) and few.error > 2 * still.error


def test_particles_are_followed_through_the_box():
    free = walk(2e-3, 400, 20)
    wrapped = in_box(free, np.array([1.0, 1.3, 0.9]))
    assert diffusion.compute(wrapped).value == pytest.approx(diffusion.compute(free).value, rel=1e-9)
    one, other = (diffusion.displacement(frames) for frames in (free, wrapped))
    assert other.value == pytest.approx(one.value, abs=1e-9) and one.value[0] == pytest.approx(0, abs=1e-12)
    assert (one.unit, one.x_unit, one.x[0][1]) == ("nm^2", "ps", STEP_PS)
    assert one.value[10] == pytest.approx(6 * 2e-3 * 5.0, rel=0.1)


def test_a_box_that_breathes_moves_nobody():
    """Positions far from the origin would be carried along by every change of the box, were they not followed in wrapped form."""
    free = walk(2e-3, 2000, 20)
    box = 1.5 + 0.02 * np.random.default_rng(1).normal(size=(2000, 1)) * np.ones(3)
    images = np.random.default_rng(2).integers(-40, 40, (1, 20, 3))
    frames = dataclasses.replace(free, positions=free.positions % box[:, None] + images * box[:, None], box=box)
    settings = diffusion.Settings(remove_drift=False, window=(1.0, 5.0))
    found = diffusion.compute(frames, settings)
    assert found.value == pytest.approx(2e-3, rel=0.12)


def test_the_finite_size_is_corrected():
    """Water at 298.15 K and 0.89 mPa s in a cube of 2 nm: by kBT xi / (6 pi eta L), in SI units."""
    frames = in_box(walk(2e-3, 400, 20), np.full(3, 2.0))
    plain, corrected = (diffusion.compute(frames, diffusion.Settings(viscosity=eta)).value for eta in (None, 0.89))
    metres = 1.380649e-23 * 298.15 * 2.837297 / (6 * np.pi * 0.89e-3 * 2e-9)  # m^2/s
    assert corrected - plain == pytest.approx(metres * 1e18 / 1e12, rel=1e-6)
    assert (corrected - plain) / units.CM2_PER_SECOND == pytest.approx(metres * 1e4)


def test_refusals():
    frames = walk(2e-3, 200, 5)
    boxed = in_box(frames, np.array([1.0, 1.0, 1.2]))
    with pytest.raises(ValueError, match="has no times"):
        diffusion.compute(dataclasses.replace(frames, time=None))
    with pytest.raises(ValueError, match=r"frames are 0\.5 to 1\.5 ps apart: take evenly spaced ones"):
        diffusion.compute(frames.take(np.r_[0:100, 102:200]))
    with pytest.raises(ValueError, match="of the 12 frames has one frame only"):
        diffusion.compute(frames.take(slice(0, 12)))
    with pytest.raises(ValueError, match=r"window = 1 to 20 ps: it must hold three lags .* end within a block, at 9\.5 ps"):
        diffusion.compute(frames, diffusion.Settings(window=(1.0, 20.0)))
    with pytest.raises(ValueError, match="window = 5 to 1 ps: it must hold three lags"):
        diffusion.compute(frames, diffusion.Settings(window=(5.0, 1.0)))
    with pytest.raises(ValueError, match="give two lags in ps"):
        diffusion.compute(frames, diffusion.Settings(window=(5.0,)))
    with pytest.raises(ValueError, match="more than a sixth of the box: save frames more often"):
        diffusion.compute(in_box(walk(0.05, 200, 5), np.full(3, 1.0)))
    with pytest.raises(ValueError, match=r"viscosity = 1\.0 mPa s: the correction of the finite size holds for cubic boxes"):
        diffusion.compute(boxed, diffusion.Settings(viscosity=1.0))
    with pytest.raises(ValueError, match="beads 0 to 4"):
        diffusion.compute(frames, diffusion.Settings(particles=(5,)))
    with pytest.raises(ValueError, match="does not know its particles"):
        diffusion.compute(Trajectory(positions=frames.positions, time=frames.time))
