"""Ortho-terphenyl, a fragile glass former: GAFF2 with AM1-BCC charges.

Wang et al., J. Comput. Chem. 25, 1157 (2004); Jakalian et al., ibid. 23, 1623 (2002).
"""

from workbench.settings import field, settings
from workbench.systems import _library
from workbench.types import System

LIQUID = _library.Liquid(
    name="ortho_terphenyl",
    molecule=_library.gaff2("c1ccc(cc1)c1ccccc1c1ccccc1"),
    temperature=346.0,
    density=1.0368,
    measured="DIPPR correlation, good to about 1 %",
)


@settings
class Settings(_library.Settings):
    """Size and state of the liquid."""

    n_molecules: int = field(64, "Number of molecules; 1 is a molecule in vacuum, more a liquid.", bounds=(1, 100_000))


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
