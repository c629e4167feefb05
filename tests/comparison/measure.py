"""How often `diff` tells a change where there is none: `python -m tests.comparison.measure`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from analyzer import analyze
from analyzer.comparison import Snapshot, compare, snapshot_of
from analyzer.comparison.report_file import decode
from analyzer.reporters.context import Context
from analyzer.reporters.json import render

SCENARIOS = (
    "order?instances=40",
    "order?instances=300",
    "order?instances=200&shape=key&keys=all",
    "electronics?instances=300",
    "electronics?instances=200&faults=retry:0.05,dead-letter:0.02,in-flight:0.1&shape=link",
    "electronics?instances=200&style=orchestrated",
    "exit?instances=150",
    "exit?instances=100&faults=lost:0.05",
    "tickets?instances=150&faults=lost:0.03,handler-error:0.03",
    "tickets?instances=150&shape=batch",
    "migration?instances=200",
    "login?instances=200",
)
SEEDS = 24


def sides(scenario: str, seed: int) -> tuple[Snapshot, Snapshot]:
    """(as a recording, as a report)."""
    uri = f"sim:{scenario}&seed={seed}"
    analysis = analyze(uri)
    report = decode(render(analysis, Context()).encode())
    return snapshot_of(analysis, uri), snapshot_of(report, uri)


def alarms(scenario: str, seeds: int) -> Iterator[tuple[int, int]]:
    """For neighbouring seeds in a circle: changes that are none, of recordings and of reports."""
    seen = [sides(scenario, seed) for seed in range(1000, 1000 + seeds)]
    for old, new in zip(seen, [*seen[1:], seen[0]], strict=True):
        recordings, reports = (
            len(compare(a, b).changes) for a, b in zip(old, new, strict=True)
        )  # fmt: skip
        yield recordings, reports


def main() -> None:
    """One line a scenario: pairs, pairs of recordings and of reports with a false change."""
    out = sys.stdout
    total = [0, 0, 0]
    for scenario in SCENARIOS:
        found = list(alarms(scenario, SEEDS))
        counts = [len(found), sum(bool(a) for a, _ in found), sum(bool(b) for _, b in found)]
        total = [one + more for one, more in zip(total, counts, strict=True)]
        out.write(f"{scenario:90} {counts[0]:4} {counts[1]:4} {counts[2]:4}\n")
        out.flush()
    out.write(f"{'all':90} {total[0]:4} {total[1]:4} {total[2]:4}\n")


if __name__ == "__main__":
    main()
