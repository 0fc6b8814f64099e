"""The free-energy surface, its scores and its basins, against known answers."""

import numpy as np
import pytest

from workbench import units
from workbench.observables import _base, free_energy
from workbench.types import State, Trajectory


def chain(phi: np.ndarray, psi: np.ndarray, temperature: float = 300.0) -> Trajectory:
    """Five beads with unit bonds at right angles and the given dihedrals [rad], (F, 5, 3)."""
    zero = np.zeros_like(phi)
    b, c = np.stack([zero, zero, zero], -1), np.stack([zero, zero, zero + 1], -1)  # b-c along z
    a = np.stack([zero + 1, zero, zero], -1)
    # looking from b to c, a turns clockwise by phi into d
    d = c + np.stack([np.cos(phi), np.sin(phi), zero], -1)
    along = d - c
    side = b - c
    normal = np.cross(along, side)
    e = d + np.cos(psi)[:, None] * side + np.sin(psi)[:, None] * normal
    return Trajectory(positions=np.stack([a, b, c, d, e], 1), states=(State(temperature=temperature),))


def test_signs_and_axes():
    """phi = 60, psi = -120 degrees lie where the axes say so, phi first."""
    found = free_energy.compute(chain(np.radians(np.full(8, 61.0)), np.radians(np.full(8, -119.0))))
    i, j = np.unravel_index(np.argmin(found.value), found.value.shape)
    assert np.degrees(found.x[0][i]) == pytest.approx(63.0) and np.degrees(found.x[1][j]) == pytest.approx(-117.0)
    assert found.value[i, j] == 0 and np.isinf(found.value).sum() == 3599


def test_free_energy_of_two_states_is_exact():
    """A state three times as populated lies kBT ln 3 lower; its error follows from the counts."""
    n = 16_000
    first = np.random.default_rng(0).random(n) < 0.75
    found = free_energy.compute(
        chain(np.where(first, -1.5, 1.0), np.full(n, 0.5), 400.0), free_energy.Settings(n_blocks=100, n_bootstrap=400)
    )
    higher = found.value[np.isfinite(found.value) & (found.value > 0)]
    kt = units.thermal_energy(400.0)
    assert higher == pytest.approx(kt * np.log(3), abs=4 * kt * np.sqrt(1 / 12_000 + 1 / 4_000))
    error = np.nanmax(found.error)
    assert error == pytest.approx(kt * np.sqrt(0.75 / 4_000), rel=0.25)
    assert np.isnan(found.error[np.isinf(found.value)]).all()


def test_jensen_shannon_known_answers():
    p, q = np.array([4.0, 4, 0, 0]), np.array([0.0, 0, 1, 7])
    assert free_energy.jensen_shannon(p, 3 * p) == pytest.approx(0.0, abs=1e-15)
    assert free_energy.jensen_shannon(p, q) == pytest.approx(np.log(2))
    half = free_energy.jensen_shannon([1.0, 0.0], [0.5, 0.5])
    assert half == pytest.approx(0.75 * np.log(4 / 3))
    assert free_energy.jensen_shannon(np.stack([p, p]), np.stack([p, q]), axis=1) == pytest.approx([0.0, np.log(2)])


def test_mean_squared_difference_known_answers():
    p = np.array([100.0, 200, 400, 5, 50])
    assert free_energy.mean_squared_difference(p, 7 * p) == pytest.approx(0.0, abs=1e-15)
    tilted = p * np.exp([0.3, -0.3, 0.3, 9.0, -0.3])
    assert free_energy.mean_squared_difference(p, tilted) == pytest.approx(0.09)
    assert free_energy.mean_squared_difference(p, [100.0, 0, 0, 100, 0]) == np.inf


def test_basins_of_a_known_surface():
    """Two wells: at (-90, 60) degrees with 80 % and across the border at (175, -60) with 20 %."""
    generator = np.random.default_rng(4)
    deep = generator.random(100_000) < 0.8
    phi = np.where(deep, np.radians(-90), np.radians(175)) + generator.normal(0, 0.25, 100_000)
    psi = np.where(deep, np.radians(60), np.radians(-60)) + generator.normal(0, 0.25, 100_000)
    wrap = lambda x: (x + np.pi) % (2 * np.pi) - np.pi  # noqa: E731
    found = free_energy.basins(free_energy.compute(chain(wrap(phi), wrap(psi))))
    assert len(found) == 2
    assert (found[0].phi, found[0].psi) == pytest.approx((-90, 60), abs=9)
    assert abs(found[1].phi) == pytest.approx(175, abs=9) and found[1].psi == pytest.approx(-60, abs=9)
    assert found[0].population == pytest.approx(0.8, abs=0.01) and found[0].depth == np.inf and found[0].free_energy == 0
    assert found[1].free_energy == pytest.approx(units.thermal_energy(300) * np.log(4), rel=0.15)


def test_refusals():
    with pytest.raises(ValueError, match="four beads"):
        free_energy.compute(chain(np.zeros(4), np.zeros(4)), free_energy.Settings(dihedrals=((0, 1, 2, 3),)))
    two = Trajectory(
        positions=chain(np.ones(4), np.ones(4)).positions, state=np.array([0, 0, 1, 1]), states=(State(), State(temperature=350.0))
    )
    with pytest.raises(ValueError, match="2 thermodynamic states"):
        free_energy.compute(two)
    with pytest.raises(ValueError, match="not finite"):
        free_energy.compute(Trajectory(positions=np.zeros((4, 5, 3))))


def test_reference_chain_gives_the_known_figures(ala2_reference):
    settings = free_energy.Settings()
    parity = np.arange(len(ala2_reference)) % 2
    (even, odd), broken = free_energy.counts(ala2_reference, settings, parity)
    assert broken == 0
    assert free_energy.jensen_shannon(even, odd) == pytest.approx(0.0559, abs=5e-4)
    total = even + odd
    assert (total > 0).sum() == 905
    values = np.concatenate([v for _, v in _base.measure(ala2_reference, settings.dihedrals)])
    assert (values[:, 0] > 0).mean() == pytest.approx(0.0239, abs=5e-5)
    assert total[30:].sum() / total.sum() == pytest.approx(0.0239, abs=5e-5)
    np.testing.assert_array_equal(free_energy.histogram(values[:, 0], values[:, 1]), total)


def test_two_sets_of_ten_thousand_frames_differ_by_noise_alone(ala2_reference):
    """Two independent sets drawn from the reference populations: 0.35 (kBT)^2 over all populated bins."""
    (counts,), _ = free_energy.counts(ala2_reference, free_energy.Settings(), np.zeros(len(ala2_reference), np.int64))
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(10_000, (counts / counts.sum()).ravel(), size=(20, 2))
    scores = [free_energy.mean_squared_difference(p, q, min_counts=1) for p, q in drawn]
    assert np.mean(scores) == pytest.approx(0.35, abs=0.02)


def test_reference_chain_has_its_basins(ala2_reference):
    found = free_energy.basins(free_energy.compute(ala2_reference))
    assert sum(basin.phi < 0 for basin in found) >= 2 and sum(basin.phi > 0 for basin in found) >= 1
    assert sum(basin.population for basin in found if basin.phi < 0) == pytest.approx(0.976, abs=0.01)
