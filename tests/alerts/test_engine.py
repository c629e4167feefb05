"""The life of alerts, as laws over any sequence of what is seen."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from analyzer.alerts.engine import SECOND, Alert, Event, Timing, step
from analyzer.alerts.incident import Incident, incidents
from analyzer.alerts.silences import Silence
from analyzer.finding import Finding, Severity, WaitingFor
from tests.alerts.incidents import NOW, incident

TIMING = Timing(wait=10 * SECOND, keep=60 * SECOND, repeat=60 * SECOND)
SEEN = st.lists(st.sets(st.sampled_from("abc")), max_size=60)


def run(
    looks: list[set[str]], every: int = 5, silences: tuple[Silence, ...] = ()
) -> tuple[dict[str, Alert], list[Event]]:
    alerts: dict[str, Alert] = {}
    told: list[Event] = []
    for number, keys in enumerate(looks):
        now = NOW + number * every * SECOND
        alerts, events = step(alerts, [incident(key) for key in keys], now, TIMING, silences)
        told += events
    return alerts, told


def changes(told: list[Event], key: str) -> list[str]:
    return [e.change for e in told if e.alert.incident.key == key and e.change != "still"]


@given(SEEN)
def test_each_change_is_told_once(looks: list[set[str]]) -> None:
    """Firing and resolved take turns, beginning with firing."""
    _, told = run(looks)
    for key in "abc":
        found = changes(told, key)
        assert found == (["firing", "resolved"] * len(found))[: len(found)]


@given(SEEN)
def test_flapping_is_bounded(looks: list[set[str]]) -> None:
    """However a fault flickers: no more alerts than its wait and its keep allow."""
    _, told = run(looks)
    longest = len(looks) * 5
    for key in "abc":
        assert changes(told, key).count("firing") <= 1 + longest / 60


@given(SEEN)
def test_nothing_fires_that_was_not_seen_long_enough(looks: list[set[str]]) -> None:
    """An alert that fires was seen at its first look and at this one, `wait` apart."""
    _, told = run(looks)
    for one in told:
        if one.change == "firing":
            assert one.at_ns - one.alert.first_ns >= TIMING.wait
            number = (one.at_ns - NOW) // (5 * SECOND)
            assert one.alert.incident.key in looks[number]


@given(SEEN)
def test_a_step_is_told_once_however_often_it_is_asked(looks: list[set[str]]) -> None:
    """The same look at the same time tells nothing new."""
    alerts, _ = run(looks)
    now = NOW + len(looks) * 5 * SECOND
    seen = [incident(key) for key in (looks[-1] if looks else ())]
    following, _ = step(alerts, seen, now, TIMING)
    again, told = step(following, seen, now, TIMING)
    assert again == following
    assert told == ()


def test_a_firing_alert_is_repeated_and_then_resolved() -> None:
    """Still, once a `repeat`; resolved once it was gone for `keep`."""
    _, told = run([{"a"}] * 30 + [set()] * 20)
    found = Counter(one.change for one in told)
    assert found["firing"] == 1
    assert found["resolved"] == 1
    assert 2 <= found["still"] <= 4


def test_worse_is_told() -> None:
    """A warning that becomes an error is told again, at once."""
    alerts: dict[str, Alert] = {}
    told: list[str] = []
    for number, severity in enumerate([Severity.WARNING] * 5 + [Severity.ERROR] * 2):
        now = NOW + number * 5 * SECOND
        alerts, events = step(alerts, [incident(severity=severity)], now, TIMING)
        told += [one.change for one in events]
    assert told == ["firing", "worse"]


def test_silences_hold_back_and_end() -> None:
    """Silenced: nothing is told, not even its end; the silence over: it fires."""
    silence = Silence("s", (("workflow", "ord*"),), NOW + 50 * SECOND, "ann", "maintenance")
    alerts, told = run([{"a"}] * 9, silences=(silence,))
    assert told == []
    assert alerts["a"].silence == "s"
    _, told = run([{"a"}] * 15, silences=(silence,))
    assert changes(told, "a") == ["firing"]
    other = Silence("s", (("workflow", "refund"),), NOW + 50 * SECOND, "ann", "maintenance")
    _, told = run([{"a"}] * 9, silences=(other,))
    assert changes(told, "a") == ["firing"]


def finding(number: int, **changes: object) -> Finding:
    given: dict[str, object] = {
        "kind": "stuck",
        "severity": Severity.ERROR,
        "confidence": 0.9,
        "message": f"order {number} waits",
        "workflow": "order",
        "instance": f"ord-{number}",
        "waiting_for": WaitingFor("payments", "process orders.placed"),
        "since_ns": NOW - number,
    }
    return Finding(**(given | changes))  # type: ignore[arg-type]


def test_one_alert_a_fault_never_one_an_instance() -> None:
    """10,000 stuck orders are one incident; its key does not depend on which they are."""
    many = incidents([finding(number) for number in range(10_000)], Severity.WARNING, NOW)
    few = incidents([finding(number) for number in (7, 8)], Severity.WARNING, NOW)
    assert [one.instances for one in many] == [10_000]
    assert many[0].key == few[0].key
    assert len(many[0].examples) <= 20
    assert many[0].since_ns == NOW - 9_999


def test_what_is_below_the_gate_or_about_no_instance_is_no_incident() -> None:
    """Notes and coupling are for reports."""
    found: tuple[Incident, ...] = incidents(
        [finding(1, severity=Severity.NOTE), finding(2, instance=None)], Severity.WARNING, NOW
    )
    assert found == ()
