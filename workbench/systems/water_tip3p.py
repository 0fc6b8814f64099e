"""A periodic box of rigid TIP3P water: three charges, O-H 0.09572 nm, H-O-H 104.52 degrees.

Jorgensen et al., J. Chem. Phys. 79, 926 (1983). The molecules start on a cubic lattice in random orientations: minimise and
equilibrate before use, as ``reference.sample`` does.
"""

from workbench.systems import _water
from workbench.systems._water import Settings
from workbench.types import System

MODEL = _water.Model(
    name="water_tip3p", bond=0.09572, angle=104.52, force_field="amber14/tip3p.xml", source="TIP3P, as distributed with OpenMM"
)


def load(settings: Settings) -> System:
    """The box. Raises ``ValueError`` where the cut-off exceeds half of it."""
    return _water.box(MODEL, settings)
