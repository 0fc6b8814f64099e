"""Propane at its boiling point: GAFF2 with AM1-BCC charges.

Wang et al., J. Comput. Chem. 25, 1157 (2004); Jakalian et al., ibid. 23, 1623 (2002).
"""

from workbench.systems import _library
from workbench.systems._library import Settings
from workbench.types import System

LIQUID = _library.Liquid(
    name="propane",
    molecule=_library.gaff2("CCC"),
    temperature=231.0,
    density=0.58092,
    measured=f"{_library.SATURATED} Lemmon, McLinden, Wagner, J. Chem. Eng. Data 54, 3141 (2009)",
)


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
