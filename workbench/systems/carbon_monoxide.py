"""Carbon monoxide at its boiling point: two equal dispersion sites and a quadrupole, rigid.

Stoll, Vrabec, Hasse, J. Chem. Phys. 119, 11396 (2003), model 2CLJQ: sigma 0.33344 nm, eps/kB 36.713 K, 0.1111 nm apart, quadrupole
0.1917 D nm. Here the quadrupole is of three charges, on the atoms and on a massless site between them, q = Q / (2 d^2) at the
distance d = 0.05555 nm from the middle.
"""

import numpy as np

from workbench.systems import _library
from workbench.systems._library import Settings
from workbench.types import System

LIQUID = _library.Liquid(
    name="carbon_monoxide",
    molecule=_library.published(
        "carbon_monoxide", np.array([[0, 0, 0], [0.1111, 0, 0], [0.05555, 0, 0]]), "2CLJQ, Stoll, Vrabec, Hasse 2003"
    ),
    temperature=81.6,
    density=0.79338,
    measured=f"{_library.SATURATED} Lemmon and Span, J. Chem. Eng. Data 51, 785 (2006)",
)


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
