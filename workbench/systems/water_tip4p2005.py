"""A periodic box of rigid TIP4P/2005 water: the negative charge sits on a massless site M, 0.01546 nm from the oxygen.

Abascal and Vega, J. Chem. Phys. 123, 234505 (2005), table I: sigma 0.31589 nm, eps/kB 93.2 K, q(H) 0.5564 e, O-H 0.09572 nm,
H-O-H 104.52 degrees. OpenMM hands the force on M to O and H, so that real atoms hold all of it.
"""

import pathlib

from workbench.systems import _water
from workbench.systems._water import Settings
from workbench.types import System

MODEL = _water.Model(
    name="water_tip4p2005",
    bond=0.09572,
    angle=104.52,
    site=0.01546,
    force_field=str(pathlib.Path(__file__).with_name("tip4p2005.xml")),
    source="TIP4P/2005, Abascal and Vega, J. Chem. Phys. 123, 234505 (2005)",
)


def load(settings: Settings) -> System:
    """The box. Raises ``ValueError`` where the cut-off exceeds half of it."""
    return _water.box(MODEL, settings)
