"""OpenMetrics 1.0 gauges of one analysis, for Prometheus to scrape, push or read from a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite

from analyzer.analysis import Analysis
from analyzer.escape import Target, clip, escape
from analyzer.finding import Severity, State
from analyzer.reporters.context import Context
from analyzer.reporters.faults import faults

MOST = 1_000  # series of one metric; the rest are counted together
OTHER = "__other__"
LABEL = 200  # cells of a label's value

Labels = dict[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """A gauge: its name, what it means, and its samples by label values."""

    name: str
    help: str
    samples: Iterable[Sample]


def render(analysis: Analysis, context: Context) -> str:
    """The text format, with `# EOF` at its end."""
    lines = [line for family in _families(analysis, context) for line in _family(family)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _families(analysis: Analysis, context: Context) -> Iterator[Family]:
    yield from _input(analysis, context)
    yield Family("choreoscope_instances", "Workflow instances by state.", _instances(analysis))
    yield Family("choreoscope_findings", "Places with findings of a kind.", _findings(analysis))
    yield Family(
        "choreoscope_finding_instances", "Instances that findings are about.", _affected(analysis)
    )
    yield Family(
        "choreoscope_overdue_seconds_max", "Longest overdue by workflow.", _overdue(analysis)
    )
    yield from _coupling(analysis)


def _input(analysis: Analysis, context: Context) -> Iterator[Family]:
    recording, intake = analysis.recording, analysis.recording.intake
    obstacles = len(context.obstacles(analysis))
    yield _one(
        "choreoscope_ok", "1 where the input was read whole and held workflows.", not obstacles
    )
    yield _one("choreoscope_as_of_seconds", "The now that instances were judged by, in Unix time.",
               analysis.as_of_ns / 1e9)  # fmt: skip
    yield _one("choreoscope_spans", "Spans that were kept.", recording.spans.height)
    yield _one("choreoscope_traces", "Different trace ids.", context.traces(analysis))
    yield _one("choreoscope_duplicates", "Exact copies, counted once.", intake.duplicates)
    rejected = [({"reason": reason}, float(n)) for reason, n in sorted(intake.rejected.items())]
    yield Family("choreoscope_rejected", "Pieces of the input that were unreadable.", rejected)


def _one(name: str, help: str, value: float) -> Family:
    return Family(name, help, [({}, float(value))])


def _instances(analysis: Analysis) -> Iterator[Sample]:
    """Every state of every workflow, also those with none: an alert needs the zero."""
    for workflow in sorted(analysis.workflows, key=lambda w: (-w.instances, w.name)):
        for state in State:
            labels = {"workflow": workflow.name, "state": state.value}
            yield labels, float(workflow.by_state.get(state.value, 0))


def _findings(analysis: Analysis) -> Iterator[Sample]:
    counts: dict[tuple[str, str], int] = {}
    for fault in faults(analysis.findings):
        key = (fault.kind, fault.worst.severity.value)
        counts[key] = counts.get(key, 0) + 1
    for (kind, severity), number in sorted(counts.items()):
        yield {"kind": kind, "severity": severity}, float(number)
    for severity in Severity:
        total = sum(n for (_, s), n in counts.items() if s == severity.value)
        yield {"kind": "", "severity": severity.value}, float(total)


def _affected(analysis: Analysis) -> Iterator[Sample]:
    for fault in faults(analysis.findings):
        labels = {
            "kind": fault.kind,
            "workflow": fault.worst.workflow or "",
            "service": fault.worst.service or "",
        }
        yield labels, float(fault.size)


def _overdue(analysis: Analysis) -> Iterator[Sample]:
    worst: dict[str, float] = {}
    for finding in analysis.findings:
        if finding.overdue_s is not None and isfinite(finding.overdue_s):
            name = finding.workflow or ""
            worst[name] = max(worst.get(name, 0.0), finding.overdue_s)
    yield from (({"workflow": name}, value) for name, value in sorted(worst.items()))


def _coupling(analysis: Analysis) -> Iterator[Family]:
    services = analysis.services.sort("name").to_dicts()
    for column, said in (
        ("ca", "Services that depend on it."),
        ("ce", "Services that it depends on."),
        ("instability", "ce / (ca + ce)."),
    ):
        rows = [({"service": r["name"]}, float(r[column])) for r in services if _known(r[column])]
        yield Family(f"choreoscope_service_{column}", said, rows)
    edges = analysis.service_edges.sort(
        ["calls", "source", "target", "kind", "destination"], descending=[True, *[False] * 4]
    ).to_dicts()
    names = ("source", "target", "kind", "destination")
    for column, said in (("calls", "Calls or messages."), ("errors", "Those that failed.")):
        rows = [({n: edge[n] or "" for n in names}, float(edge[column])) for edge in edges]
        yield Family(f"choreoscope_edge_{column}", said, rows)


def _known(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _family(family: Family) -> Iterator[str]:
    yield f"# TYPE {family.name} gauge"
    yield f"# HELP {family.name} {escape(family.help, Target.METRIC)}"
    largest = family.name.endswith("_max")
    for labels, value in _bounded(family.samples, largest).items():
        inside = ",".join(f'{name}="{text}"' for name, text in labels)
        yield (
            f"{family.name}{{{inside}}} {_number(value)}"
            if labels
            else (f"{family.name} {_number(value)}")
        )


def _bounded(samples: Iterable[Sample], largest: bool) -> dict[tuple[tuple[str, str], ...], float]:
    """Label sets as they are printed, each once; from MOST on together under one name."""
    found: dict[tuple[tuple[str, str], ...], float] = {}
    for labels, value in samples:
        key = tuple((n, escape(clip(escape(v), LABEL), Target.METRIC)) for n, v in labels.items())
        if key not in found and len(found) >= MOST:
            key = tuple((name, OTHER) for name in labels)
        before = found.get(key, 0.0)
        found[key] = max(before, value) if largest else before + value
    return found


def _number(value: float) -> str:
    """Six digits of a share or a time; counts as they are."""
    return str(int(value)) if value == int(value) else f"{value:.6f}"
