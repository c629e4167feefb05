"""The expectations file: what it may say, and how its errors are told."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from analyzer.conformance.expectations import StepName
from analyzer.conformance.file import parse, schema
from analyzer.conformance.grammar import DURATION
from analyzer.conformance.yaml_text import DeclarationError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in pairwise("abcdefghi")
)
ROOT = Path(__file__).parents[2]
MINUTE = 60 * 10**9
DESIGN = """\
workflows:
  order:
    starts: {service: orders, step: "publish orders.placed"}
    keys: [order.id, app.order_id]            # same thing under several names
    steps:
      - {step: "process orders.placed", service: notification, within: 5m}
      - {step: "process orders.placed", service: inventory, within: 5m, owner: team-stock}
      - {step: "publish parcel.assigned", service: logistics, within: 1h, required: true}
    exclusive: [["publish payment.captured", "publish payment.rejected"]]
    pairs: [{open: "publish a.shut", close: ["publish a.opened", "publish a.gone"], within: 14d}]
    compensates: {"publish payment.refunded": "publish payment.captured"}
    ends: ["publish order.confirmed", "publish order.cancelled"]
"""


def errors(text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        parse(text, "e.yaml")
    return [str(fault) for fault in caught.value.faults]


def test_a_whole_file_is_read() -> None:
    [order] = parse(DESIGN, "e.yaml").workflows
    assert order.name == "order"
    assert order.starts == (StepName("publish orders.placed", "orders"),)
    assert [one.within_ns for one in order.steps] == [5 * MINUTE, 5 * MINUTE, 60 * MINUTE]
    assert [one.required for one in order.steps] == [None, None, True]
    assert [one.origin.line for one in order.steps] == [6, 7, 8]
    assert order.exclusive[0].origin.line == 9
    assert [str(one) for one in order.pairs[0].close] == ["publish a.opened", "publish a.gone"]
    assert str(order.compensates[0].do) == "publish payment.captured"
    assert parse(DESIGN, "e.yaml").keys == ("order.id=app.order_id",)


def test_the_example_of_the_docs_is_a_file() -> None:
    text = (ROOT / "docs/expectations.md").read_text("utf-8")
    [block] = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    read = parse(block, "e.yaml")
    assert {*read.owners.values()} == {"team-stock"}
    assert [one.service for one in read.external] == ["bank"]
    Draft202012Validator(schema()).validate(plain(block))


def test_every_error_is_told_at_once_with_line_key_and_the_nearest_one() -> None:
    text = """\
workflow: {}
workflows:
  order:
    start: x
    steps:
      - {step: 5, deadline: 5m}
      - {step: a, within: 5, required: yes}
      - {step: a, required: true, optional: true}
    exclusive: [[a]]
    ends: []
  other: [a]
owners: {a: 5}
"""
    assert errors(text) == [
        "e.yaml:1: workflow: unknown key in an expectations file; did you mean 'workflows'?",
        "e.yaml:3: workflows.order: a workflow needs the key 'starts'",
        "e.yaml:4: workflows.order.start: unknown key in a workflow; did you mean 'starts'?",
        "e.yaml:6: workflows.order.steps[0].deadline: unknown key in a step; "
        "did you mean 'within'?",
        "e.yaml:6: workflows.order.steps[0].step: must be a text, is 5; write '5' in quotes",
        "e.yaml:7: workflows.order.steps[1].required: must be true or false, is 'yes'",
        "e.yaml:7: workflows.order.steps[1].within: must be a duration with a unit: 5s or 5m; is 5",
        "e.yaml:8: workflows.order.steps[2]: 'required' and 'optional' contradict each other",
        "e.yaml:9: workflows.order.exclusive[0]: needs 2 items, has 1",
        "e.yaml:10: workflows.order.ends: needs an item, has 0",
        "e.yaml:11: workflows.other: must be a workflow, a map with starts; is a list",
        "e.yaml:12: owners.a: must be a text, is 5; write '5' in quotes",
    ]


@pytest.mark.parametrize(
    ("key", "meant"),
    [("stepz", "step"), ("timeout", "within"), ("require", "required"), ("team", "owner")],
)
def test_an_unknown_key_names_the_nearest(key: str, meant: str) -> None:
    text = f"workflows: {{a: {{starts: x, steps: [{{step: a, {key}: b}}]}}}}"
    assert any(f"did you mean '{meant}'?" in line for line in errors(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("a: 1\na: 2\n", "e.yaml:2: not YAML: found duplicate key"),
        ("workflows: [", "not YAML"),
        ("[" * 5000, "nested deeper than 100 levels"),
        ("\tx: 1", "not YAML: found character"),
        ("x: \x00", "not YAML"),
        ("a: 1\n---\nb: 2", "another document"),
        ("- a", "must be an expectations file"),
        ("version: 2", "must be 1"),
        ("workflows: !!python/object:os.system x", "must be a map"),
        (BOMB, "more than 500,000 values"),
    ],
)
def test_what_is_no_such_file_is_a_clear_error_and_soon(text: str, said: str) -> None:
    assert any(said in line for line in errors(text))


def test_a_file_may_be_json() -> None:
    document = {"workflows": {"a": {"starts": ["x", {"step": "y", "service": "s"}]}}}
    assert len(parse(json.dumps(document), "e.json").workflows[0].starts) == 2


def test_words_that_older_yaml_takes_for_truth_are_words() -> None:
    assert str(parse("workflows: {on: {starts: no}}", "e").workflows[0].starts[0]) == "no"


# -- the schema and the parser ---------------------------------------------------------------------


def plain(text: str) -> Any:
    """The file as plain values, read by another reader of YAML than the parser's."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)


texts = st.sampled_from(["a", "publish x", "s: op", "", " ", "*", "5m"])
odd: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, 5, 1.5, [], {}, [1], "x"])
steps = st.one_of(
    texts, st.fixed_dictionaries({"step": texts}, optional={"service": texts, "stepp": texts})
)
durations = st.one_of(st.from_regex(DURATION, fullmatch=True).filter(lambda t: len(t) < 8), odd)
times = st.sampled_from([1, 0, -1, "each", "1..3", "3..", "..2", "..", "x", 1.5, True])
flags = st.sampled_from([True, False, "yes", None])
severities = st.sampled_from(["error", "note", "errors", 1])


def record(needed: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    known = {name: st.one_of(shape, shape, shape, odd) for name, shape in optional.items()}
    return st.one_of(
        st.fixed_dictionaries(needed, optional=known),
        st.fixed_dictionaries({}, optional={**needed, **known, "unknown": odd}),
    )


lists = st.lists(texts, max_size=2)
names = st.dictionaries(texts, texts, max_size=2)
step_records = record(
    {"step": texts},
    {
        "service": texts,
        "after": steps,
        "within": durations,
        "required": flags,
        "optional": flags,
        "times": times,
        "owner": texts,
        "severity": severities,
    },
)
pairs = record(
    {"open": steps, "close": st.one_of(steps, st.lists(steps, max_size=2))},
    {"within": durations, "owner": texts},
)
workflows = record(
    {"starts": st.one_of(steps, st.lists(steps, max_size=2))},
    {
        "within": durations,
        "steps": st.lists(step_records, max_size=2),
        "owner": texts,
        "keys": st.one_of(lists, st.dictionaries(texts, lists, max_size=2)),
        "exclusive": st.lists(st.lists(steps, max_size=3), max_size=2),
        "pairs": st.lists(pairs, max_size=2),
        "compensates": st.dictionaries(texts, steps, max_size=2),
        "ends": st.one_of(steps, st.lists(steps, max_size=2)),
    },
)
externals = record({"service": texts}, {"consumes": texts, "sends": lists})
files = record(
    {},
    {
        "version": st.sampled_from([1, 1, 2]),
        "workflows": st.dictionaries(texts, workflows, max_size=2),
        "owners": names,
        "external": st.lists(st.one_of(texts, externals), max_size=2),
        "asyncapi": st.lists(st.one_of(texts, record({"file": texts}, {"service": texts}))),
        "eventcatalog": st.one_of(texts, lists),
    },
)
VALIDATOR = Draft202012Validator(schema())


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@settings(max_examples=400, deadline=None)
@given(files)
def test_the_schema_and_the_parser_agree(document: dict[str, Any]) -> None:
    """A document that only the parser refuses has a range that goes down, or a length of time
    that is 0 or longer than a century; these a schema cannot tell."""
    try:
        parse(json.dumps(document), "e.yaml")
    except DeclarationError as error:
        said = [fault.message for fault in error.faults]
        only_parser = all("must be a duration" in one or "must be a count" in one for one in said)
        assert only_parser or not VALIDATOR.is_valid(document), said
    else:
        VALIDATOR.validate(document)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_more_than_an_error(text: str) -> None:
    with suppress(DeclarationError):
        parse(text, "e.yaml")
