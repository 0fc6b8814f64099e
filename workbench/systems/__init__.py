"""ROOM: what is simulated. Every file has ``Settings`` and ``load(settings) -> System``."""

from typing import Any

from workbench import rooms
from workbench.types import System

__getattr__, __dir__ = rooms.lazy(__name__)


def load(name: str, **options: Any) -> System:
    """The named system: ``systems.load("alanine_dipeptide", solvent="obc2")``. Options are the fields of its ``Settings``."""
    method = rooms.method("systems", name)
    return method.load(method.Settings(**options))


def from_smiles(smiles: str, *, force_field: str = "mmff94", temperature: float = 300.0, seed: int = 0) -> System:
    """One molecule in vacuum from its SMILES, in three dimensions: ``systems.from_smiles("CC(=O)N")``.

    Atoms stand in the order of the SMILES, hydrogens that it leaves out after them. The force field is made when forces are first
    asked for. Raises ``ValueError`` for an impossible SMILES, several fragments, and a molecule that
    ``force_field`` does not cover.
    """
    from workbench.systems import _smiles

    return _smiles.load(_smiles.Settings(smiles=smiles, force_field=force_field, temperature=temperature, seed=seed))
