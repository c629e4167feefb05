"""The expectations file: its keys, how it is read, and its JSON Schema."""

from __future__ import annotations

from typing import Any

from analyzer.conformance.expectations import (
    Compensation,
    Exclusive,
    Expectations,
    External,
    Key,
    Origin,
    Pair,
    Reference,
    Step,
    StepName,
    Workflow,
)
from analyzer.conformance.grammar import (
    INVALID,
    At,
    Choice,
    Duration,
    Either,
    Faults,
    Flag,
    Many,
    Named,
    Record,
    Shape,
    Text,
    Times,
)
from analyzer.conformance.yaml_text import DeclarationError, load
from analyzer.finding import Severity

VERSION = 1
Fields = dict[str, Any]


def _origin(at: At) -> Origin:
    return Origin(at.source, at.line)


class _Version:
    """1, the only one there is."""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        if value == VERSION and not isinstance(value, bool):
            return value
        return faults.add(at, f"must be {VERSION}: this choreoscope knows no other version")

    def schema(self) -> dict[str, Any]:
        return {"const": VERSION}


class _StepText:
    """A step by its name alone."""

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        text = Text().read(value, at, faults)
        return text if text is INVALID else StepName(text)

    def schema(self) -> dict[str, Any]:
        return Text().schema()


class _Located:
    """A shape whose value also needs the place where it stands."""

    def __init__(self, shape: Shape, build: Any) -> None:
        self.shape, self.build = shape, build

    def read(self, value: Any, at: At, faults: Faults) -> Any:
        read = self.shape.read(value, at, faults)
        return INVALID if read is INVALID else self.build(read, at)

    def schema(self) -> dict[str, Any]:
        return self.shape.schema()


def _step(found: Fields, at: At) -> Step:
    times = found.get("times", (None, None))
    each = times == "each"
    least, most = (None, None) if each else times
    required: bool | None = found.get("required")
    if "optional" in found and required is None:
        required = False if found["optional"] else None
    return Step(
        StepName(found["step"], found.get("service")),
        found.get("after"),
        found.get("within"),
        required,
        least,
        most,
        each,
        found.get("owner"),
        found.get("severity"),
        _origin(at),
    )


def _pair(found: Fields, at: At) -> Pair:
    within, owner, severity = found.get("within"), found.get("owner"), found.get("severity")
    return Pair(found["open"], found["close"], within, owner, severity, _origin(at))


def _workflow(found: Fields, at: At) -> Workflow:
    ends, ends_origin = found.get("ends", ((), _origin(at)))
    return Workflow(
        name="",
        starts=found["starts"],
        within_ns=found.get("within"),
        owner=found.get("owner"),
        severity=found.get("severity"),
        keys=found.get("keys", ()),
        steps=found.get("steps", ()),
        exclusive=found.get("exclusive", ()),
        pairs=found.get("pairs", ()),
        compensates=found.get("compensates", ()),
        ends=ends,
        ends_origin=ends_origin,
        origin=_origin(at),
    )


def _compensations(found: dict[str, tuple[StepName, Origin]], _: At) -> tuple[Compensation, ...]:
    return tuple(Compensation(StepName(undo), do, at) for undo, (do, at) in found.items())


def _external(found: Fields, at: At) -> External:
    consumes, sends = found.get("consumes", ()), found.get("sends", ())
    return External(found["service"], consumes, sends, _origin(at))


STEP: Shape = Either(
    _StepText(),
    Record(
        "a step",
        {"step": Text(), "service": Text()},
        lambda found, at: StepName(found["step"], found.get("service")),
        needed=("step",),
    ),
    help="A step by its operation as reports show it; * and ? stand for any characters and any one",
)
OWNER = Text("Who has to act; named in findings")
SEVERITY = Choice(tuple(Severity), "Of the findings where it is broken; error by default")

STEP_RECORD = Record(
    "a step",
    {
        "step": Text("Operation, such as 'process orders.placed'; * and ? are wildcards"),
        "service": Text("Service that it happens in; * and ? are wildcards"),
        "after": STEP,
        "within": Duration("Deadline, counted from the start of `after`, else of the workflow"),
        "required": Flag("true: its absence is a finding; false: never. Unset: as learned"),
        "optional": Flag("true is the same as `required: false`"),
        "times": Times("How often it comes in an instance; `each`: as often as `after`"),
        "owner": OWNER,
        "severity": SEVERITY,
    },
    _step,
    needed=("step",),
    contradict=(("required", "optional"),),
)
PAIR = Record(
    "a pair",
    {
        "open": STEP,
        "close": Many(STEP, alone=True, help="Any of them closes it"),
        "within": Duration("From the open to its close"),
        "owner": OWNER,
        "severity": SEVERITY,
    },
    _pair,
    needed=("open", "close"),
)
KEYS = Either(
    _Located(Many(Text()), lambda names, _: (Key(names),)),
    _Located(
        Named(Many(Text(), least=0, alone=True)),
        lambda found, _: tuple(Key((name, *aliases)) for name, aliases in found.items()),
    ),
    help="Attributes that carry the business key: a list is one key under several names, a map "
    "has a key with its other names a line",
)
WORKFLOW = Record(
    "a workflow",
    {
        "starts": Many(STEP, alone=True, help="An instance with such a step is one of this kind"),
        "within": Duration("From its start to an end; without ends to its last step"),
        "owner": OWNER,
        "severity": SEVERITY,
        "keys": KEYS,
        "steps": Many(STEP_RECORD, least=0),
        "exclusive": Many(
            _Located(Many(STEP, least=2), lambda steps, at: Exclusive(steps, _origin(at))),
            least=0,
            help="Of each list at most one step comes in an instance",
        ),
        "pairs": Many(PAIR, least=0),
        "compensates": _Located(
            Named(_Located(STEP, lambda step, at: (step, _origin(at))), least=0,
                  help="Step that takes back: step that is taken back"),
            _compensations,
        ),
        "ends": _Located(
            Many(STEP, alone=True, help="Every instance comes to one of these"),
            lambda steps, at: (steps, _origin(at)),
        ),
    },
    _workflow,
    needed=("starts",),
)  # fmt: skip
FILE = Record(
    "an expectations file",
    {
        "version": _Version(),
        "workflows": Named(
            _Located(WORKFLOW, lambda workflow, at: workflow), least=0,
            help="A name of your own for each kind of workflow",
        ),
        "owners": Named(Text(), help="Service (* and ? are wildcards): who owns it"),
        "external": Many(
            Either(
                _Located(Text(), lambda name, at: External(name, (), (), _origin(at))),
                Record(
                    "an external participant",
                    {
                        "service": Text("Its name, as other spans or your documents call it"),
                        "consumes": Many(Text(), alone=True, help="Destinations that it reads"),
                        "sends": Many(Text(), alone=True, help="Destinations that it writes"),
                    },
                    _external,
                    needed=("service",),
                ),
            ),
            least=0,
            help="Participants that emit no spans; nobody waits for theirs",
        ),
        "asyncapi": Many(
            Either(
                _Located(Text(), lambda path, at: Reference(path, None, _origin(at))),
                Record(
                    "an AsyncAPI document",
                    {"file": Text("Relative to this file"), "service": Text("Whose it is")},
                    lambda found, at: Reference(found["file"], found.get("service"), _origin(at)),
                    needed=("file",),
                ),
            ),
            least=0,
            help="AsyncAPI 2 or 3 documents",
        ),
        "eventcatalog": Many(
            _Located(Text(), lambda path, at: Reference(path, None, _origin(at))),
            least=0,
            alone=True,
            help="Folders of an EventCatalog",
        ),
    },
    lambda found, at: (found, at),
)  # fmt: skip


def parse(text: str, source: str) -> Expectations:
    """The file's expectations. Raises `DeclarationError` with everything that is wrong."""
    from dataclasses import replace

    tree = load(text, source)
    faults = Faults()
    read = FILE.read({} if tree is None else tree, At(source, 1), faults)
    if tree is None:
        faults.add(At(source, 1), "the file is empty; `choreoscope learn` writes one")
    if faults.found or read is INVALID:
        raise DeclarationError(tuple(sorted(faults.found)))
    found, _ = read
    workflows = (replace(one, name=name) for name, one in found.get("workflows", {}).items())
    return Expectations(
        source,
        tuple(workflows),
        found.get("owners", {}),
        found.get("external", ()),
        found.get("asyncapi", ()),
        found.get("eventcatalog", ()),
    )


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file; made of the same shapes that read it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:choreoscope:expectations:1",
        "title": "choreoscope expectations",
        "description": "What `choreoscope analyze --expect` takes, in YAML 1.2 or JSON.",
        **FILE.schema(),
    }
