"""Every report of the same spans is the same bytes, in whatever process and whatever order."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.reporters.registry import REPORTERS
from tests.support.analysis_builder import shop
from tests.support.reports import SECTIONS, Context

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "fixtures" / "demo" / "orders.jsonl.gz"
SCRIPT = """
import hashlib, sys
from analyzer import analyze
from analyzer.reporters.context import Context
from analyzer.reporters.registry import REPORTERS
analysis = analyze(sys.argv[1])
for reporter in REPORTERS:
    made = reporter.render(analysis, Context(sources=("orders",)))
    data = made if isinstance(made, bytes) else made.encode()
    print(reporter.name, hashlib.sha256(data).hexdigest())
"""


def digests(seed: str, source: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(source)],
        capture_output=True, text=True, cwd=ROOT, check=True,
        env=os.environ | {"PYTHONHASHSEED": seed},
    )  # fmt: skip
    return done.stdout.splitlines()


def test_every_format_is_the_same_in_every_process() -> None:
    first = digests("1", DEMO)
    assert [line.split()[0] for line in first] == [reporter.name for reporter in REPORTERS]
    assert digests("77", DEMO) == first


@pytest.mark.parametrize("reporter", REPORTERS, ids=[reporter.name for reporter in REPORTERS])
def test_every_format_is_the_same_twice(reporter: object) -> None:
    context = Context(sections=SECTIONS)
    made = [one.render(shop(), context) for one in (reporter, reporter)]  # type: ignore[attr-defined]
    data = [m if isinstance(m, bytes) else m.encode() for m in made]
    assert len({hashlib.sha256(d).digest() for d in data}) == 1
    assert data[0]
