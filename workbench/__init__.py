"""Coarse-graining workbench: from all-atom forces to a validated coarse-grained model.

Units: nm, ps, amu, kJ/mol, K, elementary charge. The flow is one call per step:
systems -> mappings -> reference -> projection -> potentials -> fitting -> simulation -> validation.
"""

__version__ = "0.1.0"
