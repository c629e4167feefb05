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


# Each takes longer to import than a small recording takes to read and judge.
HEAVY = ("networkx", "numba", "pandas", "polars", "pyarrow", "scipy", "textual")


def loaded(words: str) -> set[str]:
    """Which of HEAVY a command has loaded when it ends."""
    code = (
        "import sys\nfrom tui.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words.split()], cwd=ROOT, capture_output=True, text=True
    )
    assert "LOADED" in done.stdout, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("words", ["--version", "--help", "analyze --help"])
def test_help_loads_nothing_heavy(words: str) -> None:
    assert loaded(words) == set()


def test_an_analysis_loads_only_what_it_needs() -> None:
    """Two services have no circle and no hub: no graph library."""
    assert loaded("analyze fixtures/quirks/11-fire-and-forget") == {"polars", "pyarrow"}
