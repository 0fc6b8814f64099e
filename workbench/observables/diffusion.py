"""Self-diffusion: D = d<|r(t0 + t) - r(t0)|^2>/dt / 6, the slope of the mean-square displacement over a window of lags t.

The mean over all origins t0 comes by fast Fourier transforms (Calandrini et al., Collection SFN 12, 201 (2011)). Particles are followed
through the box by the minimum image of the way between wrapped positions, also where boxes change (von Buelow et al., J. Chem. Phys. 153,
021101 (2020)). A periodic cube of side L slows them down: with the viscosity eta, D + 2.837297 kBT / (6 pi eta L) is that of a large
system (Yeh and Hummer, J. Phys. Chem. B 108, 15873 (2004)). The error is over blocks: replicas, or pieces of them.
"""

import numpy as np
import scipy.fft

from workbench import units
from workbench.observables import _base
from workbench.settings import field, settings
from workbench.types import Observation, Trajectory

CUBE = 2.837297
"""Constant of the periodic cube, from its Ewald sum."""


@settings
class Settings:
    """Which particles are followed, over which lags, and what is corrected."""

    particles: tuple[int, ...] = field((), "Particles that are followed; none named: all.", bounds=(0, None))
    window: tuple[float, float] | None = field(
        None, "Shortest and longest lag of the fit; None: a tenth and a half of a block.", unit="ps", bounds=(0.0, None)
    )
    remove_drift: bool = field(True, "Take out the motion of the centre of mass of all particles.")
    viscosity: float | None = field(None, "Viscosity for the correction of the finite size; None: none.", unit="mPa s", bounds=(1e-9, None))
    n_blocks: int = field(10, "Number of blocks for the error; none is longer than a replica.", bounds=(2, None))


def squared_displacement(positions: np.ndarray) -> np.ndarray:
    """Mean over particles and origins of the squared displacement [nm^2] at every lag, (f,), of unwrapped ``positions`` (f, N, 3) [nm]."""
    f = len(positions)
    centred = positions - positions.mean(0)  # less to cancel
    padded = scipy.fft.next_fast_len(2 * f, real=True)
    parts = np.array_split(centred, 1 + centred.size // 1_000_000, axis=1)
    power = sum((np.abs(scipy.fft.rfft(part, padded, axis=0)) ** 2).sum((1, 2)) for part in parts)
    correlation = scipy.fft.irfft(power, padded)[:f]
    squares = (centred**2).sum((1, 2))
    head, tail = np.cumsum(squares)[::-1], np.cumsum(squares[::-1])[::-1]  # of the first and the last f - lag frames
    return np.maximum(head + tail - 2 * correlation, 0) / (np.arange(f, 0, -1) * positions.shape[1])


def blocks(trajectory: Trajectory, settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lags [ps], (l,); mean-square displacement of every block [nm^2], (n, l); frames of every block, (n,).

    Raises ``ValueError`` without times, where frames are not evenly spaced, or so far apart that no way can be followed.
    """
    if trajectory.time is None:
        raise ValueError("the trajectory has no times: give it those of its frames by dataclasses.replace(trajectory, time=...).")
    labels = _base.block_labels(trajectory, settings.n_blocks)
    replica = np.zeros(len(trajectory), np.int64) if trajectory.replica is None else trajectory.replica
    pieces = [np.flatnonzero((labels == label) & (replica == r)) for label, r in np.unique(np.stack([labels, replica], 1), axis=0)]
    f = min(map(len, pieces))
    if f < 2:
        raise ValueError(f"a block of the {len(trajectory)} frames has one frame only: take fewer blocks or more frames.")
    steps = np.concatenate([np.diff(trajectory.time[piece]) for piece in pieces])
    if not (steps.min() > 0 and np.ptp(steps) <= 1e-3 * steps.min()):
        raise ValueError(f"frames are {steps.min():.6g} to {steps.max():.6g} ps apart: take evenly spaced ones, each replica in order.")
    total, frames = np.zeros((int(labels.max()) + 1, f)), np.bincount(labels).astype(float)
    for piece in pieces:
        total[labels[piece[0]]] += len(piece) * squared_displacement(_followed(trajectory, piece, settings))[:f]
    return np.arange(f) * steps.mean(), total / frames[:, None], frames


def _followed(trajectory: Trajectory, frames: np.ndarray, settings: Settings) -> np.ndarray:
    """Unwrapped positions (f, n, 3) [nm] of the chosen particles in consecutive ``frames`` (f,)."""
    x = np.array(trajectory.positions[frames], np.float64)
    if trajectory.box is not None:
        box = np.array(trajectory.box[frames], np.float64)[:, None]
        x -= np.floor(x / box) * box
        way = np.diff(x, axis=0)
        way -= np.rint(way / box[1:]) * box[1:]
        if np.sqrt(np.mean((way / box[1:]) ** 2)) > 1 / 6:  # of normal ones one in 370 would be beyond half of the box; no way at all: 0.29
            raise ValueError("between two frames particles move more than a sixth of the box: save frames more often to follow them.")
        x[1:] = x[0] + np.cumsum(way, axis=0)
    if settings.remove_drift:
        masses = _base.masses(trajectory)
        x -= np.einsum("n,fna->fa", masses / masses.sum(), x)[:, None]
    return x[:, settings.particles] if settings.particles else x


def displacement(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """The mean-square displacement [nm^2] over the lags [ps] that every block holds, with standard errors. Raises as :func:`blocks`."""
    lags, found, frames = blocks(trajectory, settings)
    value, error = _base.ratio(found * frames[:, None], frames)
    return Observation(
        name="mean-square displacement",
        x=(lags,),
        value=value,
        error=error,
        unit="nm^2",
        x_unit="ps",
        n_effective=float(len(frames)),
        state=_base.one_state(trajectory),
    )


def compute(trajectory: Trajectory, settings: Settings = Settings()) -> Observation:  # noqa: B008 - frozen
    """D [nm^2/ps] with its standard error.

    Raises ``ValueError`` as :func:`blocks`, for a window with fewer than three lags, for unknown particles, and for a viscosity where
    there is no cubic box. The motion of the centre of mass needs the masses of a trajectory that knows its system or beads.
    """
    if settings.particles:
        _base.check_beads((settings.particles,), trajectory.n_particles)
    correction = 0.0 if settings.viscosity is None else finite_size(trajectory, settings.viscosity)
    lags, found, frames = blocks(trajectory, settings)
    fitted = _fitted(lags, settings)
    slopes = np.polyfit(lags[fitted], found[:, fitted].T, 1)[0]  # (n,)
    value, error = _base.ratio(slopes / 6 * frames, frames)
    return Observation(
        name="self-diffusion coefficient",
        x=(),
        value=value + correction,
        error=error,
        unit="nm^2/ps",
        n_effective=float(len(frames)),
        state=_base.one_state(trajectory),
    )


def _fitted(lags: np.ndarray, settings: Settings) -> np.ndarray:
    """Which of the ``lags`` the window holds."""
    window = (0.1 * lags[-1], 0.5 * lags[-1]) if settings.window is None else settings.window
    if len(window) != 2:
        raise ValueError(f"window = {window}: give two lags in ps, the shorter one first.")
    inside = (lags >= window[0] * (1 - 1e-9)) & (lags <= window[1] * (1 + 1e-9))
    if inside.sum() < 3 or window[1] > lags[-1] * (1 + 1e-9):
        raise ValueError(
            f"window = {window[0]:.6g} to {window[1]:.6g} ps: it must hold three lags of frames {lags[1]:.6g} ps apart and end within a "
            f"block, at {lags[-1]:.6g} ps; take another window, fewer blocks or more frames."
        )
    return inside


def finite_size(trajectory: Trajectory, viscosity: float) -> float:
    """What D [nm^2/ps] lacks in a periodic cube at ``viscosity`` [mPa s]. Raises ``ValueError`` where the box is not a cube."""
    if trajectory.box is None or np.ptp(trajectory.box, axis=1).max() > 1e-3 * np.min(trajectory.box):
        raise ValueError(
            f"viscosity = {viscosity} mPa s: the correction of the finite size holds for cubic boxes; leave the viscosity out."
        )
    kt = units.thermal_energy(_base.one_state(trajectory).temperature)
    return float(CUBE * kt / (6 * np.pi * viscosity * units.MILLIPASCAL_SECOND * np.mean(trajectory.box)))
