"""What a test says about the workflows in its spans: each assertion returns itself, or raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from analyzer.analysis import Analysis
from analyzer.checks import Outcome
from analyzer.finding import Finding, Severity, State
from analyzer.reporters.units import count, duration, parse_duration
from collectors.recording import Recording
from tui.testing.failure import broken_text, explain, findings_text, listed
from tui.words import CAUSES, finding_kinds, nearest

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

# The test is over: what has not come by now does not come. An hour is beyond any wait in a test.
OVER_NS = 3_600 * 1_000_000_000


def assert_workflows(
    spans: Iterable[ReadableSpan] | Recording | Analysis | str | Path,
    *,
    keys: Sequence[str] = (),
    expect: str | Path | None = None,
    as_of_ns: int | None = None,
) -> Workflows:
    """The workflows in these spans, to assert on.

    `spans`: finished spans of the OpenTelemetry SDK (`InMemorySpanExporter.get_finished_spans()`),
    the path of a file or folder as `choreoscope analyze` takes it, a Recording or an Analysis.
    `keys`: business keys that join traces, such as "order.id". `expect`: an expectations file.
    `as_of_ns`: the "now" to judge by; by default an hour after the last span, because a test that
    is over waits for nothing more. Raises AssertionError where there is nothing to assert on, or a
    part could not be read; `DeclarationError` where the expectations are wrong.
    """
    __tracebackhide__ = True
    analysis = spans if isinstance(spans, Analysis) else _analysed(spans, keys, expect, as_of_ns)
    lost = dict(analysis.recording.intake.rejected)
    if lost:
        raise AssertionError(f"a part of the spans could not be read: {lost}")
    if not analysis.instances.height:
        number = count(analysis.recording.spans.height, "span")
        raise AssertionError(f"no workflow in {number}: was the code instrumented, and did it run?")
    return Workflows(analysis, tuple(range(analysis.instances.height)))


def _analysed(
    spans: Iterable[ReadableSpan] | Recording | str | Path,
    keys: Sequence[str],
    expect: str | Path | None,
    as_of_ns: int | None,
) -> Analysis:
    from analyzer.conformance.declared import Declared
    from analyzer.conformance.file import parse
    from analyzer.pipeline import analyze_recording

    declared = Declared()
    if expect is not None:
        declared = Declared(parse(Path(expect).read_text(encoding="utf-8"), str(expect)))
    recording = _recording(spans)
    last = recording.spans["end_ns"].max()
    if as_of_ns is None and isinstance(last, int):
        as_of_ns = last + OVER_NS
    return analyze_recording(recording, as_of_ns=as_of_ns, keys=keys, declared=declared)


def _recording(spans: Iterable[ReadableSpan] | Recording | str | Path) -> Recording:
    from collectors import read
    from collectors.sdk import recording_of

    if isinstance(spans, Recording):
        return spans
    if isinstance(spans, str | Path):
        return read([spans])
    return recording_of(spans)


@dataclass(frozen=True)
class Workflows:
    """The instances of one run, or those of them that were chosen; `rows` in their table."""

    analysis: Analysis
    rows: tuple[int, ...]
    called: str = "any workflow"

    # -- choosing -----------------------------------------------------------------------------

    def workflow(self, name: str) -> Workflows:
        """Only instances of this workflow: its name, a part of it, or a pattern with * and ?.

        AssertionError where there is none: a name that is wrong must not be green.
        """
        __tracebackhide__ = True
        names = self._column("workflow")
        matches = _matcher(name)
        rows = tuple(row for row, text in zip(self.rows, names, strict=True) if matches(text))
        if not rows:
            raise AssertionError(f"no workflow {name!r}; there are {listed(sorted(set(names)))}")
        return replace(self, rows=rows, called=repr(name))

    def instance(self, identifier: str) -> Workflows:
        """Only this instance: its id, a trace id, `order.id=4711`, or `4711`."""
        __tracebackhide__ = True
        try:
            row = self.analysis.instance(identifier).row
        except LookupError as error:
            raise AssertionError(error.args[0]) from None
        if row not in self.rows:
            raise AssertionError(f"instance {identifier!r} is no instance of {self.called}")
        return replace(self, rows=(row,), called=repr(identifier))

    # -- asserting ----------------------------------------------------------------------------

    def complete(self, workflow: str | None = None, *, times: int | None = None) -> Workflows:
        """Every instance is complete; `times`: and there are exactly so many."""
        __tracebackhide__ = True
        chosen = self._chosen(workflow)
        chosen._are(times)
        return self._hold(chosen, "complete", lambda row: chosen._state(row) == State.COMPLETE)

    def times(self, number: int, workflow: str | None = None) -> Workflows:
        """There are exactly so many instances."""
        __tracebackhide__ = True
        self._chosen(workflow)._are(number)
        return self

    def never(self, *words: str, workflow: str | None = None) -> Workflows:
        """No instance is in one of these states, or has a finding of this kind or cause."""
        __tracebackhide__ = True
        _check(words)
        chosen = self._chosen(workflow)
        found = {name for one in chosen._findings() if {one.kind, one.cause} & set(words)
                 for name in (one.instance, *one.members)}  # fmt: skip
        return self._hold(
            chosen,
            f"free of {' and '.join(words)}",
            lambda row: chosen._state(row) not in words and chosen._id(row) not in found,
        )

    def no_findings(
        self, level: str = "warning", *, ignore: Iterable[str] = (), workflow: str | None = None
    ) -> Workflows:
        """Nothing is found that is as bad as `level` (error, warning, note), whatever it is about.

        `ignore`: kinds or causes that may be found, such as "cycle".
        """
        __tracebackhide__ = True
        _check(ignored := tuple(ignore))
        if level not in (names := [one.value for one in Severity]):
            raise ValueError(f"no_findings: level must be one of {', '.join(names)}, not {level!r}")
        worst = Severity(level).rank
        chosen = self if workflow is None else self.workflow(workflow)
        found = [
            one
            for one in chosen._findings()
            if one.severity.rank <= worst and not {one.kind, one.cause} & set(ignored)
        ]
        if found:
            raise AssertionError(
                f"{count(len(found), 'finding')} where none was expected\n"
                + findings_text(self.analysis, found)
            )
        return self

    def conforms(self) -> Workflows:
        """Everything in the expectations file was judged, and held."""
        __tracebackhide__ = True
        conformance = self.analysis.conformance
        if conformance is None:
            raise ValueError("no expectations were given: assert_workflows(spans, expect=FILE)")
        failed = [one for one in conformance.checks if one.outcome is not Outcome.HELD]
        if failed or not conformance.checks:
            raise AssertionError(broken_text(self.analysis, failed))
        return self

    def has_step(
        self,
        step: str,
        *,
        service: str | None = None,
        workflow: str | None = None,
        times: int | None = None,
    ) -> Workflows:
        """Every instance has this step (`process orders.placed`; * and ? are patterns).

        `service`: at this service. `times`: exactly so often in each instance.
        """
        __tracebackhide__ = True
        chosen = self._chosen(workflow)
        seen = chosen._step_counts(step, service)
        where = f" at {service}" if service else ""
        often = "" if times is None else f" {times} times"
        return self._hold(
            chosen,
            f"with step {step!r}{where}{often}",
            lambda row: seen.get(row, 0) > 0 if times is None else seen.get(row, 0) == times,
        )

    def lacks_step(
        self, step: str, *, service: str | None = None, workflow: str | None = None
    ) -> Workflows:
        """No instance has this step. A misspelt name is green: where something else should happen
        instead, assert that."""
        __tracebackhide__ = True
        chosen = self._chosen(workflow)
        seen = chosen._step_counts(step, service)
        return self._hold(chosen, f"without step {step!r}", lambda row: row not in seen)

    def in_order(self, *steps: str, workflow: str | None = None) -> Workflows:
        """Every instance has these steps, each beginning after the one before."""
        __tracebackhide__ = True
        chosen = self._chosen(workflow)
        return self._hold(
            chosen, f"with {' then '.join(steps)}", lambda row: chosen._ordered(row, steps)
        )

    def consumed(self, destination: str, *, by: str, workflow: str | None = None) -> Workflows:
        """In every instance, this service works on a message of this queue or topic."""
        __tracebackhide__ = True
        chosen = self._chosen(workflow)
        taken = chosen.analysis.steps.filter(
            (pl.col("service").cast(pl.String) == by)
            & (pl.col("destination").cast(pl.String) == destination)
            & pl.col("kind").cast(pl.String).is_in(["process", "receive"])
        )
        rows = set(taken["instance"].to_list())
        return self._hold(chosen, f"with {by} using {destination}", lambda row: row in rows)

    def within(self, limit: str, workflow: str | None = None) -> Workflows:
        """Every instance takes at most so long (`250ms`, `2s`) from its first to its last step."""
        __tracebackhide__ = True
        chosen = self._chosen(workflow)
        most = parse_duration(limit)
        taken = chosen.analysis.instances.select(pl.col("end_ns") - pl.col("start_ns")).to_series()
        longest = max(int(taken[row]) for row in chosen.rows)
        said = f"done within {limit} (the longest took {duration(longest)})"
        return self._hold(chosen, said, lambda row: int(taken[row]) <= most)

    # -- how ----------------------------------------------------------------------------------

    def _chosen(self, workflow: str | None) -> Workflows:
        return self if workflow is None else self.workflow(workflow)

    def _hold(self, chosen: Workflows, what: str, holds: Callable[[int], bool]) -> Workflows:
        """Raises with the lanes of the first instances for which it does not hold."""
        __tracebackhide__ = True
        bad = [row for row in chosen.rows if not holds(row)]
        if bad:
            raise AssertionError(explain(self.analysis, chosen.rows, bad, chosen.called, what))
        return self

    def _are(self, number: int | None) -> None:
        __tracebackhide__ = True
        if number is not None and len(self.rows) != number:
            found = count(len(self.rows), "instance")
            raise AssertionError(f"{found} of {self.called}, where {number:,} were expected")

    def _column(self, name: str) -> list[str]:
        return [str(text) for text in self.analysis.instances[name][list(self.rows)]]

    def _state(self, row: int) -> str:
        return str(self.analysis.instances["state"][row])

    def _id(self, row: int) -> str:
        return str(self.analysis.instances["id"][row])

    def _findings(self) -> list[Finding]:
        """Of the chosen instances; those about no instance only where none was chosen."""
        every = len(self.rows) == self.analysis.instances.height
        ids = set(self._column("id"))
        return [
            one
            for one in self.analysis.findings
            if every or one.instance in ids or ids.intersection(one.members)
        ]

    def _step_counts(self, step: str, service: str | None) -> dict[int, int]:
        """Instance -> how often it has the step."""
        table = self.analysis.steps.select(
            "instance", pl.col("service", "operation").cast(pl.String).fill_null("")
        )
        labels = table.select("service", "operation").unique()
        matches, at = _matcher(step), _matcher(service or "*")
        named = [
            row for row in labels.iter_rows() if at(row[0]) and (matches(row[1]) or row[1] == step)
        ]
        wanted = pl.DataFrame(named, schema=labels.schema, orient="row")
        found = table.join(wanted, on=["service", "operation"], how="semi")
        return dict(found.group_by("instance").len().iter_rows())

    def _ordered(self, row: int, steps: Sequence[str]) -> bool:
        """Whether the steps can be found one after the other, by their beginning."""
        own = self.analysis.instance(self._id(row)).steps.sort("start_ns", "step")
        names = iter(own["operation"].cast(pl.String).fill_null("").to_list())
        return all(any(_matcher(step)(name) for name in names) for step in steps)


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Exactly, as a pattern where it has * or ?, or as a part; whatever the case."""
    wanted = pattern.casefold()
    if "*" in wanted or "?" in wanted:
        return lambda text: fnmatchcase(text.casefold(), wanted)
    return lambda text: wanted in text.casefold()


def _check(words: Iterable[str]) -> None:
    """A misspelt word would never be found, and its assertion always green."""
    known = sorted({*(state.value for state in State), *finding_kinds(), *CAUSES})
    for word in words:
        if word not in known:
            raise ValueError(f"no state, kind or cause is called {word!r}; {nearest(word, known)}")
