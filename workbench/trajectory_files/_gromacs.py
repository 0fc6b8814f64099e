"""GROMACS: XTC (compressed positions, decoded by mdtraj) and TRR (full precision, with velocities and forces).

Both are sequences of XDR records (RFC 4506: big-endian, padded to four bytes), each frame with a header that gives its length:
the whole frames are counted by walking the headers. Layout: GROMACS reference manual, 'File formats'.
"""

import pathlib
from collections.abc import Iterator

import numpy as np

from workbench.trajectory_files._source import Source, box_lengths, damaged

XTC_MAGIC, TRR_MAGIC = 1995, 1993
XTC_RAW = 9
"""Up to so many atoms an XTC frame is not compressed."""


def xtc(path: pathlib.Path) -> Source:
    """Positions, box and time."""
    size, n_atoms, count, at = path.stat().st_size, 0, 0, 0
    with open(path, "rb") as file:
        while at < size:
            file.seek(at)
            head = np.frombuffer(file.read(92).ljust(92, b"\0"), ">i4")
            if head[0] != XTC_MAGIC and at + 4 <= size:
                raise damaged(path.name, f"frame {count} does not begin as an XTC frame")
            n_atoms = n_atoms or int(head[1])
            end = at + 56 + 12 * int(head[1]) if head[1] <= XTC_RAW else at + 92 + (int(head[22]) + 3) // 4 * 4
            if at + 56 > size or end > size:
                break
            at, count = end, count + 1
    names = frozenset({"positions", "box", "time"})
    return Source(n_atoms=n_atoms, n_frames=count, names=names, pieces=lambda n: _xtc_pieces(path, count, n), cut=at < size)


def _xtc_pieces(path: pathlib.Path, count: int, size: int) -> Iterator[dict[str, np.ndarray]]:
    from mdtraj.formats import XTCTrajectoryFile

    with XTCTrajectoryFile(str(path)) as file:
        for start in range(0, count, size):
            positions, time, _, vectors = file.read(min(size, count - start))
            yield {"positions": positions, "time": time, "box": box_lengths(vectors, path.name)}


def trr(path: pathlib.Path, need_forces: bool) -> Source:
    """Positions, box, time, and velocities and forces where all kept frames have them; frames without positions are left out."""
    frames, cut = _trr_frames(path)
    kept = [f for f in frames if f["x"] and (f["f"] or not need_forces)]
    with_forces = sum(f["f"] > 0 for f in kept)
    if not kept:
        kept = [f for f in frames if f["x"]]
    n_atoms = kept[0]["atoms"] if kept else 0
    if any(f["atoms"] != n_atoms for f in kept):
        raise ValueError(f"{path.name}: its frames hold different numbers of atoms: write one trajectory for each.")
    optional = {"box": "box", "velocities": "v", "forces": "f"}
    names = {name for name, key in optional.items() if kept and all(f[key] for f in kept)} | {"positions", "time"}
    return Source(
        n_atoms=n_atoms,
        n_frames=len(kept),
        names=frozenset(names),
        pieces=lambda n: _trr_pieces(path, kept, names, n),
        cut=cut,
        some_forces=with_forces if with_forces < len(kept) else 0,
    )


def _trr_frames(path: pathlib.Path) -> tuple[list[dict], bool]:
    """Of every whole frame: number type, offset, sizes in bytes; and whether the file goes on after the last of them."""
    frames, size, at = [], path.stat().st_size, 0
    keys = ("ir", "e", "box", "vir", "pres", "top", "sym", "x", "v", "f", "atoms", "step", "nre")
    with open(path, "rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(76)
            if len(head) >= 4 and int.from_bytes(head[:4], "big") != TRR_MAGIC:
                raise damaged(path.name, f"frame {len(frames)} does not begin as a TRR frame")
            if len(head) < 76:
                break
            frame = dict(zip(keys, np.frombuffer(head[24:], ">i4").tolist(), strict=True))
            wide = (frame["box"] or frame["x"] or frame["v"] or frame["f"]) // (9 if frame["box"] else 3 * max(1, frame["atoms"])) == 8
            frame["type"], frame["at"] = (">f8" if wide else ">f4"), at + 76
            end = at + 76 + 2 * (8 if wide else 4) + sum(frame[key] for key in keys[:10])
            if end > size:
                break
            frames.append(frame)
            at = end
    return frames, at < size


def _trr_pieces(path: pathlib.Path, frames: list[dict], names: set[str], size: int) -> Iterator[dict[str, np.ndarray]]:
    keys = {"positions": "x", "velocities": "v", "forces": "f"}
    with open(path, "rb") as file:
        for start in range(0, len(frames), size):
            piece: dict[str, list] = {name: [] for name in names}
            for frame in frames[start : start + size]:
                file.seek(frame["at"])
                width = 8 if frame["type"] == ">f8" else 4
                raw = file.read(2 * width + sum(frame[k] for k in ("ir", "e", "box", "vir", "pres", "top", "sym", "x", "v", "f")))
                piece["time"].append(np.frombuffer(raw, frame["type"], 1)[0])
                at = 2 * width + frame["ir"] + frame["e"]
                if "box" in names:
                    piece["box"].append(np.frombuffer(raw, frame["type"], 9, at).reshape(3, 3))
                at += sum(frame[k] for k in ("box", "vir", "pres", "top", "sym"))
                for name, key in keys.items():
                    if name in names:
                        piece[name].append(np.frombuffer(raw, frame["type"], 3 * frame["atoms"], at).reshape(-1, 3))
                    at += frame[key]
            arrays = {name: np.array(values, np.float64) for name, values in piece.items()}
            if "box" in arrays:
                arrays["box"] = box_lengths(arrays["box"], path.name)
            yield arrays
