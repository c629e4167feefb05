"""What people expect of their workflows, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was declared; lines count from 1."""

    source: str
    line: int


NOWHERE = Origin("", 1)


@dataclass(frozen=True, slots=True)
class StepName:
    """Which steps are meant: patterns with `*` and `?` for operation and service.

    An operation may be written as reports do, "inventory: process orders".
    """

    operation: str
    service: str | None = None

    def __str__(self) -> str:
        return f"{self.service}: {self.operation}" if self.service else self.operation

    @property
    def fixed(self) -> bool:
        """Whether it can mean one step only."""
        return self.service is not None and not any(
            char in self.operation + self.service for char in "*?"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a workflow; unset fields stay as they are learned from the recording."""

    name: StepName
    after: StepName | None = None  # the beginning of the workflow where it is None
    within_ns: int | None = None
    required: bool | None = None  # False: optional; None: as learned
    least: int | None = None
    most: int | None = None
    each: bool = False  # as often as `after`
    owner: str | None = None
    severity: str | None = None
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class Pair:
    """What was opened has to be closed, by any of `close`."""

    open: StepName
    close: tuple[StepName, ...]
    within_ns: int | None = None
    owner: str | None = None
    severity: str | None = None
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class Compensation:
    """`undo` takes back what `do` did."""

    undo: StepName
    do: StepName
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class Exclusive:
    """At most one of these steps comes in an instance."""

    steps: tuple[StepName, ...]
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class Key:
    """A business key under its names."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        """As `--key` takes it."""
        aliases = ",".join(self.names[1:])
        return f"{self.names[0]}={aliases}" if aliases else self.names[0]


@dataclass(frozen=True, slots=True)
class Workflow:
    """What is expected of every instance that has a step of `starts`."""

    name: str
    starts: tuple[StepName, ...]
    within_ns: int | None = None
    owner: str | None = None
    severity: str | None = None
    keys: tuple[Key, ...] = ()
    steps: tuple[Step, ...] = ()
    exclusive: tuple[Exclusive, ...] = ()
    pairs: tuple[Pair, ...] = ()
    compensates: tuple[Compensation, ...] = ()
    ends: tuple[StepName, ...] = ()
    ends_origin: Origin = NOWHERE
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class External:
    """A participant that emits no spans: patterns of its name and of its destinations."""

    service: str
    consumes: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class Reference:
    """Another file that is read with this one; `service`: whose contract it is."""

    path: str
    service: str | None = None
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class Expectations:
    """A whole file."""

    source: str = ""
    workflows: tuple[Workflow, ...] = ()
    owners: dict[str, str] = field(default_factory=dict)  # pattern of a service -> owner
    external: tuple[External, ...] = ()
    asyncapi: tuple[Reference, ...] = ()
    eventcatalog: tuple[Reference, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every business key, as `--key` takes it."""
        every = (str(key) for workflow in self.workflows for key in workflow.keys)
        return tuple(dict.fromkeys(every))
