"""Business keys: which spans carry which key value, configured keys and those of frameworks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.stitching.evidence import Tier
from collectors.recording import Recording

# Attributes that the collectors moved into columns of their own, and may still be used as keys.
_COLUMNS = {
    "messaging.message.conversation_id": "conversation_id",
    "messaging.conversation_id": "conversation_id",
    "messaging.kafka.message.key": "message_key",
    "messaging.kafka.message_key": "message_key",
    "kafka.key": "message_key",
    "cloudevents.event_subject": "event_subject",
}
PLACEHOLDERS = ("", "null", "None", "nil", "undefined", "unknown", "0", "-", "N/A")


class KeySyntaxError(ValueError):
    """A key that was configured cannot be understood."""


@dataclass(frozen=True)
class Key:
    """A business key: one name, and the attributes that hold it."""

    name: str
    attributes: tuple[str, ...]


def parse_keys(texts: Sequence[str]) -> tuple[Key, ...]:
    """Keys from "order.id" or "order.id=app.order_id,orderId" (the name itself always counts)."""
    keys = []
    for text in texts:
        name, _, aliases = text.partition("=")
        parts = [part.strip() for part in aliases.split(",")] if aliases else []
        if not name.strip() or not all(parts):
            raise KeySyntaxError(f"key {text!r}: write NAME or NAME=ALIAS,ALIAS (no empty part)")
        keys.append(Key(name.strip(), (name.strip(), *parts)))
    return tuple(keys)


@dataclass(frozen=True)
class KeyValues:
    """One row for each span and key value: row of the span, code of the value, tier of the key."""

    row: Ints
    value: Ints
    name: Ints  # code of the key's name: what may not differ inside one instance
    tier: Ints
    texts: pl.DataFrame  # by value code: `name`, `text`

    def __len__(self) -> int:
        return len(self.row)


def key_values(recording: Recording, keys: Sequence[Key], fragment: Ints) -> KeyValues:
    """Every key value on a span: configured keys, framework instances, conversation ids.

    One row for each (fragment, value) is enough to join fragments, and the first span serves.
    """
    parts = [_configured(recording, key, order) for order, key in enumerate(keys)]
    parts.append(_framework(recording.spans, len(keys)))
    parts.append(_conversation(recording.spans, len(keys) + 1))
    frame = pl.concat(parts)
    frame = frame.filter(~pl.col("text").is_in(PLACEHOLDERS))
    frame = (
        frame.with_columns(fragment=pl.Series(fragment[ints(frame["row"])]))
        .sort("row")
        .unique(["fragment", "order", "text"], keep="first", maintain_order=True)
        .sort("order", "text", "row")
    )
    texts = frame.select("order", "name", "text", "tier").unique(
        ["order", "text"], keep="first", maintain_order=True
    )
    coded = frame.join(texts.select("order", "text").with_row_index("value"), on=["order", "text"])
    coded = coded.sort("value", "row")
    return KeyValues(
        row=ints(coded["row"]),
        value=ints(coded["value"]),
        name=ints(coded["order"]),
        tier=ints(coded["tier"]),
        texts=texts,
    )


def _part(frame: pl.DataFrame, name: pl.Expr, order: int, tier: Tier) -> pl.DataFrame:
    return frame.select(
        pl.col("row").cast(pl.Int64),
        pl.col("text").cast(pl.String),
        name=name.cast(pl.String),
        order=pl.lit(order, dtype=pl.Int64),
        tier=pl.lit(int(tier), dtype=pl.Int64),
    )


def carried(recording: Recording, key: Key) -> bool:
    """Whether any span carries a value of the key."""
    return not _configured(recording, key, 0).is_empty()


def _configured(recording: Recording, key: Key, order: int) -> pl.DataFrame:
    attributes, links = recording.attributes, recording.link_attributes
    wanted = pl.col("key").cast(pl.String).is_in(list(key.attributes))
    found = attributes.filter(wanted).select(row="span", text="value")
    columns = {_COLUMNS[name] for name in key.attributes if name in _COLUMNS}
    columns |= {name for name in key.attributes if name in recording.spans.columns}
    rows = recording.spans.select(sorted(columns)).with_row_index("row")
    promoted = [
        rows.select("row", text=pl.col(name).cast(pl.String)).drop_nulls()
        for name in sorted(columns)
    ]
    del links  # a key on a link belongs to the linked message, not to the batch span
    frame = pl.concat([found, *promoted])
    return _part(frame, pl.lit(key.name), order, Tier.KEY)


def _framework(spans: pl.DataFrame, order: int) -> pl.DataFrame:
    rows = spans.select("framework", "framework_instance").with_row_index("row")
    rows = rows.filter(pl.col("framework_instance").is_not_null())
    framework = pl.col("framework").cast(pl.String).fill_null("framework")
    rows = rows.with_columns(
        framework=framework,
        text=pl.concat_str(framework, pl.lit(":"), pl.col("framework_instance")),
    )
    return _part(rows, pl.col("framework"), order, Tier.FRAMEWORK)


def _conversation(spans: pl.DataFrame, order: int) -> pl.DataFrame:
    """Conversation ids; short ones are entry numbers of a batch (boto3 SQS), no conversations."""
    rows = spans.select(text="conversation_id").with_row_index("row")
    rows = rows.filter(pl.col("text").str.len_bytes() >= 8)
    return _part(rows, pl.lit("conversation"), order, Tier.CONVERSATION)


@dataclass(frozen=True)
class Conflict:
    """A span that carries the key value of another case than the one it belongs to."""

    row: int
    kept: str  # the value that was believed; "" where it is not known
    refused: str


def value_texts(values: KeyValues, codes: np.ndarray) -> list[str]:
    """ "name=text" of value codes, for people."""
    chosen = values.texts[codes.tolist()]
    return [f"{name}={text}" for name, text in chosen.select("name", "text").iter_rows()]
