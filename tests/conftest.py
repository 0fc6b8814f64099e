"""Fixtures shared by the tests."""

import os
import pathlib

import numpy as np
import pytest

from tests._browser import artefacts, browser, lab  # noqa: F401 (fixtures)
from workbench import mappings, systems, units
from workbench.types import Beads, Mapping, ReferenceData, State, System


@pytest.fixture(scope="session")
def data_folder() -> pathlib.Path:
    """Folder of the published reference data; a test that needs it is skipped where ``CG_REFERENCE_DATA`` is not set."""
    folder = os.environ.get("CG_REFERENCE_DATA")
    if not folder:
        pytest.skip("CG_REFERENCE_DATA does not name a folder of reference data")
    return pathlib.Path(folder)


@pytest.fixture(scope="session")
def ala2_reference(data_folder: pathlib.Path) -> ReferenceData:
    """Alanine dipeptide in water as five beads, 10,000 frames: angstrom and kcal/mol/angstrom made nm and kJ/mol/nm, centred."""
    positions = np.load(data_folder / "ala2_coordinates.npy", allow_pickle=False).astype(np.float64) * units.ANGSTROM
    forces = np.load(data_folder / "ala2_forces.npy", allow_pickle=False).astype(np.float64) * units.KCAL_PER_ANGSTROM
    names = ("C", "N", "CA", "C2", "N2")
    masses = (12.011, 14.007, 12.011, 12.011, 14.007)
    bonds = ((0, 1), (1, 2), (2, 3), (3, 4))
    return ReferenceData(
        positions=positions - positions.mean(axis=1, keepdims=True),
        forces=forces,
        states=(State(temperature=300.0),),
        beads=Beads.from_bonds(names=names, types=names, masses=masses, molecule=np.zeros(5, int), bonds=bonds),
        force_kind="basic",
    )


@pytest.fixture(scope="session")
def dipeptide() -> System:
    """Alanine dipeptide in vacuum."""
    return systems.load("alanine_dipeptide")


@pytest.fixture(scope="session")
def backbone(dipeptide: System) -> Mapping:
    """Its backbone C N CA C N as five beads."""
    picked = mappings.by_pick.Settings(atoms=((4,), (6,), (8,), (14,), (16,)), names=("C", "N", "CA", "C2", "N2"))
    return mappings.by_pick.build(dipeptide, None, picked)
