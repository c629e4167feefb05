"""Distinct pieces of attribute lists: the same as reading each list by itself."""

from __future__ import annotations

import msgspec
import pytest

from collectors.decoders import json_pieces, otlp_objects

A = '{"key":"a","value":{"stringValue":"x"}}'
ARRAY = '{"key":"b","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}'
MAP = '{"key":"m","value":{"kvlistValue":{"values":[%s,%s]}}}' % (A, A)  # noqa: UP031
LISTS = [f"[{A},{ARRAY}]", "[]", f"[{ARRAY}]", "null", f"[{A},{A}]", f"[{MAP}]", f"[{MAP},{A}]"]
LISTS += [f"[ {A}]", f"[{A} ,{A}]", f"[{A},{MAP},{ARRAY}]", f"[{A}]"]


@pytest.mark.parametrize("order", [1, -1])
def test_lists_are_read_as_they_would_be_one_by_one(order: int) -> None:
    lists = LISTS[::order]
    read = json_pieces.read([msgspec.Raw(text.encode()) for text in lists])
    assert read is not None
    found: dict[int, list[tuple[object, ...]]] = {row: [] for row in range(len(lists))}
    pairs = read.attributes.pairs.rows()
    for row, pair in zip(read.attributes.row, read.attributes.pair, strict=True):
        found[int(row)].append(pairs[pair])
    irregular = set(read.irregular.tolist())
    assert irregular == {row for row, text in enumerate(lists) if MAP in text or " " in text}
    for row, text in enumerate(lists):
        pairs_of_list = otlp_objects.attributes({"attributes": msgspec.json.decode(text)})
        assert found[row] == ([] if row in irregular else pairs_of_list)
