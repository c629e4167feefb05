"""The numbers of one look as OpenMetrics text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from analyzer.monitor.ingest import Ingest
from analyzer.monitor.monitor import Look

Sample = tuple[Mapping[str, str], float]
Metrics = Iterable[tuple[str, str, str, Iterable[Sample]]]  # name, kind, help, samples
OTHER = "__other__"
MOST = 200  # values of one label; a crafted name each must not fill a monitoring system


def openmetrics(
    look: Look, waiting: Mapping[str, int], ingest: Ingest | None = None, more: Metrics = ()
) -> str:
    """Every metric; `waiting`: deliveries that wait, by target; `ingest`: where spans come in."""
    lines: list[str] = []
    found = [*_metrics(look, waiting), *(_ingest(ingest) if ingest else ()), *more]
    for name, kind, help_, samples in found:
        lines += [f"# TYPE {name} {kind}", f"# HELP {name} {help_}"]
        suffix = "_total" if kind == "counter" else ""
        lines += [f"{name}{suffix}{_labels(labels)} {value:.17g}" for labels, value in samples]
    return "\n".join([*lines, "# EOF", ""])


def _metrics(
    look: Look, waiting: Mapping[str, int]
) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    yield "choreoscope_instances", "gauge", "Open workflow instances by state.", _states(look)
    yield (
        "choreoscope_finished_instances",
        "counter",
        "Workflow instances that left memory.",
        _finished(look),
    )
    yield "choreoscope_findings", "gauge", "Findings by kind.", _findings(look)
    yield "choreoscope_alerts", "gauge", "Alerts by phase.", _alerts(look)
    yield "choreoscope_spans", "counter", "Spans read from the store.", [({}, look.spans)]
    yield "choreoscope_requests", "counter", "Requests read from the store.", [({}, look.requests)]
    yield (
        "choreoscope_rejected",
        "counter",
        "Spans and requests that could not be used.",
        [({"reason": reason}, n) for reason, n in sorted(look.rejected.items())],
    )
    yield "choreoscope_damaged", "counter", "Damaged stretches of the log.", [({}, look.damaged)]
    yield (
        "choreoscope_overflow_instances",
        "counter",
        "Open instances dropped for want of memory.",
        [({}, look.left.overflow)],
    )
    yield (
        "choreoscope_held_spans",
        "gauge",
        "Spans in memory.",
        [({}, len(look.analysis.recording.spans))],
    )
    yield (
        "choreoscope_lag_seconds",
        "gauge",
        "Delay of the slowest service.",
        [({}, look.lag_ns / 1e9)],
    )
    yield "choreoscope_look_seconds", "gauge", "Time the last look took.", [({}, look.behind_s)]
    yield (
        "choreoscope_deliveries_waiting",
        "gauge",
        "Alerts that wait to be delivered.",
        [({"target": target}, n) for target, n in sorted(waiting.items())],
    )


def _ingest(ingest: Ingest) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    name = "choreoscope_ingest_"
    yield name + "requests", "counter", "Requests stored.", [({}, ingest.requests)]
    yield name + "spans", "counter", "Spans stored.", [({}, ingest.spans)]
    yield (
        name + "rejected_spans",
        "counter",
        "Spans refused inside requests that were taken.",
        [({}, ingest.rejected)],
    )
    yield (
        name + "refused_requests",
        "counter",
        "Requests that were not taken.",
        [({"reason": reason}, n) for reason, n in sorted(ingest.refused.items())],
    )
    yield name + "bytes", "counter", "Bytes taken, unpacked.", [({}, ingest.bytes)]
    yield (
        name + "waiting_bytes",
        "gauge",
        "Bytes that wait for the disk.",
        [({}, ingest.waiting_bytes)],
    )
    yield name + "groups", "counter", "Groups written and synced.", [({}, ingest.groups)]
    yield name + "compactions", "counter", "Compactions done.", [({}, ingest.compactions)]
    yield (
        name + "failing",
        "gauge",
        "1 where nothing can be stored or compacted.",
        [({}, float(bool(ingest.error)))],
    )


def _states(look: Look) -> list[Sample]:
    counts = look.analysis.instances.group_by("workflow", "state").len().sort("workflow", "state")
    return _capped(
        [
            ({"workflow": workflow or "", "state": state}, float(n))
            for workflow, state, n in counts.iter_rows()
        ],
        "workflow",
    )


def _finished(look: Look) -> list[Sample]:
    return _capped(
        [
            ({"workflow": workflow, "state": state}, float(n))
            for (workflow, state), n in sorted(look.left.finished.items())
        ],
        "workflow",
    )


def _findings(look: Look) -> list[Sample]:
    found = pl.DataFrame(
        [(one.kind, one.severity.value) for one in look.analysis.findings],
        schema={"kind": pl.String, "severity": pl.String},
        orient="row",
    )
    counts = found.group_by("kind", "severity").len().sort("kind", "severity")
    return [({"kind": k, "severity": s}, float(n)) for k, s, n in counts.iter_rows()]


def _alerts(look: Look) -> list[Sample]:
    phases = [one.phase.value for one in look.alerts.values()]
    return [({"phase": one}, float(phases.count(one))) for one in ("firing", "pending")]


def _capped(samples: list[Sample], label: str) -> list[Sample]:
    """No more values of a label than a monitoring system bears; the others are added up."""
    known = sorted({labels[label] for labels, _ in samples})
    if len(known) <= MOST:
        return samples
    kept, sums = set(known[:MOST]), dict[tuple[tuple[str, str], ...], float]()
    for labels, value in samples:
        name = labels[label] if labels[label] in kept else OTHER
        key = tuple(sorted({**labels, label: name}.items()))
        sums[key] = sums.get(key, 0.0) + value
    return [(dict(key), value) for key, value in sorted(sums.items())]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    parts = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(parts) + "}"


def _escaped(value: str) -> str:
    from analyzer.escape import escape

    safe = escape(value)
    return safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
