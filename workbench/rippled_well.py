"""A particle in two dimensions with a rippled double well, seen along x: a model system whose mean force is known exactly.

    V(x, y) / kBT = (x - 4)(x - 2)(x + 2)(x + 3) / 50 + y^2 / 20 + sin(3 (x + 5)(y - 6)) / 25          (x, y in nm)
    W(x) = -kBT ln Int exp(-V / kBT) dy,   f(x) = -dW/dx = -<dV/dx>_x

After Wang et al., ACS Cent. Sci. 5, 755 (2019), figures 4-6; the constants are a recollection of the paper's. The ripple makes the force
along x noisy: its mean at fixed x is f(x). W and f by quadrature over y, samples by overdamped Langevin dynamics with the averaged
noise of Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34, equation 1.7.
"""

import math

import numba
import numpy as np

from workbench import store, units
from workbench.settings import field, settings
from workbench.types import Beads, ReferenceData, State

Y = np.arange(-30.0, 30.0, 0.005)
"""Nodes of the quadrature [nm]: beyond 30 nm the weight is below 1e-19."""


@settings
class Settings:
    """Length of the trajectory."""

    n_frames: int = field(1_000_000, "Frames that are kept.", bounds=(1, None))
    steps_between: int = field(50, "Steps between two of them.", bounds=(1, None))
    step: float = field(1e-3, "Diffusion constant times time step.", unit="nm^2", bounds=(1e-6, 0.01))
    equilibration: int = field(100_000, "Steps before the first frame.", bounds=(0, None))
    temperature: float = field(300.0, "Temperature; energies and forces are proportional to it.", unit="K", bounds=(1e-6, None))
    seed: int = field(0, "Seed of the noise.", bounds=(0, 2**32 - 1))


@numba.njit(cache=True)
def _slopes(x, y):
    """dV/dx and dV/dy [kBT/nm] of numbers or arrays."""
    a, b, c, d = x - 4, x - 2, x + 2, x + 3
    ripple = 0.12 * np.cos(3 * (x + 5) * (y - 6))
    return (a * b * c + a * b * d + a * c * d + b * c * d) / 50 + (y - 6) * ripple, 0.1 * y + (x + 5) * ripple


@numba.njit(cache=True)
def _walk(n_frames, steps_between, step, equilibration, generator):
    """Positions along x and dV/dx there (n_frames, 2)."""
    out = np.empty((n_frames, 2))
    x, y, jump = 3.0, 0.0, math.sqrt(0.5 * step)
    old_x, old_y = generator.standard_normal(), generator.standard_normal()
    for i in range(-equilibration, n_frames * steps_between):
        down_x, down_y = _slopes(x, y)
        new_x, new_y = generator.standard_normal(), generator.standard_normal()
        x += -step * down_x + jump * (old_x + new_x)
        y += -step * down_y + jump * (old_y + new_y)
        old_x, old_y = new_x, new_y
        if i >= 0 and (i + 1) % steps_between == 0:
            frame = i // steps_between
            out[frame, 0], out[frame, 1] = x, _slopes(x, y)[0]
    return out


def energy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """V(x, y) [kBT] of any shapes that broadcast, x and y in nm."""
    return (x - 4) * (x - 2) * (x + 2) * (x + 3) / 50 + y**2 / 20 + np.sin(3 * (x + 5) * (y - 6)) / 25


def free_energy(x: np.ndarray) -> np.ndarray:
    """W(x) [kBT] at ``x`` (any,) [nm]: a constant is left as it comes, so that exp(-W) is the integral over y."""
    return np.array([-np.log(np.exp(-energy(at, Y)).sum() * (Y[1] - Y[0])) for at in x])


def mean_force(x: np.ndarray) -> np.ndarray:
    """f(x) [kBT/nm] at ``x`` (any,) [nm]."""
    found = []
    for at in x:
        weight = np.exp(-energy(at, Y) + energy(at, 0.0))
        found.append(-(weight * _slopes(at, Y)[0]).sum() / weight.sum())
    return np.array(found)


def sample(settings: Settings = Settings()) -> ReferenceData:  # noqa: B008 (frozen)
    """One long trajectory seen along x: positions (F, 1, 3) whose y and z are zero, and the forces along x (F, 1, 3) [kJ/mol/nm]."""
    s = settings
    walked = _walk(s.n_frames, s.steps_between, s.step, s.equilibration, np.random.default_rng(s.seed))
    positions, forces = np.zeros((2, s.n_frames, 1, 3))
    positions[:, 0, 0] = walked[:, 0]
    forces[:, 0, 0] = -units.thermal_energy(s.temperature) * walked[:, 1]
    beads = Beads.from_bonds(names=("X",), types=("X",), masses=[1.0], molecule=[0], bonds=[])
    states = (State(temperature=s.temperature),)
    return ReferenceData(
        positions=positions, forces=forces, beads=beads, states=states, parents=(store.identity("rippled_well.sample", settings),)
    )
