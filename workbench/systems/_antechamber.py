"""GAFF2 atom types, AM1-BCC charges and the parameters of one molecule, by antechamber, sqm and parmchk2 of AmberTools.

Wang, Wolf, Caldwell, Kollman, Case, J. Comput. Chem. 25, 1157 (2004); AM1-BCC: Jakalian, Jack, Bayly, ibid. 23, 1623 (2002).
What is made is kept by canonical SMILES in the user's cache folder (``$XDG_CACHE_HOME`` or ``~/.cache``, then
``cg-workbench/gaff2``), so that charges do not depend on how a SMILES is spelt nor on the starting coordinates. The molecules of
the library have theirs in ``gaff2.json`` beside this file and need no AmberTools.
"""

import dataclasses
import functools
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from workbench.store._files import write_bytes

ELEMENTS = ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
MINIMISE_STEPS = 500
TIME_LIMIT = 3600
"""Seconds after which a program is stopped."""
WHAT_TO_INSTALL = "install the extra 'gaff' (pip install cg-workbench[gaff]) or AmberTools, or choose force_field='mmff94'"
ANTECHAMBER = ("-i", "in.sdf", "-fi", "sdf", "-o", "out.mol2", "-fo", "mol2", "-at", "gaff2", "-c", "bcc", "-rn", "MOL", "-dr", "no")
PARMCHK2 = ("-i", "out.mol2", "-f", "mol2", "-o", "out.frcmod", "-s", "2", "-a", "Y")
"""``-s 2`` is GAFF2 (a name would be taken for GAFF); ``-a Y`` prints every parameter, not only the missing ones."""
LIBRARIES = "libgfortran5 libblas3 liblapack3 libarpack2"


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Of a molecule whose atoms stand in the order of its canonical SMILES, hydrogens after them."""

    smiles: str
    types: list[str]
    charges: list[float]
    """Partial charges as antechamber writes them, 1e-6 e."""
    table: str
    """Every parameter of the molecule, as an Amber ``frcmod`` file."""


def parameters(molecule: Chem.Mol) -> tuple[Parameters, list[int]]:
    """Of ``molecule`` (hydrogens included): from the library or the cache, else made; then, for each of their atoms, its index there.

    Raises ``ValueError`` where the programs are missing or fail.
    """
    smiles, canonical, order = _canonical(molecule)
    if len(order) != molecule.GetNumAtoms():
        raise ValueError(f"the atoms of '{smiles}' could not be matched to those of its canonical SMILES: write it another way.")
    kept = _library().get(smiles) or _read(_path(smiles), smiles)
    if kept is None:
        kept = _make(canonical, smiles)
        _write(_path(smiles), kept)
    return kept, order


def available(molecule: Chem.Mol) -> bool:
    """Whether :func:`parameters` has those of ``molecule`` or the programs that make them."""
    smiles, _, _ = _canonical(molecule)
    if smiles in _library() or _read(_path(smiles), smiles) is not None:
        return True
    try:
        return bool(_programs())
    except ValueError:
        return False


def _canonical(molecule: Chem.Mol) -> tuple[str, Chem.Mol, list[int]]:
    """Canonical SMILES without isotopes, its molecule with hydrogens, and for each atom of that its index in ``molecule``."""
    plain = _without_isotopes(molecule)
    smiles = Chem.MolToSmiles(Chem.RemoveHs(plain))
    canonical = Chem.AddHs(Chem.MolFromSmiles(smiles))
    return smiles, canonical, list(plain.GetSubstructMatch(canonical))


@functools.cache
def _library() -> dict[str, Parameters]:
    """The parameters that come with the package, by canonical SMILES."""
    made = json.loads(pathlib.Path(__file__).with_name("gaff2.json").read_text())["molecules"]
    return {body["smiles"]: Parameters(**body) for body in made}


def _without_isotopes(molecule: Chem.Mol) -> Chem.Mol:
    copy = Chem.Mol(molecule)
    for atom in copy.GetAtoms():
        atom.SetIsotope(0)
    return copy


def _make(molecule: Chem.Mol, smiles: str) -> Parameters:
    programs = _programs()
    options = rdDistGeom.ETKDGv3()
    options.randomSeed = 0
    with rdBase.BlockLogs():
        if rdDistGeom.EmbedMolecule(molecule, options) < 0:
            raise ValueError(f"no coordinates could be found for '{smiles}': check its rings and stereocentres.")
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, maxIters=MINIMISE_STEPS)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "in.sdf").write_text(Chem.MolToMolBlock(molecule) + "$$$$\n")
        charge = str(Chem.GetFormalCharge(molecule))
        _run(programs, "antechamber", [*ANTECHAMBER, "-nc", charge], folder, "out.mol2", smiles)
        _run(programs, "parmchk2", PARMCHK2, folder, "out.frcmod", smiles)
        table = _unrounded((folder / "out.frcmod").read_text(), (programs / "dat" / "leap" / "parm" / "gaff2.dat").read_text())
        rows = (folder / "out.mol2").read_text().split("@<TRIPOS>ATOM\n")[1].split("@<TRIPOS>")[0].split("\n")
    atoms = [row.split() for row in rows if row.strip()]
    if len(atoms) != molecule.GetNumAtoms() or "ATTN" in table:
        raise ValueError(f"GAFF2 has no parameters for '{smiles}': choose another molecule, or force_field='mmff94'.")
    return Parameters(smiles=smiles, types=[atom[5] for atom in atoms], charges=[float(atom[8]) for atom in atoms], table=table)


def _unrounded(table: str, published: str) -> str:
    """``table`` with bonds and dispersion as in GAFF2's own file: parmchk2 prints bond lengths with a digit less."""
    bonds, _, rest = published.partition("MOD4")
    exact = {tuple(sorted((row[:2], row[3:5]))): row for row in bonds.splitlines() if re.match(r"..-..\s+[\d.]+\s+[\d.]+\s", row)}
    exact |= {(row.split()[0],): row for row in rest.splitlines() if re.match(r"\s+\S\S?\s+[\d.]+\s+[\d.]+", row)}
    rows, section = [], ""
    for row in table.splitlines():
        section = row.strip() if row.strip().isupper() and len(row.split()) == 1 else section
        key = tuple(sorted((row[:2], row[3:5]))) if section == "BOND" else tuple(row.split()[:1]) if section == "NONBON" else ()
        rows.append(exact.get(key, row))
    return "\n".join(rows)


def _programs() -> pathlib.Path:
    """The AmberTools folder: ``$AMBERHOME``, that of an ``antechamber`` on the path, or the one that acpype brings."""
    candidates = [pathlib.Path(os.environ["AMBERHOME"])] if os.environ.get("AMBERHOME") else []
    found, wheel = shutil.which("antechamber"), importlib.util.find_spec("acpype")
    if found:
        candidates.append(pathlib.Path(found).resolve().parent.parent)
    if wheel is not None and wheel.origin is not None:
        candidates.append(pathlib.Path(wheel.origin).parent / "amber_linux")
    for home in candidates:
        if (home / "bin" / "antechamber").exists() and (home / "bin" / "parmchk2").exists() and (home / "bin" / "sqm").exists():
            return home
    raise ValueError(f"GAFF2 parameters are made by AmberTools' antechamber, which is not installed: {WHAT_TO_INSTALL}.")


def _run(home: pathlib.Path, program: str, options: Sequence[str], folder: pathlib.Path, result: str, smiles: str) -> None:
    environment = {"AMBERHOME": str(home), "PATH": f"{home / 'bin'}:/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    command = [str(home / "bin" / program), *options]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{program} took more than {TIME_LIMIT} s for '{smiles}': take a smaller molecule.") from None
    said = done.stdout + done.stderr
    if "error while loading shared libraries" in said:
        missing = said.split("error while loading shared libraries: ")[1].split(":")[0]
        raise ValueError(f"AmberTools' sqm lacks the library {missing}: install the packages {LIBRARIES} (Debian's names).")
    if done.returncode != 0 or not (folder / result).exists():
        raise ValueError(
            f"{program} made no GAFF2 parameters for '{smiles}' (status {done.returncode}): choose another molecule or 'mmff94'."
        )


def _path(smiles: str) -> pathlib.Path:
    return _folder() / f"{hashlib.blake2b(smiles.encode(), digest_size=16).hexdigest()}.json"


def _folder() -> pathlib.Path:
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "cg-workbench" / "gaff2"


def _read(path: pathlib.Path, smiles: str) -> Parameters | None:
    """What ``path`` keeps, or None where it is absent, damaged or of another molecule: it is then made anew."""
    try:
        kept = json.loads(path.read_text())
        body = kept["body"]
        if kept["checksum"] == _checksum(body) and body["smiles"] == smiles:
            return Parameters(**body)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _write(path: pathlib.Path, made: Parameters) -> None:
    body = dataclasses.asdict(made)
    write_bytes(path, json.dumps({"checksum": _checksum(body), "body": body}).encode())


def _checksum(body: dict) -> str:
    return hashlib.blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).hexdigest()
