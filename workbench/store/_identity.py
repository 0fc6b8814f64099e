"""Identities: hashes of nouns, settings, potentials, and of the code."""

import dataclasses
import functools
import hashlib
import pathlib
import sys
from typing import Any

import numpy as np


def identity(*parts: Any) -> str:
    """Hash (16 hex digits) of nouns, settings, potentials and plain values, and of the source files of ``workbench``.

    Same inputs, same code: same identity. The identity of a run is that of its verb's name, its settings and its inputs.
    """
    digest = hashlib.blake2b(code_identity().encode(), digest_size=8)
    _absorb(digest, parts)
    return digest.hexdigest()


@functools.cache
def code_identity() -> str:
    """Hash of the source files of ``workbench``, as they were when this process first asked."""
    root = pathlib.Path(__file__).parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _absorb(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype} {value.shape}".encode())
        for start in range(0, max(1, len(value) if value.ndim else 1), 65536):
            digest.update(np.ascontiguousarray(value[start : start + 65536] if value.ndim else value).tobytes())
    elif dataclasses.is_dataclass(value):
        digest.update(f"{type(value).__module__}.{type(value).__name__}".encode())
        for f in dataclasses.fields(value):
            digest.update(f.name.encode())
            _absorb(digest, getattr(value, f.name))
    elif isinstance(value, (tuple, list)):
        digest.update(f"list {len(value)}".encode())
        for item in value:
            _absorb(digest, item)
    elif isinstance(value, dict):
        _absorb(digest, sorted(value.items()))
    elif is_potential(value):
        from workbench.potentials import _base

        _absorb(digest, [_base.describe(value), {k: t.detach().cpu().numpy() for k, t in value.state_dict().items()}])
    elif isinstance(value, np.generic):
        _absorb(digest, value.item())
    elif callable(value):
        digest.update(value().encode())
    else:
        digest.update(repr(value).encode())


def is_potential(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)
