"""A mapping as readable JSON: beads with their atoms and weights, per kind of molecule."""

import json

import numpy as np

from workbench import types

FORMAT = "cg-workbench mapping"


def dumps(mapping: types.Mapping) -> str:
    """JSON text of a mapping; atoms are counted from 0 within the molecule."""
    molecules = [
        {
            "topology": template.topology,
            "n_atoms": int(template.weights.shape[1]),
            "beads": [
                {
                    "name": name,
                    "type": kind,
                    "atoms": [int(a) for a in template.atoms(bead)],
                    "weights": [float(w) for w in template.weights[bead, template.atoms(bead)]],
                }
                for bead, (name, kind) in enumerate(zip(template.names, template.types, strict=True))
            ],
        }
        for template in mapping.templates
    ]
    decoder = None if mapping.decoder is None else mapping.decoder.tolist()
    return json.dumps({"format": FORMAT, "version": 1, "molecules": molecules, "decoder": decoder}, indent=2)


def loads(text: str, where: str = "this text") -> types.Mapping:
    """A mapping from :func:`dumps`. Raises ``ValueError`` with one sentence for anything else."""
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON ({error}).") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise ValueError(f'{where} is not a mapping of this workbench (no "format": "{FORMAT}").')
    try:
        templates = tuple(_template(m) for m in body["molecules"])
        decoder = None if body.get("decoder") is None else np.array(body["decoder"], float)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{where}: the mapping lacks or misspells {error}.") from None
    return types.Mapping(templates=templates, decoder=decoder)


def _template(molecule: dict) -> types.Template:
    beads = molecule["beads"]
    weights = np.zeros((len(beads), int(molecule["n_atoms"])))
    for row, bead in zip(weights, beads, strict=True):
        if len(bead["atoms"]) != len(bead["weights"]):
            raise ValueError(f"bead '{bead['name']}' has {len(bead['atoms'])} atoms but {len(bead['weights'])} weights.")
        if len(set(bead["atoms"])) != len(bead["atoms"]):
            raise ValueError(f"bead '{bead['name']}' holds an atom twice.")
        for atom, weight in zip(bead["atoms"], bead["weights"], strict=True):
            if type(atom) is not int or not 0 <= atom < weights.shape[1]:
                raise ValueError(f"bead '{bead['name']}' names atom {atom!r}; the molecule has {weights.shape[1]}, counted from 0.")
            row[atom] = weight
    return types.Template(
        topology=str(molecule["topology"]),
        names=tuple(str(b["name"]) for b in beads),
        types=tuple(str(b["type"]) for b in beads),
        weights=weights,
    )
