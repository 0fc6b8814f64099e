"""One set of pins: constraints.txt, environment.yml and pyproject.toml agree, and the installed versions are the pinned ones."""

import importlib.metadata
import pathlib
import re
import tomllib

import pytest
import yaml

ROOT = pathlib.Path(__file__).parent.parent
TOP = {"notebooks", "workbench", "widgets", "tests", "environment.yml", "README.md"}
PACKAGING = {"pyproject.toml", "constraints.txt", "Makefile", "LICENSE", "CHANGELOG.md"}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["test"], *extras["lab"]]
    return {canonical(re.match(r"[A-Za-z0-9_.-]+", spec).group()) for spec in named}


def test_conda_users_get_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert dict(line.split("==") for line in pip if "==" in line) == pins()


def test_every_direct_dependency_is_pinned():
    assert {canonical(name) for name in pins()} == direct()


@pytest.mark.parametrize("name", sorted(pins()))
def test_installed_version_is_the_pinned_one(name):
    assert importlib.metadata.version(name).split("+")[0] == pins()[name]


def test_top_level_holds_what_the_user_fixed_and_packaging():
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and not path.name.endswith(".egg-info")}
    assert tracked >= TOP
    assert tracked - TOP - PACKAGING <= {"runs", "artefacts"}
