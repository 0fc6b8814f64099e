"""A periodic box of rigid heavy water: SPC/HW, the geometry of SPC/E with charges of its own, O-D 0.1 nm, D-O-D 109.47 degrees.

Grigera, J. Chem. Phys. 114, 8064 (2001): q(O) -0.870 e, sigma 0.31657 nm, eps 0.6497 kJ/mol. Experimental density: Herrig, Thol,
Harvey, Lemmon, J. Phys. Chem. Ref. Data 47, 043102 (2018).
"""

import pathlib

from workbench.settings import field, settings
from workbench.systems import _water
from workbench.types import System

MODEL = _water.Model(
    name="heavy_water",
    bond=0.1,
    angle=109.47,
    hydrogen="D",
    experiment=((298.15, 1.10447),),
    force_field=str(pathlib.Path(__file__).with_name("spc_hw.xml")),
    source="SPC/HW, Grigera, J. Chem. Phys. 114, 8064 (2001)",
)


@settings
class Settings(_water.Settings):
    """Size and state of the box."""

    density: float = field(1.10447, "Density, which sets the box.", unit="g/cm^3", bounds=(0.1, 1.5))


def load(settings: Settings) -> System:
    """The box. Raises ``ValueError`` where the cut-off exceeds half of it."""
    return _water.box(MODEL, settings)
