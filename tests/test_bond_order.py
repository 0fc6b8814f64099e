"""ML-BOP: the perfect lattice, the form as it is written, threads and replicas, and what the dihedral term tells apart."""

import itertools

import numpy as np
import pytest
import torch

from workbench import device, potentials
from workbench.export import lammps
from workbench.potentials import _base
from workbench.potentials.bond_order import MODELS, NAMES, BondOrder, Settings, build

from . import _exports
from .test_potentials_contract import liquid
from .test_stillinger_weber import diamond


def wurtzite(bond, cells=2):
    """Positions (1, N, 3) and box of ideal hexagonal ice, all bonds of length ``bond`` [nm], in cells with right angles."""
    a = bond * np.sqrt(8 / 3)
    cell = np.array([a, np.sqrt(3) * a, 8 / 3 * bond])
    layer = np.array([[0, 0], [0.5, 0.5]])
    x = []
    for height, shift in ((0, 0), (1 / 8, 1 / 3), (4 / 8, 1 / 3), (5 / 8, 0)):
        x += [[p, (q + shift) % 1, height] for p, q in layer]
    shifts = np.stack(np.meshgrid(*(np.arange(cells),) * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = (np.array(x)[None] + shifts[:, None]).reshape(1, -1, 3) * cell
    return torch.tensor(sites), torch.tensor(cells * cell)[None]


def as_written(x, dihedral=0.0):
    """Energy [kJ/mol] of positions (N, 3) in vacuum, bond by bond, angle by angle, dihedral by dihedral."""
    s = dict(zip(NAMES, MODELS["ML-BOP"], strict=True))
    apart = x[None] - x[:, None]
    r = np.linalg.norm(apart, axis=-1) + np.eye(len(x)) * 9
    phase = np.clip((r - s["R"]) / s["D"], -1, 1)
    f = 0.5 - 0.5 * np.sin(0.5 * np.pi * phase)
    energy = 0.0
    for i, j in itertools.permutations(range(len(x)), 2):
        xi = 0.0
        for k in set(range(len(x))) - {i, j}:
            cos = apart[i, j] @ apart[i, k] / (r[i, j] * r[i, k])
            xi += f[i, k] * (1 + (s["c"] / s["d"]) ** 2 - s["c"] ** 2 / (s["d"] ** 2 + (cos - s["cos0"]) ** 2))
        order = (1 + (s["beta"] * xi) ** s["n"]) ** (-0.5 / s["n"])
        energy += 0.5 * f[i, j] * (s["A"] * np.exp(-s["lam1"] * r[i, j]) - order * s["B"] * np.exp(-s["lam2"] * r[i, j]))
    for i, j in itertools.combinations(range(len(x)), 2):
        axis = apart[i, j] / r[i, j]
        for k, m in itertools.product(range(len(x)), repeat=2):
            if k not in (i, j) and m not in (i, j):
                ends = [apart[i, k] / r[i, k], apart[j, m] / r[j, m]]
                across = [n - (n @ axis) * axis for n in ends]
                sines = np.prod([np.linalg.norm(p) for p in across])
                cos = np.clip(across[0] @ across[1] / sines, -1, 1)
                energy += dihedral * f[i, j] * f[i, k] * f[j, m] * sines**3 * np.cos(3 * np.arccos(cos))
    return energy


def test_ml_bop_on_its_perfect_lattice():
    x, box = diamond(0.630152)
    result = potentials.evaluate(build(None, Settings()), x, box, virial=True)
    assert float(result.energy) / 64 / 4.184 == pytest.approx(-10.7045, abs=1e-4)
    assert result.forces.abs().max() < 1e-9
    assert abs(float(result.virial.trace() if result.virial.dim() == 2 else result.virial[0].trace())) < 1e-4 * abs(float(result.energy))
    density = 64 * 18.01528 / float(box.prod()) / 602.214076
    assert density == pytest.approx(0.95641, abs=1e-5)


@pytest.mark.parametrize("dihedral", [0.0, 3.0])
def test_the_form_as_it_is_written(dihedral):
    rng = np.random.default_rng(1)
    x = np.stack(np.meshgrid(*(np.arange(3),) * 3, indexing="ij"), -1).reshape(-1, 3)[:14] * 0.28 + 0.03 * rng.standard_normal((14, 3))
    potential, at = build(None, Settings(dihedral=dihedral)), torch.tensor(x)[None]
    exact = as_written(x, dihedral)
    assert float(potential(at)) == pytest.approx(exact, rel=1e-11)
    assert float(potentials.evaluate(potential, at).energy) == pytest.approx(exact, rel=1e-11)


def test_forces_of_the_dihedral_term_are_its_slope():
    data = liquid()
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    potential = build(None, Settings(dihedral=5.0))
    direction = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    step = 1e-6 * direction
    slope = (potential(x + step, box) - potential(x - step, box)) / 2e-6
    torch.testing.assert_close(-(potentials.forces(potential, x, box) * direction).sum((1, 2)), slope, rtol=1e-6, atol=1e-5)


def test_only_the_dihedral_term_tells_hexagonal_from_cubic_ice():
    cubic, hexagonal = diamond(0.630152), wurtzite(0.630152 * np.sqrt(3) / 4)

    def energy(potential, crystal):
        return float(potentials.evaluate(potential, *crystal).energy) / crystal[0].shape[1]

    plain, split = build(None, Settings()), build(None, Settings(dihedral=0.1))
    assert energy(plain, hexagonal) == pytest.approx(energy(plain, cubic), rel=1e-12)
    # 9 dihedrals a bond, 2 bonds a molecule: staggered ones sum to -9 sin^6, and of four bonds of hexagonal ice one is eclipsed
    sines = (8 / 9) ** 3
    assert energy(split, cubic) - energy(plain, cubic) == pytest.approx(-2 * 9 * 0.1 * sines)
    assert energy(split, hexagonal) - energy(plain, hexagonal) == pytest.approx((3 / 4 - 1 / 4) * -2 * 9 * 0.1 * sines)
    assert potentials.forces(split, *cubic).abs().max() < 1e-9


def test_a_set_for_every_replica():
    data = liquid()
    x, box = torch.tensor(data.positions), torch.tensor(data.box)
    other = [*MODELS["ML-BOP"]]
    other[1], other[4] = 45000.0, 0.34
    both = BondOrder([MODELS["ML-BOP"], other], 0.0, [])
    alone = [BondOrder([values], 0.0, []) for values in (MODELS["ML-BOP"], other)]
    for way in (potentials.evaluate, lambda *a: _base._by_autograd(*a, None, False)):
        found = way(both, x, box)
        for k, one in enumerate(alone):
            torch.testing.assert_close(found.energy[k : k + 1], way(one, x[k : k + 1], box[k : k + 1]).energy)
            torch.testing.assert_close(found.forces[k : k + 1], way(one, x[k : k + 1], box[k : k + 1]).forces)


def test_threads_change_the_order_of_sums_only():
    x, box = diamond(0.63, cells=5)
    x = x + 0.02 * torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    potential, results = build(None, Settings()), []
    for n in (1, 2):
        with device.threads(n):
            results.append(potentials.evaluate(potential, x, box, virial=True))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two)


def test_at_the_cut_off_and_alone_nothing_happens():
    potential = build(None, Settings()).float()
    reach = potential.cutoff
    for r in (reach * (1 - 1e-6), reach * (1 + 1e-6), 3 * reach):
        x = torch.tensor([[[0.0, 0, 0], [r, 0, 0], [0, r, 0]]], dtype=torch.float32)
        result = potentials.evaluate(potential, x, virial=True)
        assert result.energy.abs().max() < 1e-3 and result.forces.abs().max() < 1e-1
        assert torch.isfinite(_base._by_autograd(potential, x, None, None, False).forces).all()


def test_an_engine_without_the_dihedral_term_refuses_it(tmp_path):
    potential, start = _exports.orders()
    with pytest.raises(ValueError, match="dihedral term, which is of our own"):
        lammps.write(BondOrder(potential.values.tolist(), 1.0, []), start, tmp_path / "new", lammps.Settings())
    assert not (tmp_path / "new").exists()
    assert potential.to_openmm(start.beads, True) is None
