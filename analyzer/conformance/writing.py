"""Writes an expectations file, and brings the evidence in an edited one up to date.

Lines that begin with `#~` are written by `learn` and replaced by it; everything else in a file is
its owner's, byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analyzer.conformance.expectations import Step, StepName, Workflow
from analyzer.conformance.file import parse
from analyzer.conformance.learned import (
    LearnedGroup,
    LearnedStep,
    LearnedWorkflow,
    Name,
)
from analyzer.conformance.match import means
from analyzer.duration import plural, spell
from analyzer.escape import visible

MARK = "#~"
_UNITS = ((86_400 * 10**9, "d"), (3600 * 10**9, "h"), (60 * 10**9, "m"), (10**9, "s"))
HEADER = """\
# What choreoscope expects of these workflows: edit it, it is yours.
# Lines that begin with {mark} are evidence, written anew by `choreoscope learn --update FILE`.
# Keys are explained in docs/expectations.md; `choreoscope schema expectations` has the schema.
"""


def quoted(text: str) -> str:
    """A text as YAML in double quotes, on one line; what cannot be seen is escaped."""
    return f'"{"".join(map(_quoted, text))}"'


def _quoted(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def written(span_ns: int) -> str:
    """A duration as the file takes it: whole units only."""
    for unit, name in _UNITS:
        if span_ns % unit == 0:
            return f"{span_ns // unit}{name}"
    return f"{max(1, round(span_ns / 1e6))}ms"


def new_file(
    workflows: Sequence[LearnedWorkflow], keys: Sequence[str], suggested: Sequence[str]
) -> str:
    """The whole file. `keys`: as `--key` takes them; `suggested`: what else to think of."""
    lines = [HEADER.format(mark=MARK), "version: 1", ""]
    lines.append("workflows:" if workflows else "workflows: {}")
    for number, one in enumerate(workflows):
        lines += ["", *(_hints(suggested, "  ") if number == 0 else ()), *_workflow(one, keys)]
    return "\n".join(lines) + "\n"


def _hints(suggested: Sequence[str], indent: str) -> list[str]:
    return [f"{indent}{MARK} {_comment(hint)}" for hint in suggested]


def _workflow(one: LearnedWorkflow, keys: Sequence[str]) -> Iterator[str]:
    yield f"  {MARK} {about_workflow(one)}"
    yield f"  {one.name}:"
    yield f"    starts: {_reference(one.starts)}"
    if keys:
        yield "    keys:"
        for key in keys:
            name, _, aliases = key.partition("=")
            listed = ", ".join(quoted(alias) for alias in aliases.split(",") if alias)
            yield f"      {quoted(name)}: [{listed}]"
    if one.steps:
        yield "    steps:"
        for step in one.steps:
            yield f"      {MARK} {about_step(step)}"
            yield f"      - {flow_step(step)}"
    if one.exclusive:
        yield "    exclusive:"
        for group in one.exclusive:
            yield f"      {MARK} {about_group(group)}"
            yield f"      - [{', '.join(map(_reference, group.names))}]"
    if one.ends is not None:
        yield f"    {MARK} {about_group(one.ends)}"
        yield "    ends:"
        yield from (f"      - {_reference(name)}" for name in one.ends.names)


def _reference(name: Name) -> str:
    return f"{{service: {quoted(name.service)}, step: {quoted(name.operation)}}}"


def flow_step(step: LearnedStep) -> str:
    """A step as a YAML map on one line, with what its numbers carry."""
    parts = [f"step: {quoted(step.name.operation)}", f"service: {quoted(step.name.service)}"]
    if step.after is not None and step.within_ns is not None:
        parts.append(f"after: {quoted(str(step.after))}")
    if step.within_ns is not None:
        parts.append(f"within: {written(step.within_ns)}")
    if step.required:
        parts.append("required: true")
    if step.times is not None:
        parts.append(f"times: {step.times}")
    return "{" + ", ".join(parts) + "}"


def about_workflow(one: LearnedWorkflow) -> str:
    """The evidence for a workflow."""
    return (
        f"{plural(one.instances, 'instance')} of {_comment(one.seen_as)}, "
        f"{one.complete:,} complete; half of these took {spell(one.p50_ns)}, "
        f"the longest {spell(one.longest_ns)}"
    )


def about_step(step: LearnedStep) -> str:
    """The evidence for a step: in how many, how long after what, how often."""
    share = f"in {step.seen:,} of {step.of:,} complete instances"
    after = f"after {_comment(str(step.after))}" if step.after is not None else "after the start"
    wait = (
        f"p50 {spell(step.p50_ns)}, p99 {spell(step.p99_ns)}, "
        f"longest {spell(step.longest_ns)} {after}"
    )
    often = f"; {step.least} to {step.most} times" if step.least != step.most else ""
    often = often or (f"; {plural(step.most, 'time')}" if step.most != 1 else "")
    return f"{share}; {wait}{often}"


def about_group(group: LearnedGroup) -> str:
    """The evidence for steps that exclude each other."""
    numbers = " + ".join(f"{seen:,}" for seen in group.seen)
    whole = ", one in each" if group.every else ""
    return f"in {numbers} of {group.of:,} complete instances, never together{whole}"


def _comment(text: str) -> str:
    return visible(text)[:200]


@dataclass(frozen=True)
class _Insert:
    """Lines of evidence that go in front of line `line` (counted from 1)."""

    line: int
    texts: tuple[str, ...]


def without_evidence(text: str) -> str:
    """The file without the lines that `learn` wrote for evidence."""
    kept = [line for line in text.splitlines(keepends=True) if not line.lstrip().startswith(MARK)]
    return "".join(kept)


def updated(
    text: str,
    source: str,
    learned: Sequence[LearnedWorkflow],
    suggested: Sequence[str] = (),
) -> str:
    """The file with fresh evidence: values, comments and what was removed stay as they are.

    What was seen and is not in the file is named in a comment. Raises `DeclarationError`, and
    ValueError where a line of evidence stands inside a text of the file.
    """
    bare = without_evidence(text)
    if _values(parse(text, source)) != _values(parse(bare, source)):
        raise ValueError(f"a line that begins with {MARK} is part of a text")
    expectations = parse(bare, source)
    lines = bare.splitlines(keepends=True)
    inserts = list(_inserts(expectations.workflows, learned, lines, suggested))
    out: list[str] = []
    at: dict[int, list[str]] = {}
    for one in inserts:
        at.setdefault(one.line, []).extend(one.texts)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    for number, line in enumerate([*lines, ""], start=1):
        if number > len(lines) and number in at and lines and not lines[-1].endswith(("\n", "\r")):
            out.append(end)
        out += [f"{one}{end}" for one in at.get(number, ())]
        out.append(line)
    return "".join(out)


def _values(expectations: object) -> str:
    """Everything but the lines, to compare by."""
    return re.sub(r"Origin\(source='[^']*', line=\d+\)", "", repr(expectations))


def _inserts(
    workflows: Sequence[Workflow],
    learned: Sequence[LearnedWorkflow],
    lines: Sequence[str],
    suggested: Sequence[str],
) -> Iterator[_Insert]:
    known = set()
    if workflows and suggested:
        said = [_comment(hint) for hint in suggested]
        yield _at(workflows[0].origin.line, lines, said)
    for workflow in workflows:
        mine = next((one for one in learned if _is(workflow.starts, one.starts)), None)
        if mine is None:
            yield _at(workflow.origin.line, lines, ["no instance in this recording"])
            continue
        known.add(mine.seen_as)
        yield _at(workflow.origin.line, lines, [about_workflow(mine)])
        yield from _of_workflow(workflow, mine, lines)
    fresh = [one for one in learned if one.seen_as not in known]
    if fresh:
        said = [f"not in this file: {about_workflow(one)}" for one in fresh]
        yield _Insert(len(lines) + 1, tuple(f"{MARK} {one}" for one in said))


def _is(names: Sequence[StepName], name: Name) -> bool:
    spelled = (name.operation, str(name))
    return any(
        any(means(one.operation, text) for text in spelled)
        and (one.service is None or means(one.service, name.service))
        for one in names
    )


def _at(line: int, lines: Sequence[str], texts: Sequence[str]) -> _Insert:
    """Evidence in front of a line, indented as it is; in front of the first where it is on a line
    with others."""
    text = lines[line - 1] if line <= len(lines) else ""
    indent = text[: len(text) - len(text.lstrip())]
    return _Insert(line, tuple(f"{indent}{MARK} {one}" for one in texts))


def _of_workflow(
    workflow: Workflow, mine: LearnedWorkflow, lines: Sequence[str]
) -> Iterator[_Insert]:
    for step in workflow.steps:
        found = [one for one in mine.steps if _is((step.name,), one.name)]
        said = [_compared(step, one) for one in found] or ["not in this recording"]
        yield _at(step.origin.line, lines, said)
    for group in mine.exclusive:
        yield from _of_group(workflow, group, lines)
    rest = [one for one in mine.steps if not _is([step.name for step in workflow.steps], one.name)]
    if rest:
        said = [f"not in this file: {flow_step(one)}: {about_step(one)}" for one in rest]
        yield _at(workflow.origin.line, lines, said)


def _of_group(workflow: Workflow, group: LearnedGroup, lines: Sequence[str]) -> Iterator[_Insert]:
    places = [
        one.origin.line
        for one in workflow.exclusive
        if all(_is(one.steps, name) for name in group.names)
    ]
    if workflow.ends and all(_is(workflow.ends, name) for name in group.names):
        places.append(workflow.ends_origin.line)
    yield from (_at(line, lines, [about_group(group)]) for line in places)
    if not places:
        names = ", ".join(_comment(str(name)) for name in group.names)
        said = f"not in this file: {names}: {about_group(group)}"
        yield _at(workflow.origin.line, lines, [said])


def _compared(step: Step, found: LearnedStep) -> str:
    """The evidence, and what would be learned now where it is something else than declared."""
    now = []
    if step.within_ns is not None and found.within_ns not in (None, step.within_ns):
        now.append(f"within {written(found.within_ns or 0)}")
    if step.required is None and found.required:
        now.append("required")
    if step.required and not found.required and found.seen < found.of:
        now.append("not required")
    return about_step(found) + (f"; by this recording: {', '.join(now)}" if now else "")
