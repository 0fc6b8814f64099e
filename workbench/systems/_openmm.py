"""A :class:`types.System` from an OpenMM topology, configuration and ``openmm.System``."""

from collections.abc import Callable
from typing import Any

import numpy as np
import openmm
import scipy.sparse.csgraph
from openmm import unit

from workbench.types import State, System


def to_system(
    name: str, topology: Any, positions: np.ndarray, force_field: openmm.System, make_xml: Callable[[], str], state: State, source: str
) -> System:
    """The noun for ``topology`` (an ``openmm.app.Topology``) at ``positions`` (N, 3) [nm].

    Masses, charges, constraints, virtual sites and box come from ``force_field``; ``make_xml`` gives the same one as XML text.
    """
    atoms = list(topology.atoms())
    bonds = np.array(sorted(sorted((a.index, b.index)) for a, b in topology.bonds()), np.int64).reshape(-1, 2)
    sites = [i for i in range(len(atoms)) if force_field.isVirtualSite(i)]
    held = [(i, force_field.getVirtualSite(i).getParticle(0)) for i in sites]  # a site belongs to the molecule of its atoms
    joined = np.concatenate([bonds, np.array(held, np.int64).reshape(-1, 2)])
    links = scipy.sparse.coo_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(len(atoms),) * 2)
    _, molecule = scipy.sparse.csgraph.connected_components(links, directed=False)
    box = None
    if force_field.usesPeriodicBoundaryConditions():
        box = np.diag(np.array([v.value_in_unit(unit.nanometer) for v in force_field.getDefaultPeriodicBoxVectors()]))
    pairs = [force_field.getConstraintParameters(c)[:2] for c in range(force_field.getNumConstraints())]
    return System(
        name=name,
        elements=tuple(a.element.symbol if a.element is not None else "" for a in atoms),
        atom_names=tuple(a.name for a in atoms),
        residue_names=tuple(a.residue.name for a in atoms),
        residue=np.array([a.residue.index for a in atoms]),
        molecule=molecule,
        masses=np.array([force_field.getParticleMass(i).value_in_unit(unit.dalton) for i in range(len(atoms))]),
        charges=charges(force_field),
        bonds=bonds,
        constraints=np.array(pairs, np.int64).reshape(-1, 2),
        virtual_sites=np.array(sites, np.int64),
        positions=positions,
        box=box,
        force_field=make_xml,
        state=state,
        source=source,
    )


def charges(force_field: openmm.System | str) -> np.ndarray:
    """Partial charges [e], (N,), of the ``NonbondedForce``; zero where there is none."""
    if isinstance(force_field, str):
        force_field = openmm.XmlSerializer.deserialize(force_field)
    result = np.zeros(force_field.getNumParticles())
    for force in force_field.getForces():
        if isinstance(force, openmm.NonbondedForce):
            for i in range(force.getNumParticles()):
                result[i] = force.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge)
    return result
