"""Methane at its boiling point: TraPPE-EH, dispersion on the carbon and on the middle of every C-H bond, no charges.

Chen and Siepmann, J. Phys. Chem. B 103, 5370 (1999): sigma 0.331 nm, eps/kB 0.01 K (C) and 15.3 K (bonds), r(CH) 0.110 nm. The
published model is rigid; here bonds and angles are harmonic with the constants of OPLS-AA (Jorgensen, Maxwell, Tirado-Rives, J. Am.
Chem. Soc. 118, 11225 (1996)), so that forces can be mapped. The sites in the bonds are massless: their forces are handed to C and H.
"""

import numpy as np

from workbench.systems import _library
from workbench.systems._library import Settings
from workbench.types import System

BONDS = 0.110 / np.sqrt(3) * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
"""From the carbon to the hydrogens [nm]."""
LIQUID = _library.Liquid(
    name="methane",
    molecule=_library.published("methane", np.concatenate([np.zeros((1, 3)), BONDS, BONDS / 2]), "TraPPE-EH, Chen and Siepmann 1999"),
    temperature=111.67,
    density=0.42235,
    measured=f"{_library.SATURATED} Setzmann and Wagner, J. Phys. Chem. Ref. Data 20, 1061 (1991)",
)


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
