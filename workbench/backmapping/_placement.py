"""A first guess: the molecule's own geometry cut into beads, each bead's atoms turned onto the beads around it."""

import numpy as np
import scipy.stats

from workbench.backmapping._decoder import rotations
from workbench.types import System, Template
from workbench.types.mapping import nearest_bead


class Placement:
    """How the atoms of one kind of molecule are placed, fixed by its template and the geometry of its copies."""

    def __init__(self, template: Template, atoms: np.ndarray, geometry: np.ndarray, system: System, neighbours: list[list[int]]):
        """``atoms`` (copies, n) and their whole ``geometry`` (copies, n, 3) [nm]; ``neighbours`` are the atoms bonded to each."""
        owner = nearest_bead(template, atoms[0], neighbours)
        loose = [a for a in atoms[0].tolist() if a not in owner]  # virtual sites: they are computed later
        self.owner = np.array([owner.get(int(a), 0) for a in atoms[0]])
        links = {(owner[a], owner[o]) for a in owner for o in neighbours[a] if o in owner and owner[a] != owner[o]}
        self.around = _around(len(template.names), links)
        self.parents = _tree(len(template.names), links)
        self.geometry, self.beads, self.loose = geometry, template.weights @ geometry, loose

    def whole(self, beads: np.ndarray, box: np.ndarray) -> np.ndarray:
        """``beads`` (copies, b, 3) of every molecule in one piece by the minimum image in ``box`` (3,)."""
        beads = np.array(beads)
        for bead, parent in self.parents:
            step = beads[:, bead] - beads[:, parent]
            beads[:, bead] -= np.round(step / box) * box
        return beads

    def place(self, beads: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Atoms (copies, n, 3) [nm] for ``beads`` (copies, b, 3); what beads do not fix, a turn about one or a line, is random."""
        turn = scipy.stats.special_ortho_group.rvs(3, size=len(beads), random_state=random).reshape(-1, 3, 3)
        own, mine = self.geometry @ turn, self.beads @ turn
        atoms = np.empty_like(own)
        for bead, around in enumerate(self.around):
            inside = self.owner == bead
            arms = own[:, inside] - mine[:, [bead]]
            if len(around) > 1:
                arms = arms @ rotations(mine[:, around] - mine[:, [bead]], beads[:, around] - beads[:, [bead]])
            atoms[:, inside] = beads[:, [bead]] + arms
        return atoms


def _around(n_beads: int, links: set[tuple[int, int]]) -> list[list[int]]:
    """For every bead itself and those linked to it, and theirs where that makes fewer than four."""
    found = []
    for bead in range(n_beads):
        chosen = [bead]
        while len(chosen) < min(4, n_beads):
            further = sorted({b for a, b in links if a in chosen} - set(chosen)) or sorted(set(range(n_beads)) - set(chosen))
            chosen += further
        found.append(chosen)
    return found


def _tree(n_beads: int, links: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every bead but the first with one before it that it is linked to (the first, where there is none)."""
    done, order = [0], []
    while len(done) < n_beads:
        step = next(((b, a) for a in done for b in range(n_beads) if b not in done and (a, b) in links), None)
        bead, parent = step or (min(set(range(n_beads)) - set(done)), 0)
        order.append((bead, parent))
        done.append(bead)
    return order
