"""Key values that contradict each other inside one instance."""

from __future__ import annotations

import polars as pl

from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, verdicts
from analyzer.duration import plural
from analyzer.finding import Cause, Evidence, Severity
from analyzer.stitching.key_discovery import contradictions


def identity_conflict(context: Context) -> Detection:
    """Unions that were refused, because they would have put two values of a key together; and
    spans that carry another case's value of a key that visibly identifies cases."""
    seen = contradictions(context.recording, context.stitching.component)
    conflicts = (*context.stitching.conflicts, *seen)
    if not conflicts:
        return nothing()
    frame = pl.DataFrame(
        {
            "instance": [int(context.table.instance_of_row[one.row]) for one in conflicts],
            "row": [one.row for one in conflicts],
            "kept": [one.kept for one in conflicts],
            "refused": [one.refused for one in conflicts],
            "since_ns": [int(context.start[one.row]) for one in conflicts],
        }
    ).unique(["instance", "refused"], keep="first", maintain_order=True)
    frame = frame.filter(pl.col("instance") >= 0)
    return Detection(
        verdicts(
            frame,
            kind=pl.lit("identity-conflict"),
            severity=pl.lit(Severity.WARNING.value),
            confidence=pl.lit(0.9),
            cause=pl.lit("two-values"),
        ),
        lambda row, n: _explain(context, row, n),
    )


def _explain(context: Context, row: Row, n: int) -> Words:
    span = int(row["row"])
    service = context.spans["service"][span]
    kept = f", which belongs to {row['kept']}" if row["kept"] else ""
    text = f"{service} wrote {row['refused']} on a span of this instance{kept}; not joined"
    why = "parent, link or a stronger key says otherwise"
    evidence = (Evidence(context.trace_hex(span), context.span_hex(span), "conflict"),)
    del n
    return Words(text, (Cause("two-values", 0.9, (why,)),), evidence, service=service)


def quarantine_note(quarantined: tuple[str, ...]) -> str:
    """One sentence about key values that were not used."""
    some = ", ".join(quarantined[:3])
    more = f" and {len(quarantined) - 3} more" if len(quarantined) > 3 else ""
    return f"{plural(len(quarantined), 'key value')} joined far too much to be a case: {some}{more}"
