"""The README's report is what the program prints. UPDATE_README=1 writes it anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DEMO = "fixtures/demo/orders.jsonl.gz"
BLOCK = re.compile(
    r"(<!-- report:[^\n]*-->\n```text\n)(.*?)(```\n<!-- end of report -->)", re.DOTALL
)


def _report() -> str:
    """What the command prints into a pipe, whatever terminal runs the tests."""
    plain = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TERM")
    environment = {name: value for name, value in os.environ.items() if name not in plain}
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "analyze", DEMO, "--fail-on", "none"],
        cwd=ROOT,
        env=environment | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def test_the_readme_shows_the_report_as_it_prints() -> None:
    report = _report()
    text = README.read_text(encoding="utf-8")
    found = BLOCK.search(text)
    assert found, "the README lost the marks around its report"
    if os.environ.get("UPDATE_README"):
        README.write_text(BLOCK.sub(lambda m: m[1] + report + m[3], text), encoding="utf-8")
        return
    assert found[2] == report


def test_the_readme_names_both_commands_of_the_makefile() -> None:
    text, makefile = README.read_text(encoding="utf-8"), (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "score"):
        assert f"make {target}" in text
        assert f"\n{target}:" in makefile
