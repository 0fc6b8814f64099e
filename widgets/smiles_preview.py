"""The molecules of a SMILES in two dimensions, as it is typed; one sentence where it is of none."""

import collections
import re

import ipywidgets as ipw
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdMolDescriptors
from rdkit.Chem.Draw import rdMolDraw2D

from widgets import frame
from workbench.systems import smiles as _smiles

WIDTH, HEIGHT = 280, 110
MOST = 4
"""Most kinds of molecule that are drawn."""
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")


class SmilesPreview(ipw.HTML):
    """A picture of the molecules, or the sentence of :mod:`workbench.systems.smiles` that there are none."""

    def __init__(self):
        super().__init__(layout=ipw.Layout(min_height=f"{HEIGHT + 24}px"))
        self.add_class("cgw-preview")

    def show(self, smiles: str) -> str:
        """Draw ``smiles``; why it cannot be drawn, or ''."""
        try:
            self.value, refusal = drawn(smiles), ""
        except ValueError as error:
            refusal = str(error)
            self.value = frame.text(refusal, "bad")
        return refusal


def drawn(smiles: str) -> str:
    """SVG of every kind of molecule with its formula below. Raises ``ValueError`` for an impossible SMILES."""
    parts = smiles.split(".")
    if len(parts) > 1 and not all(part.strip() for part in parts):
        raise ValueError("a dot parts two molecules: write one on either side of it.")
    molecules = [Chem.RemoveHs(_smiles.read(part.strip())) for part in parts]
    amounts = collections.Counter(map(Chem.MolToSmiles, molecules))
    kinds = list({Chem.MolToSmiles(molecule): molecule for molecule in molecules}.values())
    canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT, WIDTH // min(len(kinds), MOST), HEIGHT)
    options = canvas.drawOptions()
    options.clearBackground, options.padding = False, 0.08
    options.fixedBondLength = 26
    for kind in kinds:
        rdDepictor.Compute2DCoords(kind)
    canvas.DrawMolecules(kinds[:MOST])
    canvas.FinishDrawing()
    svg = canvas.GetDrawingText()
    formulas = [_formula(kind, amounts[Chem.MolToSmiles(kind)]) for kind in kinds]
    return svg[svg.index("<svg") :] + frame.text(" + ".join(formulas))


def _formula(molecule: Chem.Mol, amount: int) -> str:
    formula, charge = re.fullmatch(r"(.*?)([+-]\d*)?", rdMolDescriptors.CalcMolFormula(molecule)).groups("")
    written = formula.translate(SUBSCRIPTS) + (charge[1:] + charge[:1]).translate(SUPERSCRIPTS)
    return f"{amount} {written}" if amount > 1 else written
