"""Functional groups as beads, by SMARTS patterns: what the first pattern takes, later ones cannot.

The defaults go from the large to the small: carboxyl, ester, amide ... down to single CHx. Atoms that no pattern takes, such as a
halogen on a ring, join the bead fewest bonds away. Which match or bead is taken first where several could be does not depend on the
order of the atoms, up to the molecule's symmetry. SMARTS: Daylight theory manual, chapter 4, as RDKit reads it.
"""

import networkx

from workbench.mappings import _bond_orders, _graph
from workbench.settings import field, settings
from workbench.types import Mapping, System, Trajectory

DEFAULTS = {
    "carboxyl": "[CX3](=O)[OX2H1,OX1-]",
    "ester": "[CX3](=O)[OX2H0]",
    "amide": "[CX3](=O)[NX3]",
    "nitro": "[NX3+](=O)[O-]",
    "sulfonyl": "[SX4](=O)=O",
    "phosphate": "[PX4](=O)(~O)(~O)~O",
    "nitrile": "[CX2]#[NX1]",
    "carbonyl": "[CX3]=[OX1]",
    "aromatic": "a:a",
    "alkyne": "[CX2]#[CX2]",
    "imine": "[CX3]=[NX2]",
    "alkene": "[CX3]=[CX3]",
    "haloalkyl": "[CX4][F,Cl,Br,I]",
    "hydroxyl": "[OX2;H1,H2]",
    "ether": "[OX2H0]",
    "amine": "[NX3,NX4+]",
    "thiol": "[SX2H1]",
    "sulfide": "[SX2H0]",
    "silyl": "[SiX4]",
    "methyl": "[CX4;H3,H4]",
    "methylene": "[CX4H2]",
    "methine": "[CX4H1]",
    "quaternary": "[CX4H0]",
}


@settings
class Settings:
    """Which groups become beads, in order of priority."""

    patterns: tuple[str, ...] = field(tuple(DEFAULTS.values()), "SMARTS of the groups; earlier ones take their atoms first.")
    names: tuple[str, ...] = field((), "A name for each pattern, the type of its beads; empty for those of the defaults, others G1, G2 ...")
    overlaps: str = field(
        "join", "Matches of one pattern that share atoms: one bead (fused rings), or only the first.", choices=("join", "first")
    )
    charge: int | None = field(None, "Charge of the molecule, for its bond orders; None for its partial charges summed.", unit="e")
    types: str = field("composition", _graph.TYPES_HELP, choices=("symmetry", "composition"))
    molecules: tuple[int, ...] = field((), _graph.MOLECULES_HELP, bounds=(0, None))


def build(system: System, trajectory: Trajectory | None, settings: Settings) -> Mapping:
    """The mapping, centres of mass with hydrogens; ``trajectory`` is not used and may be None.

    Beads of one pattern that differ in what they hold get numbered types: hydroxyl, hydroxyl_2. Raises ``ValueError`` for a pattern that
    is no SMARTS, names of another count, a molecule that no pattern matches, and one whose bond orders cannot be told.
    """
    patterns, names = settings.patterns, settings.names
    if not names:
        known = {pattern: name for name, pattern in DEFAULTS.items()}
        names = tuple(known.get(pattern, f"G{number}") for number, pattern in enumerate(patterns, start=1))
    if len(names) != len(patterns):
        raise ValueError(f"{len(names)} names for {len(patterns)} patterns: give one each, or none.")
    parts = []
    for topology, atoms, graph in _graph.kinds(system, settings.molecules):
        found = _bond_orders.matches(system, atoms, graph, patterns, settings.charge)
        rank = _graph.ranks(graph)
        groups, labels, taken = [], [], set()
        for name, matched in zip(names, found, strict=True):
            free = sorted((m for m in matched if not taken & set(m)), key=lambda match: sorted(rank[atom] for atom in match))
            for group in _joined(free) if settings.overlaps == "join" else free:
                if not taken & set(group):
                    groups.append(group)
                    labels.append(name)
                    taken |= set(group)
        if not groups:
            what = _graph.formula(system, atoms, graph, graph)
            number = int(system.molecule[atoms[0]])
            raise ValueError(
                f"no pattern matches molecule {number}, {what}, of '{system.name}': add one, or name in molecules what to keep."
            )
        parts.append((topology, atoms, graph, _graph.join_leftovers(graph, groups, rank), labels))
    return _graph.assemble(system, parts, settings.types)


def _joined(matches: _graph.Groups) -> _graph.Groups:
    """Matches with those that share atoms made one."""
    pieces = networkx.utils.UnionFind()
    for match in matches:
        pieces.union(*match)
    return [tuple(sorted(piece)) for piece in pieces.to_sets()]
