"""Whether an edge is a call, a command, an event or a reply."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, combine, flags, ints
from analyzer.coupling.chains import Ends, climb, ends, first_source, is_any
from analyzer.coupling.names import is_imperative, is_reply
from collectors.schema import complete

KINDS = ("sync", "command", "event", "reply")
_SYNC, _COMMAND, _EVENT, _REPLY = range(len(KINDS))
_NAMES = ("operation", "destination", "message_intent", "event_type")
_VERB = r"^(?:publish|send|create|process|receive) "  # what a step's label puts before the name


def edge_kinds(
    steps: pl.DataFrame, edges: pl.DataFrame, spans: pl.DataFrame | None = None
) -> pl.Series:
    """Kind of each edge: "sync", "command", "event" or "reply" (categorical, named "kind").

    `steps` and `edges` have the shapes STEPS and EDGES; of `edges` only source, target and tier
    are read. With `spans` (SPANS) the message's intent and event type count as well.

    - sync: no message, and parent and child (E1) or inside one service.
    - command: one consumer on the destination, and an imperative name or the intent Send.
    - reply: back to the service whose command or event came directly before; or over a
      destination that says reply, to a service that sent to this one in the same instance.
    - event: every other message, and every other hand-over between services without a call.
    """
    both = ends(steps, edges)
    kind = np.full(len(edges), _SYNC, dtype=np.int64)
    asynchronous = both.crosses & flags(edges["tier"] != "E1")
    kind[both.is_message | asynchronous] = _EVENT
    message = np.flatnonzero(both.is_message)
    if len(message):
        sources = ints(edges["source"])[message]
        names = _message_names(steps, sources, spans)
        orders = message[names["orders"]]
        if len(orders):
            kind[orders[_lone_consumer(steps, both, message)[names["orders"]]]] = _COMMAND
        kind[_replies(steps, edges, both, message, names["answers"])] = _REPLY
    words = pl.Series(KINDS, dtype=pl.Categorical())
    return words.gather(pl.Series(kind.astype(np.uint32))).alias("kind")


def _message_names(
    steps: pl.DataFrame, sources: Ints, spans: pl.DataFrame | None
) -> dict[str, Flags]:
    """For each message, by its sending step: does it order, does it answer."""
    columns = {name: steps[name] for name in ("operation", "destination")}
    at = dict.fromkeys(columns, sources)
    if spans is not None:
        columns |= {name: spans[name] for name in ("message_intent", "event_type")}
        at |= {name: ints(steps["span"])[sources] for name in ("message_intent", "event_type")}
    codes, first = combine(*(ints(columns[name])[at[name]] for name in columns))
    names = pl.DataFrame({name: columns[name].gather(at[name][first]) for name in columns})
    return {name: flags(verdict)[codes] for name, verdict in _judge(names).items()}


def _judge(names: pl.DataFrame) -> dict[str, pl.Series]:
    """What distinct names say: `orders`, `answers`; in Python, for there are few."""
    text = complete(names, dict.fromkeys(_NAMES, pl.String())).with_columns(pl.all().fill_null(""))
    rows = text.with_columns(pl.col("operation").str.replace(_VERB, "")).rows()
    orders = [_orders(*row) for row in rows]
    answers = [intent == "Reply" or is_reply(to) or is_reply(op) for op, to, intent, _ in rows]
    return {"orders": pl.Series(orders), "answers": pl.Series(answers)}


def _orders(operation: str, destination: str, intent: str, event_type: str) -> bool:
    """The declared intent decides; then the type of the message; then the destination's name."""
    if intent in ("Send", "Publish", "Reply"):
        return intent == "Send"
    return is_imperative(event_type) if event_type else is_imperative(destination or operation)


def _lone_consumer(steps: pl.DataFrame, both: Ends, message: Ints) -> Flags:
    """For each message: whether one service, with one group, consumes what its destination gets.

    The sender's name of the destination counts, because the two sides may name it differently
    (RabbitMQ: `exchange:key` and `exchange:key:queue`); consumers seen without their send join in.
    """
    destination = ints(steps["destination"])
    service, group = both.service, ints(steps["group"])
    source, target = both.source[message], both.target[message]
    taken_from = destination[target]
    sent_to = np.where(destination[source] >= 0, destination[source], taken_from)
    consumes = is_any(steps["kind"], ("process", "receive")) & (destination >= 0)
    rows = np.append(target, np.flatnonzero(consumes))
    names = np.append(sent_to, destination[consumes])
    _, first = combine(names, service[rows], group[rows])
    pairs = pl.DataFrame(
        {"name": names[first], "service": service[rows[first]], "group": group[rows[first]]}
    )
    groups = pl.col("group").filter(pl.col("group") >= 0).n_unique()
    consumers = pairs.group_by("name", "service").agg(n=pl.max_horizontal(groups, pl.lit(1)))
    several = consumers.group_by("name").agg(pl.col("n").sum())
    lone = ints(several.filter(pl.col("n") == 1)["name"])
    alone = np.zeros(int(names.max(initial=0)) + 2, dtype=np.bool_)
    alone[lone] = True
    alone[-1] = False  # where names of -1, for "no destination", point
    return alone[sent_to]


def _replies(
    steps: pl.DataFrame, edges: pl.DataFrame, both: Ends, message: Ints, answers: Flags
) -> Ints:
    """Rows of the edges that answer."""
    direct = _answers_directly(len(steps), both, message)
    named = np.flatnonzero(answers)
    asked = named[_asked_before(edges, both, message, named)]
    direct[asked] = True
    return message[direct]


def _asked_before(edges: pl.DataFrame, both: Ends, message: Ints, answers: Ints) -> Flags:
    """For each of `answers`: whether its consumer sent to its sender in the same instance."""
    if not len(answers):
        return np.zeros(0, dtype=np.bool_)
    frame = pl.DataFrame(
        {
            "instance": ints(edges["instance"])[message],
            "source": both.source_service[message],
            "target": both.target_service[message],
        }
    )
    asking = frame.select("instance", source="target", target="source").unique()
    joined = frame[answers].join(
        asking.with_columns(asked=True),
        on=["instance", "source", "target"],
        how="left",
        maintain_order="left",
    )
    return flags(joined["asked"]) & both.crosses[message[answers]]


def _answers_directly(count: int, both: Ends, message: Ints) -> Flags:
    """For each message: whether it goes back to where the message directly before came from.

    In a ping-pong every second message is an answer, not every one but the first: what comes
    after an answer starts an exchange anew.
    """
    source, target = both.source[message], both.target[message]
    before = first_source(count, source, target)
    parent = first_source(count, both.source[both.inside], both.target[both.inside])
    parent[before >= 0] = -1
    entry, _ = climb(parent, np.zeros(count, dtype=np.int64))
    came_from = before[entry[source]]
    back = (came_from >= 0) & (both.service[came_from] == both.target_service[message])
    candidate = back & both.crosses[message]
    chosen = candidate & (before[target] == source)
    link = np.full(count, -1, dtype=np.int64)
    link[target[chosen]] = entry[source[chosen]]
    _, run = climb(link, np.ones(count, dtype=np.int64))
    answers: Flags = candidate & (run[entry[source]] % 2 == 0)
    return answers
