"""Nouns as folders: a manifest, arrays, tensors, each with its checksum."""

import dataclasses
import functools
import hashlib
import importlib
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench import settings as _settings
from workbench import types
from workbench.store._files import Damaged, read_json, room_on_disk, write_bytes
from workbench.store._identity import code_identity, is_potential

VERSION = 1
NOUNS = {name: kind for name, kind in vars(types).items() if dataclasses.is_dataclass(kind)}


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
            body = encode(value, folder, arrays, "")
            write_manifest(folder, {"value": body, "arrays": arrays})
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


def write_manifest(folder: pathlib.Path, body: dict) -> None:
    manifest = {"format": "cg-workbench", "version": VERSION, "code": code_identity(), **body}
    manifest["checksum"] = _manifest_checksum(manifest)
    write_bytes(folder / "manifest.json", json.dumps(manifest, indent=1).encode())


def _manifest_checksum(manifest: dict) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=16).hexdigest()


def checksum(array: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(array), 65536):
        digest.update(np.ascontiguousarray(array[start : start + 65536]).tobytes())
    return digest.hexdigest()


def encode(value: Any, folder: pathlib.Path, arrays: dict, name: str) -> Any:
    """JSON for ``value``; its arrays and tensors go into files of ``folder``."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        stem = name.strip(".") or "array"
        _save_array(folder / f"{stem}.npy", np.atleast_1d(value))
        arrays[stem] = {"blocks": [[0, len(np.atleast_1d(value)), checksum(np.atleast_1d(value))]]}
        return {"array": stem, "scalar": value.ndim == 0}
    if isinstance(value, (tuple, list)):
        return {"tuple": [encode(v, folder, arrays, f"{name}.{i}") for i, v in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {k: encode(v, folder, arrays, f"{name}.{k}") for k, v in value.items()}}
    if is_potential(value):
        import safetensors.torch

        from workbench.potentials import _base

        stem = name.strip(".") or "potential"
        tensors = {k: t.detach().cpu().contiguous().clone() for k, t in value.state_dict().items()}
        data = safetensors.torch.save(tensors)
        write_bytes(folder / f"{stem}.safetensors", data)
        return {"potential": _base.describe(value), "tensors": stem, "checksum": hashlib.blake2b(data, digest_size=16).hexdigest()}
    if dataclasses.is_dataclass(value) and type(value) in NOUNS.values():
        fields = {f.name: encode(getattr(value, f.name), folder, arrays, f"{name}.{f.name}") for f in dataclasses.fields(value)}
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
        return NOUNS[body["noun"]](**{k: _decode(v, folder, arrays) for k, v in body["fields"].items()})
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
    for start, stop, expected in arrays[stem]["blocks"]:
        if start != done or stop > len(array) or checksum(array[start:stop]) != expected:
            raise Damaged(f"{path} is damaged: the checksum of rows {start} to {stop} differs.")
        done = stop
    return array[:done]


def force_field_text(xml: str) -> Callable[[], str]:
    """A ``System.force_field`` that is known already. An XML that holds a ``PythonForce`` (a pickle) is refused."""
    if "PythonForce" in xml:
        raise ValueError("this force field holds a PythonForce, which is code in disguise: it is never loaded.")
    return functools.partial(str, xml)
