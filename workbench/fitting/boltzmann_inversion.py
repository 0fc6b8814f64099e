"""Direct Boltzmann inversion: u(r) = -kBT ln g(r) for pairs, u(q) = -kBT ln[p(q) / J(q)], J = r^2, sin theta, 1, for bonded terms.

Exact for independent degrees of freedom, the start of all that iterate. Sources: Tschöp et al., Acta Polym. 49, 61 (1998); Reith, Pütz
and Müller-Plathe, J. Comput. Chem. 24, 1624 (2003), equations 1-5. Where nothing was sampled pairs go on as a wall, bonds and angles as a
parabola, dihedrals as a line to the next data.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench import store, units
from workbench.fitting import _loop, _measured, _tables
from workbench.potentials._base import Potential
from workbench.potentials.tabulated import parts
from workbench.settings import field, settings
from workbench.types import Fit, ReferenceData


@settings
class Settings:
    """Smoothing of what is inverted."""

    smoothing: int = field(0, "Times that each curve is averaged with its neighbours, 1/4, 1/2, 1/4.", bounds=(0, 20))


def fit(
    potential: Potential,
    data: ReferenceData,
    settings: Settings,
    *,
    on_step: Callable[[int, dict], None] | None = None,
    checkpoint: Any = None,
) -> Fit:
    """Fill the tables of ``potential`` from the distributions of ``data``; means over its states. Nothing is simulated.

    ``checkpoint`` is not used: it takes seconds. Raises ``ValueError`` for a target that no potential can be told from.
    """
    identity = store.identity("boltzmann_inversion.fit", potential, data, settings)
    began = time.perf_counter()
    bound = potential.bind(data.beads)
    target = _measured.targets(bound, data)
    found = invert(bound, target, settings.smoothing)
    history = {"seconds": np.array([time.perf_counter() - began]), **_measured.curves(target, found, "target_")}
    if on_step is not None:
        on_step(1, {"total": 1, "seconds": float(history["seconds"][0])})
    return Fit(
        potential=found.requires_grad_(False),
        settings=settings,
        history=history,
        parents=(identity, store.identity(data), store.identity(potential)),
    )


def invert(potential: Potential, target: list[_measured.Measured], smoothing: int) -> Potential:
    """``potential`` with its tables from the distributions of ``target``, means over the states."""
    pairs, bonded = parts(potential)
    temperatures = [units.thermal_energy(state.state.temperature) for state in target]
    if pairs is not None:
        values = [
            _tables.invert_pairs(t.rdf, _tables.sampled_pairs(t.pairs), kT, pairs.knots())
            for t, kT in zip(target, temperatures, strict=True)
        ]
        pairs = pairs.with_values(_tables.smooth(np.mean(values, 0), smoothing))
    if bonded is not None:
        by_kind = {}
        for kind, tables in bonded.tables.items():
            if tables:
                values = [
                    _tables.invert_terms(kind, t.densities[kind], _tables.sampled_terms(t.bonded[kind]), kT, bonded.knots(kind))
                    for t, kT in zip(target, temperatures, strict=True)
                ]
                by_kind[kind] = _tables.smooth(np.mean(values, 0), smoothing, kind == "dihedral")
        bonded = bonded.with_values(by_kind)
    return _loop.replace(potential, pairs, bonded)
