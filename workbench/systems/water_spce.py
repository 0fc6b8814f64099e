"""A periodic box of rigid SPC/E water: three charges, O-H 0.1 nm, H-O-H 109.47 degrees.

Berendsen, Grigera, Straatsma, J. Phys. Chem. 91, 6269 (1987). The molecules start on a cubic lattice in random orientations:
minimise and equilibrate before use, as ``reference.sample`` does.
"""

from workbench.systems import _water
from workbench.systems._water import Settings
from workbench.types import System

MODEL = _water.Model(name="water_spce", bond=0.1, angle=109.47, force_field="amber14/spce.xml", source="SPC/E, as distributed with OpenMM")


def load(settings: Settings) -> System:
    """The box. Raises ``ValueError`` where the cut-off exceeds half of it."""
    return _water.box(MODEL, settings)
