"""A partition that stands still is one finding; a message lost inside one is its own."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.finding import State
from tests.support.spans import MINUTE, Tape, of_kind

GROUP = {"messaging.consumer.group.name": "stock-workers"}


def place(number: int, partition: int) -> dict[str, object]:
    """Partition and offset: a producer knows the one surely only together with the other."""
    return {
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.offset": number,
    }


def topic(
    *,
    messages: int = 120,
    partitions: int = 4,
    stalled_from: int | None = None,
    lost: frozenset[int] = frozenset(),
) -> Analysis:
    """Messages round robin over the partitions; from `stalled_from` on nothing of partition 3 is
    taken."""
    tape = Tape()
    for number in range(messages):
        at, partition = float(number), number % partitions
        given = place(number, partition)
        root = tape.serve("shop", "POST /orders", at)
        sent = tape.send("shop", "orders", at + 0.01, parent=root, attributes=given)
        gone = partition == 3 and stalled_from is not None and number >= stalled_from
        if not gone and number not in lost:
            tape.process("stock", sent, at + 0.1, attributes=given | GROUP)
    tape.span("clock", "tick", messages + 10 * MINUTE)
    return tape.analyze()


def test_a_stalled_partition_is_one_finding_with_its_members() -> None:
    found = topic(stalled_from=80)
    (finding,) = of_kind(found, "stuck", "late", "backlog", "consumer-dark")
    assert (finding.kind, finding.cause) == ("stuck", "partition-stalled")
    assert finding.instances == len(finding.members) == 10
    assert found.by_state == {State.COMPLETE: 111, State.STUCK: 10}
    assert "partition 3 of orders" in finding.message
    assert "stock-workers" in finding.message
    assert finding.waiting_for.destination == "orders"
    assert finding.causes[0].supports


def test_a_partition_that_stands_still_for_most_of_the_time_is_told() -> None:
    """Nearly a quarter of all messages unused: no evidence that the consumer filters them."""
    found = topic(stalled_from=8)
    (finding,) = of_kind(found, "stuck")
    assert (finding.cause, finding.instances) == ("partition-stalled", 28)


def test_a_partition_that_was_never_taken_is_told() -> None:
    (finding,) = of_kind(topic(stalled_from=0), "stuck")
    assert (finding.cause, finding.instances) == ("partition-stalled", 30)


def test_messages_lost_inside_a_partition_are_each_their_own() -> None:
    found = topic(messages=400, lost=frozenset({31, 131}))
    told = of_kind(found, "stuck")
    assert [one.cause for one in told] == ["lost", "lost"]


def test_a_consumer_that_stopped_altogether_is_dark() -> None:
    """All partitions end together: that is the consumer, not a partition."""
    tape = Tape()
    for number in range(120):
        given = place(number, number % 4)
        sent = tape.send("shop", "orders", float(number), attributes=given)
        if number < 80:
            tape.process("stock", sent, number + 0.1, attributes=given)
    tape.span("clock", "tick", 120 + 10 * MINUTE)
    (finding,) = of_kind(tape.analyze(), "stuck", "consumer-dark", "late")
    assert finding.kind == "consumer-dark"


def test_what_waits_behind_a_dark_consumer_is_stuck_whatever_its_age() -> None:
    """The message sent a moment ago waits for the same dead consumer as the others do."""
    tape = Tape()
    for number in range(200):
        sent = tape.send("shop", "orders", float(number))
        if number < 150:
            tape.process("stock", sent, number + 0.1 + (number % 7) * 0.4)
    tape.span("clock", "tick", 199.5)
    found = tape.analyze()
    (finding,) = of_kind(found, "consumer-dark", "stuck", "late")
    assert (finding.kind, finding.instances) == ("consumer-dark", 50)
    assert found.by_state == {State.COMPLETE: 151, State.STUCK: 50}
