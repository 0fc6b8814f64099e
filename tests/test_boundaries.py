"""Walls of the house: science knows no widgets, rooms are reached lazily, nothing is unpickled, nothing named after nothing."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

from workbench import rooms

ROOT = pathlib.Path(__file__).parent.parent
SCIENCE = sorted((ROOT / "workbench").rglob("*.py"))
SCREENS = sorted((ROOT / "widgets").rglob("*.py"))
ROOMS = ("systems", "mappings", "descriptors", "potentials", "fitting", "simulation", "observables", "export")
VERB = dict(zip(ROOMS, ("load", "build", "build", "build", "fit", "run", "compute", "write"), strict=True))


def imports(path: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", SCIENCE, ids=lambda p: str(p.relative_to(ROOT)))
def test_science_knows_no_screen(path):
    forbidden = ("ipywidgets", "nglview", "matplotlib.pyplot", "widgets", "IPython")
    assert not [name for name in imports(path) if name.startswith(forbidden)]


@pytest.mark.parametrize("path", [*SCIENCE, *SCREENS], ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_unpickled(path):
    assert not imports(path) & {"pickle", "dill", "cloudpickle", "joblib", "shelve"}
    text = path.read_text()
    assert not re.search(r"allow_pickle=True|(?<!safetensors\.)torch\.load\(", text)


@pytest.mark.parametrize("path", [*SCIENCE, *SCREENS], ids=lambda p: str(p.relative_to(ROOT)))
def test_names_say_something(path):
    assert path.stem.strip("_") not in {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_of_a_room_speaks_the_two_words(room):
    found = rooms.available(room)
    assert found
    for name in found:
        method = rooms.method(room, name)
        assert hasattr(method, "Settings"), f"{room}/{name}.py has no Settings"
        assert callable(getattr(method, VERB[room], None)), f"{room}/{name}.py has no {VERB[room]}()"
        assert method.__doc__, f"{room}/{name}.py says nothing of itself"


@pytest.mark.parametrize("room", ROOMS)
def test_every_method_has_a_test_of_its_name(room):
    tests = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    missing = {name for name in rooms.available(room) if f"test_{name}" not in tests}
    assert not missing


def test_importing_the_workbench_imports_no_engine():
    code = (
        "import sys; from workbench import systems, potentials, fitting; "
        "print(sorted(set(sys.modules) & {'openmm', 'matplotlib', 'nglview'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"
