"""The molecule with its beads: atoms in the colour of their bead, a translucent sphere at its centre, free atoms grey."""

import numpy as np

from widgets import frame
from widgets.bead_editor import BeadEditor
from widgets.viewer import MoleculeView


class BeadView(MoleculeView):
    """Shows what a :class:`BeadEditor` holds."""

    def draw(self, editor: BeadEditor, copies: np.ndarray) -> None:
        """Paint the beads onto the molecules ``copies`` (molecules, n)."""
        colour = {int(atom): frame.FREE_COLOUR for atom in self.atoms}
        spheres = []
        for i, bead in enumerate(editor.beads):
            if bead.atoms:
                shade = frame.BEAD_COLOURS[i % len(frame.BEAD_COLOURS)]
                colour.update(dict.fromkeys(copies[:, list(bead.atoms)].ravel().tolist(), shade))
                inside = editor.system.positions[copies[0, list(bead.atoms)]]
                radius = 0.07 + float(np.sqrt(inside.var(0).sum()))
                drawn = np.isin(copies[:, 0], self.atoms)
                spheres += [(at, radius, shade) for at in editor.centres(i)[: len(copies)][drawn]]
        self.paint([colour[int(atom)] for atom in self.atoms], spheres)
