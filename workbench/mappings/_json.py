"""A mapping as readable JSON: beads with their atoms and weights, per kind of molecule.

Version 1 knows one linear decoder, a list (n, b); version 2, written only where it is needed, a decoder for every kind of molecule.
"""

import dataclasses
import json

import numpy as np

from workbench import types

FORMAT = "cg-workbench mapping"
VERSION = 2


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
    if isinstance(mapping.decoder, tuple):
        version, decoder = 2, [d and {f.name: getattr(d, f.name).tolist() for f in dataclasses.fields(d)} for d in mapping.decoder]
    else:
        version, decoder = 1, None if mapping.decoder is None else mapping.decoder.tolist()
    return json.dumps({"format": FORMAT, "version": version, "molecules": molecules, "decoder": decoder}, indent=2)


def loads(text: str, where: str = "this text") -> types.Mapping:
    """A mapping from :func:`dumps`. Raises ``ValueError`` with one sentence for anything else."""
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON ({error}).") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise ValueError(f'{where} is not a mapping of this workbench (no "format": "{FORMAT}").')
    if body.get("version") not in (1, VERSION):
        raise ValueError(f"{where} is a mapping of version {body.get('version')!r} and this workbench reads up to {VERSION}: update it.")
    try:
        templates = tuple(_template(m) for m in body["molecules"])
        decoder = body.get("decoder")
        if decoder is not None and body["version"] == 1:
            decoder = np.array(decoder, float)
        elif decoder is not None:
            decoder = tuple(d and types.Decoder(**{name: np.array(values, float) for name, values in d.items()}) for d in decoder)
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
