"""A short chain whose pendant hydrogens are held by rigid constraints: backbone beads, each tied to one light atom."""

import functools

import numpy as np
import openmm

from workbench import mappings, types

LENGTH = 6
"""Number of backbone atoms."""


def load() -> types.System:
    """The chain: flexible backbone bonds and angles, rigid bonds to the hydrogens, charges and Lennard-Jones between all others."""
    n = 2 * LENGTH
    backbone = [(2 * k, 2 * k + 2) for k in range(LENGTH - 1)]
    pendant = [(2 * k, 2 * k + 1) for k in range(LENGTH)]
    k = np.arange(LENGTH)
    positions = np.zeros((n, 3))
    positions[::2] = np.stack([0.13 * k, 0.04 * (-1.0) ** k, 0 * k], 1)
    positions[1::2] = positions[::2] + np.stack([0 * k, 0.1 * (-1.0) ** k, 0 * k], 1)
    return types.System(
        name="constrained_chain",
        elements=("C", "H") * LENGTH,
        atom_names=tuple(f"{element}{1 + k}" for k in range(LENGTH) for element in "CH"),
        residue_names=("CHN",) * n,
        residue=np.zeros(n, int),
        molecule=np.zeros(n, int),
        masses=np.tile([12.011, 1.008], LENGTH),
        charges=np.tile([-0.2, 0.2], LENGTH),
        bonds=np.array(sorted(backbone + pendant)),
        constraints=np.array(pendant),
        virtual_sites=np.array([], int),
        positions=positions,
        box=None,
        force_field=_xml,
        state=types.State(temperature=300.0),
        source="made up for tests",
    )


def backbone(system: types.System) -> types.Mapping:
    """Every second backbone atom as a bead."""
    return mappings.by_pick.build(system, None, mappings.by_pick.Settings(atoms=tuple((i,) for i in range(0, 2 * LENGTH, 4))))


@functools.cache
def _xml() -> str:
    system, bonds, angles, charges = openmm.System(), openmm.HarmonicBondForce(), openmm.HarmonicAngleForce(), openmm.NonbondedForce()
    for k in range(LENGTH):
        system.addParticle(12.011)
        system.addParticle(1.008)
        system.addConstraint(2 * k, 2 * k + 1, 0.1)
        charges.addParticle(-0.2, 0.34, 0.4)
        charges.addParticle(0.2, 0.2, 0.1)
    links = [(2 * k, 2 * k + 1) for k in range(LENGTH)] + [(2 * k, 2 * k + 2) for k in range(LENGTH - 1)]
    for i, j in links[LENGTH:]:
        bonds.addBond(i, j, 0.15, 100_000.0)
    for k in range(LENGTH):
        for other in (2 * k - 2, 2 * k + 2):
            if 0 <= other < 2 * LENGTH:
                angles.addAngle(2 * k + 1, 2 * k, other, 1.91, 300.0)
        if 0 < k < LENGTH - 1:
            angles.addAngle(2 * k - 2, 2 * k, 2 * k + 2, 1.95, 400.0)
    charges.createExceptionsFromBonds(links, 0.5, 0.5)
    for force in (bonds, angles, charges):
        system.addForce(force)
    return openmm.XmlSerializer.serialize(system)
