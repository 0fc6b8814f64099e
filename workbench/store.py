"""Save and load every noun; identities; checkpoints. Writes are atomic, reads verify checksums, nothing is ever unpickled.

A noun is a folder: ``manifest.json`` (its fields, the checksum of every array, and its own), one ``.npy`` per array, one
``.safetensors`` per potential. A mapping is one readable JSON file. A checkpoint is one file, with the one before it kept
beside it as ``<name>_prev``.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import importlib
import io
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from workbench import settings as _settings
from workbench import types

VERSION = 1
NOUNS = tuple(name for name, kind in vars(types).items() if dataclasses.is_dataclass(kind))
CHECKPOINT_MAGIC = b"CGWB-CHECKPOINT-1\n"


class Damaged(ValueError):
    """A file does not hold what was written into it, or is no file of ours."""


class DiskFull(RuntimeError):
    """The disk has no room for what was to be written; what lay there before is unharmed."""


# --- identity -------------------------------------------------------------------------------------------------------


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
    root = pathlib.Path(__file__).parent
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
    elif _is_potential(value):
        from workbench.potentials import _base

        _absorb(digest, [_base.describe(value), {k: t.detach().cpu().numpy() for k, t in value.state_dict().items()}])
    elif isinstance(value, np.generic):
        _absorb(digest, value.item())
    elif callable(value):
        digest.update(value().encode())
    else:
        digest.update(repr(value).encode())


# --- atomic files ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def room_on_disk(path: Any) -> Iterator[None]:
    """Turn the operating system's 'no room' into one sentence about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(
                f"no room left on the disk while writing {path}: free some space and start again; what was saved before is unharmed."
            ) from None
        raise


def write_bytes(path: Any, data: bytes, *, keep_previous: bool = False) -> None:
    """Write a file whole or not at all. ``keep_previous`` keeps the old one as ``<name>_prev``."""
    path = pathlib.Path(path)
    with room_on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        name = path.parent / f".writing-{secrets.token_hex(8)}"
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if keep_previous and path.exists():
                os.replace(path, previous(path))
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise


def previous(path: Any) -> pathlib.Path:
    """Where the checkpoint before ``path`` is kept."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.stem}_prev{path.suffix}")


def read_json(path: Any) -> Any:
    """The content of a JSON file. Raises ``ValueError`` with one sentence where it is missing or not JSON."""
    try:
        return json.loads(pathlib.Path(path).read_text())
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"{path} is not a readable JSON file ({error}).") from None


# --- checkpoints ----------------------------------------------------------------------------------------------------


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


# --- nouns ----------------------------------------------------------------------------------------------------------


def save(value: Any, path: Any) -> pathlib.Path:
    """Save a noun or a potential as the folder ``path`` (a :class:`types.Mapping`: as a JSON file). Replaces what was there."""
    path = pathlib.Path(path)
    if isinstance(value, types.Mapping):
        from workbench.mappings import _json

        write_bytes(path, _json.dumps(value).encode())
        return path
    with room_on_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = path.parent / f".writing-{secrets.token_hex(8)}"
        folder.mkdir()
        try:
            arrays: dict[str, dict] = {}
            body = _encode(value, folder, arrays, "")
            _write_manifest(folder, {"value": body, "arrays": arrays})
            if path.exists():
                old = path.parent / f".old-{secrets.token_hex(8)}"
                os.replace(path, old)
                os.replace(folder, path)
                shutil.rmtree(old)
            else:
                os.replace(folder, path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return path


def load(path: Any) -> Any:
    """The noun or potential saved at ``path``; large arrays are memory maps. Raises ``Damaged`` where a checksum differs."""
    path = pathlib.Path(path)
    if path.is_file():
        from workbench.mappings import _json

        try:
            return _json.loads(path.read_text(), where=str(path))
        except UnicodeDecodeError:
            raise Damaged(f"{path} is not a text file: a mapping is JSON, every other noun a folder.") from None
    manifest = read_manifest(path)
    return _decode(manifest["value"], path, manifest["arrays"])


def read_manifest(folder: pathlib.Path) -> dict:
    """The manifest of a saved noun, its own checksum verified."""
    manifest = read_json(folder / "manifest.json")
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != "cg-workbench"
        or manifest.pop("checksum", None) != _manifest_checksum(manifest)
    ):
        raise Damaged(f"{folder / 'manifest.json'} is damaged (its checksum differs) or not ours.")
    return manifest


def _write_manifest(folder: pathlib.Path, body: dict) -> None:
    manifest = {"format": "cg-workbench", "version": VERSION, "code": code_identity(), **body}
    manifest["checksum"] = _manifest_checksum(manifest)
    write_bytes(folder / "manifest.json", json.dumps(manifest, indent=1).encode())


def _manifest_checksum(manifest: dict) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=16).hexdigest()


def _checksum(array: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(array), 65536):
        digest.update(np.ascontiguousarray(array[start : start + 65536]).tobytes())
    return digest.hexdigest()


def _encode(value: Any, folder: pathlib.Path, arrays: dict, name: str) -> Any:
    """JSON for ``value``; its arrays and tensors go into files of ``folder``."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        stem = name.strip(".") or "array"
        _save_array(folder / f"{stem}.npy", np.atleast_1d(value))
        arrays[stem] = {"blocks": [[0, len(np.atleast_1d(value)), _checksum(np.atleast_1d(value))]]}
        return {"array": stem, "scalar": value.ndim == 0}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_encode(v, folder, arrays, f"{name}.{i}") for i, v in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {k: _encode(v, folder, arrays, f"{name}.{k}") for k, v in value.items()}}
    if _is_potential(value):
        import safetensors.torch

        from workbench.potentials import _base

        stem = name.strip(".") or "potential"
        tensors = {k: t.detach().cpu().contiguous().clone() for k, t in value.state_dict().items()}
        data = safetensors.torch.save(tensors)
        write_bytes(folder / f"{stem}.safetensors", data)
        return {"potential": _base.describe(value), "tensors": stem, "checksum": hashlib.blake2b(data, digest_size=16).hexdigest()}
    if dataclasses.is_dataclass(value) and type(value).__module__ == types.__name__:
        fields = {f.name: _encode(getattr(value, f.name), folder, arrays, f"{name}.{f.name}") for f in dataclasses.fields(value)}
        return {"noun": type(value).__name__, "fields": fields}
    if dataclasses.is_dataclass(value):
        return {"settings": type(value).__module__, "fields": _settings.to_dict(value)}
    if callable(value):
        return {"force_field": value()}
    raise ValueError(f"cannot save a {type(value).__name__}.")


def _decode(body: Any, folder: pathlib.Path, arrays: dict) -> Any:
    if not isinstance(body, dict):
        return body
    if "array" in body:
        array = _load_array(folder, body["array"], arrays)
        return np.asarray(array[0]) if body.get("scalar") else array
    if "tuple" in body:
        return tuple(_decode(v, folder, arrays) for v in body["tuple"])
    if "dict" in body:
        return {k: _decode(v, folder, arrays) for k, v in body["dict"].items()}
    if "potential" in body:
        import safetensors.torch

        from workbench.potentials import _base

        path = folder / f"{body['tensors']}.safetensors"
        data = path.read_bytes() if path.exists() else b""
        if hashlib.blake2b(data, digest_size=16).hexdigest() != body["checksum"]:
            raise Damaged(f"{path} is missing or damaged (its checksum differs).")
        return _base.restore(body["potential"], safetensors.torch.load(data))
    if "noun" in body:
        if body["noun"] not in NOUNS:
            raise Damaged(f"{folder} holds a '{body['noun']}', which is no noun of the workbench.")
        return getattr(types, body["noun"])(**{k: _decode(v, folder, arrays) for k, v in body["fields"].items()})
    if "settings" in body:
        if not body["settings"].startswith("workbench."):
            raise Damaged(f"{folder} names settings outside the workbench: {body['settings']}.")
        return _settings.from_dict(importlib.import_module(body["settings"]).Settings, body["fields"])
    if "force_field" in body:
        return force_field_text(body["force_field"])
    raise Damaged(f"{folder / 'manifest.json'} holds an entry of unknown kind: {', '.join(body)}.")


def _save_array(path: pathlib.Path, array: np.ndarray) -> None:
    """As ``np.save``, piece by piece, and with the operating system's own error where the disk is full."""
    if array.dtype.hasobject:
        raise ValueError(f"cannot save an array of Python objects ({path.stem}): nothing is ever pickled.")
    with open(path, "wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(array), 65536):
            file.write(np.ascontiguousarray(array[start : start + 65536]).tobytes())


def _load_array(folder: pathlib.Path, stem: str, arrays: dict) -> np.ndarray:
    path = folder / f"{stem}.npy"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise Damaged(f"{path} is missing or damaged ({error}).") from None
    done = 0
    for start, stop, checksum in arrays[stem]["blocks"]:
        if start != done or stop > len(array) or _checksum(array[start:stop]) != checksum:
            raise Damaged(f"{path} is damaged: the checksum of rows {start} to {stop} differs.")
        done = stop
    return array[:done]


def force_field_text(xml: str) -> Callable[[], str]:
    """A ``System.force_field`` that is known already. An XML that holds a ``PythonForce`` (a pickle) is refused."""
    if "PythonForce" in xml:
        raise ValueError("this force field holds a PythonForce, which is code in disguise: it is never loaded.")
    return functools.partial(str, xml)


def _is_potential(value: Any) -> bool:
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)
