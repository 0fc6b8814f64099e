"""Methanol: GAFF with AM1-BCC charges.

Wang et al., J. Comput. Chem. 25, 1157 (2004); Jakalian et al., ibid. 23, 1623 (2002). GAFF2, the successor that ``systems.from_smiles``
takes, makes liquid methanol ten per cent too light.
"""

import numpy as np

from workbench.systems import _library
from workbench.systems._library import Settings
from workbench.types import System

GEOMETRY = np.array(
    [
        (0.0000, 0.0000, 0.0000),
        (0.1348, -0.0369, -0.0226),
        (-0.0189, 0.0052, 0.1075),
        (-0.0654, -0.0752, -0.0447),
        (-0.0195, 0.0970, -0.0463),
        (0.1904, 0.0317, 0.0181),
    ]
)
"""C, O, three H of the methyl group, H of the hydroxyl [nm]."""
MOLECULE = _library.published("methanol", GEOMETRY, "GAFF with AM1-BCC charges, by AmberTools")
LIQUID = _library.Liquid(
    name="methanol",
    molecule=MOLECULE,
    temperature=298.15,
    density=0.78633,
    measured="equation of state of de Reuck and Craven, IUPAC Methanol (1993)",
)


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    return _library.load(LIQUID, settings)
