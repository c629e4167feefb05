"""What the API says of one look, as documents."""

from __future__ import annotations

from typing import Any

from analyzer.monitor.monitor import Look
from collectors.receivers.refusals import Refused, Why
from collectors.receivers.web import Call

MOST = 1000  # instances in one answer, unless `limit` says otherwise


def head(look: Look) -> dict[str, Any]:
    """Which look it is."""
    from analyzer.reporters.units import rfc3339

    return {
        "schema_version": "1",
        "generation": look.generation,
        "at": rfc3339(look.at_ns),
        "as_of": rfc3339(look.analysis.as_of_ns),
    }


def numbers(look: Look) -> dict[str, Any]:
    """The numbers of the dashboard's header."""
    firing = sum(alert.phase.value == "firing" for alert in look.alerts.values())
    return head(look) | {
        "total": look.analysis.instances.height,
        "by_state": look.analysis.by_state,
        "finished": [
            {"workflow": workflow, "state": state, "instances": n}
            for (workflow, state), n in sorted(look.left.finished.items())
        ],
        "findings": len(look.analysis.findings),
        "alerts": {"firing": firing, "pending": len(look.alerts) - firing},
        "spans": look.spans,
        "spans_per_s": round(look.spans_per_s, 1),
        "held_spans": len(look.analysis.recording.spans),
        "overflow": look.left.overflow,
        "rejected": look.rejected,
        "damaged": look.damaged,
        "lag_s": round(look.lag_ns / 1e9, 3),
        "look_s": round(look.behind_s, 3),
    }


def snapshot(look: Look, call: Call) -> dict[str, Any]:
    """The numbers, and the instances that match."""
    return instances(look, call) | numbers(look)


def instances(look: Look, call: Call) -> dict[str, Any]:
    """The instances that match, as the query of the call sorts them."""
    from analyzer.reporters.instances import SORTS, fields, ordered
    from analyzer.where import WhereError, matches

    now, sort = look.analysis.as_of_ns, call.query.get("sort", "state")
    if sort.removeprefix("-") not in SORTS:
        raise Refused(Why.MALFORMED, f"no field {sort[:40]!r}; there are {', '.join(SORTS)}")
    try:
        kept = matches(look.analysis.instances, call.query.get("where", ""), now)
    except WhereError as error:
        raise Refused(Why.MALFORMED, f"where: {error}") from error
    shown = ordered(kept, sort, now).head(number(call, "limit", MOST))
    return head(look) | {
        "total": look.analysis.instances.height,
        "matching": kept.height,
        "instances": [fields(row) for row in shown.iter_rows(named=True)],
    }


def number(call: Call, name: str, default: int) -> int:
    """A number of the query. Raises Refused."""
    text = call.query.get(name, "")
    if not text:
        return default
    if not text.isdigit() or len(text) > 12:
        raise Refused(Why.MALFORMED, f"{name} must be a number, not {text[:40]!r}")
    return int(text)
