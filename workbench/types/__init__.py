"""The nouns: frozen values that every verb takes and gives. NumPy at rest; torch in motion.

Axes: F frames, N atoms, B beads, K replicas, b beads of one molecule, n atoms of one molecule. Units: nm, ps, amu, kJ/mol, K,
elementary charge. Boxes are orthorhombic, given as three lengths.
"""

from workbench.types._fields import noun
from workbench.types.beads import Beads
from workbench.types.mapping import Decoder, Mapping, Template
from workbench.types.results import Fit, Observation, Target
from workbench.types.system import State, System
from workbench.types.trajectory import ReferenceData, Start, Trajectory

__all__ = [
    "Beads",
    "Decoder",
    "Fit",
    "Mapping",
    "Observation",
    "ReferenceData",
    "Start",
    "State",
    "System",
    "Target",
    "Template",
    "Trajectory",
    "noun",
]
