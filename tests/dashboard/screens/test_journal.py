"""What the journal writes, and what it does not say twice."""

from __future__ import annotations

from dataclasses import replace

from analyzer.alerts.outbox import Outcome
from analyzer.analysis import DataNote
from tests.dashboard.fake import NOW, SECOND, STATUS, snapshot
from tui.dashboard.feed import Phase
from tui.dashboard.journal import MOST, Journal


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def said(journal: Journal) -> list[str]:
    return [entry.message for entry in journal.entries]


def test_a_phase_is_told_when_it_changes() -> None:
    journal = Journal(Clock())
    for status in (STATUS, replace(STATUS, spans_per_s=1.0), STATUS):
        journal.status(status)
    journal.status(replace(STATUS, phase=Phase.DISCONNECTED, message="refused"))
    journal.status(STATUS)
    assert said(journal) == ["otlp :4317: live", "otlp :4317: disconnected: refused",
                             "otlp :4317: live"]  # fmt: skip
    assert [entry.level for entry in journal.entries] == ["note", "error", "note"]


def test_endpoints_are_told_once() -> None:
    journal = Journal(Clock())
    status = replace(STATUS, endpoints=("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317",))
    journal.status(status)
    journal.status(replace(status, lag_s=2.0))
    assert [message for message in said(journal) if "ENDPOINT" in message] == [
        "listens: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
    ]


def test_a_message_whose_numbers_run_on_is_told_once() -> None:
    journal = Journal(Clock())
    stale = replace(STATUS, phase=Phase.STALE)
    for seconds in range(30, 60):
        journal.status(replace(stale, message=f"no span for {seconds} s"))
    assert len(said(journal)) <= 2


def test_what_is_lost_is_summed_up_every_ten_seconds() -> None:
    clock = Clock()
    journal = Journal(clock)
    for second in range(25):
        clock.now = NOW + second * SECOND
        journal.status(replace(STATUS, dropped=second * 10))
    lost = [message for message in said(journal) if "refused" in message]
    assert lost == [
        "10 spans were refused, rejected or forgotten; 10 in all",
        "100 more spans were refused, rejected or forgotten; 110 in all",
        "100 more spans were refused, rejected or forgotten; 210 in all",
    ]


def test_a_note_on_the_data_comes_and_goes() -> None:
    journal = Journal(Clock())
    for count in (3, 4, 5):
        note = DataNote("sampling", f"{count} traces are sampled", count, None, ("orders",))
        journal.snapshot(snapshot(3, count, data_notes=(note,)))
    journal.snapshot(snapshot(3, 9))
    assert said(journal) == ["sampling: 3 traces are sampled",
                             "no longer: sampling: 5 traces are sampled"]  # fmt: skip


def test_a_note_whose_numbers_and_examples_run_on_is_told_once() -> None:
    journal = Journal(Clock())
    for count, services in ((9, ("a",)), (10, ("a", "b")), (11, ("a", "b")), (1_200, ("b",))):
        some = f"{count} missing parents, named by {count} spans ({count:016x}, ...)"
        note = DataNote("missing-parents", some, count, 0.5, services)
        journal.snapshot(snapshot(3, count, data_notes=(note,)))
    assert len(said(journal)) == 1


def test_suggested_keys_and_given_up_instances() -> None:
    journal = Journal(Clock())
    key = DataNote("key", "order.id joins 40 traces", 40)
    journal.snapshot(snapshot(3, 1, key_suggestions=(key,)))
    journal.snapshot(snapshot(3, 2, key_suggestions=(key,), overflow=7))
    journal.snapshot(snapshot(3, 3, key_suggestions=(key,), overflow=7))
    assert said(journal) == ["key: order.id joins 40 traces",
                             "7 instances were given up for want of memory"]  # fmt: skip


def test_deliveries_that_failed_are_told_once() -> None:
    journal = Journal(Clock())
    failed = Outcome(NOW, "pager", "k", "firing", "refused", "404")
    done = Outcome(NOW + 1, "chat", "k", "firing", "delivered", "")
    journal.snapshot(snapshot(3, 1, deliveries=(failed,)))
    journal.snapshot(snapshot(3, 2, deliveries=(failed, done)))
    assert said(journal) == ["pager: firing refused: 404"]


def test_it_is_bounded() -> None:
    journal = Journal(Clock())
    for number in range(MOST + 10):
        journal.note("note", "source", str(number))
    assert len(journal.entries) == MOST
    assert said(journal)[-1] == str(MOST + 9)
    assert journal.version == MOST + 10


def test_a_fact_about_the_data_is_a_note_and_a_fault_a_warning() -> None:
    """As the report has it: a share of 0 is no fault."""
    journal = Journal(Clock())
    fact, fault = DataNote("links", "all resolve", share=0.0), DataNote("sampling", "1 of 2")
    journal.snapshot(replace(snapshot(), data_notes=(fact, fault)))
    levels = {one.message: one.level for one in journal.entries if one.about == "data"}
    assert levels == {"links: all resolve": "note", "sampling: 1 of 2": "warning"}
