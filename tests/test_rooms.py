import dataclasses
import inspect
import subprocess
import sys

import pytest

import workbench
from workbench import mappings, rooms, systems

VERBS = {
    "systems": "load",
    "mappings": "build",
    "descriptors": "build",
    "potentials": "build",
    "fitting": "fit",
    "simulation": "run",
    "observables": "compute",
    "export": "write",
}
METHODS = [(room, name) for room in VERBS for name in rooms.available(room)]


def test_a_room_lists_its_files_without_the_private_ones():
    assert {"alanine_dipeptide", "water_tip3p"} <= set(rooms.available("systems"))
    assert rooms.available(mappings) == tuple(sorted(rooms.available("mappings")))
    assert not [name for _, name in METHODS if name.startswith("_")]
    assert "by_pick" in dir(mappings)


@pytest.mark.parametrize(("room", "name"), METHODS)
def test_every_method_speaks_settings_and_one_verb(room, name):
    method = rooms.method(room, name)
    assert callable(getattr(method, VERBS[room])) and method.__doc__
    assert dataclasses.is_dataclass(method.Settings)
    for field in dataclasses.fields(method.Settings):
        assert field.metadata.get("help"), f"{room}.{name}.Settings.{field.name} has no help"
    method.Settings()
    with pytest.raises(ValueError, match="has no field 'no_such_field'"):
        method.Settings(no_such_field=1)
    if room in ("fitting", "simulation"):
        parameters = inspect.signature(getattr(method, VERBS[room])).parameters
        assert parameters["on_step"].kind == parameters["checkpoint"].kind == inspect.Parameter.KEYWORD_ONLY


def test_an_unknown_method_is_refused_by_name():
    with pytest.raises(ValueError, match="there is no method 'by_magic' in mappings; it has autoencoder, by_pick"):
        rooms.method("mappings", "by_magic")
    with pytest.raises(AttributeError, match="has no attribute 'by_magic'"):
        _ = mappings.by_magic
    assert not hasattr(systems, "nothing")


def test_rooms_import_their_files_when_first_named():
    code = (
        "import sys, workbench.systems, workbench.mappings, workbench.fitting;"
        "assert 'openmm' not in sys.modules and 'torch' not in sys.modules, 'heavy';"
        "workbench.mappings.by_pick; assert 'workbench.mappings.by_pick' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert workbench.__version__
