"""Messages that ended in a dead-letter queue."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import of_words
from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, span_evidence, verdicts
from analyzer.detectors.words import name_of
from analyzer.duration import plural
from analyzer.finding import Cause, Severity, State
from analyzer.stitching.roles import Role

# Names that brokers and frameworks give: Kafka Connect and Spring (-dlt, .DLT), SQS and RabbitMQ
# (.dlq, -dead-letter), MassTransit and NServiceBus (_error, error), Service Bus ($DeadLetterQueue).
DEAD_LETTER = (
    r"(?i)(^|[._/:$-])(dlq|dlt|dlx|dead[._-]?letters?([._-]?(queue|topic|exchange))?|poison|errors?)"
    r"($|[._/:-])|_(error|skipped|dlq|dlt)$"
)


def dead_lettered(context: Context) -> Detection:
    """Sends to and reads from a dead-letter destination, consumers that settled with dead_letter,
    Wolverine's own events of loss."""
    table, spans = context.table, context.spans
    named = of_words(spans["destination"], lambda places: places.str.contains(DEAD_LETTER))
    disposed = of_words(spans["disposition"], lambda ends: ends == "dead_letter")
    told = _wolverine(context)
    # where the broker moves the message itself, only the reader of the queue is seen
    messaging = np.isin(table.role, (Role.SEND, Role.PROCESS, Role.RECEIVE))
    steps = np.flatnonzero((named[table.row] & messaging) | (disposed | told)[table.row])
    if not len(steps):
        return nothing()
    source = np.full(len(table), -1, dtype=np.int64)
    source[table.target] = table.source
    frame = pl.DataFrame(
        {
            "instance": table.instance[steps],
            "step": steps,
            "since_ns": table.start[steps],
            "label": table.label[steps],
            "from_step": source[steps],
        }
    ).unique("instance", keep="first", maintain_order=True)
    return Detection(
        verdicts(
            frame,
            kind=pl.lit("dead-lettered"),
            state=pl.lit(State.DEAD_LETTERED.value),
            severity=pl.lit(Severity.ERROR.value),
            confidence=pl.lit(0.97),
            cause=pl.lit("dead-lettered"),
            group=pl.concat_str(pl.lit("dead:"), "label"),
        ),
        lambda row, n: _explain(context, row, n),
    )


def _wolverine(context: Context) -> np.ndarray:
    events = context.recording.events
    names = ["wolverine.no.handler", "wolverine.envelope.discarded", "wolverine.error.queued"]
    hit = events.filter(pl.col("name").cast(pl.String).is_in(names))
    marked = np.zeros(len(context.spans), dtype=np.bool_)
    marked[hit["span"].to_numpy()] = True
    return marked


def _explain(context: Context, row: Row, n: int) -> Words:
    table = context.table
    text = f"{plural(n, 'message')} went to a dead-letter queue: {name_of(context, row['label'])}"
    why = ["the destination is a dead-letter queue by its name, or the consumer settled so"]
    evidence = span_evidence(context, row["step"], "dead-lettered")
    if row["from_step"] >= 0:
        handler = int(row["from_step"])
        ended = "failed" if table.error[handler] else "ended without an error status"
        why.append(f"{name_of(context, int(table.label[handler]))} before it {ended}")
        evidence += span_evidence(context, handler, "handler")
    return Words(text, (Cause("dead-lettered", 0.97, tuple(why)),), evidence)
