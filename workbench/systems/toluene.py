"""Toluene: GAFF2 with AM1-BCC charges.

Wang et al., J. Comput. Chem. 25, 1157 (2004); Jakalian et al., ibid. 23, 1623 (2002).
"""

from workbench.systems import _library
from workbench.systems._library import Settings
from workbench.types import System

LIQUID = _library.Liquid(
    name="toluene",
    molecule=_library.gaff2("Cc1ccccc1"),
    temperature=298.15,
    density=0.86224,
    measured="equation of state of Lemmon and Span, J. Chem. Eng. Data 51, 785 (2006)",
)


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
