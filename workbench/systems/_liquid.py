"""A periodic liquid, or a cluster in vacuum, from single molecules that bring their force fields along.

Bonded terms are copied molecule by molecule. Between molecules dispersion is cut off, with the correction for a homogeneous
liquid beyond, and charges are summed by particle-mesh Ewald (Essmann et al., J. Chem. Phys. 103, 8577 (1995)), if there are any.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import openmm

from workbench import units
from workbench.systems import _packmol
from workbench.types import State, System

CONSTRAINTS = ("none", "h-bonds")
NEUTRAL = 1e-6
"""Largest charge of a periodic box [e]."""
HYDROGEN = ("H", "D")


def liquid(
    components: Sequence[tuple[System, int]],
    *,
    name: str,
    density: float,
    cutoff_nm: float,
    temperature: float,
    constraints: str = "none",
    seed: int = 0,
    source: str = "",
    experimental_density: float | None = None,
) -> System:
    """Copies of single molecules in a cubic box of ``density`` [g/cm^3], packed at random; the same arguments give the same positions.

    ``components`` are molecules in vacuum with their numbers. ``constraints`` 'h-bonds' holds bonds to hydrogen at their rest length;
    rigid components stay rigid. The force field is made when first asked for.

    Raises ``ValueError`` for a component that is no single molecule, a net charge, a cut-off above half the box and a density that
    cannot be packed; when the force field is made, for one whose terms have no periodic form (MMFF94).
    """
    components = [(molecule, count) for molecule, count in components if count > 0]
    _check(components, name, density, constraints)
    mass = sum(count * molecule.masses.sum() for molecule, count in components)
    edge = (mass / (density * units.GRAM_PER_CM3)) ** (1 / 3)
    if cutoff_nm > edge / 2:
        raise ValueError(
            f"'{name}': the cut-off of {cutoff_nm} nm exceeds half the box of {edge:.3f} nm: take more molecules or a shorter cut-off."
        )
    packed = _packmol.pack([(molecule.positions, count) for molecule, count in components], edge, seed)
    positions = np.concatenate([copies.reshape(-1, 3) for copies in packed])
    system = _copies(components, constraints)
    make = functools.cache(functools.partial(_xml, components, edge, cutoff_nm, constraints))
    return dataclasses.replace(
        system,
        name=name,
        positions=positions,
        box=np.full(3, edge),
        force_field=make,
        state=State(temperature=temperature),
        source=source or "; ".join(dict.fromkeys(molecule.source for molecule, _ in components)),
        experimental_density=experimental_density,
    )


def _check(components: Sequence[tuple[System, int]], name: str, density: float, constraints: str) -> None:
    if not components:
        raise ValueError(f"'{name}' has no molecules: give each component a number of copies above 0.")
    if constraints not in CONSTRAINTS:
        raise ValueError(f"'{name}': constraints = '{constraints}': choose {' or '.join(CONSTRAINTS)}.")
    if not density > 0:
        raise ValueError(f"'{name}': density = {density} g/cm^3: must be above 0.")
    for molecule, _ in components:
        if molecule.box is not None or molecule.molecule[-1] != 0:
            raise ValueError(f"'{name}': its component '{molecule.name}' must be one molecule without a box.")
    total = sum(count * molecule.charges.sum() for molecule, count in components)
    if abs(total) > NEUTRAL:
        raise ValueError(f"'{name}' would have a net charge of {total:+.3g} e: a periodic liquid must be neutral: add counter-ions.")


def _copies(components: Sequence[tuple[System, int]], constraints: str) -> System:
    """All molecules in one system, still without box."""
    parts = [molecule for molecule, count in components for _ in range(count)]
    first = np.cumsum([0, *(part.n_atoms for part in parts)])
    residues = np.cumsum([0, *(int(part.residue[-1]) + 1 for part in parts)])
    held = [np.concatenate([part.constraints, _to_hydrogen(part) if constraints == "h-bonds" else part.constraints[:0]]) for part in parts]

    def shifted(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) + offset for part, offset in zip(parts, first, strict=False)])

    return System(
        name="",
        elements=tuple(e for part in parts for e in part.elements),
        atom_names=tuple(n for part in parts for n in part.atom_names),
        residue_names=tuple(n for part in parts for n in part.residue_names),
        residue=np.concatenate([part.residue + offset for part, offset in zip(parts, residues, strict=False)]),
        molecule=np.repeat(np.arange(len(parts)), np.diff(first)),
        masses=np.concatenate([part.masses for part in parts]),
        charges=np.concatenate([part.charges for part in parts]),
        bonds=shifted("bonds"),
        constraints=np.concatenate([pairs + offset for pairs, offset in zip(held, first, strict=False)]),
        virtual_sites=shifted("virtual_sites"),
        positions=np.concatenate([part.positions for part in parts]),
        box=None,
        force_field=str,
        state=State(),
    )


def _to_hydrogen(molecule: System) -> np.ndarray:
    """Bonds to hydrogen that are not rigid already, (any, 2)."""
    known = {tuple(sorted(pair)) for pair in molecule.constraints.tolist()}
    pairs = [(i, j) for i, j in molecule.bonds.tolist() if {molecule.elements[i], molecule.elements[j]} & set(HYDROGEN)]
    return np.array([pair for pair in pairs if tuple(sorted(pair)) not in known], np.int64).reshape(-1, 2)


def _xml(components: Sequence[tuple[System, int]], edge: float, cutoff_nm: float, constraints: str) -> str:
    """The force field of all molecules in a cubic box."""
    system, pairs = openmm.System(), openmm.NonbondedForce()
    bonds, angles, torsions = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce(), openmm.PeriodicTorsionForce()
    for molecule, count in components:
        template = openmm.XmlSerializer.deserialize(molecule.parameters())
        rigid = {tuple(sorted(pair)) for pair in _to_hydrogen(molecule).tolist()} if constraints == "h-bonds" else set()
        for _ in range(count):
            _add(template, rigid, molecule.name, system, bonds, angles, torsions, pairs)
    for force in (bonds, angles, torsions):
        system.addForce(force)
    charged = any(pairs.getParticleParameters(i)[0]._value for i in range(pairs.getNumParticles()))
    pairs.setNonbondedMethod(openmm.NonbondedForce.PME if charged else openmm.NonbondedForce.CutoffPeriodic)
    pairs.setCutoffDistance(cutoff_nm)
    pairs.setUseDispersionCorrection(True)
    system.addForce(pairs)
    system.addForce(openmm.CMMotionRemover())
    system.setDefaultPeriodicBoxVectors(*(edge * np.eye(3)))
    return openmm.XmlSerializer.serialize(system)


def _add(
    template: openmm.System,
    rigid: set[tuple[int, int]],
    name: str,
    system: openmm.System,
    bonds: openmm.HarmonicBondForce,
    angles: openmm.HarmonicAngleForce,
    torsions: openmm.PeriodicTorsionForce,
    pairs: openmm.NonbondedForce,
) -> None:
    """One more copy of the molecule of ``template``, with the bonds ``rigid`` made constraints."""
    first = system.getNumParticles()
    for i in range(template.getNumParticles()):
        system.addParticle(template.getParticleMass(i))
    for i in range(template.getNumParticles()):
        if template.isVirtualSite(i):
            system.setVirtualSite(first + i, _site(template.getVirtualSite(i), first))
    for c in range(template.getNumConstraints()):
        i, j, length = template.getConstraintParameters(c)
        system.addConstraint(first + i, first + j, length)
    for force in template.getForces():
        if isinstance(force, openmm.HarmonicBondForce):
            for b in range(force.getNumBonds()):
                i, j, length, k = force.getBondParameters(b)
                if tuple(sorted((i, j))) in rigid:
                    system.addConstraint(first + i, first + j, length)
                else:
                    bonds.addBond(first + i, first + j, length, k)
        elif isinstance(force, openmm.HarmonicAngleForce):
            for a in range(force.getNumAngles()):
                i, j, k, *rest = force.getAngleParameters(a)
                angles.addAngle(first + i, first + j, first + k, *rest)
        elif isinstance(force, openmm.PeriodicTorsionForce):
            for t in range(force.getNumTorsions()):
                i, j, k, l, *rest = force.getTorsionParameters(t)
                torsions.addTorsion(first + i, first + j, first + k, first + l, *rest)
        elif isinstance(force, openmm.NonbondedForce):
            for i in range(force.getNumParticles()):
                pairs.addParticle(*force.getParticleParameters(i))
            for e in range(force.getNumExceptions()):
                i, j, *rest = force.getExceptionParameters(e)
                pairs.addException(first + i, first + j, *rest)
        elif not isinstance(force, openmm.CMMotionRemover):
            raise ValueError(
                f"the force field of '{name}' has terms that no liquid can hold ({force.getName()}): choose force_field='gaff2'; MMFF94 "
                "is for a single molecule."
            )


def _site(site: openmm.VirtualSite, first: int) -> openmm.VirtualSite:
    n = site.getNumParticles()
    kind = {2: openmm.TwoParticleAverageSite, 3: openmm.ThreeParticleAverageSite}[n]
    return kind(*(first + site.getParticle(i) for i in range(n)), *(site.getWeight(i) for i in range(n)))
