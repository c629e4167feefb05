"""What makes a run fail: findings of a severity, and thresholds on figures of the analysis."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

STATES = ("stuck", "failed", "dead_lettered", "orphaned", "late", "compensating", "compensated",
          "waiting", "running", "unknown", "complete")  # fmt: skip
COUNTS = ("instances", "workflows", "spans", "traces", "services", "findings", "errors", "warnings",
          "notes", "hotspots", "rejected", "duplicates")  # fmt: skip
METRICS = (*COUNTS, *STATES, *(f"{state}_ratio" for state in STATES), "trouble", "trouble_ratio")
_TROUBLE = ("stuck", "failed", "dead-lettered", "orphaned", "late")

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_EXPRESSION = re.compile(
    r"\s*([A-Za-z_.-]+)\s*(<=|>=|==|!=|<|>|=)\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*"
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """`metric OP limit`; the run fails where it does not hold."""

    text: str
    metric: str
    operator: str
    limit: float

    def holds(self, actual: float) -> bool:
        """Whether the actual value satisfies it."""
        return _OPERATORS[self.operator](actual, self.limit)


def parse_threshold(text: str) -> Threshold:
    """`stuck_ratio<0.01`, `late=5` (at most), `findings.cycle==0`; else UsageError."""
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise click.UsageError(
            f"--threshold: {text!r} is not NAME OPERATOR NUMBER: stuck_ratio<0.01"
        )
    name, sign, number, unit = match.groups()
    name = name if name.startswith("findings.") else name.replace("-", "_")
    _check_figure(name)
    limit = float(number) / (100 if unit else 1)
    if name.endswith("_ratio") and limit > 1:
        raise click.UsageError(
            f"--threshold: {text!r}: a ratio is at most 1; did you mean {name}{sign}{number}%?"
            if not unit
            else f"--threshold: {text!r}: a ratio is at most 100%"
        )
    sign = "<=" if sign == "=" else sign  # stuck=3: so many are allowed
    return Threshold(text.strip(), name, sign, limit)


def _check_figure(name: str) -> None:
    """A misspelt figure would be 0 for ever, and its gate always green."""
    from analyzer.reporters.groups import (
        COUPLING_KINDS,
        DATA_KINDS,
        DECLARED_KINDS,
        INSTANCE_KINDS,
    )

    kinds = INSTANCE_KINDS | COUPLING_KINDS | DATA_KINDS | DECLARED_KINDS
    known = [f"findings.{kind}" for kind in sorted(kinds)]
    if not name.startswith("findings."):
        known = list(METRICS)
    if name in known:
        return
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise click.UsageError(f"--threshold: unknown figure {name!r}; {hint}")


def measure(analysis: Analysis, metric: str) -> float:
    """The value of a figure that `parse_threshold` accepted; a ratio of nothing is 0."""
    if metric.startswith("findings."):
        kind = metric.removeprefix("findings.")
        return float(sum(f.instances for f in analysis.findings if f.kind == kind))
    if metric in COUNTS:
        return float(_count(analysis, metric))
    name = metric.removesuffix("_ratio")
    states = _TROUBLE if name == "trouble" else (name.replace("_", "-"),)
    number = sum(analysis.by_state.get(state, 0) for state in states)
    return number / max(analysis.instances.height, 1) if metric.endswith("_ratio") else number


def _count(analysis: Analysis, metric: str) -> int:
    from analyzer.reporters.context import Context

    recording, findings = analysis.recording, analysis.findings
    counts: dict[str, Callable[[], int]] = {
        "instances": lambda: analysis.instances.height,
        "workflows": lambda: len(analysis.workflows),
        "spans": lambda: recording.spans.height,
        "traces": lambda: Context.traces(analysis),
        "services": lambda: Context.services(analysis),
        "findings": lambda: len(findings),
        "errors": lambda: sum(f.severity == "error" for f in findings),
        "warnings": lambda: sum(f.severity == "warning" for f in findings),
        "notes": lambda: sum(f.severity == "note" for f in findings),
        "hotspots": lambda: len(analysis.hotspots),
        "rejected": lambda: sum(recording.intake.rejected.values()),
        "duplicates": lambda: recording.intake.duplicates,
    }
    return counts[metric]()
