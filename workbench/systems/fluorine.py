"""Fluorine at its boiling point: two equal dispersion sites and a quadrupole, rigid.

Vrabec, Stoll, Hasse, J. Phys. Chem. B 105, 12126 (2001), model 2CLJQ: sigma 0.28258 nm, eps/kB 52.147 K, 0.14129 nm apart, quadrupole
0.0892 D nm. Here the quadrupole is of three charges, on the atoms and on a massless site between them, q = Q / (2 d^2) at the
distance d = 0.070645 nm from the middle.
"""

import numpy as np

from workbench.systems import _library
from workbench.systems._library import Settings
from workbench.types import System

LIQUID = _library.Liquid(
    name="fluorine",
    molecule=_library.published("fluorine", np.array([[0, 0, 0], [0.14129, 0, 0], [0.070645, 0, 0]]), "2CLJQ, Vrabec, Stoll, Hasse 2001"),
    temperature=85.0,
    density=1.50206,
    measured=f"{_library.SATURATED} de Reuck, IUPAC Fluorine (1990)",
)


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
