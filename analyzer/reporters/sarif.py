"""SARIF 2.1.0 for code scanning: one result a place, with a fingerprint that runs share."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import quote

from analyzer.analysis import Analysis
from analyzer.escape import Target, escape, json_text
from analyzer.reporters.context import Context
from analyzer.reporters.faults import Fault, anchor, faults
from analyzer.reporters.json import number, waiting_for
from analyzer.reporters.rules import RULES, Rule, rule
from analyzer.reporters.style import prose

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 5_000  # results that GitHub shows of a run
IDS = 20  # instances and traces named in a result


def render(analysis: Analysis, context: Context) -> str:
    """A log with one run."""
    found = faults(analysis.findings)
    rules = sorted({r.id: r for r in (*RULES, *(rule(f.kind) for f in found))}.values(), key=_id)
    index = {rule.id: position for position, rule in enumerate(rules)}
    location = _artifact(anchor(analysis, context))
    run = {
        "tool": {"driver": _driver(rules)},
        "automationDetails": {"id": "choreoscope/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(analysis, context, len(found))],
        "results": [
            _result(fault, index[fault.kind], location) | _standing(fault, context)
            for fault in found[:MOST]
        ],
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _id(rule: Rule) -> str:
    return rule.id


@cache
def _version() -> dict[str, str]:
    try:
        return {"version": version("choreoscope")}
    except PackageNotFoundError:  # run from a checkout that is not installed
        return {}


def _driver(rules: list[Rule]) -> dict[str, Any]:
    return {"name": "choreoscope", **_version(), "rules": [_rule(rule) for rule in rules]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": prose(rule.id, 100),
        "shortDescription": _message(rule.title, 200),
        "fullDescription": _message(rule.about, 400),
        "help": _message(f"{rule.about} See {rule.help} in choreoscope's documentation.", 600),
    }


def _message(text: str, limit: int = 1000) -> dict[str, str]:
    return {"text": escape(prose(text, limit), Target.SARIF)}


def _artifact(path: str) -> dict[str, str]:
    """A URI reference; GitHub resolves it against the root of the repository."""
    return {"uri": quote(escape(path)), "uriBaseId": "%SRCROOT%"}


def _invocation(analysis: Analysis, context: Context, found: int) -> dict[str, Any]:
    obstacles = context.obstacles(analysis)
    notes = [{"level": "error", "message": _message(said)} for said in obstacles]
    if found > MOST:
        said = f"{found - MOST:,} of {found:,} findings are not in this file."
        notes.append({"level": "warning", "message": _message(said)})
    return {"executionSuccessful": not obstacles, "toolExecutionNotifications": notes}


def _result(fault: Fault, index: int, location: dict[str, str]) -> dict[str, Any]:
    worst = fault.worst
    return {
        "ruleId": prose(fault.kind, 100),
        "ruleIndex": index,
        "level": worst.severity.value,
        "rank": _rank(worst.confidence),
        "message": _message(fault.told),
        "locations": [
            {
                "physicalLocation": {"artifactLocation": location, "region": {"startLine": 1}},
                "logicalLocations": [_place(fault)],
            }
        ],
        "occurrenceCount": fault.size,
        "partialFingerprints": {
            "primaryLocationLineHash": f"{fault.fingerprint}:1",
            "choreoscope/v1": fault.fingerprint,
        },
        "properties": _properties(fault),
    }


def _standing(fault: Fault, context: Context) -> dict[str, Any]:
    """Against the baseline, where there is one: what is accepted is marked, never left out."""
    if context.known is None:
        return {}
    reasons = [context.known.get(finding) for finding in fault.findings]
    said = list(dict.fromkeys(reason for reason in reasons if reason is not None))
    if None in reasons:  # also where others at this place are known
        return {"baselineState": "new" if not said else "updated"}
    return {
        "baselineState": "unchanged",
        "suppressions": [
            {
                "kind": "external",
                "status": "accepted",
                "justification": escape(prose("; ".join(said), 1000), Target.SARIF),
            }
        ],
    }


def _rank(confidence: float) -> float:
    """0..100 for how sure; -1 is SARIF's word for "not known"."""
    known = number(confidence)
    return -1.0 if known is None else round(min(max(known, 0.0), 1.0) * 100, 4)


def _place(fault: Fault) -> dict[str, str]:
    """Workflow, service and step: where it is, since it is in no line of code."""
    worst = fault.worst
    parts = [part for part in (worst.workflow, worst.service, worst.step) if part]
    shown = [prose(part, 200) for part in parts] or [prose(fault.kind, 100)]
    return {"name": shown[-1], "fullyQualifiedName": " / ".join(shown), "kind": "member"}


def _properties(fault: Fault) -> dict[str, Any]:
    worst = fault.worst
    waiting = worst.waiting_for
    traces = dict.fromkeys(trace for f in fault.findings for trace in f.trace_ids)
    return {
        "workflow": worst.workflow,
        "service": worst.service,
        "owner": worst.owner,
        "step": worst.step,
        "waiting_for": waiting_for(waiting.service, waiting.step, waiting.destination),
        "cause": worst.cause,
        "confidence": number(worst.confidence),
        "instances": list(fault.examples[:IDS]),
        "trace_ids": list(traces)[:IDS],
    }
