"""The house's contracts on imports and on where lazy frames are evaluated."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("collectors", "analyzer", "tui")
EVALUATE = {"collect", "collect_all", "collect_async", "collect_batches"}


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports("
    code += f"config_filename={str(config)!r}, cache_dir=None))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=config.parent, capture_output=True, text=True
    )


def test_imports_go_one_way() -> None:
    """collectors <- analyzer <- tui, as pyproject.toml declares it to import-linter."""
    done = lint(ROOT / "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_can_fail(tmp_path: Path) -> None:
    """A collector that imports the analyzer breaks the same contract."""
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    (tmp_path / "collectors" / "bad.py").write_text("import analyzer\n")
    declared = (ROOT / "pyproject.toml").read_text()
    start = declared.index("[tool.importlinter]")
    stop = declared.index("[[tool.", declared.index("layers ="))  # the first contract alone
    (tmp_path / "pyproject.toml").write_text(declared[start:stop])
    done = lint(tmp_path / "pyproject.toml")
    assert done.returncode == 1
    assert "collectors.bad -> analyzer" in done.stdout


def evaluations(source: str) -> Iterator[int]:
    """Line numbers where a lazy frame is evaluated; `gc.collect()` is another thing."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            is_gc = isinstance(owner, ast.Name) and owner.id == "gc"
            if node.func.attr in EVALUATE and not is_gc:
                yield node.lineno


def test_lazy_frames_are_evaluated_in_the_pipeline_only() -> None:
    """No `collect()` in a stage: the order of work shows on one screen, `analyzer/pipeline.py`."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ("analyzer", "tui")
        for path in sorted((ROOT / room).rglob("*.py"))
        if path != ROOT / "analyzer" / "pipeline.py"
        for line in evaluations(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("frame.lazy().collect()", [1]),
        ("x = 1\npl.collect_all([a, b])", [2]),
        ("gc.collect()", []),
        ("def collect(): ...", []),
    ],
)
def test_evaluations_are_recognised(source: str, lines: list[int]) -> None:
    assert list(evaluations(source)) == lines
