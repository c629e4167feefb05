"""Judges the expectations of one workflow, case by case: steps, counts, outcomes, pairs, ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints
from analyzer.conformance.expectations import (
    Compensation,
    Exclusive,
    Pair,
    Step,
    StepName,
    Workflow,
)
from analyzer.conformance.judged import Judged, Verdict, added, filled
from analyzer.conformance.match import NEVER, Cases, Finder
from analyzer.duration import plural, spell
from analyzer.expectation.bypass import went_on
from analyzer.expectation.flow import LATE_FACTOR, LATE_FLOOR_NS, STUCK_FACTOR, STUCK_FLOOR_NS
from analyzer.expectation.signs import match_in_time

DIRECT_SHARE = 0.5  # of the cases, from which on a step is said to follow another directly
ANOTHER_WAY = -1
STRAY_FACTOR = 1.2  # of the longest wait: where a step that stands alone may still belong


@dataclass(frozen=True)
class Bench:
    """What every rule of one workflow is judged with."""

    finder: Finder
    workflow: Workflow
    cases: Cases
    absences: pl.DataFrame  # what `expectation.absence` and `agreement` made of absent steps

    @property
    def now(self) -> int:
        """The time to judge at."""
        return self.finder.context.now_ns

    @cached_property
    def waiting(self) -> Flags:
        """Cases that wait for a step which is not due yet."""
        waits = np.zeros(self.finder.table.instances, dtype=np.bool_)
        if not self.absences.is_empty():
            rows = self.absences.filter(pl.col("verdict") == "waiting")["instance"]
            waits[rows.to_numpy()] = True
        return waits[self.cases.instance]

    @property
    def size(self) -> int:
        """How many cases there are."""
        return len(self.cases.instance)

    def first(self, names: Iterable[StepName]) -> tuple[Ints, Ints]:
        """(start, position) of the first such step, by case."""
        start, position = self.finder.first(self.finder.steps(names))
        return start[self.cases.instance], position[self.cases.instance]

    def hint(self, name: StepName) -> str:
        """The nearest name where this one means no step of the recording."""
        return "" if len(self.finder.steps((name,))) else near_name(self.finder, name)

    def unnamed(self, names: Iterable[StepName]) -> StepName | None:
        """The first of these names that means no step of the recording."""
        return next((one for one in names if not len(self.finder.steps((one,)))), None)

    def count(self, names: Iterable[StepName]) -> Ints:
        """How many such steps, by case."""
        return self.finder.count(self.finder.steps(names))[self.cases.instance]


def judge(bench: Bench) -> Iterator[Judged]:
    """Every expectation of the workflow, in the order of the file."""
    workflow = bench.workflow
    for step in workflow.steps:
        if step.required or (step.within_ns is not None):
            yield _arrival(bench, step)
        if step.each or step.least is not None or step.most is not None:
            yield _times(bench, step)
    yield from (_exclusive(bench, one) for one in workflow.exclusive)
    yield from (_pair(bench, one) for one in workflow.pairs)
    yield from (_compensation(bench, one) for one in workflow.compensates)
    if workflow.ends:
        yield _ends(bench)
    elif workflow.within_ns is not None:
        yield _whole(bench, workflow.within_ns)


def _arrival(bench: Bench, step: Step) -> Judged:
    names = (step.name,)
    alternatives = _alternatives(bench, step.name)
    required = bool(step.required)
    found = _comes(bench, names, step.after, step.within_ns, required, alternatives)
    said = ["required"] if required else []
    said += [f"within {spell(step.within_ns)}"] if step.within_ns is not None else []
    after = f" {'of' if step.within_ns is not None else 'after'} {step.after}"
    text = " ".join(said) + (after if step.after is not None else "")
    text += "" if required else ", where it comes"
    return replace(
        found,
        rule="required" if required else "within",
        subject=str(step.name),
        expected=text,
        owner=step.owner or bench.workflow.owner,
        severity=step.severity or bench.workflow.severity or "error",
        origin=step.origin,
    )


def _ends(bench: Bench) -> Judged:
    workflow = bench.workflow
    found = _comes(bench, workflow.ends, None, workflow.within_ns, True, np.zeros(bench.size, bool))
    limit = f" within {spell(workflow.within_ns)}" if workflow.within_ns is not None else ""
    names = ", ".join(map(str, workflow.ends))
    return replace(
        found,
        rule="ends",
        subject=names,
        expected=f"{'one of them is' if len(workflow.ends) > 1 else 'is'} the end{limit}",
        owner=workflow.owner,
        severity=workflow.severity or "error",
        origin=workflow.ends_origin,
    )


def _comes(
    bench: Bench,
    names: tuple[StepName, ...],
    after: StepName | None,
    within: int | None,
    required: bool,
    void: Flags,
) -> Judged:
    """A step that comes, or comes in time. `void`: cases with another outcome instead."""
    start, position = bench.first(names)
    anchor, anchor_step = (
        bench.first((after,)) if after is not None else (bench.cases.start, bench.cases.step)
    )
    concerned, came = anchor != NEVER, start != NEVER
    wait = _waits(bench, names, after, start, anchor)
    seen = came & concerned
    longest = int(wait[seen].max(initial=0))
    patience = _patience(within, longest, int(seen.sum()))
    deadline = added(anchor, patience)
    verdict = filled(bench.size, Verdict.APART)
    verdict[seen] = Verdict.HELD
    late = seen & (wait > within) if within is not None else np.zeros(bench.size, bool)
    verdict[late] = Verdict.BROKEN
    if not required:
        verdict[seen & (wait == ANOTHER_WAY)] = Verdict.APART
    absent = concerned & ~came & ~void
    labels = bench.finder.labels(names)
    if required:
        window = max(patience, longest)
        due = _of_absent(bench, labels, absent, deadline, anchor, window)
        if within is None:  # what comes before it may still come, so may it
            due[bench.waiting & (due == Verdict.BROKEN)] = Verdict.NOT_DUE
        verdict[absent] = due[absent]
    elif int(seen.sum()) == 0:
        verdict[absent] = Verdict.UNSEEN
    else:
        learned = _learned(bench, labels)
        verdict[absent] = learned[absent]
    unnamed = bench.unnamed((after,) if after is not None else ())
    if unnamed is not None:
        verdict[:] = Verdict.NAMELESS
    return Judged(
        "", "", "", verdict, anchor_step, anchor, deadline,
        label=int(labels[0]) if len(labels) else -1,
        measured=wait,
        seen=int(seen.sum()),
        hint=bench.hint(unnamed or names[0]),
        late=late.astype(np.int64),
        came=position,
    )  # fmt: skip


def _patience(within: int | None, longest: int, seen: int) -> int:
    """How long an absent step is waited for: as declared, as seen, or not at all."""
    if within is not None:
        return within
    return max(int(LATE_FACTOR * longest), LATE_FLOOR_NS) if seen else 0


def _waits(
    bench: Bench, names: tuple[StepName, ...], after: StepName | None, start: Ints, anchor: Ints
) -> Ints:
    """By case: from the start of `after` (of the case) to the step's; the longest where the steps
    follow directly on several; 0 where there is none, or no order. ANOTHER_WAY where the step
    usually follows directly and did not here: a back order comes days after its payment."""
    there = (start != NEVER) & (anchor != NEVER)
    wait = np.where(there, np.maximum(start - np.where(there, anchor, start), 0), 0)
    if after is None:
        return wait
    table, context = bench.finder.table, bench.finder.context
    is_after = np.zeros(len(context.labels), dtype=np.bool_)
    is_step = is_after.copy()
    is_after[bench.finder.labels((after,))] = True
    is_step[bench.finder.labels(names)] = True
    edges = np.flatnonzero(is_after[table.label[table.source]] & is_step[table.label[table.target]])
    longest = filled(table.instances, -1)
    source, target = table.source[edges], table.target[edges]
    direct = np.maximum(table.start[target] - table.start[source], 0)
    np.maximum.at(longest, table.instance[target], direct)
    own = longest[bench.cases.instance]
    usual = int((own >= 0).sum()) >= DIRECT_SHARE * max(int(there.sum()), 1)
    return np.where(own >= 0, own, ANOTHER_WAY if usual else wait)


def _of_absent(
    bench: Bench, labels: Ints, absent: Flags, deadline: Ints, anchor: Ints, window: int
) -> Ints:
    """Verdict on a required step that is not there, by case."""
    verdict = np.where(bench.now > deadline, Verdict.BROKEN, Verdict.NOT_DUE)
    if bench.finder.context.sampled:
        verdict[verdict == Verdict.BROKEN] = Verdict.SAMPLED
    alone = _standing_alone(bench, labels, absent, anchor, window)
    verdict[alone & (verdict == Verdict.BROKEN)] = Verdict.STANDS_ALONE
    went = _unrecorded(bench, labels, absent & (verdict == Verdict.BROKEN), anchor)
    verdict[went] = Verdict.UNRECORDED
    return verdict.astype(np.int64)


def _unrecorded(bench: Bench, labels: Ints, absent: Flags, anchor: Ints) -> Flags:
    """Cases that show what follows the absent step, and nothing else that led there."""
    cases = np.flatnonzero(absent)
    rows = pl.DataFrame(
        {"absence": cases, "instance": bench.cases.instance[cases], "start": anchor[cases]}
    )
    frame = rows.join(pl.DataFrame({"b": labels}), how="cross")
    found = np.zeros(bench.size, dtype=np.bool_)
    if len(frame):
        found[went_on(bench.finder.context, frame)["absence"].to_numpy()] = True
    return found


def _standing_alone(bench: Bench, labels: Ints, absent: Flags, anchor: Ints, window: int) -> Flags:
    """Cases whose absent step stands in an instance of its own, one step for one case: the
    context was lost on the way, not the step."""
    table, context = bench.finder.table, bench.finder.context
    found = np.zeros(bench.size, dtype=np.bool_)
    wanted = np.flatnonzero(absent)
    loose = np.flatnonzero(
        np.isin(table.label, labels) & ~context.entered & (context.beginning | context.unlinked)
    )
    loose = loose[~np.isin(table.instance[loose], bench.cases.instance)]
    if not len(wanted) or not len(loose):
        return found
    reach = max(float(window), float(STUCK_FLOOR_NS)) * STRAY_FACTOR
    absences = pl.DataFrame(
        {"absence": wanted.astype(np.uint32), "key": 0, "start": anchor[wanted], "max_ns": reach}
    )
    events = pl.DataFrame({"key": 0, "at": np.sort(table.start[loose])})
    matched = match_in_time(absences, events)
    found[matched["absence"].to_numpy()] = True
    return found


def _learned(bench: Bench, labels: Ints) -> Ints:
    """By case, of a step that is not declared as required: what its absence means by what is
    learned; APART where it may be absent."""
    verdict = filled(bench.finder.table.instances, Verdict.APART)
    if not bench.absences.is_empty():
        mine = bench.absences.filter(pl.col("b").is_in(labels.tolist()))
        for words, meaning in (
            (("unknown",), Verdict.UNKNOWN),
            (("waiting",), Verdict.NOT_DUE),
            (("late", "stuck", "missing"), Verdict.BROKEN),
        ):
            codes = mine.filter(pl.col("verdict").is_in(words))["instance"].to_numpy()
            verdict[codes] = meaning
    return verdict[bench.cases.instance]


def _alternatives(bench: Bench, name: StepName) -> Flags:
    """Cases with a step that excludes this one."""
    found = np.zeros(bench.size, dtype=np.bool_)
    mine = set(bench.finder.labels((name,)).tolist())
    for group in bench.workflow.exclusive:
        members = [set(bench.finder.labels((one,)).tolist()) for one in group.steps]
        if name in group.steps or any(mine & labels for labels in members if mine):
            others = [
                one
                for one, labels in zip(group.steps, members, strict=True)
                if one != name and not mine & labels
            ]
            found |= bench.count(others) > 0
    return found


def _times(bench: Bench, step: Step) -> Judged:
    count = bench.count((step.name,))
    least, most = filled(bench.size, step.least or 0), filled(bench.size, step.most or 0)
    concerned = count > 0
    text = _range_text(step)
    if step.each:
        names = (step.after,) if step.after is not None else bench.workflow.starts
        least = most = bench.count(names)
        concerned = (least > 0) | concerned
    too_many = count > most if step.each or step.most is not None else np.zeros(bench.size, bool)
    start, position = bench.first((step.name,))
    last = bench.finder.table.start[bench.finder.last[bench.cases.instance]]
    deadline = added(last, step.within_ns or LATE_FLOOR_NS)
    verdict = filled(bench.size, Verdict.APART)
    verdict[concerned] = Verdict.HELD
    few = concerned & (count < least)
    verdict[few] = np.where(bench.now > deadline, Verdict.BROKEN, Verdict.NOT_DUE)[few]
    if bench.finder.context.sampled:
        verdict[few] = Verdict.SAMPLED
    verdict[concerned & too_many] = Verdict.BROKEN
    anchor = np.where(start == NEVER, bench.cases.start, start)
    labels = bench.finder.labels((step.name,))
    return Judged(
        "times", str(step.name), text, verdict,
        np.where(position >= 0, position, bench.cases.step), anchor, filled(bench.size, NEVER),
        absent=False,
        kind="wrong-count",
        label=int(labels[0]) if len(labels) else -1,
        measured=count,
        seen=int(concerned.sum()),
        hint=bench.hint(step.name),
        owner=step.owner or bench.workflow.owner,
        severity=step.severity or bench.workflow.severity or "error",
        origin=step.origin,
    )  # fmt: skip


def _range_text(step: Step) -> str:
    if step.each:
        return f"as often as {step.after or 'the start'}"
    if step.least == step.most and step.most is not None:
        return f"{_times_text(step.most)}, where it comes"
    if step.most is None:
        return f"at least {plural(step.least or 0, 'time')}, where it comes"
    return f"{step.least} to {plural(step.most, 'time')}, where it comes"


def _times_text(count: int) -> str:
    return "once" if count == 1 else plural(count, "time")


def _exclusive(bench: Bench, group: Exclusive) -> Judged:
    starts = [bench.first((one,)) for one in group.steps]
    there = np.array([start != NEVER for start, _ in starts], dtype=np.int64)
    number = there.sum(axis=0)
    verdict = filled(bench.size, Verdict.APART)
    verdict[number == 1] = Verdict.HELD
    verdict[number > 1] = Verdict.BROKEN
    unnamed = bench.unnamed(group.steps) if not number.any() else None
    if unnamed is not None:
        verdict[:] = Verdict.NAMELESS
    start, position = (np.array(part) for part in zip(*starts, strict=True))
    last = np.where(start == NEVER, -1, start).argmax(axis=0)
    cases = np.arange(bench.size)
    return Judged(
        "exclusive",
        ", ".join(map(str, group.steps)),
        "at most one of them",
        verdict,
        position[last, cases],
        start[last, cases],
        filled(bench.size, NEVER),
        absent=False,
        kind="exclusive-steps",
        measured=number,
        seen=int((number > 0).sum()),
        hint=bench.hint(unnamed) if unnamed is not None else "",
        owner=bench.workflow.owner,
        severity=bench.workflow.severity or "error",
        origin=group.origin,
    )


def _pair(bench: Bench, pair: Pair) -> Judged:
    finder, table = bench.finder, bench.finder.table
    opens, closes = finder.steps((pair.open,)), finder.steps(pair.close)
    at = np.searchsorted(closes, opens, "right")
    partner = np.append(closes, -1)[np.minimum(at, len(closes))]
    closed = (partner >= 0) & (table.instance[partner] == table.instance[opens])
    wait = np.where(closed, table.start[partner] - table.start[opens], 0)
    longest = int(wait[closed].max(initial=0))
    limit = pair.within_ns
    if limit is None and closed.any():
        limit = max(int(STUCK_FACTOR * longest), STUCK_FLOOR_NS)
    deadline = added(table.start[opens], limit) if limit is not None else filled(len(opens), NEVER)
    verdict = np.where(closed, Verdict.HELD, Verdict.NOT_DUE)
    verdict[~closed & (deadline == NEVER)] = Verdict.NO_DEADLINE
    overdue = ~closed & (bench.now > deadline)
    verdict[overdue] = Verdict.SAMPLED if finder.context.sampled else Verdict.BROKEN
    if pair.within_ns is not None:
        verdict[closed & (wait > pair.within_ns)] = Verdict.BROKEN
    worst = _worst(verdict)
    chosen = filled(table.instances, -1)
    order = np.argsort(worst, kind="stable")
    chosen[table.instance[opens[order]]] = order  # the worst is written last
    mine = chosen[bench.cases.instance]
    has = mine >= 0
    labels = finder.labels(pair.close)
    names = " or ".join(map(str, pair.close))
    within = f" within {spell(pair.within_ns)}" if pair.within_ns is not None else ""
    padded = [
        np.append(part, fill)
        for part, fill in (
            (verdict, Verdict.APART),
            (opens, -1),
            (deadline, NEVER),
            (wait, 0),
            (closed, 0),
        )
    ]
    of_case = [part[np.where(has, mine, len(opens))] for part in padded]
    step = of_case[1]
    return Judged(
        "pair", f"{pair.open} … {names}", f"closed{within}",
        of_case[0], step, np.where(has, np.append(table.start, 0)[step], bench.cases.start),
        of_case[2],
        kind="unclosed",
        label=int(labels[0]) if len(labels) else -1,
        measured=of_case[3],
        seen=int(closed.sum()),
        hint=bench.hint(pair.open),
        owner=pair.owner or bench.workflow.owner,
        severity=pair.severity or bench.workflow.severity or "error",
        origin=pair.origin,
        late=of_case[4].astype(np.int64),
    )  # fmt: skip


def _worst(verdict: Ints) -> Ints:
    """A rank that grows with how much a verdict matters."""
    rank = {Verdict.APART: 0, Verdict.HELD: 1, Verdict.BROKEN: 9}
    return np.array([rank.get(Verdict(one), 5) for one in verdict.tolist()], dtype=np.int64)


def _compensation(bench: Bench, rule: Compensation) -> Judged:
    """Where an instance is rolled back, everything that was done is undone."""
    undone, _ = bench.first((rule.undo,))
    done, done_step = bench.first((rule.do,))
    rolled, _ = bench.first(one.undo for one in bench.workflow.compensates)
    concerned = (done != NEVER) & (rolled != NEVER) & (done <= rolled)
    came = undone != NEVER
    wait = np.where(came & concerned, np.maximum(undone, rolled) - rolled, 0)
    seen = int((came & concerned).sum())
    deadline = added(rolled, _patience(None, int(wait.max(initial=0)), seen))
    verdict = filled(bench.size, Verdict.APART)
    verdict[concerned & came] = Verdict.HELD
    absent = concerned & ~came
    labels = bench.finder.labels((rule.undo,))
    verdict[absent] = _of_absent(bench, labels, absent, deadline, rolled, 0)[absent]
    return Judged(
        "compensates", f"{rule.undo}", f"takes back {rule.do} wherever something is taken back",
        verdict, done_step, np.where(done == NEVER, bench.cases.start, done), deadline,
        kind="incomplete-compensation",
        label=int(labels[0]) if len(labels) else -1,
        seen=seen,
        hint=bench.hint(rule.undo),
        owner=bench.workflow.owner,
        severity=bench.workflow.severity or "error",
        origin=rule.origin,
    )  # fmt: skip


def _whole(bench: Bench, within: int) -> Judged:
    """The time from the start to the last step that began."""
    table = bench.finder.table
    last = bench.finder.last[bench.cases.instance]
    wait = np.maximum(table.start[last] - bench.cases.start, 0)
    return Judged(
        "within", "the whole workflow", f"at most {spell(within)} to its last step",
        np.where(wait > within, Verdict.BROKEN, Verdict.HELD).astype(np.int64),
        last, bench.cases.start, added(bench.cases.start, within),
        absent=False,
        kind="deadline-missed",
        measured=wait,
        seen=bench.size,
        owner=bench.workflow.owner,
        severity=bench.workflow.severity or "error",
        origin=bench.workflow.origin,
        late=(wait > within).astype(np.int64),
    )  # fmt: skip


def near_name(finder: Finder, name: StepName) -> str:
    """The nearest name in the recording of one that means nothing there; empty without one."""
    seen = np.bincount(finder.table.label, minlength=len(finder.context.labels)) > 0
    labels = list(finder.context.labels.filter(pl.Series(seen)).cast(pl.String).iter_rows())
    known = {f"{service}: {operation}": None for service, operation in labels}
    for service, operation in labels:
        if name.service in (None, service):
            known[operation] = None
    wanted = [name.operation, str(name)]
    for word in wanted:
        found = get_close_matches(word, list(known), n=1, cutoff=0.6)
        if found:
            return found[0]
    return ""
