"""The wheel is an application: three flat packages and one command."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("uv_build") is None:
        pytest.skip("uv_build is not installed here; `make test` installs it")
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation"]
    # uv_build looks for its own binary in PATH, which an environment that is not activated lacks.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    done = subprocess.run(
        [*pip, "--quiet", "--wheel-dir", str(folder), str(ROOT)],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_top_level_names(unpacked: Path) -> None:
    """Nothing but the three rooms and the metadata lands in site-packages."""
    names = {p.name for p in unpacked.iterdir()}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert names == {"analyzer", "collectors", "tui", f"choreoscope-{version}.dist-info"}


def test_every_tracked_module_is_inside(unpacked: Path) -> None:
    """What imports from the checkout imports from the wheel: data files of the packages too."""
    for room in ("analyzer", "collectors", "tui"):
        files = (p for p in (ROOT / room).rglob("*") if p.is_file())
        here = {p.relative_to(ROOT) for p in files if "__pycache__" not in p.parts}
        there = {p.relative_to(unpacked) for p in (unpacked / room).rglob("*") if p.is_file()}
        assert here == there


def test_command_starts_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    """The console script's target runs from the unpacked wheel, not from the checkout."""
    (scripts,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "choreoscope = tui.cli:main" in scripts.read_text()
    code = "import sys, tui.cli; print(tui.cli.__file__); sys.exit(tui.cli.main(['--help']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(unpacked))
    assert "analyze" in done.stdout


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name)[0]).lower()


@pytest.mark.parametrize(
    ("folders", "groups"), [(("collectors", "analyzer", "tui"), ()), (("tests",), ("test",))]
)
def test_imports_are_declared(folders: tuple[str, ...], groups: tuple[str, ...]) -> None:
    """Whatever a package imports is a dependency of the project (of its group, for the tests)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = project["project"]["dependencies"] + list(
        chain.from_iterable(project["project"].get("optional-dependencies", {}).values())
    )
    named += [one for group in groups for one in project["dependency-groups"][group]]
    declared = {normal(one) for one in named}
    files = [p for folder in folders for p in (ROOT / folder).rglob("*.py")]
    names = set().union(*(imported(path) for path in files))
    ours = {"collectors", "analyzer", "tui", "tests", "benchmarks"}
    foreign = names - ours - set(sys.stdlib_module_names)
    owners = packages_distributions()
    missing = {
        name
        for name in foreign
        if not declared & {normal(owner) for owner in owners.get(name, [name])}
    }
    assert missing == set()
