"""Names of steps: service and operation, with ids and numbers taken out."""

from __future__ import annotations

import polars as pl

from analyzer.codes import Ints, combine, ints

MAX_ROUTES = 50  # routing keys of one place: more, and they hold ids that nobody took out
MAX_LABELS = 10_000  # aggregation keys; what is rarer becomes OTHER
OTHER = "__other__"
_NAMING = (
    *("service", "name", "operation", "destination", "event_type", "routing_key"),
    *("http_method", "http_route", "rpc_method"),
)
_VERBS = {"send": "publish", "create": "publish", "process": "process", "receive": "receive"}


def _codes(shortest: int) -> str:
    """Capitals and digits, at least one digit, at least `shortest` long; Rust's expressions
    have no look-ahead, so the place of the last digit is spelled out."""
    tails = [rf"[A-Z0-9]{{{shortest - 1 - t},}}[0-9][A-Z]{{{t}}}" for t in range(shortest - 1)]
    return r"\b(?:" + "|".join([*tails, rf"[A-Z0-9]*[0-9][A-Z]{{{shortest - 1},}}"]) + r")\b"


# Rust regex, in this order; delimiters are kept, so that "v2" and "service3" stay what they are.
_IDS: tuple[tuple[str, str], ...] = (
    (r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "{id}"),  # UUID
    (r"\b(amq\.gen|tmp|temp)[-.][\w-]{8,}", "${1}-{id}"),  # broker-made queue names
    (r"(?i)\b[0-9a-f]*(?:[0-9][a-f]|[a-f][0-9])[0-9a-f]{6,}\b", "{id}"),  # hex with digits
    (_codes(8), "{id}"),  # product codes, ULIDs: OLJCESPC7Z
    (r"\b[a-zA-Z]{0,12}[-_]?[0-9]{5,}\b", "{id}"),  # ord-482113
    (r"(^|[/ .:,#-])[0-9]+(\b)", "${1}{n}${2}"),  # plain numbers between delimiters
)


def normalise(names: pl.Expr) -> pl.Expr:
    """Replace ids and numbers in names, so that one operation has one name."""
    for pattern, replacement in _IDS:
        names = names.str.replace_all(pattern, replacement)
    return names


def operation_name() -> pl.Expr:
    """The operation of a span from its columns `_NAMING` (as strings).

    Messaging: verb, destination and the type or routing key of the message, where these differ.
    HTTP: method and route where the span's own name has no path. Otherwise the span's name.
    """
    verb = pl.col("operation").replace_strict(_VERBS, default=None)
    place, what = pl.col("destination"), pl.coalesce("event_type", "routing_key")
    lower, type_ = place.str.to_lowercase(), what.str.to_lowercase()
    same = lower.str.contains(type_, literal=True) | type_.str.contains(lower, literal=True)
    both = pl.concat_str(place, pl.when(~same).then(what), separator=" ", ignore_nulls=True)
    messaging = pl.concat_str(
        verb, pl.lit(" "), pl.when(place.is_null()).then(what).otherwise(both)
    )
    has_path = pl.col("name").str.contains("/", literal=True)
    http = pl.concat_str(
        pl.col("http_method").fill_null(pl.col("name")), pl.lit(" "), pl.col("http_route")
    )
    plain = pl.when(pl.col("http_method").is_not_null() & ~has_path).then(http)
    return normalise(pl.coalesce(messaging, plain, pl.col("name")))


def label_table(spans: pl.DataFrame) -> tuple[Ints, pl.DataFrame]:
    """(label code of each span, table of labels with `service` and `operation` by code).

    Codes are in order of (service, operation), so they do not depend on the order of spans.
    """
    codes, first = combine(*(ints(spans[name]) for name in _NAMING))
    named = (
        spans.select(_NAMING)[first]
        .with_columns(pl.col(_NAMING).cast(pl.String))
        .with_columns(routing_key=_route())
        .select("service", operation=operation_name())
    )
    named = _cap(named, codes)
    labels = named.unique().sort("service", "operation").with_row_index("label")
    of_name = named.join(labels, on=["service", "operation"], how="left", maintain_order="left")
    word = pl.Categorical()
    table = labels.select(pl.col("service").cast(word), pl.col("operation").cast(word))
    return ints(of_name["label"])[codes], table


def _route() -> pl.Expr:
    """The routing key, where it says what a message is: of few in its place, and not a queue's
    own name."""
    few = normalise(pl.col("routing_key")).n_unique().over("service", "operation", "destination")
    return pl.when(few <= MAX_ROUTES).then("routing_key")


def _cap(named: pl.DataFrame, codes: Ints) -> pl.DataFrame:
    """Fold the rarest operations into OTHER where there are more than MAX_LABELS."""
    if len(named) <= MAX_LABELS:
        return named
    counts = pl.Series("code", codes).value_counts().sort("code")["count"]
    rank = named.with_columns(count=counts).with_columns(
        rank=pl.struct(
            -pl.col("count").sum().over("service", "operation").cast(pl.Int64),
            "service",
            "operation",
        ).rank("dense")
    )
    kept = pl.col("rank") <= MAX_LABELS
    return rank.select(
        "service", operation=pl.when(kept).then("operation").otherwise(pl.lit(OTHER))
    )
