"""The lactone C(=O)1OCC(CO)C(CC)C1 on which the review explains graph-based mapping: GAFF2 with AM1-BCC charges.

Ye, Xian, Li, ACS Omega 6, 1758 (2021); Wang et al., J. Comput. Chem. 25, 1157 (2004). Its liquid has no known density: it starts as a
loose packing.
"""

from workbench.settings import field, settings
from workbench.systems import _liquid, smiles
from workbench.types import System

SMILES = "C(=O)1OCC(CO)C(CC)C1"


@settings
class Settings:
    """Size and state."""

    n_molecules: int = field(1, "Number of molecules; 1 is a molecule in vacuum, more a liquid.", bounds=(1, 100_000))
    density: float | None = field(None, "Density of a liquid's box; none: a loose packing.", unit="g/cm^3", bounds=(0.001, 10.0))
    cutoff_nm: float = field(0.9, "Cut-off in a liquid; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    constraints: str = field("none", "Bonds to hydrogen of a liquid: flexible or rigid.", choices=_liquid.CONSTRAINTS)
    temperature: float = field(300.0, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of coordinates and packing.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The molecule or the liquid. Raises ``ValueError`` for a cut-off above half the box and a density that cannot be packed."""
    fields = {name: getattr(settings, name) for name in ("n_molecules", "density", "cutoff_nm", "constraints", "temperature", "seed")}
    return smiles.load(smiles.Settings(smiles=SMILES, force_field="gaff2", **fields))
