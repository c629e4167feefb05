"""Finds, for every owner of attributes at once, the value of each aliased name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from collectors import schema
from collectors.raw import MAX_ATTRIBUTES, Numbers, RawAttributes
from collectors.words import dictionary, taken

Ints = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.uint16 | np.uint32]
Bools = npt.NDArray[np.bool_]

Types = Mapping[str, pl.DataType]
Findings = dict[str, "Found"]
NO_TYPES: Types = {}

MAX_VALUE = 32_768  # characters; an exception's stack trace fits


class AttributeTable:
    """Long attributes ordered by (owner, key), each key once: the last one that came."""

    def __init__(self, attributes: RawAttributes, owners: int) -> None:
        """`owners` is how many there are."""
        self.owners = owners
        self._pairs = attributes.pairs
        self._texts = _owning(self._pairs["value"])
        self.keys, self._pair_ranks = _ranked(self._pairs["key"])
        self.duplicated, self.capped = np.zeros(owners, np.bool_), np.zeros(owners, np.bool_)
        owner, ranks = attributes.row, self._pair_ranks[attributes.pair]
        order, owner, ranks = _ordered(owner, ranks)
        kept = self._cap(owner, self._once(owner, ranks))
        if kept is not None:
            order, owner, ranks = order[kept], owner[kept], ranks[kept]
        self.owner, self.rank = owner, ranks
        self.pair = attributes.pair[order]
        self._known: dict[int, Ints] = {}  # rank of a key -> its positions

    def _once(self, owner: Numbers, ranks: Ranks) -> Ints | None:
        """Of one key of one owner only the last stays: the order is stable. None = all."""
        again = (ranks[1:] == ranks[:-1]) & (owner[1:] == owner[:-1])
        if not again.any():
            return None
        self.duplicated[owner[1:][again]] = True
        return np.flatnonzero(~np.append(again, False))

    def _cap(self, owner: Numbers, kept: Ints | None) -> Ints | None:
        if len(owner) <= MAX_ATTRIBUTES:
            return kept
        counts = np.bincount(owner, minlength=self.owners)
        self.capped |= counts > MAX_ATTRIBUTES  # decoders read no more: some may be lost
        owners = owner if kept is None else owner[kept]
        if kept is not None:
            counts = np.bincount(owners, minlength=self.owners)
        if counts.max() <= MAX_ATTRIBUTES:
            return kept
        nth = np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]
        few = np.flatnonzero(nth < MAX_ATTRIBUTES)
        return few if kept is None else kept[few]

    def values(self, positions: Ints) -> pl.Series:
        """The values as text of those positions in the table."""
        return taken(self._texts, self.pair[positions])

    def find(self, aliases: Mapping[str, tuple[str, ...]], types: Types = NO_TYPES) -> Findings:
        """For each name the owners that carry one of its aliases; absent names are left out.

        Values are String, or what `types` says; null where the text is none of that type.
        """
        ranks = {key: rank for rank, key in enumerate(self.keys)}
        wanted = {key: ranks[key] for names in aliases.values() for key in names if key in ranks}
        rows = self._rows(sorted(set(wanted.values())))
        found: dict[str, Found] = {}
        for name, keys in aliases.items():
            present = {wanted[key]: rows[wanted[key]] for key in keys if key in wanted}
            if present:
                found[name] = self._found(present, types.get(name))
        return found

    def _rows(self, ranks: Sequence[int]) -> dict[int, Ints]:
        """The positions of each key; those that nobody asked for before in one pass."""
        new = [rank for rank in ranks if rank not in self._known]
        if new:
            self._known.update(self._located(new))
        return {rank: self._known[rank] for rank in ranks}

    def _located(self, ranks: Sequence[int]) -> dict[int, Ints]:
        small = np.uint16 if len(ranks) < 65_536 else np.uint32
        lookup = np.zeros(len(self.keys) + 1, small)
        lookup[ranks] = np.arange(1, len(ranks) + 1)
        slot = lookup[self.rank]
        here = np.flatnonzero(slot)
        slot = slot[here]
        here = here[np.argsort(slot, kind="stable")]
        ends = np.cumsum(np.bincount(slot, minlength=len(ranks) + 1))
        return {rank: here[ends[i] : ends[i + 1]] for i, rank in enumerate(ranks)}

    def _found(self, present: Mapping[int, Ints], dtype: pl.DataType | None) -> Found:
        slot, values = self._own if dtype is None else self._distinct(list(present), dtype)
        position = np.full(self.owners, -1, np.int64)
        code = np.zeros(self.owners, np.uint32)  # 0 = null
        for rows in reversed(list(present.values())):
            owner = self.owner[rows]
            position[owner] = rows
            code[owner] = slot[self.pair[rows]]
        losers = np.empty(0, np.int64)
        if len(present) > 1:
            rows = np.concatenate(list(present.values()))
            losers = rows[position[self.owner[rows]] != rows]
        return Found(position, taken(values, code), losers)

    @cached_property
    def _own(self) -> tuple[Numbers, pl.Series]:
        """As `_distinct`, of all pairs as they are."""
        slot = np.arange(1, len(self._pair_ranks) + 1, dtype=np.uint32)
        return slot, pl.concat([self._texts.clear(1), self._texts], rechunk=True)

    def _distinct(self, ranks: list[int], dtype: pl.DataType) -> tuple[Numbers, pl.Series]:
        """A null and the values of those keys' pairs, and which of them each pair has."""
        mark = np.zeros(len(self.keys), np.bool_)
        mark[ranks] = True
        pairs = np.flatnonzero(mark[self._pair_ranks])
        slot = np.zeros(len(self._pair_ranks), np.uint32)
        slot[pairs] = np.arange(1, len(pairs) + 1)
        index = np.zeros(len(pairs) + 1, np.uint32)
        index[1:] = pairs
        values = taken(self._texts, pl.Series(index).scatter(0, None))
        return slot, values if dtype is None else values.cast(dtype, strict=False)

    def having(self, prefixes: Iterable[str]) -> Bools:
        """The owners with a key that begins with one of the prefixes."""
        start = tuple(prefixes)
        hits = [rank for rank, key in enumerate(self.keys) if key.startswith(start)]
        result = np.zeros(self.owners, np.bool_)
        for rows in self._rows(hits).values():
            result[self.owner[rows]] = True
        return result

    def rest(self, dropped: Iterable[Ints], owner_name: str) -> pl.DataFrame:
        """What was not promoted: owner, key, value; in order of (owner, key)."""
        keep = np.ones(len(self.owner), np.bool_)
        for rows in dropped:
            keep[rows] = False
        owner, pair = self.owner[keep], self.pair[keep]
        values, capped = cap_text(self._texts)
        if len(capped):
            long = np.zeros(len(values), np.bool_)
            long[capped] = True
            self.capped[owner[long[pair]]] = True
        words = pl.Series(self.keys, dtype=schema.WORD)
        columns = {"key": taken(words, self.rank[keep]), "value": taken(values, pair)}
        return pl.DataFrame({owner_name: owner, **columns})

    def json_objects(self) -> pl.Series:
        """One JSON object an owner, "" where it has no attributes."""
        capped = cap_text(self._texts)[0]
        value = pl.when("quoted").then(_quoted("value")).otherwise("value")
        pairs = self._pairs.with_columns(capped.alias("value")).select(
            pl.concat_str(_quoted("key"), pl.lit(":"), value)
        )
        texts = taken(pairs.to_series(), self.pair)
        members = pl.DataFrame({"owner": self.owner, "member": texts})
        joined = members.group_by("owner", maintain_order=True).agg(pl.col("member").str.join(","))
        objects = joined.select(pl.concat_str(pl.lit("{"), "member", pl.lit("}"))).to_series()
        index = np.zeros(self.owners, np.uint32)
        index[joined["owner"].to_numpy()] = np.arange(1, len(joined) + 1)
        return taken(pl.concat([pl.Series([""]), objects], rechunk=True), index)


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


def _ordered(owner: Numbers, ranks: Ranks) -> tuple[Ints, Numbers, Ranks]:
    """(order, owner, rank) by (owner, key) and then as they came: sorts one packed number each."""
    if not len(owner):
        return np.empty(0, np.int64), owner, ranks
    place, key = len(owner).bit_length(), int(ranks.max()).bit_length()
    if place + key + int(owner.max()).bit_length() > 64:
        order = np.lexsort((ranks, owner))
        return order, owner[order], ranks[order]
    packed = (owner.astype(np.uint64) << np.uint64(key)) | ranks
    packed <<= np.uint64(place)
    packed |= np.arange(len(owner), dtype=np.uint64)
    packed.sort()
    order = (packed & np.uint64((1 << place) - 1)).view(np.int64)
    packed >>= np.uint64(place)
    rank = (packed & np.uint64((1 << key) - 1)).astype(ranks.dtype)
    return order, (packed >> np.uint64(key)).astype(np.uint32), rank


def _owning(texts: pl.Series) -> pl.Series:
    """Copied out of the input's buffers: a few texts would keep all of it in memory."""
    found = pl.from_arrow(texts.to_arrow(compat_level=pl.CompatLevel.oldest()))
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
