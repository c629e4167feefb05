"""The scoreboard's tables, as Markdown on standard output."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import isinf

from benchmarks.delay import Delay, Replayed, quantile
from benchmarks.scoring import Score, Wrong

SCENARIOS = (
    "scenario",
    "instances found/true",
    "states right",
    "precision",
    "recall",
    "missed",
    "false per 1,000 healthy",
    "cause right",
    "lost said wrongly",
    "s",
)


def ratio(part: int, whole: int) -> str:
    """Three digits; "-" where there is nothing to divide by."""
    return f"{part / whole:.3f}" if whole else "-"


def row(cells: Iterable[object]) -> None:
    """One row."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def head(cells: Sequence[str], caption: str = "") -> None:
    """The heads of the columns, below a caption."""
    if caption:
        print(f"\n{caption}\n")
    row(cells)
    print("|" + "---|" * len(cells), flush=True)


def scenario(name: str, one: Score, seconds: float) -> None:
    """One row of the table of scenarios."""
    expected, got = sum(one.expected.values()), sum(one.got.values())
    row(
        (
            name,
            f"{one.found}/{one.truths}",
            ratio(one.states_right, one.truths),
            ratio(sum(one.rightly.values()), sum(one.said.values())),
            ratio(got, expected),
            expected - got,
            f"{1000 * one.alarmed / max(1, one.healthy):.1f}",
            ratio(sum(one.causes_right.values()), sum(one.causes.values())),
            one.never,
            f"{seconds:.1f}",
        )
    )


def words(caption: str, first: str, counts: Sequence[Counter[str]]) -> None:
    """Precision and recall of each word: said, rightly, expected, got."""
    said, rightly, expected, got = counts
    head((first, "said", "precision", "expected", "recall"), caption)
    for word in sorted({*said, *expected}):
        precision = ratio(rightly[word], said[word])
        row((word, said[word], precision, expected[word], ratio(got[word], expected[word])))


def totals(total: Score) -> None:
    """By kind, by cause, by fault; and the two laws about false alarms."""
    one = total
    words("By kind of finding:", "kind", (one.said, one.rightly, one.expected, one.got))
    words(
        "By first cause:",
        "cause",
        (one.cause_said, one.cause_rightly, one.cause_expected, one.cause_got),
    )
    head(("fault", "found", "first cause right"), "By fault:")
    for fault in sorted(one.causes):
        row((fault, one.causes[fault], ratio(one.causes_right[fault], one.causes[fault])))
    false = 1000 * one.alarmed / max(1, one.healthy)
    print(
        f"\nFalse alarms: {one.alarmed:,} of {one.healthy:,} healthy instances, "
        f"{false:.1f} in 1,000.\n'lost' said where something else was the cause: "
        f"{one.never:,} of {one.truths:,} instances."
    )


def waits(replays: Sequence[Replayed]) -> None:
    """Time from the fault to its detection, by fault."""
    by_fault: dict[str, list[Delay]] = defaultdict(list)
    for one in (delay for replayed in replays for delay in replayed.delays):
        by_fault[one.fault].append(one)
    head(("fault", "timed", "found", "median", "p90"), "Time from the fault to its detection:")
    for fault, some in sorted(by_fault.items()):
        seen = sum(not isinf(one.seconds) for one in some)
        row((fault, len(some), seen, _time(quantile(some, 0.5)), _time(quantile(some, 0.9))))
    _alarms(replays)


def _alarms(replays: Sequence[Replayed]) -> None:
    """What was said of healthy instances while they were at work."""
    alarmed = [kinds for one in replays for kinds in one.alarmed.values()]
    healthy = sum(one.healthy for one in replays)
    said = Counter(kind for kinds in alarmed for kind in kinds)
    named = ", ".join(f"{kind} {count}" for kind, count in sorted(said.items()))
    print(
        f"\nFalse alarms at one or more of {sum(one.moments for one in replays):,} moments: "
        f"{len(alarmed):,} of {healthy:,} healthy instances, "
        f"{1000 * len(alarmed) / max(1, healthy):.1f} in 1,000{': ' * bool(named)}{named}."
    )


def _time(seconds: float) -> str:
    return (
        "never" if isinf(seconds) else f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    )


def confusion(wrong: list[tuple[str, str, Wrong]], limit: int) -> None:
    """The commonest misjudgements, each with its scenario (title, URI) and one example."""
    groups: dict[tuple[str, ...], list[tuple[str, Wrong]]] = defaultdict(list)
    for name, uri, one in wrong:
        fault = "+".join(one.truth.faults) or one.truth.variant
        groups[one.what, one.word, fault, name].append((uri, one))
    counts = Counter({key: len(found) for key, found in groups.items()})
    print()
    for key, count in counts.most_common(limit):
        uri, one = groups[key][0]
        truth, said = one.truth, one.said
        print(f"{count} x {key[0]} {key[1]!r}: truth {truth.state} {key[2]} in {uri}")
        print(
            f"    e.g. {truth.key} traces {[t[:8] for t in truth.trace_ids]}"
            f" wants {truth.findings} at {truth.stuck_at} since {truth.since_ns}\n"
            f"    said {said.state!r} cause {said.cause!r} {said.kinds}"
        )
