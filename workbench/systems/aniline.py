"""Aniline: GAFF2 with AM1-BCC charges.

Wang et al., J. Comput. Chem. 25, 1157 (2004); Jakalian et al., ibid. 23, 1623 (2002).
"""

from workbench.systems import _library
from workbench.systems._library import Settings
from workbench.types import System

LIQUID = _library.Liquid(
    name="aniline",
    molecule=_library.gaff2("Nc1ccccc1"),
    temperature=298.15,
    density=1.01741,
    measured="NIST ThermoML, median of Beauchamp et al., J. Phys. Chem. B 119, 12912 (2015)",
)


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
