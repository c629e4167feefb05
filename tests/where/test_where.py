"""The filter keeps what it says, refuses what it does not know, and never crashes."""

from __future__ import annotations

import contextlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.where import FIELDS, WhereError, compile_where, matches
from analyzer.where.compiler import _is_key, _test_key, _test_list
from tests.support.analysis_builder import T0, S, build, order, shop
from tests.support.hostile import HOSTILE

SHOP = shop()
INSTANCES, NOW = SHOP.instances, SHOP.as_of_ns


def kept(query: str) -> list[str]:
    return matches(INSTANCES, query, NOW)["id"].to_list()


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 12),
        ("state:stuck,failed", 3),
        ("STATE:Stuck", 2),
        ("-state:complete", 3),
        ("NOT state:complete", 3),
        ("NOT NOT state:complete", 9),
        ("- -state:complete", 9),
        ("age:>5m", 12),
        ("age>5m", 12),
        ("age:>2h", 0),
        ("age:30m..2h", 12),
        ("overdue:>1m", 2),
        ("overdue:..58m", 0),
        ("duration:1s..", 9),
        ("duration:<=1.1s", 12),
        ("duration:<1.1s", 3),
        ("steps:4", 3),
        ("steps:4..5", 12),
        ("errors:>=1", 1),
        ("spans:>4", 9),
        ("id:ord-*", 12),
        ("id:ORD-000?", 9),
        ("id:ord-x,ord-0001", 2),
        ("/stuck-[12]$/", 2),
        ("id:/^ord-\\d+$/", 9),
        ("key:ord-x", 1),
        ("key:order.id=ord-x", 1),
        ("key:order.id", 12),
        ("service:fraud -service:payments", 3),
        ("waiting:payments", 2),
        ('waiting:"capture payment"', 2),
        ("waiting:payments.due", 2),
        ("waiting:*", 2),
        ("cause:consumer-*", 2),
        ("-cause:*", 10),
        ("trace:0000", 12),
        ("trace:0000000000000000000000000000000C", 1),
        ("start:2023-11-14", 12),
        ("start:>2023-11-14", 0),
        ("start:>=2023-11-14", 12),
        ("start:2023-11-14T22:13..", 12),
        ("end:<2023-11-14T22:13:21", 3),
        ("fraud", 12),
        ("consumer-dark", 2),
        ("PAYMENTS", 11),
        ("state:stuck OR state:failed AND id:ord-x", 3),
        ("(state:stuck OR state:failed) AND id:ord-x", 1),
        ("(state:stuck OR state:failed) id:ord-x", 1),
        ("wf:order", 12),
        ("wf:ord", 0),
    ],
)
def test_a_filter_keeps_what_it_says(query: str, number: int) -> None:
    assert len(kept(query)) == number


@pytest.mark.parametrize(
    ("query", "start", "says"),
    [
        ("stat:stuck", 0, "did you mean 'state'?"),
        ("id:a AND stte:x", 9, "did you mean 'state'?"),
        ("state:stuk", 6, "did you mean 'stuck'?"),
        ("(", 1, "missing"),
        ("()", 1, "missing"),
        ("(a", 2, "closing parenthesis is missing"),
        (")", 0, "no opening"),
        ("a)", 1, "no opening"),
        ("a OR", 2, "OR needs"),
        ("OR a", 0, "missing"),
        ("AND", 0, "AND needs"),
        ("a AND AND b", 6, "AND needs"),
        ("NOT", 3, "missing after the negation"),
        ("age:5", 4, "not a duration"),
        ("age:>x", 4, "not a duration"),
        ("steps:many", 6, "not a count"),
        ("steps:..", 6, "needs a bound"),
        ("steps:/x/", 6, "not a"),
        ("start:2023-99-99", 6, "not a time"),
        ("id:/(/", 3, "unclosed group"),
        ("id:/a(?=b)/", 3, "bad pattern"),
        ("id:/a{9999}{9999}/", 3, "bad pattern"),
        ("id:a\ud800", 4, "no character"),
        ("id:", 3, "value is missing"),
        ('id:"x', 3, "never closed"),
        ("id:a,", 5, "value is missing"),
        ("a,b", 1, "comma"),
        ("state:>a", 6, "no >"),
        ("x" * 10_001, 10_000, "at most"),
        ("(" * 60 + "a" + ")" * 60, 51, "nested"),
    ],
)
def test_an_error_names_the_token_and_its_place(query: str, start: int, says: str) -> None:
    with pytest.raises(WhereError) as caught:
        compile_where(query, NOW)
    assert caught.value.start == start
    assert says in caught.value.message
    assert caught.value.start < caught.value.end


WORDS = st.sampled_from(
    ["state:stuck", "id:ord-*", "age:>5m", "steps:5", "fraud", "-errors:0", "cause:*", '"ord-x"']
)
QUERIES = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR ", " "]), inner).map("".join),
        inner.map("NOT ({})".format),
        inner.map("({})".format),
    ),
    max_leaves=8,
)


@given(QUERIES)
def test_a_filter_and_its_negation_share_the_rows(query: str) -> None:
    """Two-valued: a missing value is no match, never an unknown that both sides lose."""
    yes, no = kept(query), kept(f"NOT ({query})")
    assert sorted(yes + no) == INSTANCES["id"].to_list()


@given(QUERIES, QUERIES)
def test_de_morgan(a: str, b: str) -> None:
    assert kept(f"NOT (({a}) AND ({b}))") == kept(f"NOT ({a}) OR NOT ({b})")
    assert kept(f"({a}) ({b})") == kept(f"({b}) AND ({a})")


FRAGMENTS = ["(", ")", "-", "NOT ", " AND ", " OR ", ",", "..", "/", '"', ">", "<=", "\\", " ", "*"]
SOUP = st.lists(
    st.sampled_from(FRAGMENTS + [f"{f.names[0]}:" for f in FIELDS]) | st.text(max_size=4)
).map("".join)


@given(SOUP)
def test_any_text_is_a_filter_or_a_clear_error(text: str) -> None:
    where = 0
    try:
        matches(INSTANCES, text, NOW)
    except WhereError as error:
        where = error.start
    assert 0 <= where <= len(text)


@given(st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(list(HOSTILE.values())))
def test_a_quoted_name_finds_exactly_its_instance(name: str) -> None:
    """Whatever the id is, quoting it finds it, whole and as a part."""
    analysis = build([order(name, "complete"), order("other instance", "complete")])
    quoted = name[:4000].replace("\\", "\\\\").replace('"', '\\"')
    if name and len(name) <= 4000 and name != "other instance":
        assert matches(analysis.instances, f'id:"{quoted}"', NOW)["id"].to_list() == [name]
    if name.strip() and len(name) <= 4000:
        assert name in matches(analysis.instances, f'"{quoted}"', NOW)["id"].to_list()


def test_a_hostile_regex_stays_linear() -> None:
    """The classic bomb of backtracking engines ends at once."""
    frame = INSTANCES.with_columns(id=pl.lit("a" * 5000))
    assert matches(frame, "id:/^(a+)+$/", NOW).height == 12
    assert matches(frame, "id:/^(a+)+b$/", NOW).height == 0


def test_stars_and_long_words_are_cheap() -> None:
    assert kept("id:" + "*" * 9_900) == INSTANCES["id"].to_list()
    for query in ("id:" + "a*" * 4_900, "id:" + "?" * 9_900, "b" * 9_900, "id:" + "é*" * 4_900):
        found: list[str] = []
        with contextlib.suppress(WhereError):  # refused, or answered, never a crash
            found = kept(query)
        assert found == []


def test_times_are_half_open() -> None:
    at = build([order("a")], as_of=10 * S)
    assert matches(at.instances, "start:2023-11-14T22:13:20Z", NOW).height == 1
    assert matches(at.instances, "start:2023-11-15T00:13:20+02:00", NOW).height == 1
    assert matches(at.instances, "start:<2023-11-14T22:13:20Z", NOW).height == 0
    assert matches(at.instances, f"start:{T0}", NOW).height == 1
    assert matches(at.instances, "start:2023-11-14T22:13:21", NOW).height == 0


def test_every_field_is_listed_once() -> None:
    names = [name for field in FIELDS for name in field.names]
    assert len(names) == len(set(names))
    assert {c for f in FIELDS for c in f.columns} <= set(INSTANCES.columns)


KEYS = st.text(alphabet="aAkKsS=.-1\u212a\u017f\u0130\n*[", max_size=6)


@settings(max_examples=300, deadline=None)
@given(KEYS.filter(str.isascii), st.lists(KEYS, max_size=8))
def test_a_key_by_pattern_is_a_key_by_comparison(text: str, keys: list[str]) -> None:
    """The fast way says what the plain one says, case, `=` and all."""
    lowered = text.lower()
    frame = pl.DataFrame({"keys": [[key] for key in keys]}, schema={"keys": pl.List(pl.String)})
    plain = _test_key("keys", lambda column: column.str.to_lowercase() == lowered)
    quick = _test_list("keys", _is_key(text))
    assert frame.select(a=plain)["a"].to_list() == frame.select(a=quick)["a"].to_list()
