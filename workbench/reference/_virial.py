"""The molecular virial: how the energy changes when the box is strained and every molecule moves along as it is.

    W_mol = -dU/d(strain) along x, y and z, molecules shifted with their centres of mass; P V = N_molecules kBT + W_mol

(Akkermans and Ciccotti, J. Phys. Chem. B 108, 6866 (2004)). Constraints act inside molecules and do no work here, so that rigid and
flexible molecules are treated alike. Central differences, virtual sites recomputed. With the step here rounding is far below the thermal
fluctuations; most of the scatter is of energies that jump at their cut-off, and it falls as the step grows.
"""

import numpy as np
import openmm
from openmm import unit

from workbench import units
from workbench.types import System

STRAIN = 1e-3
"""Relative strain of the central differences."""


def molecular(context: openmm.Context, system: System, positions: np.ndarray, box: np.ndarray, temperature: float) -> np.ndarray:
    """W [kJ/mol], (3, 3), such that the pressure tensor is (N kBT + W) / V with the N particles that have mass.

    Diagonal: W_mol + (N_molecules - N) kBT; off-diagonal entries are zero, not known. ``positions`` (N, 3) [nm] of whole molecules,
    ``box`` (3,) [nm]; ``context`` is one that nobody else uses. Raises ``ValueError`` where a molecule has no mass, and where the box
    is too close to twice the cut-off to be strained.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(system.molecule) > 0])
    masses = np.add.reduceat(system.masses, starts)
    if not masses.all():
        raise ValueError(
            f"reference.Settings.virial = True: molecule {int(masses.argmin())} of '{system.name}' has no mass; leave the virial out."
        )
    centres = (np.add.reduceat(system.masses[:, None] * positions, starts) / masses[:, None])[system.molecule]
    ideal = (len(masses) - np.count_nonzero(system.masses)) * units.thermal_energy(temperature)
    energies = np.array([[_energy(context, positions, centres, box, axis, strain) for strain in (STRAIN, -STRAIN)] for axis in range(3)])
    return np.diag(ideal - (energies[:, 0] - energies[:, 1]) / (2 * STRAIN))


def _energy(context: openmm.Context, positions: np.ndarray, centres: np.ndarray, box: np.ndarray, axis: int, strain: float) -> float:
    """Energy [kJ/mol] of molecules and box strained along one axis."""
    along = strain * np.eye(3)[axis]
    try:
        context.setPeriodicBoxVectors(*np.diag(box * (1 + along)))
        context.setPositions(positions + centres * along)
        context.computeVirtualSites()
        return context.getState(getEnergy=True).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    except openmm.OpenMMException as error:
        if "cutoff" not in str(error):
            raise
        raise ValueError(
            f"reference.Settings.virial = True: a box of {box.min():.4f} nm is too close to twice the cut-off to be strained "
            f"by {STRAIN:g}: take more molecules or a shorter cut-off."
        ) from None
