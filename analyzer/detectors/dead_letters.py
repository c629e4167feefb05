"""Messages that ended in a dead-letter queue."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from analyzer.codes import of_words
from analyzer.context import Context
from analyzer.detection import Detection, Row, Words, nothing, span_evidence, verdicts
from analyzer.detectors.endings import ended
from analyzer.detectors.origins import error_of, origins
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
    told = _wolverine(context)[table.row] | ended(context, "dead_letter")
    # where the broker moves the message itself, only the reader of the queue is seen
    messaging = np.isin(table.role, (Role.SEND, Role.PROCESS, Role.RECEIVE))
    steps = np.flatnonzero((named[table.row] & messaging) | told)
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
    why = [_how_known(context, int(row["step"]))]
    evidence = span_evidence(context, row["step"], "dead-lettered")
    before, owner = int(row["from_step"]), None
    failures = _failures(context, before, int(row["step"]))
    if failures:
        last = failures[-1]
        handler = name_of(context, int(table.label[last]))
        owner = context.label_text(int(table.label[last]))[0]
        error = error_of(context, int(origins(context, np.array([last]))[0]))
        text += f"; {handler} had failed on {'it' if n == 1 else 'them'}"
        why.append(f"{handler} failed {plural(len(failures), 'time')} on it: {error or 'no text'}")
        evidence += span_evidence(context, last, "handler")
    elif before >= 0:
        origin = name_of(context, int(table.label[before]))
        why.append(f"it comes of {origin}, and no attempt at it ended with an error status")
        evidence += span_evidence(context, before, "handler")
    cause = Cause("dead-lettered", 0.97, tuple(why))
    return Words(text, (cause,), evidence, service=owner)


def _how_known(context: Context, step: int) -> str:
    place = context.spans["destination"][int(context.table.row[step])]
    if ended(context, "dead_letter")[step]:
        return "the consumer settled the message as dead letter"
    if place is not None and re.search(DEAD_LETTER, str(place)):
        return f"{place} is a dead-letter queue by its name"
    return "the framework's own event says so"


def _failures(context: Context, before: int, step: int) -> list[int]:
    """Failed attempts at the message that was buried, in order: takes of the same send, or the
    handler that buried it and its attempts before."""
    table = context.table
    if before < 0:
        return []
    sent = before
    if table.role[before] != Role.SEND:
        above = context.sources_of(before)
        sent = int(above[0]) if len(above) else -1
    takes = context.targets_of(sent) if sent >= 0 else np.array([before])
    tried = np.isin(table.role[takes], (Role.PROCESS, Role.RECEIVE)) & (takes != step)
    return [int(one) for one in np.sort(takes[tried & table.error[takes]])]
