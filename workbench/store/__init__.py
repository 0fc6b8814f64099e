"""Save and load every noun; identities; checkpoints. Writes are atomic, reads verify checksums, nothing is ever unpickled.

A noun is a folder: ``manifest.json`` (its fields, the checksum of every array, and its own), one ``.npy`` per array, one
``.safetensors`` per potential. A mapping is one readable JSON file. A checkpoint is one file, with the one before it kept
beside it as ``<name>_prev``.
"""

from workbench.store._checkpoint import read_checkpoint, write_checkpoint
from workbench.store._files import Damaged, DiskFull, previous, read_json, room_on_disk, write_bytes
from workbench.store._identity import code_identity, identity
from workbench.store._nouns import checksum, encode, force_field_text, load, read_manifest, save, write_manifest

__all__ = [
    "Damaged",
    "DiskFull",
    "checksum",
    "code_identity",
    "encode",
    "force_field_text",
    "identity",
    "load",
    "previous",
    "read_checkpoint",
    "read_json",
    "read_manifest",
    "room_on_disk",
    "save",
    "write_bytes",
    "write_checkpoint",
    "write_manifest",
]
