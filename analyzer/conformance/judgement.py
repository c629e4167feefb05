"""All declared workflows, judged at once: the checks for reports, the verdicts for findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analyzer.checks import Check, CheckedWorkflow
from analyzer.codes import Ints, ints
from analyzer.conformance.broken import broken
from analyzer.conformance.expectations import Expectations, External, StepName, Workflow
from analyzer.conformance.judged import REASONS, Judged, Verdict
from analyzer.conformance.match import Cases, Finder, matching
from analyzer.conformance.rules import Bench, judge, near_name
from analyzer.context import Context
from analyzer.detection import Detection
from analyzer.finding import Finding, Severity

EXAMPLES = 5
_BY_NAME = (Verdict.UNSEEN, Verdict.NAMELESS)  # may come of a name that is wrong


@dataclass(frozen=True)
class Judgement:
    """Every expectation over its cases, in the order of the file."""

    expectations: Expectations
    workflows: tuple[tuple[Workflow, Cases, tuple[Judged, ...], int, str], ...]

    def detection(self, context: Context, others: Sequence[Detection]) -> Detection:
        """What was broken and no other detector tells; see `broken`."""
        flat = [
            (workflow.name, cases, one)
            for workflow, cases, judged, _, _ in self.workflows
            for one in judged
        ]
        return broken(context, flat, others)

    def checked(self, instances: pl.DataFrame) -> tuple[CheckedWorkflow, ...]:
        """The checks of each workflow. `instances`: columns id and workflow by code."""
        return tuple(
            CheckedWorkflow(
                workflow.name,
                len(cases.instance),
                (
                    _start(workflow, cases, without, hint),
                    *(_check(cases, one, instances["id"]) for one in judged),
                ),
                tuple(instances["workflow"][cases.instance.tolist()].unique().sort().to_list()),
            )
            for workflow, cases, judged, without, hint in self.workflows
        )

    def unmatched(self) -> tuple[Finding, ...]:
        """A finding for each workflow that has no instance: its name may be wrong."""
        return tuple(
            Finding(
                kind="unmatched-expectation",
                severity=Severity.WARNING,
                confidence=0.9,
                message=f"no instance of the declared workflow {workflow.name}: no step is called "
                f"{', '.join(map(str, workflow.starts))}{_near(hint)}",
                service=workflow.starts[0].service,
            )
            for workflow, cases, _, _, hint in self.workflows
            if not len(cases.instance)
        )


def judgement(finder: Finder, expectations: Expectations, absences: pl.DataFrame) -> Judgement:
    """Judge every declared workflow. `absences`: after `agreement.agreed`."""
    cases = [finder.cases(one.starts) for one in expectations.workflows]
    known = np.unique(np.concatenate([one.instance for one in cases])) if cases else np.empty(0)
    return Judgement(
        expectations,
        tuple(
            (
                workflow,
                mine,
                tuple(judge(Bench(finder, workflow, mine, absences))),
                len(np.setdiff1d(finder.strays(workflow, mine), known)),
                "" if len(mine.instance) else near_name(finder, workflow.starts[0]),
            )
            for workflow, mine in zip(expectations.workflows, cases, strict=True)
        ),
    )


def _near(hint: str) -> str:
    return f"; the nearest name that was seen is {hint!r}" if hint else ""


def _start(workflow: Workflow, cases: Cases, without: int, hint: str) -> Check:
    """Whether the workflow occurs at all, and how many instances lack their beginning."""
    reason = "has steps of it and not its beginning" if len(cases.instance) else (
        f"no such step in the recording{_near(hint)}"
    )  # fmt: skip
    count = without if len(cases.instance) else max(without, 0)
    return Check(
        rule="starts",
        subject=", ".join(map(str, workflow.starts)),
        expected="the beginning",
        held=len(cases.instance),
        unjudged=count,
        why=((reason, count),) if count or not len(cases.instance) else (),
        owner=workflow.owner,
        source=workflow.origin.source,
        line=workflow.origin.line,
    )


def _check(cases: Cases, one: Judged, ids: pl.Series) -> Check:
    hit = cases.instance[one.verdict == Verdict.BROKEN]
    near = f"; the nearest name that was seen is {one.hint!r}" if one.hint else ""
    why = tuple(
        (
            reason + (near if verdict in _BY_NAME else ""),
            one.count(verdict),
        )
        for verdict, reason in REASONS.items()
        if one.count(verdict)
    )
    return Check(
        rule=one.rule,
        subject=one.subject,
        expected=one.expected,
        held=one.count(Verdict.HELD),
        broken=len(hit),
        unjudged=sum(number for _, number in why),
        why=why,
        examples=tuple(ids[hit[:EXAMPLES].tolist()].to_list()),
        owner=one.owner,
        source=one.origin.source,
        line=one.origin.line,
    )


def without_external(
    context: Context, detections: Sequence[Detection], external: Sequence[External]
) -> tuple[Detection, ...]:
    """The detections without what is to be expected of participants that emit no spans."""
    if not external:
        return tuple(detections)
    return tuple(
        replace(one, frame=one.frame.filter(~_silenced(context, one.frame, external)))
        for one in detections
    )


def _silenced(context: Context, frame: pl.DataFrame, external: Sequence[External]) -> pl.Series:
    """Messages that such a participant takes, instances that it begins, waits for its steps."""
    services = context.labels["service"].cast(pl.String)
    step, waits = ints(frame["step"]), ints(frame["b"])
    place = context.spans["destination"].cast(pl.String)
    rows = context.table.row[np.maximum(step, 0)] if len(context.table) else step
    destination = pl.Series(place[rows.tolist()].to_list(), dtype=pl.String)
    awaited = pl.Series([services[b] if b >= 0 else None for b in waits.tolist()], dtype=pl.String)
    kind = frame["kind"]
    silent = np.zeros(len(frame), dtype=np.bool_)
    for one in external:
        silent |= matching(one.service, awaited)
        for kinds, patterns in (("unconsumed-message", one.consumes), ("orphaned", one.sends)):
            for pattern in patterns:
                silent |= (kind == kinds).to_numpy() & on(pattern, destination)
    return pl.Series(silent & _positions(step, waits))


def _positions(step: Ints, waits: Ints) -> np.ndarray:
    return (step >= 0) | (waits >= 0)


def on(pattern: str, destination: pl.Series) -> np.ndarray:
    """Whether a destination, or one of several with commas between them, is meant."""
    found = matching(pattern, destination)
    parts = destination.str.split(",")
    several = np.flatnonzero((parts.list.len() > 1).fill_null(False).to_numpy())
    for row in several.tolist():
        found[row] |= bool(matching(pattern, parts[row]).any())
    return found


def with_owners(
    findings: Sequence[Finding], judged: Judgement, checked: Sequence[CheckedWorkflow]
) -> tuple[Finding, ...]:
    """The findings with who owns them: of the step that is waited for, of the service that has to
    act, of the workflow."""
    names = pl.DataFrame(
        {
            "service": [name for one in findings for name in _services(one)],
            "step": [name for one in findings for name in (one.waiting_for.step, one.step)],
        },
        schema={"service": pl.String, "step": pl.String},
    ).unique()
    steps: dict[tuple[str | None, str | None], str] = {}
    for workflow, *_ in judged.workflows:
        for step in workflow.steps:
            if step.owner is not None:
                chosen = names.filter(pl.Series(_meant(step.name, names)))
                steps |= {row: step.owner for row in chosen.iter_rows() if row not in steps}
    services: dict[str, str] = {}
    every = names["service"].drop_nulls().unique().sort()
    for pattern, owner in judged.expectations.owners.items():
        for service in every.filter(pl.Series(matching(pattern, every))):
            services.setdefault(service, owner)
    return tuple(
        _owned(one, steps, services, _workflow_owners(judged, checked)) for one in findings
    )


def _services(finding: Finding) -> tuple[str | None, str | None]:
    return finding.waiting_for.service, finding.service


def _meant(name: StepName, names: pl.DataFrame) -> np.ndarray:
    both = names.select(pl.concat_str("service", pl.lit(": "), "step")).to_series()
    meant = matching(name.operation, names["step"]) | matching(name.operation, both)
    return meant & matching(name.service or "*", names["service"])


def _workflow_owners(judged: Judgement, checked: Sequence[CheckedWorkflow]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for (workflow, *_), one in zip(judged.workflows, checked, strict=True):
        if workflow.owner is not None:
            owners |= {name: workflow.owner for name in one.seen_as if name not in owners}
    return owners


def _owned(
    finding: Finding,
    steps: dict[tuple[str | None, str | None], str],
    services: dict[str, str],
    workflows: dict[str, str],
) -> Finding:
    waited = (finding.waiting_for.service, finding.waiting_for.step)
    owner = (
        steps.get(waited)
        or steps.get((finding.service, finding.step))
        or services.get(finding.service or "")
        or workflows.get(finding.workflow or "")
    )
    return replace(finding, owner=owner) if owner is not None else finding
