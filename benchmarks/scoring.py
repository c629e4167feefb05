"""Compares one analysis with the truth about the simulated instances that it is of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from analyzer.analysis import Analysis
from analyzer.finding import Finding
from collectors.simulate import Truth

# What is said about the data or the coupling is no alarm about an instance.
DATA_KINDS = frozenset({"broken-propagation", "clock-skew", "sampling", "bad-span"})
COUNTERS = (
    "said",
    "rightly",
    "expected",
    "got",
    "causes",
    "causes_right",
    "cause_said",
    "cause_rightly",
    "cause_expected",
    "cause_got",
    "state_pairs",
)
OPEN_STATES = frozenset({"running", "waiting"})


@dataclass(frozen=True, slots=True)
class Said:
    """What was said about one true instance."""

    ids: tuple[str, ...]  # of the instances found that hold a part of it
    state: str  # of the part with its beginning; "" where there is none
    kinds: dict[str, tuple[str, ...]]  # kind -> first causes
    cause: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """One misjudged instance."""

    what: str  # "missed", "false", "state", "cause"
    word: str
    truth: Truth
    said: Said


@dataclass(slots=True)
class Score:
    """Counts over some recordings; scores add up."""

    truths: int = 0
    found: int = 0
    unmatched: int = 0
    healthy: int = 0
    alarmed: int = 0  # healthy instances with a false alarm
    never: int = 0  # instances of which something was said that must never be
    states_right: int = 0
    said: Counter[str] = field(default_factory=Counter)  # kind -> instances it was said of
    rightly: Counter[str] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)  # kind -> instances
    got: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)  # fault -> found instances with a cause
    causes_right: Counter[str] = field(default_factory=Counter)
    cause_said: Counter[str] = field(default_factory=Counter)  # cause -> instances it is first of
    cause_rightly: Counter[str] = field(default_factory=Counter)
    cause_expected: Counter[str] = field(default_factory=Counter)  # by its best word
    cause_got: Counter[str] = field(default_factory=Counter)
    state_pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[Wrong] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Add the counts of another score."""
        for name in ("truths", "found", "unmatched", "healthy", "alarmed", "never", "states_right"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in COUNTERS:
            getattr(self, name).update(getattr(other, name))
        self.wrong += other.wrong


def score(analysis: Analysis, truths: Sequence[Truth], unread: Sequence[str] = ()) -> Score:
    """The score of one analysis. That nobody reads a destination of `unread` is no alarm."""
    result = Score(truths=len(truths), found=analysis.instances.height)
    for truth, said in matched(analysis, truths, unread):
        _judge(result, truth, said)
    return result


# -- matching ---------------------------------------------------------------------------------


def matched(
    analysis: Analysis, truths: Sequence[Truth], unread: Sequence[str]
) -> Iterator[tuple[Truth, Said]]:
    """Each true instance with what was said about it."""
    rows = list(analysis.instances.iter_rows(named=True))
    parts: dict[int, list[dict[str, object]]] = defaultdict(list)
    for row, index in zip(rows, _owners(analysis, rows, truths), strict=True):
        if index is not None:
            parts[index].append(row)
    named = _findings_by_instance(one for one in analysis.findings if not _by_design(one, unread))
    for index, truth in enumerate(truths):
        yield truth, _said(truth, parts[index], named)


def _owners(
    analysis: Analysis, rows: list[dict[str, object]], truths: Sequence[Truth]
) -> list[int | None]:
    """The true instance that each found one is of: by its spans at boundaries, else its traces."""
    votes: list[Counter[int]] = [Counter() for _ in rows]
    by_span = {int(s, 16): index for index, truth in enumerate(truths) for s in truth.span_ids}
    spans = analysis.recording.spans["span_id"].gather(analysis.steps["span"])
    for row, span in zip(analysis.steps["instance"], spans, strict=True):
        if span in by_span:
            votes[row][by_span[span]] += 1
    by_trace: dict[str, set[int]] = defaultdict(set)
    for index, truth in enumerate(truths):
        for trace in truth.trace_ids:
            by_trace[trace].add(index)
    for row, vote in zip(rows, votes, strict=True):
        owners = [by_trace[trace] for trace in _strings(row["trace_ids"]) if not vote]
        vote.update(index for one in owners if len(one) == 1 for index in one)
    return [_winner(vote) for vote in votes]


def _winner(vote: Counter[int]) -> int | None:
    return min(vote, key=lambda index: (-vote[index], index), default=None)


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _by_design(finding: Finding, unread: Sequence[str]) -> bool:
    """Whether it says, rightly, that nobody is known to read a destination."""
    texts = (finding.waiting_for.destination, finding.step, finding.message)
    honest = finding.cause in ("no-known-consumer", "insufficient-history")
    return honest and any(name in (text or "") for name in unread for text in texts)


def _findings_by_instance(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    named: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        for name in {finding.instance, *finding.members} - {None}:
            named[str(name)].append(finding)
    return named


def _said(truth: Truth, parts: list[dict[str, object]], named: dict[str, list[Finding]]) -> Said:
    begun = [row for row in parts if truth.trace_ids[0] in _strings(row["trace_ids"])]
    home = sorted(begun or parts, key=lambda row: str(row["start_ns"]))
    kinds: dict[str, list[str]] = defaultdict(list)
    for row in parts:
        for finding in named.get(str(row["id"]), []):
            if finding.kind not in DATA_KINDS:
                kinds[finding.kind].append(finding.cause)
    return Said(
        tuple(str(row["id"]) for row in parts),
        str(home[0]["state"]) if home else "",
        {kind: tuple(sorted(set(causes))) for kind, causes in sorted(kinds.items())},
        str(home[0]["cause"] or "") if home else "",
    )


def told(group: Sequence[str], said: Said) -> bool:
    """Whether one kind of a group was said."""
    return not set(group).isdisjoint(said.kinds)


def told_all(truth: Truth, said: Said) -> bool:
    """Whether all was said that has to be."""
    return all(told(group, said) for group in truth.findings)


# -- judging ----------------------------------------------------------------------------------


def _judge(result: Score, truth: Truth, said: Said) -> None:
    if not said.ids:
        result.unmatched += 1
    _judge_state(result, truth, said)
    _judge_kinds(result, truth, said)
    _judge_causes(result, truth, said)


def _judge_state(result: Score, truth: Truth, said: Said) -> None:
    right = said.state in truth.states
    right |= said.state in OPEN_STATES and not OPEN_STATES.isdisjoint(truth.states)
    result.states_right += right
    result.state_pairs[truth.state, said.state] += 1
    if not right:
        result.wrong.append(Wrong("state", said.state, truth, said))


def _judge_kinds(result: Score, truth: Truth, said: Said) -> None:
    false = [kind for kind in said.kinds if kind not in truth.accepts]
    for kind in said.kinds:
        result.said[kind] += 1
        result.rightly[kind] += kind not in false
    for kind in false:
        result.wrong.append(Wrong("false", kind, truth, said))
    for group in truth.findings:
        got = told(group, said)
        result.expected[group[0]] += 1
        result.got[group[0]] += got
        if not got:
            result.wrong.append(Wrong("missed", group[0], truth, said))
    if not truth.findings:
        result.healthy += 1
        result.alarmed += bool(false)


def _judge_causes(result: Score, truth: Truth, said: Said) -> None:
    wanted = {kind for group in truth.findings for kind in group}
    causes = [cause for kind in said.kinds if kind in wanted for cause in said.kinds[kind]]
    everything = {said.cause, *(cause for each in said.kinds.values() for cause in each)}
    for never in truth.never_causes:
        if never in everything:
            result.never += 1
            result.wrong.append(Wrong("never", never, truth, said))
    _judge_words(result, truth, said, wanted)
    if not truth.causes or not truth.findings:
        return
    best = truth.causes[0]
    result.cause_expected[best] += 1
    result.cause_got[best] += not set(causes).isdisjoint(truth.causes)
    if not causes:
        return
    fault = truth.faults[0]
    right = not set(causes).isdisjoint(truth.causes)
    result.causes[fault] += 1
    result.causes_right[fault] += right
    if not right:
        result.wrong.append(Wrong("cause", ",".join(sorted(set(causes))), truth, said))


def _judge_words(result: Score, truth: Truth, said: Said, wanted: set[str]) -> None:
    """Each first cause by itself: right where it is the truth, wrong in a false alarm too."""
    wrong = {cause for k, all_ in said.kinds.items() if k not in truth.accepts for cause in all_}
    claimed = {cause for k, all_ in said.kinds.items() if k in wanted for cause in all_}
    judged = wrong | (claimed if truth.causes else set())
    for cause in judged:
        result.cause_said[cause] += 1
        result.cause_rightly[cause] += cause in truth.causes and cause not in wrong
