"""Turns played instances into spans: ids, parents and links in one of the four shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from collectors.simulate.case import Act, Case
from collectors.simulate.dice import Ids
from collectors.simulate.flows import MS, SECOND
from collectors.simulate.otlp import (
    Event,
    KeyValue,
    Link,
    Request,
    ResourceSpans,
    Scope,
    ScopeSpans,
    Span,
    Status,
    number,
    text,
)
from collectors.simulate.vocabulary import WRITES_FLAGS, Template, Vocabulary, error_type
from collectors.simulate.world import World

BATCH: Final = 10  # messages that one receive takes at most
BOUNDARY: Final = frozenset({"server", "job", "send", "process"})
EXPORT: Final = 512  # spans in one request, as the SDKs' batch processors send them
SAMPLED, HAS_REMOTE, IS_REMOTE = 1, 0x100, 0x200  # bits of OTLP span flags

Grouped = dict[tuple[str, str], dict[Scope, list[Span]]]


class Renderer:
    """Writes the spans of one scenario, chunk by chunk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scenario = world.scenario
        self.words = Vocabulary(world.scenario)
        self.shape = world.scenario.shape
        self.identified = self.shape != "key"  # messages carry ids that both sides write
        share = world.scenario.faults.get("sampling", 1.0)
        self.threshold = round((1 - share) * 2**56)
        hexed = f"{self.threshold:014x}".rstrip("0")
        self.tracestate = f"ot=th:{hexed or '0'}" if share < 1 else ""
        self.skew_ns = round(world.scenario.faults.get("skew", 0) * SECOND)
        self.offsets: dict[tuple[str, int], int] = defaultdict(int)
        self.keyed = self._keyed_roles()

    def _keyed_roles(self) -> tuple[str, ...]:
        if self.shape == "key" or self.scenario.keys == "all":
            return ("server", "job", "send", "process")
        return ("server", "job") if self.scenario.keys == "first" else ()

    def render(self, chunk: int, cases: list[Case]) -> Iterator[Request]:
        """The requests of one chunk; fills in what the truth has to know of each case."""
        self.ids = Ids(self.scenario, chunk)
        self._number_messages(cases)
        receives = self._receives(cases) if self.shape == "batch" else {}
        loops: dict[tuple[str, int], Act] = {}
        grouped: Grouped = defaultdict(lambda: defaultdict(list))
        for case in cases:
            for act in case.acts:
                self._draw(act, receives, loops, grouped)
        for act in {id(a): a for a in (*receives.values(), *loops.values())}.values():
            self._export(act, grouped, (), act.parent)
        return self._requests(grouped)

    def _number_messages(self, cases: list[Case]) -> None:
        """Offsets and message ids, in the order of the sends."""
        sends = [a for c in cases for a in c.acts if a.role == "send" and not a.error]
        sends.sort(key=lambda act: act.end)
        for act in sends:
            message, case = act.message, act.case
            if message is None or case is None:
                continue
            if self.scenario.broker != "kafka":
                message.message_id = self.ids.take(32)
                continue
            message.partition = case.index % 3
            spot = (message.destination, message.partition)
            message.offset, self.offsets[spot] = self.offsets[spot], self.offsets[spot] + 1

    # -- shapes -------------------------------------------------------------------------------

    def _receives(self, cases: list[Case]) -> dict[int, Act]:
        """The receive that each delivery came with, by the id of its process act."""
        waiting: dict[tuple[str, str, bool], list[Act]] = defaultdict(list)
        for case in cases:
            for act in case.acts:
                if act.role == "process" and not act.broken and act.service != self.world.polling:
                    waiting[act.service, act.label, act.again].append(act)
        found: dict[int, Act] = {}
        for spot in sorted(waiting):
            for members in _batches(sorted(waiting[spot], key=lambda act: act.start)):
                receive = self._receive(members)
                found.update((id(act), receive) for act in members)
        return found

    def _receive(self, members: list[Act]) -> Act:
        """Ends just before its first message is worked on, begins after the last was sent."""
        first = members[0]
        sent = max(a.message.sent_ns for a in members if a.message)
        end = first.start - MS // 5
        start = max(min(sent, end), end - 20 * MS)
        receive = Act("receive", first.service, first.label, start, end=end, case=first.case)
        receive.dead_pod = first.dead_pod and len(members) == 1
        receive.members = members
        receive.trace, receive.span = self.ids.take(32), self.ids.take(16)
        return receive

    def _loop(self, act: Act, name: str, loops: dict[tuple[str, int], Act]) -> Act:
        """The long root span that the act falls into."""
        width = max(20 * self.world.spacing_ns, 10 * SECOND)
        window = act.start // width
        found = loops.get((name, window))
        if found is None:
            found = Act("job", act.service, name, window * width)
            found.trace, found.span = self.ids.take(32), self.ids.take(16)
            loops[name, window] = found
        found.start = min(found.start, act.start - MS)
        found.end = max(found.end, act.end + MS)
        return found

    def _draw(
        self,
        act: Act,
        receives: dict[int, Act],
        loops: dict[tuple[str, int], Act],
        grouped: Grouped,
    ) -> None:
        """Give the act its place in a trace, and export it."""
        parent, linked = self._origin(act, receives, loops)
        act.trace = parent.trace if parent else self.ids.take(32)
        act.span = self.ids.take(16)
        self._export(act, grouped, linked, parent)

    def _origin(
        self, act: Act, receives: dict[int, Act], loops: dict[tuple[str, int], Act]
    ) -> tuple[Act | None, tuple[Act, ...]]:
        """The parent and the links of an act."""
        silent = self.world.uninstrumented
        if act.parent is not None:
            gone = act.parent.service == silent and act.service != silent
            return (None if gone else act.parent), ()
        if act.message is None:
            if self.world.cron and act.cause is None:
                return self._loop(act, f"cron {self.world.flow.name}-import", loops), ()
            told = act.cause is not None and self.shape != "key" and act.service != silent
            return None, ((act.cause,) if act.cause and told else ())
        send = act.message.act
        known = not act.broken and send.service != silent and self.shape != "key"
        links = (send,) if known else ()
        if act.service == self.world.polling:
            return self._loop(act, f"poll {act.service}", loops), links
        if self.shape == "child":
            return (send if known else None), ()
        return receives.get(id(act)), links

    # -- spans --------------------------------------------------------------------------------

    def _export(
        self, act: Act, grouped: Grouped, linked: tuple[Act, ...], parent: Act | None
    ) -> None:
        case = act.case
        if act.end > self.world.cut_ns:
            self._note_cut(act)
            return
        if act.end > self.world.exported_ns(act.service):
            self._note_late(act)
            return
        hidden = act.hidden or act.service == self.world.uninstrumented
        if hidden or not self._sampled(act.trace):
            return
        for other in [a.case for a in act.members] if act.members else (case,):
            if other is not None:
                _note(other, act)
        where = (act.service, self.words.pod(act, case.index & 1 if case else 0))
        template = self.words.template(act)
        spans = grouped[where][template.scope]
        spans.append(self._span(template, act, linked, parent))

    def _note_cut(self, act: Act) -> None:
        if act.case is not None:
            act.case.cut = True

    def _note_late(self, act: Act) -> None:
        if act.case is not None and not act.hidden and "late-spans" not in act.case.also:
            act.case.also.append("late-spans")

    def _sampled(self, trace: str) -> bool:
        return not self.threshold or int(trace[18:], 16) >= self.threshold

    def _span(
        self, template: Template, act: Act, linked: tuple[Act, ...], parent: Act | None
    ) -> Span:
        shift = self.skew_ns if act.service == self.world.skewed else 0
        flags: int | None = None
        if self.words.language[act.service] in WRITES_FLAGS:
            remote = parent is not None and parent.service != act.service
            flags = SAMPLED | HAS_REMOTE | (IS_REMOTE if remote else 0)
        span = Span(
            act.trace,
            act.span,
            template.name,
            template.kind,
            str(act.start + shift),
            str(act.end + shift),
            (*template.attributes, *self._own(act)),
            parent.span if parent else "",
            self.tracestate,
            flags,
        )
        if act.error:
            span.status = Status(2, act.error)
            span.events = _exception(act, shift)
        if linked:
            span.links = tuple(self._link(act, other, ()) for other in linked)
        if act.members:
            span.links = tuple(self._receive_links(act))
        return span

    def _own(self, act: Act) -> list[KeyValue]:
        """The attributes that this one span has and its like have not."""
        if act.members:
            return [number("messaging.batch.message_count", len(act.members))]
        found: list[KeyValue] = []
        case = act.case
        if case is None:
            return found
        if self.identified and act.message and not act.broken and not act.error:
            found = self.words.message(act)
        lost = act.broken or (act.parent is not None and act.parent.broken)
        if act.role in self.keyed and not lost:
            key = case.key
            if act.foreign >= 0:
                key = f"{self.world.flow.prefix}-{100_000 + act.foreign}"
            found.append(self.words.key(act.service, key))
        return found

    def _link(self, act: Act, other: Act, attributes: tuple[KeyValue, ...]) -> Link:
        flags = None
        if self.words.language[act.service] in WRITES_FLAGS:
            flags = HAS_REMOTE | (IS_REMOTE if other.service != act.service else 0)
            flags |= SAMPLED if self._sampled(other.trace) else 0
        return Link(other.trace, other.span, self.tracestate, attributes, flags)

    def _receive_links(self, receive: Act) -> Iterator[Link]:
        for act in receive.members:
            if act.message is None or act.message.act.service == self.world.uninstrumented:
                continue
            yield self._link(receive, act.message.act, tuple(self.words.message(act)))

    def _requests(self, grouped: Grouped) -> Iterator[Request]:
        for (service, pod), scopes in sorted(grouped.items()):
            resource = self.words.resource(service, pod)
            for scope, spans in scopes.items():
                for first in range(0, len(spans), EXPORT):
                    part = ScopeSpans(scope, spans[first : first + EXPORT])
                    yield Request([ResourceSpans(resource, [part])])


def _batches(acts: Iterable[Act]) -> Iterator[list[Act]]:
    """Deliveries that one poll can have brought: all were sent before the first was worked on."""
    batch: list[Act] = []
    for act in acts:
        sent = act.message.sent_ns if act.message else 0
        fits = batch and len(batch) < BATCH and act.start - batch[0].start < SECOND
        if fits and sent < batch[0].start - MS // 2:
            batch.append(act)
            continue
        if batch:
            yield batch
        batch = [act]
    if batch:
        yield batch


def _note(case: Case, act: Act) -> None:
    """What the truth has to know of an exported span."""
    case.traces[act.trace] = None
    case.spans += 1
    if act.role in BOUNDARY:
        case.boundary.append(act.span)
    if not case.first_ns or act.start < case.first_ns:
        case.first_ns = act.start
    if act.end > case.last_ns:
        case.last_ns = act.end


def _exception(act: Act, shift: int) -> tuple[Event, ...]:
    if act.role not in ("process", "server", "send"):
        return ()
    attributes = (text("exception.type", error_type(act)), text("exception.message", act.error))
    return (Event(str(act.end + shift), "exception", attributes),)
