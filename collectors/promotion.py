"""Finds, for every owner of attributes at once, the value of each aliased name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from collectors import schema
from collectors.words import dictionary

Ints = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.uint16 | np.uint32]
Bools = npt.NDArray[np.bool_]

MAX_ATTRIBUTES = 1024  # of one owner; SDKs stop at 128 by default
MAX_VALUE = 32_768  # characters; an exception's stack trace fits


class AttributeTable:
    """Long attributes ordered by (owner, key), each key once: the last one that came."""

    def __init__(self, attributes: pl.DataFrame, owners: int) -> None:
        """`attributes` has the columns of `raw.RAW_ATTRIBUTES`; `owners` is how many there are."""
        self.owners = owners
        self._frame = attributes
        self.keys, ranks = _ranked(attributes["key"])
        owner = attributes["row"].to_numpy()
        order = _order(owner, ranks, owners)
        self.duplicated, self.capped = np.zeros(owners, np.bool_), np.zeros(owners, np.bool_)
        order = self._once(order, owner, ranks)
        order = self._cap(order, owner)
        self.position = order  # row in the frame of each kept attribute
        self.owner: npt.NDArray[np.uint32] = owner[order]
        self.rank = ranks[order]

    def _once(self, order: Ints, owner: npt.NDArray[np.uint32], ranks: Ranks) -> Ints:
        """Of one key of one owner only the last stays: the order is stable."""
        owners, keys = owner[order], ranks[order]
        again = (owners[1:] == owners[:-1]) & (keys[1:] == keys[:-1])
        if not again.any():
            return order
        self.duplicated[owners[1:][again]] = True
        kept: Ints = order[~np.append(again, False)]
        return kept

    def _cap(self, order: Ints, owner: npt.NDArray[np.uint32]) -> Ints:
        if len(order) <= MAX_ATTRIBUTES:
            return order
        owners = owner[order]
        counts = np.bincount(owners, minlength=self.owners)
        if counts.max() <= MAX_ATTRIBUTES:
            return order
        self.capped |= counts > MAX_ATTRIBUTES
        nth = np.arange(len(order)) - (np.cumsum(counts) - counts)[owners]
        kept: Ints = order[nth < MAX_ATTRIBUTES]
        return kept

    def values(self, positions: Ints | None = None) -> pl.Series:
        """The values as text, of all kept attributes or of those positions in the table."""
        rows = self.position if positions is None else self.position[positions]
        return self._frame["value"].gather(rows)

    def find(self, aliases: Mapping[str, tuple[str, ...]]) -> dict[str, Found]:
        """For each name the owners that carry one of its aliases; absent names are left out."""
        ranks = {key: rank for rank, key in enumerate(self.keys)}
        wanted = {key: ranks[key] for names in aliases.values() for key in names if key in ranks}
        rows = self._rows(sorted(set(wanted.values())))
        found: dict[str, Found] = {}
        for name, keys in aliases.items():
            present = [rows[wanted[key]] for key in keys if key in wanted]
            if present:
                found[name] = self._found(present)
        return found

    def _rows(self, ranks: list[int]) -> dict[int, Ints]:
        """The positions of each key, found in one pass."""
        lookup = np.zeros(len(self.keys) + 1, np.uint16)
        lookup[ranks] = np.arange(1, len(ranks) + 1)
        slot = lookup[self.rank]
        here = np.flatnonzero(slot)
        here = here[np.argsort(slot[here], kind="stable")]
        ends = np.cumsum(np.bincount(slot[here], minlength=len(ranks) + 1))
        return {rank: here[ends[i] : ends[i + 1]] for i, rank in enumerate(ranks)}

    def _found(self, present: list[Ints]) -> Found:
        position = np.full(self.owners, -1, np.int64)
        for rows in reversed(present):
            position[self.owner[rows]] = rows
        value = self.values(position[position >= 0])
        index = np.full(self.owners, -1, np.int64)
        index[position >= 0] = np.arange(len(value))
        losers = np.empty(0, np.int64)
        if len(present) > 1:
            rows = np.concatenate(present)
            losers = rows[position[self.owner[rows]] != rows]
        return Found(position, value.gather(_nullable(index)), losers)

    def having(self, prefixes: Iterable[str]) -> Bools:
        """The owners with a key that begins with one of the prefixes."""
        start = tuple(prefixes)
        hit = np.array([key.startswith(start) for key in self.keys], np.bool_)
        result = np.zeros(self.owners, np.bool_)
        if hit.any():
            result[self.owner[hit[self.rank]]] = True
        return result

    def rest(self, dropped: Iterable[Ints], owner_name: str) -> pl.DataFrame:
        """What was not promoted: owner, key, value; in order of (owner, key)."""
        keep = np.ones(len(self.owner), np.bool_)
        for rows in dropped:
            keep[rows] = False
        here = np.flatnonzero(keep)
        words = pl.Series(self.keys, dtype=schema.WORD)
        value, capped = cap_text(self.values(here))
        self.capped[self.owner[here[capped]]] = True
        return pl.DataFrame(
            {
                owner_name: self.owner[here],
                "key": words.gather(self.rank[here].astype(np.uint32)),
                "value": value,
            },
            schema_overrides={owner_name: pl.UInt32()},
        )

    def json_objects(self) -> pl.Series:
        """One JSON object an owner, "" where it has no attributes."""
        frame = pl.DataFrame(
            {
                "owner": self.owner,
                "key": pl.Series(self.keys, dtype=pl.String()).gather(self.rank),
                "value": cap_text(self.values())[0],
                "quoted": self._frame["quoted"].gather(self.position),
            }
        )
        value = pl.when("quoted").then(_quoted("value")).otherwise("value")
        members = frame.select("owner", member=pl.concat_str(_quoted("key"), pl.lit(":"), value))
        joined = members.group_by("owner", maintain_order=True).agg(pl.col("member").str.join(","))
        objects = joined.select(pl.concat_str(pl.lit("{"), "member", pl.lit("}"))).to_series()
        index = np.full(self.owners, -1, np.int64)
        index[joined["owner"].to_numpy()] = np.arange(len(joined))
        return objects.gather(_nullable(index)).fill_null("")


@dataclass(frozen=True, slots=True)
class Found:
    """One name's value for every owner, and where in the table it stood."""

    position: Ints  # per owner; -1 = none
    value: pl.Series  # per owner, String; null = none
    losers: Ints  # positions of other aliases of owners that had a better one


def cap_text(values: pl.Series) -> tuple[pl.Series, Ints]:
    """Cut values beyond `MAX_VALUE`; also the positions that were cut."""
    if not len(values) or (values.str.len_bytes().max() or 0) <= MAX_VALUE:  # type: ignore[operator]
        return values, np.empty(0, np.int64)
    cut = values.str.slice(0, MAX_VALUE)
    return cut, np.flatnonzero((cut != values).fill_null(False).to_numpy())


def _ranked(keys: pl.Series) -> tuple[list[str], Ranks]:
    """The distinct keys in lexical order, and for each row the rank of its key."""
    codes, distinct, texts = dictionary(keys.cast(schema.WORD))
    order = sorted(range(len(texts)), key=texts.__getitem__)
    names = [texts[place] for place in order]
    lookup = np.zeros(int(distinct[-1]) + 1 if len(names) else 0, np.int64)
    lookup[distinct[order]] = np.arange(len(names))
    small = np.uint16 if len(names) <= 65_536 else np.uint32
    ranks: Ranks = lookup.astype(small)[codes]  # type: ignore[assignment] # numpy loses the union
    return names, ranks


def _order(owner: npt.NDArray[np.uint32], ranks: Ranks, owners: int) -> Ints:
    """Stable order by (owner, key): two radix passes where both fit 16 bits."""
    by_key = np.argsort(ranks, kind="stable")
    small = owner[by_key]
    if owners <= 65_536:
        small = small.astype(np.uint16)
    return by_key[np.argsort(small, kind="stable")]


def _nullable(index: Ints) -> pl.Series:
    """Row numbers for `gather`, -1 as null."""
    found = pl.from_arrow(pa.array(index, pa.int64(), mask=index < 0))
    assert isinstance(found, pl.Series)
    return found


def _control_escapes() -> Iterator[tuple[str, str]]:
    yield from (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
    for code in range(32):
        if chr(code) not in "\n\r\t":
            yield chr(code), f"\\u{code:04x}"


_ESCAPES = dict(_control_escapes())


def _quoted(column: str) -> pl.Expr:
    """A JSON string literal."""
    escaped = pl.col(column).str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
    return pl.concat_str(pl.lit('"'), escaped, pl.lit('"'))
