"""Columns that follow from several attributes: operations, destinations, frameworks, routes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import polars as pl

from collectors import schema, semconv
from collectors.promotion import AttributeTable
from collectors.schema import Kind
from collectors.words import map_numbers, map_words, map_words_by, nothing, taken

Columns = dict[str, pl.Series]


def derive(columns: Columns, table: AttributeTable, kind: pl.Series) -> Columns:
    """The promoted columns in their canonical form.

    `columns` holds what was found, by name: columns of `schema.SPANS` as they were written
    (WORD, Int64 or String) and the helpers of `semconv.SPAN_HELPERS` (WORD or String). Absent ones
    are absent.
    """
    out = {name: columns[name] for name in semconv.SPAN_ALIASES if name in columns}
    out.update(_numbers(out))
    out.update(_http(columns))
    out.update(_rpc(columns))
    messaging = table.having(semconv.MESSAGING_PREFIXES)
    out.update(_system(columns, table))
    out.update(_destination(columns, kind, messaging))
    out.update(_operation({**columns, **out}, kind, messaging))
    out.update(_message(columns | out, kind))
    out.update(_disposition(columns | out))
    out.update(_event_type(out))
    out.update(_framework(columns | out, table))
    out.update(_cloudevents(columns))
    out.update(_deliver_at(columns))
    return out


def _words(columns: Columns, name: str) -> pl.Series | None:
    found = columns.get(name)
    return None if found is None else found.cast(schema.WORD)


def _coalesce(*choices: pl.Series | None) -> pl.Series | None:
    present = [choice for choice in choices if choice is not None]
    if len(present) < 2:
        return present[0] if present else None
    return pl.select(pl.coalesce(present)).to_series()


def _numbers(out: Columns) -> Columns:
    """What clients write that is no number."""
    if "offset" not in out:
        return {}
    return {"offset": out["offset"].set(out["offset"] < 0, None)}  # -1 says "not known"


def _http(columns: Columns) -> Columns:
    """The route, else the path of the url without query and fragment."""
    path, url = _words(columns, "_path"), _words(columns, "_url")
    route = _coalesce(
        columns.get("http_route"),
        None if path is None else map_words(path, _path),
        None if url is None else map_words(url, _path),
    )
    return {} if route is None else {"http_route": route}


def _path(url: str) -> str | None:
    bare = url.split("?", 1)[0].split("#", 1)[0]
    _, mark, rest = bare.partition("://")
    if not mark:
        return bare or None
    _, slash, path = rest.partition("/")
    return slash + path if slash else "/"


def _rpc(columns: Columns) -> Columns:
    out: Columns = {}
    if "rpc_status" in columns:
        out["rpc_status"] = map_numbers(columns["rpc_status"].cast(schema.WORD), _grpc_code)
    method = columns.get("rpc_method")
    if method is None:
        return out
    service = map_words(method, lambda text: text.lstrip("/").rpartition("/")[0] or None)
    out["rpc_method"] = map_words(method, lambda text: text.rpartition("/")[2] or text)
    merged = _coalesce(columns.get("rpc_service"), service)
    if merged is not None:
        out["rpc_service"] = merged
    return out


def _grpc_code(text: str) -> int | None:
    name = text.upper().replace("CANCELED", "CANCELLED")
    if name in semconv.GRPC_CODES:
        return semconv.GRPC_CODES.index(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _system(columns: Columns, table: AttributeTable) -> Columns:
    system = columns.get("system")
    if system is not None:
        system = map_words(system, lambda text: semconv.SYSTEMS.get(text, text) or None)
    implied = _by_prefix(table, semconv.SYSTEM_PREFIXES)
    merged = _coalesce(system, implied)
    return {} if merged is None else {"system": merged}


def _by_prefix(table: AttributeTable, prefixes: Mapping[str, str]) -> pl.Series | None:
    """The word of the first prefix that one of a span's keys begins with."""
    words = list(dict.fromkeys(prefixes.values()))
    code = np.zeros(table.owners, np.uint32)
    for prefix, word in reversed(list(prefixes.items())):
        code[table.having((prefix,))] = words.index(word) + 1
    if not code.any():
        return None
    return taken(pl.Series([None, *words], dtype=schema.WORD), code)


def _destination(columns: Columns, kind: pl.Series, messaging: np.ndarray) -> Columns:
    given = columns.get("destination")
    if given is not None:
        given = map_words(given, _queue_name)
    rabbit = [_words(columns, name) for name in ("_rabbit_exchange", "_rabbit_queue")]
    tagged = [map_words(item, lambda text: text or None) for item in rabbit if item is not None]
    tagged.append(columns.get("routing_key"))  # type: ignore[arg-type]
    speaks = pl.Series(_asynchronous(kind) | messaging)
    named = None
    if speaks.any():
        named = map_words(columns["name"], _destination_in_name)
        named = named.set(~speaks, None)
    merged = _coalesce(given, *tagged, named)
    return {} if merged is None else {"destination": merged}


def _asynchronous(kind: pl.Series) -> np.ndarray:
    numbers = kind.to_numpy()
    found: np.ndarray = (numbers == int(Kind.PRODUCER)) | (numbers == int(Kind.CONSUMER))
    return found


_PULSAR_PARTITION = re.compile(r"^((?:non-)?persistent://.*)-partition-\d+$")


def _queue_name(text: str) -> str | None:
    """The queue of an SQS url, the topic of an SNS arn or of a Pulsar partition; other names as
    they are."""
    if text.startswith(("https://sqs.", "http://sqs.")) or ".queue.core." in text:
        return text.rstrip("/").rpartition("/")[2]
    if text.startswith("arn:"):
        return text.rpartition(":")[2]
    if text in semconv.DEFAULT_EXCHANGES:
        return None
    partition = _PULSAR_PARTITION.match(text)
    return partition[1] if partition else text or None


def _destination_in_name(name: str) -> str | None:
    """`orders publish` and `publish orders` name their destination."""
    words = name.split(" ")
    if len(words) != 2:
        return None
    last = words[1].lower() in semconv.OPERATION_WORDS
    place = words[0] if last else words[1]
    if place.lower() in semconv.NO_DESTINATIONS | semconv.DEFAULT_EXCHANGES | {""}:
        return None
    return place if last or words[0].lower() in semconv.OPERATION_WORDS else None


_ALLOWED = {
    Kind.PRODUCER: ("create", "send"),
    Kind.CONSUMER: ("receive", "process", "settle"),
}
_DEFAULT = {Kind.PRODUCER: "send", Kind.CONSUMER: "process"}


def _operation(columns: Columns, kind: pl.Series, messaging: np.ndarray) -> Columns:
    """What was said; else what the name says where the kind agrees; else what the kind says."""
    names = ("_op_type", "_op_old", "_op_name", "_op_celery")
    stated = [
        map_words(words, _operation_value)
        for words in (_words(columns, name) for name in names)
        if words is not None
    ]
    aws = _aws_operation(columns)
    asynchronous = _asynchronous(kind)
    known = np.zeros(len(kind), np.bool_)
    for name in ("system", "destination"):
        if name in columns:
            known |= columns[name].is_not_null().to_numpy()
    eligible = asynchronous | (messaging & known & (kind != int(Kind.SERVER)).to_numpy())
    derived = None
    if eligible.any():
        derived = _operation_of_name(columns, kind).set(pl.Series(~eligible), None)
    merged = _coalesce(*stated, aws, derived)
    if merged is None:
        return {}
    # confluent-kafka in Python: its sends say that they receive, their kind is right
    turned = (kind == int(Kind.PRODUCER)) & merged.is_in(["receive", "process"])
    return {"operation": _set_word(merged, turned, "send") if turned.any() else merged}


def _operation_value(text: str) -> str | None:
    return semconv.OPERATIONS.get(text.lower())


def _aws_operation(columns: Columns) -> pl.Series | None:
    """`SQS/SendMessage` and its like, where the SDK's span says no more."""
    service, method = columns.get("rpc_service"), columns.get("rpc_method")
    if service is None or method is None or columns.get("destination") is None:
        return None
    queues = map_words(service, lambda text: "y" if text.upper() in _QUEUES else None)
    found = map_words(method, _operation_value)
    return found.set(queues.is_null() | columns["destination"].is_null(), None)


_QUEUES = ("SQS", "AMAZONSQS", "SNS", "AMAZONSNS")


def _operation_of_name(columns: Columns, kind: pl.Series) -> pl.Series:
    said = map_words_by(columns["name"], kind.to_numpy(), _operation_by_kind)
    if "_received" not in columns:
        return said
    empty = (columns["_received"].str.to_lowercase() == "false").fill_null(False)
    producer = kind == int(Kind.PRODUCER)
    said = _set_word(said, empty & ~producer, "receive")
    return _set_word(said, empty & producer, "send")


def _operation_by_kind(name: str, kind: int) -> str | None:
    """What the name says where the kind agrees; else what the kind says."""
    said = _operation_in_name(name)
    side = Kind(kind) if kind in _ALLOWED else None
    if side is None or said in _ALLOWED[side]:
        return said
    return _DEFAULT[side]


def _set_word(column: pl.Series, where: pl.Series, word: str) -> pl.Series:
    lit = pl.lit(word).cast(schema.WORD)
    return pl.select(pl.when(where.fill_null(False)).then(lit).otherwise(column)).to_series()


def _operation_in_name(name: str) -> str | None:
    lower = name.lower()
    if lower in semconv.OPERATION_NAMES:
        return semconv.OPERATION_NAMES[lower]
    first, _, rest = lower.partition(" ")
    last = lower.rpartition(" ")[2]
    if not rest:
        return _operation_in_path(name) if "/" in name else None
    return semconv.OPERATION_WORDS.get(last) or semconv.OPERATION_WORDS.get(first)


def _operation_in_path(name: str) -> str | None:
    found = (said for path, said in semconv.PATH_OPERATIONS if re.match(path, name))
    return next(found, None)


def _disposition(columns: Columns) -> Columns:
    """How a message was settled: as it was written, else as the operation or the span is called."""
    given = columns.get("disposition")
    operation = columns.get("operation")
    settled = None
    if operation is not None and (operation == "settle").any():
        names = [_words(columns, name) for name in ("_op_name", "_op_type", "_op_old", "name")]
        settled = _coalesce(*(map_words(n, _ending) for n in names if n is not None))
        assert settled is not None  # every span has a name
        settled = settled.set((operation != "settle").fill_null(True), None)
    merged = _coalesce(None if given is None else map_words(given, _known_ending), settled)
    return {} if merged is None else {"disposition": merged}


def _known_ending(text: str) -> str | None:
    return semconv.DISPOSITIONS.get(text.lower(), text) or None


def _ending(name: str) -> str | None:
    """ "abandon" of `ServiceBusReceiver.Abandon`, `basic.nack` and `orders nack`."""
    return semconv.DISPOSITIONS.get(re.split(r"[ .]", name.lower())[-1])


def _event_type(out: Columns) -> Columns:
    """The type of the message, .NET's and MassTransit's lists of types cut to the first."""
    if "event_type" not in out:
        return {}
    return {"event_type": map_words(out["event_type"].cast(schema.WORD), _short_type)}


def _short_type(text: str) -> str | None:
    first = re.split(r"[;,]", text, maxsplit=1)[0].strip()
    if first.startswith("urn:message:"):
        return first.rpartition(":")[2] or None
    # an assembly after the comma: a .NET type, whose namespace says nothing about the message
    return (first.rpartition(".")[2] if len(first) < len(text.strip()) else first) or None


def _message(columns: Columns, kind: pl.Series) -> Columns:
    """The quirks: what emitters write into message attributes and does not mean it."""
    out: Columns = {}
    if "message_key" in columns:
        key = columns["message_key"]
        out["message_key"] = key.set(key.is_in(["None", ""]), None)
    for name in ("message_id", "correlation_id", "causal_id"):
        if name in columns:
            out[name] = columns[name].set(columns[name] == "", None)
    if "partition" in columns:
        out["partition"] = _trusted_partition(columns, kind)
    if "conversation_id" in columns:
        out["conversation_id"] = _trusted_conversation(columns)
    if "_received" in columns:
        empty = (columns["_received"].str.to_lowercase() == "false").fill_null(False)
        count = columns.get("batch_count", nothing(len(kind), pl.Int64()))
        out["batch_count"] = count.set(empty, 0)
    return out


def _trusted_partition(columns: Columns, kind: pl.Series) -> pl.Series:
    """Set before the send it is always 0: on a producer it counts beside an offset only."""
    partition = columns["partition"]
    unsure = kind == int(Kind.PRODUCER)
    if "offset" in columns:
        unsure &= columns["offset"].is_null()
    return partition.set(unsure, None)


def _trusted_conversation(columns: Columns) -> pl.Series:
    """boto3sqs writes the batch ENTRY id ("0", "1"), Celery its task id: no conversations."""
    given = columns["conversation_id"]
    wrong = given == ""
    sqs = ("aws_sqs", "aws.sqs")
    system, scope = columns.get("system"), columns.get("scope")
    small = given.str.len_bytes() <= 4
    small &= given.str.contains(r"^\d+$")
    if system is not None and small.any():
        queue = system.is_in(list(sqs)).fill_null(False)
        if scope is not None:
            queue |= scope.cast(pl.String()).str.contains("boto", literal=True).fill_null(False)
        wrong |= small & queue
    if system is not None and "message_id" in columns:
        task = (system == "celery").fill_null(False)
        wrong |= task & (given == columns["message_id"]).fill_null(False)
    return given.set(wrong.fill_null(False), None)


def _framework(columns: Columns, table: AttributeTable) -> Columns:
    framework = _by_prefix(table, semconv.FRAMEWORK_PREFIXES)
    if framework is None:
        return {}
    out = {"framework": framework}
    ours = (framework == "nservicebus").fill_null(False)
    if "message_id" in columns and ours.any():  # `related_to` names message ids
        own = columns["message_id"].set(~ours, None)
        merged = _coalesce(columns.get("correlation_id"), own)
        if merged is not None:
            out["correlation_id"] = merged
    return out


def _cloudevents(columns: Columns) -> Columns:
    """The identity of a CloudEvent is (source, id)."""
    if "_event_id" not in columns:
        return {}
    source = columns.get("_event_source", nothing(len(columns["_event_id"]), pl.String()))
    frame = pl.DataFrame({"source": source, "id": columns["_event_id"]})
    joined = pl.concat_str(pl.col("source").fill_null(""), pl.lit(" "), "id")
    return {"event_id": frame.select(joined).to_series()}


def _deliver_at(columns: Columns) -> Columns:
    choices = [
        _iso_ns(columns.get("_deliver_iso")),
        _scaled(columns.get("_deliver_ms"), 1_000_000),
        _after_start(columns),
    ]
    merged = _coalesce(*choices)
    return {} if merged is None else {"deliver_at_ns": merged}


def _iso_ns(texts: pl.Series | None) -> pl.Series | None:
    """ISO 8601, and NServiceBus's `2026-05-30 12:00:00:000000 Z`."""
    if texts is None:
        return None
    iso = texts.str.replace(r" ?Z$", "+00:00").str.replace(" ", "T", literal=True)
    iso = iso.str.replace(r"(\d\d:\d\d:\d\d):(\d)", "$1.$2")
    naive = ~iso.str.contains(r"[+-]\d\d:?\d\d$")
    iso = pl.select(pl.when(naive).then(iso + "+00:00").otherwise(iso)).to_series()
    times = [
        iso.str.to_datetime(form, time_unit="ns", time_zone="UTC", strict=False, exact=True)
        for form in ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z")
    ]
    merged = _coalesce(*times)
    return None if merged is None else merged.cast(pl.Int64())


def _scaled(texts: pl.Series | None, factor: int) -> pl.Series | None:
    if texts is None:
        return None
    numbers = texts.cast(pl.Int64(), strict=False)
    limit = (2**63 - 1) // factor
    return numbers.set((numbers < 0) | (numbers > limit), None) * factor


def _after_start(columns: Columns) -> pl.Series | None:
    """`celery.countdown` is in seconds from the send."""
    if "_countdown" not in columns:
        return None
    seconds = columns["_countdown"].cast(pl.Float64(), strict=False)
    seconds = seconds.set(~seconds.is_between(0, 1e9), None)
    return columns["start_ns"] + (seconds * 1e9).cast(pl.Int64(), strict=False)
