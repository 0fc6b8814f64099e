"""Checkpoints: one file of named arrays and JSON values with its checksum; the one before it is kept beside it."""

import hashlib
import io
import json
import os
import pathlib
from typing import Any

import numpy as np

from workbench.store._files import Damaged, previous, write_bytes

CHECKPOINT_MAGIC = b"CGWB-CHECKPOINT-1\n"


def write_checkpoint(path: Any, arrays: dict[str, np.ndarray], meta: dict) -> None:
    """One checkpoint file of named arrays and JSON values, with its checksum; the one before stays as ``_prev``."""
    buffer = io.BytesIO()
    np.savez(buffer, __meta__=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)
    body = buffer.getvalue()
    write_bytes(path, CHECKPOINT_MAGIC + hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b"\n" + body, keep_previous=True)


def read_checkpoint(path: Any, identity: str) -> tuple[dict[str, np.ndarray], dict] | None:
    """What :func:`write_checkpoint` wrote, or None where there is no file.

    Raises ``Damaged`` for a damaged file, ``ValueError`` for a checkpoint of another run (its ``meta["identity"]`` differs).
    """
    path = pathlib.Path(path)
    if not path.exists():
        if previous(path).exists():
            os.replace(previous(path), path)
        else:
            return None
    data = path.read_bytes()
    head = len(CHECKPOINT_MAGIC) + 33
    body = data[head:]
    if (
        not data.startswith(CHECKPOINT_MAGIC)
        or data[len(CHECKPOINT_MAGIC) : head - 1] != hashlib.blake2b(body, digest_size=16).hexdigest().encode()
    ):
        kept = (
            f"rename {previous(path).name} to {path.name} to go on from the one before it"
            if previous(path).exists()
            else "delete it to start anew"
        )
        raise Damaged(f"the checkpoint {path} is damaged (its checksum differs): {kept}.")
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(arrays.pop("__meta__").tobytes())
    if meta.get("identity") != identity:
        raise ValueError(f"{path} is the checkpoint of another run (other settings, inputs or code): choose another folder or delete it.")
    return arrays, meta
