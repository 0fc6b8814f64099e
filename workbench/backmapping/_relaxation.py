"""Restrained minimisation: beads are held by springs, atoms drawn to where a decoder expects them, handedness kept by a wall.

First bonded forces alone, so that chains and rings pass through each other, then the whole force field, then with stiffer springs until
every bead stands where it was asked for. Bead springs are k/2 |C r - R|^2. The spring of an atom is kBT over its mean squared distance
from the decoder's guess, no stiffer than what the beads leave open. The wall acts on centres with four different neighbours whose
signed volume falls below 0.3 of that in the starting geometry.
"""

import numpy as np
import openmm
import scipy.sparse
from openmm import unit

from workbench import units
from workbench.mappings import _refinement
from workbench.reference._simulation import SMALL
from workbench.types import System

VOLUME = "(x2-x1)*((y3-y1)*(z4-z1)-(z3-z1)*(y4-y1))-(y2-y1)*((x3-x1)*(z4-z1)-(z3-z1)*(x4-x1))+(z2-z1)*((x3-x1)*(y4-y1)-(y3-y1)*(x4-x1))"
BETWEEN = (openmm.NonbondedForce, openmm.CustomNonbondedForce, openmm.GBSAOBCForce, openmm.CustomGBForce, openmm.CustomHbondForce)
STIFFEST = 1e9
"""Bead springs are not made stiffer than this [kJ/mol/nm^2]."""


class Relaxation:
    """The minimiser of one system with its beads: built once, used for every frame."""

    def __init__(self, system: System, weights: scipy.sparse.csr_array, guided: np.ndarray, centres: np.ndarray, n_threads: int):
        """``weights`` (B, N) map atoms to beads, ``guided`` atoms have a guess, ``centres`` (any, 4) are atoms with three neighbours."""
        physics = openmm.XmlSerializer.deserialize(system.parameters())
        for index in reversed(range(physics.getNumForces())):
            force = physics.getForce(index)
            force.setForceGroup(1 if isinstance(force, BETWEEN) else 0)
            if isinstance(force, openmm.CMMotionRemover):
                physics.removeForce(index)
        self.weights, self.guided, self.centres = weights, guided, centres
        self.hold = _bead_springs(weights)
        self.draw = openmm.CustomExternalForce("0.5*k*((x-x0)^2+(y-y0)^2+(z-z0)^2)")
        for name in ("k", "x0", "y0", "z0"):
            self.draw.addPerParticleParameter(name)
        for atom in guided.tolist():
            self.draw.addParticle(atom, [0.0] * 4)
        wall = openmm.CustomCompoundBondForce(4, f"1e4*min(0,scale*v-0.3)^2;v={VOLUME}")
        wall.addPerBondParameter("scale")
        for atoms, size in zip(centres.tolist(), volumes(system.positions[None], centres)[0], strict=True):
            wall.addBond(atoms, [1 / size])
        for force in (self.hold, self.draw, wall):
            force.setForceGroup(2)
            physics.addForce(force)
        small = system.n_atoms <= SMALL and system.box is None
        properties = {} if small else {"Threads": str(n_threads), "DeterministicForces": "true"}
        platform = openmm.Platform.getPlatformByName("Reference" if small else "CPU")
        self.integrator = openmm.VerletIntegrator(0.001)
        self.integrator.setConstraintTolerance(1e-6)
        self.context = openmm.Context(physics, self.integrator, platform, properties)

    def relax(
        self,
        atoms: np.ndarray,
        beads: np.ndarray,
        guess: np.ndarray,
        springs: np.ndarray,
        box: np.ndarray | None,
        steps: int,
        within: float,
    ) -> tuple[np.ndarray, float, float]:
        """Atoms (N, 3), their potential energy and the farthest that a bead is from ``beads`` (B, 3), which is to be ``within`` [nm].

        ``guess`` (g, 3) [nm] and ``springs`` (g,) [kJ/mol/nm^2] belong to the guided atoms.
        """
        context = self.context
        for bead, place in enumerate(beads):
            self.hold.setBondParameters(bead, [bead], place.tolist())
        self.hold.updateParametersInContext(context)
        for index, (atom, place, spring) in enumerate(zip(self.guided.tolist(), guess.tolist(), springs.tolist(), strict=True)):
            self.draw.setParticleParameters(index, atom, [spring, *place])
        self.draw.updateParametersInContext(context)
        if box is not None:
            context.setPeriodicBoxVectors(*np.diag(box))
        context.setPositions(atoms)
        context.computeVirtualSites()
        for groups, hold in (({0, 2}, 1e4), ({0, 1, 2}, 1e5), ({0, 1, 2}, 1e6)):
            self._minimise(groups, hold, steps)
        while (off := self._off(beads)) > within and hold < STIFFEST:
            hold *= 10
            self._minimise({0, 1, 2}, hold, steps)
        context.applyConstraints(1e-6)
        state = context.getState(getPositions=True, getEnergy=True, groups={0, 1})
        return state.getPositions(asNumpy=True)._value, state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole), off

    def _minimise(self, groups: set[int], hold: float, steps: int) -> None:
        self.context.setParameter("hold", hold)
        self.integrator.setIntegrationForceGroups(groups)
        openmm.LocalEnergyMinimizer.minimize(self.context, 1.0, steps)

    def _off(self, beads: np.ndarray) -> float:
        atoms = self.context.getState(getPositions=True).getPositions(asNumpy=True)._value
        return float(np.linalg.norm(self.weights @ atoms - beads, axis=1).max())


def handed_centres(system: System) -> np.ndarray:
    """Atoms with four neighbours that all differ, and three of those, (any, 4)."""
    found = []
    for copies in system.kinds().values():
        first, n = copies[0, 0], copies.shape[1]
        neighbours: list[list[int]] = [[] for _ in range(n)]
        for i, j in (system.bonds[np.isin(system.bonds, copies[0]).all(1)] - first).tolist():
            neighbours[i].append(j)
            neighbours[j].append(i)
        keys = [(system.elements[a], float(system.masses[a])) for a in copies[0]]
        colour = _refinement.refine(neighbours, keys)
        centres = [(a, *sorted(near)[:3]) for a, near in enumerate(neighbours) if len(near) == 4 == len({colour[o] for o in near})]
        found.append((copies[:, :1, None] + np.array(centres, np.int64).reshape(1, -1, 4)).reshape(-1, 4))
    return np.concatenate(found)


def volumes(positions: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Signed volumes [nm^3] (F, c) spanned at ``centres`` (c, 4): their sign is the handedness."""
    arms = positions[:, centres[:, 1:]] - positions[:, centres[:, :1]]
    return np.einsum("fci,fci->fc", arms[:, :, 0], np.cross(arms[:, :, 1], arms[:, :, 2]))


def thermal_springs(spread: np.ndarray, temperature: float) -> np.ndarray:
    """Spring constants [kJ/mol/nm^2] under which an atom is ``spread`` [nm] away from its place."""
    return 3 * units.thermal_energy(temperature) / np.maximum(spread, 0.005) ** 2


def _bead_springs(weights: scipy.sparse.csr_array) -> openmm.CustomCentroidBondForce:
    springs = openmm.CustomCentroidBondForce(1, "0.5*hold*((x1-x0)^2+(y1-y0)^2+(z1-z0)^2)")
    springs.addGlobalParameter("hold", 1e4)
    for name in ("x0", "y0", "z0"):
        springs.addPerBondParameter(name)
    for row in range(weights.shape[0]):
        part = weights[[row]].tocoo()
        springs.addGroup(part.coords[1].tolist(), part.data.tolist())
        springs.addBond([row], [0.0, 0.0, 0.0])
    return springs
