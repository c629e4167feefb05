"""A small event-driven program, instrumented with the OpenTelemetry SDK, under assertions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.testing.shop import Shop
from tui.testing import Workflows
from tui.testing.spans import Spans

Assert = Callable[..., Workflows]
Open = Callable[..., Shop]

EXPECTED = """
workflows:
  order:
    starts: {service: orders, step: "POST /orders"}
    steps:
      - {step: "process orders.placed", service: notification, required: true}
      - {step: "publish stock.reserved", service: inventory, required: true}
"""


@pytest.fixture
def open_shop(choreoscope_spans: Spans) -> Iterator[Open]:
    opened: list[Shop] = []

    def make(**bugs: frozenset[str]) -> Shop:
        opened.append(Shop(choreoscope_spans.provider, **bugs))
        return opened[-1]

    yield make
    for shop in opened:
        shop.close()


def ordered(shop: Shop, number: int) -> None:
    for each in range(number):
        shop.order(f"o{each}")
    shop.broker.drain()


def test_a_healthy_order_is_complete(open_shop: Open, assert_workflows: Assert) -> None:
    """What a test of such a program looks like."""
    ordered(open_shop(), 3)
    (
        assert_workflows()
        .complete("orders", times=3)
        .never("stuck", "failed", "unconsumed-message")
        .no_findings()
        .has_step("process orders.placed", service="notification", times=1)
        .has_step("publish stock.*")
        .consumed("orders.placed", by="inventory")
        .in_order("POST /orders", "publish orders.placed", "process stock.reserved")
        .lacks_step("publish stock.rejected")
        .within("5s")
    )


def test_an_instance_can_be_asked_for(open_shop: Open, assert_workflows: Assert) -> None:
    ordered(open_shop(), 3)
    flows = assert_workflows(keys=["order.id"])
    flows.instance("order.id=o1").complete().has_step("process stock.reserved")
    with pytest.raises(AssertionError, match=r"no instance 'order.id=o9'"):
        flows.instance("order.id=o9")


def test_a_swallowed_message_is_seen_against_the_others(
    open_shop: Open, assert_workflows: Assert
) -> None:
    """Nine reserve stock, one consumer drops the message without an error: its lanes are shown."""
    ordered(open_shop(swallow=frozenset({"o3"})), 10)
    flows = assert_workflows(keys=["order.id"])
    with pytest.raises(AssertionError) as caught:
        flows.complete("orders")
    said = str(caught.value)
    assert said.startswith("1 of 10 instances of 'orders' is not complete: 1 stuck")
    assert "order.id=o3" in said
    drawn = said.splitlines()
    assert any(re.search(r"[●*].*process orders\.placed +inventory", line) for line in drawn)
    assert any(re.search(r"◌.*publish stock\.reserved +inventory", line) for line in drawn)
    assert "missing-step" in said
    assert "order.id=o4" not in said
    with pytest.raises(AssertionError, match=r"1 of 10 .* not free of stuck: 1 stuck"):
        flows.never("stuck")
    with pytest.raises(AssertionError, match="1 finding where none was expected"):
        flows.no_findings()
    flows.instance("order.id=o4").complete().no_findings().never("stuck")


def test_a_swallowed_message_is_seen_alone_where_a_step_is_asked_for(
    open_shop: Open, assert_workflows: Assert
) -> None:
    """With one instance there is nothing to learn from: the test says what has to happen."""
    ordered(open_shop(swallow=frozenset({"o0"})), 1)
    flows = assert_workflows()
    with pytest.raises(AssertionError) as caught:
        flows.has_step("publish stock.reserved", service="inventory")
    assert "not with step 'publish stock.reserved' at inventory" in str(caught.value)
    assert "process orders.placed" in str(caught.value)


def test_a_swallowed_message_is_seen_alone_against_expectations(
    open_shop: Open, assert_workflows: Assert, tmp_path: Path
) -> None:
    path = tmp_path / "expectations.yaml"
    path.write_text(EXPECTED)
    ordered(open_shop(swallow=frozenset({"o1"})), 2)
    with pytest.raises(AssertionError) as caught:
        assert_workflows(expect=path).conforms()
    assert "broken: inventory: publish stock.reserved" in str(caught.value)
    assert "expectations.yaml:7" in str(caught.value)


def test_a_healthy_order_conforms(
    open_shop: Open, assert_workflows: Assert, tmp_path: Path
) -> None:
    path = tmp_path / "expectations.yaml"
    path.write_text(EXPECTED)
    ordered(open_shop(), 2)
    assert_workflows(expect=path).conforms().complete()
    with pytest.raises(ValueError, match="no expectations were given"):
        assert_workflows().conforms()


def test_a_failed_handler_is_named(open_shop: Open, assert_workflows: Assert) -> None:
    ordered(open_shop(fail=frozenset({"o0"})), 2)
    with pytest.raises(AssertionError) as caught:
        assert_workflows(keys=["order.id"]).complete()
    said = str(caught.value)
    assert "1 of 2 instances of any workflow is not complete: 1 failed" in said
    assert "✖" in said
    assert "handler-error" in said
    with pytest.raises(AssertionError, match="not free of handler-error"):
        assert_workflows().never("handler-error")


def test_what_must_not_happen_is_drawn_where_it_did(
    open_shop: Open, assert_workflows: Assert
) -> None:
    ordered(open_shop(), 2)
    flows = assert_workflows()
    for failing in (
        lambda: flows.lacks_step("publish stock.reserved"),
        lambda: flows.in_order("process stock.reserved", "POST /orders"),
        lambda: flows.has_step("publish orders.placed", times=2),
        lambda: flows.consumed("orders.placed", by="orders"),
        lambda: flows.within("1ns"),
    ):
        with pytest.raises(AssertionError, match=r"^2 of 2 instances of any workflow are not"):
            failing()


def test_a_wrong_name_is_never_green(open_shop: Open, assert_workflows: Assert) -> None:
    ordered(open_shop(), 1)
    flows = assert_workflows()
    with pytest.raises(AssertionError, match="no workflow 'ordr'; there are orders: POST /orders"):
        flows.complete("ordr")
    with pytest.raises(AssertionError, match="1 instance of any workflow, where 2"):
        flows.complete(times=2)
    with pytest.raises(ValueError, match="did you mean 'stuck'"):
        flows.never("stuk")
    with pytest.raises(ValueError, match="did you mean 'cycle'"):
        flows.no_findings(ignore=["cylce"])
    with pytest.raises(AssertionError, match=r"not with step 'publish stock.reservd'"):
        flows.has_step("publish stock.reservd")


def test_no_spans_are_never_green(assert_workflows: Assert, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no workflow in 0 spans"):
        assert_workflows()
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(AssertionError, match="no workflow in 0 spans"):
        assert_workflows(empty)
    empty.write_text('{"resourceSpans": [')
    with pytest.raises(AssertionError, match="could not be read"):
        assert_workflows(empty)


def test_spans_of_a_file_are_asserted_on_alike(assert_workflows: Assert, tmp_path: Path) -> None:
    """What a collector wrote, instead of what is in memory."""
    from collectors.simulate import parse, write

    write(parse("sim:order?instances=30&faults=lost:0.2"), tmp_path / "a.jsonl")
    flows = assert_workflows(tmp_path / "a.jsonl")
    flows.has_step("publish orders.placed")
    with pytest.raises(AssertionError, match=r"and \S"):
        flows.never("stuck")


def test_unfinished_spans_are_waited_for(choreoscope_spans: Spans) -> None:
    tracer = choreoscope_spans.provider("slow").get_tracer("x")
    span = tracer.start_span("takes its time")
    with pytest.raises(AssertionError, match=r"still open after 0.2 s: takes its time"):
        choreoscope_spans.settle(quiet=0.01, timeout=0.2)
    span.end()
    assert len(choreoscope_spans.settle(quiet=0.01)) == 1
    choreoscope_spans.clear()
    assert list(choreoscope_spans) == []


def test_every_assertion_is_documented_and_none_is_invented() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    said = {
        name
        for cell in re.findall(r"^\| (`\..+?) \|", docs, re.MULTILINE)
        for name in re.findall(r"`\.(\w+)\(", cell)
    }
    fields = Workflows.__dataclass_fields__
    real = {name for name in vars(Workflows) if not name.startswith("_") and name not in fields}
    assert said == real
