"""What a recording shows of its workflows, as far as its numbers carry: the facts for `learn`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analyzer.analysis import Analysis
from analyzer.codes import Ints, ints
from analyzer.expectation.flow import wilson
from analyzer.finding import State

MIN_INSTANCES = 5  # of a workflow, to write it down
MIN_SEEN = 5  # instances with a step, to write it down
REQUIRED_N = 30  # instances from which a step may be called required
CERTAIN = 0.95  # lower Wilson bound of the share of such a step
MIN_WAITS = 20  # from which a deadline is learned
MARGIN = 3.0  # times the longest wait seen; see `expectation.flow.STUCK_FACTOR`
SAME_ORIGIN = 0.9  # share of the edges into a step that come from one other step
UNLIKELY = 7.0  # instances expected to show both steps by chance, and none does: p < 0.001
_NICE_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_MATURE = (State.COMPLETE.value, State.COMPENSATED.value)


@dataclass(frozen=True, slots=True)
class Name:
    """A step as it was recorded."""

    service: str
    operation: str

    def __str__(self) -> str:
        return f"{self.service}: {self.operation}"


@dataclass(frozen=True, slots=True)
class LearnedStep:
    """A step of a workflow with its numbers; waits are nanoseconds from the start of `after`."""

    name: Name
    kind: str
    after: Name | None  # the beginning where None
    seen: int  # complete instances with the step
    of: int  # complete instances
    p50_ns: int
    p99_ns: int
    longest_ns: int
    least: int  # times in one instance, where it comes
    most: int

    @property
    def required(self) -> bool:
        """Whether the numbers carry that it always comes."""
        return self.of >= REQUIRED_N and wilson(self.seen, self.of)[0] >= CERTAIN

    @property
    def within_ns(self) -> int | None:
        """A deadline well beyond everything that was seen; None from too few waits."""
        return nice(MARGIN * self.longest_ns) if self.seen >= MIN_WAITS else None

    @property
    def times(self) -> int | None:
        """How often it comes, where it never was otherwise. Sends only: brokers deliver twice."""
        same = self.least == self.most and self.seen >= REQUIRED_N and self.kind == "send"
        return self.most if same else None


@dataclass(frozen=True, slots=True)
class LearnedGroup:
    """Steps that never came together."""

    names: tuple[Name, ...]
    seen: tuple[int, ...]
    of: int
    every: bool  # each complete instance has one of them


@dataclass(frozen=True, slots=True)
class LearnedWorkflow:
    """A workflow with everything that is carried by enough instances."""

    name: str  # made of its first step
    seen_as: str
    starts: Name
    instances: int
    complete: int
    p50_ns: int
    longest_ns: int
    steps: tuple[LearnedStep, ...]
    exclusive: tuple[LearnedGroup, ...]
    ends: LearnedGroup | None


def learned(analysis: Analysis) -> tuple[LearnedWorkflow, ...]:
    """The workflows with at least MIN_INSTANCES complete instances, by name."""
    if analysis.instances.is_empty():
        return ()
    table = _Table(analysis)
    found = [
        _workflow(table, one.name) for one in analysis.workflows if one.instances >= MIN_INSTANCES
    ]
    kept = sorted((one for one in found if one is not None), key=lambda one: one.seen_as)
    return tuple(_named(kept))


def _named(workflows: Sequence[LearnedWorkflow]) -> Iterator[LearnedWorkflow]:
    """With names that differ."""
    used: dict[str, int] = {}
    for one in workflows:
        number = used.get(one.name, 0) + 1
        used[one.name] = number
        yield replace(one, name=f"{one.name}-{number}") if number > 1 else one


def slug(text: str) -> str:
    """Lower-case words with hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:60].strip("-") or "workflow"


def nice(span_ns: float) -> int:
    """The next longer duration that people would write: 1s, 2s, 5s, ..., 1m, ..., whole days."""
    seconds = span_ns / 1e9
    for step in _NICE_S:
        if seconds <= step:
            return step * 10**9
    return -int(-seconds // 86400) * 86400 * 10**9


class _Table:
    """The steps of all instances in numpy columns, labels as codes in order of their names."""

    def __init__(self, analysis: Analysis) -> None:
        steps = analysis.steps
        self.workflow = analysis.instances["workflow"]
        self.state = analysis.instances["state"]
        text = steps.select(pl.col("service", "operation", "kind").cast(pl.String))
        names = text.select("service", "operation").unique().sort("service", "operation")
        self.names = [Name(*row) for row in names.iter_rows()]
        codes = names.with_row_index("label")
        joined = text.join(codes, on=["service", "operation"], maintain_order="left")
        self.label = ints(joined["label"])
        self.kind = text["kind"].to_list()
        self.instance, self.start = ints(steps["instance"]), ints(steps["start_ns"])
        edges = analysis.edges.filter(pl.col("tier").cast(pl.String) != "E9")
        self.source, self.target = ints(edges["source"]), ints(edges["target"])


def _workflow(table: _Table, seen_as: str) -> LearnedWorkflow | None:
    every = np.flatnonzero((table.workflow == seen_as).to_numpy())
    mature = table.state.is_in(_MATURE).to_numpy()
    complete = every[mature[every]]
    if len(complete) < MIN_INSTANCES:
        return None
    rows = np.flatnonzero(np.isin(table.instance, complete))
    first = np.searchsorted(table.instance, complete, "left")
    begin = np.zeros(len(table.workflow), dtype=np.int64)
    begin[complete] = table.start[first]
    labels, counts = np.unique(table.label[first], return_counts=True)
    start = int(labels[counts.argmax()])
    steps = _steps(table, rows, complete, begin, start)
    groups = tuple(_groups(table, rows, complete, steps))
    ends = next((one for one in groups if one.every), None)
    last = np.searchsorted(table.instance, complete, "right") - 1
    took = table.start[last] - table.start[first]
    name = table.names[start]
    return LearnedWorkflow(
        name=slug(str(name)),
        seen_as=seen_as,
        starts=name,
        instances=len(every),
        complete=len(complete),
        p50_ns=int(np.quantile(took, 0.5, method="lower")),
        longest_ns=int(took.max()),
        steps=steps,
        exclusive=groups,
        ends=ends,
    )


def _steps(
    table: _Table, rows: Ints, complete: Ints, begin: Ints, start: int
) -> tuple[LearnedStep, ...]:
    """Steps that enough instances have, in the order in which they usually begin."""
    found = []
    for label in np.unique(table.label[rows]).tolist():
        mine = rows[table.label[rows] == label]
        cases, first, times = np.unique(table.instance[mine], return_index=True, return_counts=True)
        if len(cases) < MIN_SEEN or label == start:
            continue
        after = _origin(table, rows, label, len(cases), start)
        wait = _waits(table, mine, cases, mine[first], begin, after)
        offset = int(np.median(table.start[mine[first]] - begin[cases]))
        step = LearnedStep(
            name=table.names[label],
            kind=str(table.kind[int(mine[0])]),
            after=None if after is None else table.names[after],
            seen=len(cases),
            of=len(complete),
            p50_ns=int(np.quantile(wait, 0.5, method="lower")),
            p99_ns=int(np.quantile(wait, 0.99, method="lower")),
            longest_ns=int(wait.max()),
            least=int(times.min()),
            most=int(times.max()),
        )
        found.append((offset, str(step.name), step))
    return tuple(step for _, _, step in sorted(found, key=lambda one: one[:2]))


def _origin(table: _Table, rows: Ints, label: int, cases: int, start: int) -> int | None:
    """The step that nearly all steps of this label follow directly; None for the beginning, and
    where they follow several, or two steps bring about each other."""
    inside = np.zeros(len(table.label), dtype=np.bool_)
    inside[rows] = True
    edges = np.flatnonzero((table.label[table.target] == label) & inside[table.target])
    sources = table.label[table.source[edges]]
    if not len(sources):
        return None
    labels, counts = np.unique(sources, return_counts=True)
    best = int(labels[counts.argmax()])
    covered = len(np.unique(table.instance[table.target[edges]]))
    clear = counts.max() >= SAME_ORIGIN * len(sources) and covered >= SAME_ORIGIN * cases
    return best if clear and best not in (label, start) else None


def _waits(
    table: _Table, mine: Ints, cases: Ints, first: Ints, begin: Ints, after: int | None
) -> Ints:
    """The longest wait of each case, as `rules` measures it."""
    wait: Ints = np.maximum(table.start[first] - begin[cases], 0)
    if after is None:
        return wait
    is_mine = np.zeros(len(table.label), dtype=np.bool_)
    is_mine[mine] = True
    edges = np.flatnonzero(is_mine[table.target] & (table.label[table.source] == after))
    direct = np.maximum(table.start[table.target[edges]] - table.start[table.source[edges]], 0)
    longest = np.full(len(begin), -1, dtype=np.int64)
    np.maximum.at(longest, table.instance[table.target[edges]], direct)
    own = longest[cases]
    found: Ints = own[own >= 0]
    return found if len(found) else wait


def _groups(
    table: _Table, rows: Ints, complete: Ints, steps: Sequence[LearnedStep]
) -> Iterator[LearnedGroup]:
    """Sends of one service that never came together, though chance would have brought them so."""
    if len(complete) < REQUIRED_N:
        return
    code = {name: label for label, name in enumerate(table.names)}
    has: dict[Name, np.ndarray] = {}
    for step in steps:
        if step.kind == "send" and step.seen < len(complete):
            mine = rows[table.label[rows] == code[step.name]]
            there = np.zeros(len(table.workflow), dtype=np.bool_)
            there[table.instance[mine]] = True
            has[step.name] = there[complete]
    taken: set[Name] = set()
    for name in has:
        if name in taken:
            continue
        group = [name]
        for other in has:
            fits = other.service == name.service and other not in group and other not in taken
            if fits and all(_exclude(has[one], has[other]) for one in group):
                group.append(other)
        if len(group) > 1:
            taken |= set(group)
            together = np.array([has[one] for one in group])
            yield LearnedGroup(
                tuple(group),
                tuple(int(one.sum()) for one in together),
                len(complete),
                bool(together.any(axis=0).all()),
            )


def _exclude(one: np.ndarray, other: np.ndarray) -> bool:
    """Never together, where independent steps would have been UNLIKELY times or more."""
    expected = float(one.sum()) * float(other.sum()) / len(one)
    return not bool((one & other).any()) and expected >= UNLIKELY
