"""Methanol and water: GAFF with AM1-BCC charges, and TIP3P.

Wang et al., J. Comput. Chem. 25, 1157 (2004); Jorgensen et al., J. Chem. Phys. 79, 926 (1983). Molecules: all methanol first. The
experimental density of the equimolar mixture, 0.881 g/cm^3 at 298.15 K, follows from those of the pure liquids and an excess volume of
-1.0 cm^3/mol, which was not checked at its source.
"""

from workbench.settings import field, settings
from workbench.systems import _liquid, _water, methanol, water_tip3p
from workbench.types import System

EQUIMOLAR, TEMPERATURE = 0.881, 298.15
PURE = {"methanol": 0.78633, "water": 0.99705}


@settings
class Settings:
    """Composition and state of the mixture."""

    n_methanol: int = field(100, "Number of methanol molecules.", bounds=(0, 100_000))
    n_water: int = field(100, "Number of water molecules.", bounds=(0, 100_000))
    density: float | None = field(
        None, "Density, which sets the box; none: equimolar that of experiment, else of an ideal mixture.", unit="g/cm^3", bounds=(0.1, 2.0)
    )
    cutoff_nm: float = field(0.9, "Cut-off of the direct-space interactions; at most half the box.", unit="nm", bounds=(0.3, 1.5))
    constraints: str = field("none", "Bonds to hydrogen of methanol: flexible or rigid; water is rigid.", choices=_liquid.CONSTRAINTS)
    temperature: float = field(TEMPERATURE, "Temperature that the system is meant for.", unit="K", bounds=(1.0, 2000.0))
    seed: int = field(0, "Seed of coordinates and packing.", bounds=(0, 2**31 - 2))


def load(settings: Settings) -> System:
    """The mixture. Raises ``ValueError`` without molecules, for a cut-off above half the box and a density that cannot be packed."""
    alcohol, water = methanol.MOLECULE(settings.seed), _water.molecule(water_tip3p.MODEL)
    masses = settings.n_methanol * alcohol.masses.sum(), settings.n_water * water.masses.sum()
    ideal = sum(masses) / (masses[0] / PURE["methanol"] + masses[1] / PURE["water"]) if sum(masses) else 1.0
    known = EQUIMOLAR if settings.n_methanol == settings.n_water else None
    return _liquid.liquid(
        [(alcohol, settings.n_methanol), (water, settings.n_water)],
        name="methanol_water",
        density=settings.density or known or ideal,
        cutoff_nm=settings.cutoff_nm,
        temperature=settings.temperature,
        constraints=settings.constraints,
        seed=settings.seed,
        experimental_density=known if settings.temperature == TEMPERATURE else None,
    )
