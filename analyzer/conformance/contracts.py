"""Declared channels, senders and receivers, held against what ran."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analyzer.checks import Check
from analyzer.conformance.declared import Channel, Contract, Operation, Use
from analyzer.conformance.expectations import Origin
from analyzer.detectors.dead_letters import DEAD_LETTER
from analyzer.duration import plural
from analyzer.finding import Cause, Finding, Severity, WaitingFor
from analyzer.steps.table import StepTable
from analyzer.stitching.roles import Role

_USES = {int(Role.SEND): Use.SENDS.value, int(Role.RECEIVE): Use.RECEIVES.value,
         int(Role.PROCESS): Use.RECEIVES.value}  # fmt: skip
_NAMES = ("destination", "event_type", "routing_key")
# Queues that brokers and clients make for themselves; nobody documents them.
_MADE = re.compile(r"(?i)^(amq\.gen|amq\.rabbitmq|tmp|temp|reply|_inbox|spring-gen|anonymous)\b")
_FILLERS = re.compile(r"[^a-z0-9]+")
_SUFFIXES = ("service", "svc", "api", "app", "application", "server", "events", "kafka", "amqp")


@dataclass(frozen=True)
class Ran:
    """What the recording shows: which service used which channel, under all names it had there."""

    uses: tuple[tuple[str, Use, frozenset[str], int], ...]  # service, use, names, how often
    active: frozenset[str]  # services that emitted a span

    @classmethod
    def of(cls, spans: pl.DataFrame, table: StepTable) -> Ran:
        """`spans`: those of the recording. A consumer's own span may name its queue only: what
        its message was sent to counts too."""
        named = spans.select(pl.col("service", *_NAMES).cast(pl.String))[table.row]
        named = named.with_columns(
            use=pl.Series(table.role.astype(np.int64)).replace_strict(_USES, default=None),
            step=pl.int_range(pl.len()),
        ).filter(pl.col("use").is_not_null())
        sent = named.select("step", *(pl.col(name).alias(f"sent_{name}") for name in _NAMES))
        message = table.role[table.source] == int(Role.SEND)
        taken = pl.DataFrame({"step": table.target[message], "source": table.source[message]})
        taken = taken.unique("step", keep="first", maintain_order=True)
        taken = taken.join(sent, left_on="source", right_on="step").drop("source")
        places = [*_NAMES, *(f"sent_{name}" for name in _NAMES)]
        grouped = (
            named.join(taken, on="step", how="left")
            .group_by("service", "use", *places)
            .agg(n=pl.len())
            .sort("service", "use", *places)
        )
        uses = (
            (str(service), Use(use), _places(names), n)
            for service, use, *names, n in grouped.iter_rows()
        )
        active = spans["service"].cast(pl.String).drop_nulls().unique().to_list()
        return cls(tuple(one for one in uses if one[2]), frozenset(active))

    def on(self, channel: Channel, use: Use) -> dict[str, int]:
        """Services that used the channel in this way, and how often."""
        pattern = _pattern((channel,))
        found: dict[str, int] = {}
        for service, used, places, n in self.uses:
            if used is use and _is_on(pattern, places):
                found[service] = found.get(service, 0) + n
        return found


def _places(names: list[str | None]) -> frozenset[str]:
    """The names of a step's channel, its own destination first; who reads a dead-letter queue
    does not read what its messages were sent to."""
    own = names[0]
    if own is not None and re.search(DEAD_LETTER, own):
        return frozenset((own,))
    return frozenset(name for name in names if name)


def _pattern(channels: Iterable[Channel]) -> re.Pattern[str]:
    addresses = [_address(one) for channel in channels for one in channel.addresses]
    return re.compile("|".join(addresses) or r"\b\B")


def _is_on(pattern: re.Pattern[str], places: Iterable[str]) -> bool:
    return any(pattern.fullmatch(name) for place in places for name in _names(place))


def _names(place: str) -> tuple[str, ...]:
    """A destination and, of "exchange,routing.key" or "exchange:key", its parts."""
    place = place.lstrip("/")
    return tuple(dict.fromkeys((place, *re.split(r"[,:]", place))))


def _address(address: str) -> str:
    """A declared address as an expression over names; `{id}` is one part between separators."""
    separator = "/" if "/" in address else "."
    anyone = rf"[^{re.escape(separator)}]+"
    parts = re.split(r"(\$?\{[^{}]*\})", address.lstrip("/"))
    texts = [anyone if part.endswith("}") and "{" in part else re.escape(part) for part in parts]
    plain = "".join(texts)
    if separator == "." or "/" not in address:
        return plain
    # brokers without "/" in their names are given "." in its place
    dotted = "".join(
        r"[^.]+" if part.endswith("}") and "{" in part else re.escape(part.replace("/", "."))
        for part in parts
    )
    return f"{plain}|{dotted}"


def same_service(declared: str, seen: Iterable[str]) -> str | None:
    """The service of the recording that a document's name means: "Orders API" is `orders`."""
    names = sorted(seen)
    if declared in names:
        return declared
    wanted = _bare(declared)
    found = [one for one in names if _bare(one) == wanted]
    return found[0] if len(found) == 1 and wanted else None


def _bare(name: str) -> str:
    """Lower case without separators and without the words that say nothing."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    words = [word for word in _FILLERS.split(spaced.lower()) if word]
    while len(words) > 1 and words[-1] in _SUFFIXES:
        words.pop()
    return "".join(words)


@dataclass(frozen=True)
class _Book:
    """The contracts with their services as the recording calls them."""

    operations: tuple[Operation, ...]
    channels: tuple[Channel, ...]
    documented: frozenset[str]  # services all of whose operations are declared
    unknown: tuple[tuple[Contract, str], ...]  # documents whose service is not in the recording


def _book(contracts: Sequence[Contract], ran: Ran) -> _Book:
    operations: list[Operation] = []
    documented: set[str] = set()
    unknown = []
    channels: list[Channel] = []
    for contract in contracts:
        seen = {name: same_service(name, ran.active) for name in contract.services}
        unknown += [(contract, name) for name, known in seen.items() if known is None]
        documented |= {known for known in seen.values() if known is not None}
        for one in contract.operations:
            known = seen.get(one.service) or same_service(one.service, ran.active)
            operations.append(
                Operation(known or one.service, one.use, one.channel, one.message, one.origin)
            )
        for channel in (*contract.channels, *(one.channel for one in contract.operations)):
            _join(channels, channel)
    return _Book(tuple(operations), tuple(channels), frozenset(documented), tuple(unknown))


def _join(channels: list[Channel], channel: Channel) -> None:
    """Add a channel, or its addresses to the one that it is."""
    for at, known in enumerate(channels):
        if set(known.addresses) & set(channel.addresses):
            addresses = tuple(dict.fromkeys((*known.addresses, *channel.addresses)))
            channels[at] = replace(known, addresses=addresses)
            return
    channels.append(channel)


def held_against(
    contracts: Sequence[Contract], ran: Ran
) -> tuple[tuple[Check, ...], tuple[Finding, ...]]:
    """The checks of all contracts, and a finding for each one that is broken."""
    book = _book(contracts, ran)
    checks: list[Check] = [_unknown(contract, name, ran) for contract, name in book.unknown]
    findings: list[Finding] = []
    for channel in book.channels:
        for check, finding in _on_channel(book, channel, ran):
            checks.append(check)
            findings += [finding] if finding is not None else []
    checks += _without_document(book, ran)
    for check, finding in _undeclared_channels(book, ran):
        checks.append(check)
        findings.append(finding)
    return tuple(checks), tuple(findings)


def _unknown(contract: Contract, name: str, ran: Ran) -> Check:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(ran.active), n=1, cutoff=0.4)
    said = f"no service {name!r} in the recording"
    if not contract.certain:
        said += f"; say whose document it is: --asyncapi {near[0] if near else 'SERVICE'}=FILE"
    elif near:
        said += f"; the nearest is {near[0]!r}"
    origin = Origin(contract.source, 1)
    return _check("service", name, "in the recording", origin, why=((said, 1),))


def _check(
    rule: str,
    subject: str,
    expected: str,
    origin: Origin,
    *,
    held: int = 0,
    broken: int = 0,
    why: tuple[tuple[str, int], ...] = (),
) -> Check:
    return Check(
        rule,
        subject,
        expected,
        held,
        broken,
        sum(n for _, n in why),
        why,
        source=origin.source,
        line=origin.line,
    )


Judged = tuple[Check, Finding | None]


def _on_channel(book: _Book, channel: Channel, ran: Ran) -> Iterator[Judged]:
    mine = [one for one in book.operations if set(one.channel.addresses) & set(channel.addresses)]
    if not channel.addresses:
        said = "its address is known at run time only"
        yield _check("channel", str(channel), "in use", channel.origin, why=((said, 1),)), None
        return
    senders, receivers = ran.on(channel, Use.SENDS), ran.on(channel, Use.RECEIVES)
    yield _runs(channel, senders, receivers)
    for use, seen in ((Use.SENDS, senders), (Use.RECEIVES, receivers)):
        declared = {one.service: one for one in mine if one.use is use}
        for service, operation in sorted(declared.items()):
            yield _declared(operation, seen.get(service, 0), senders, service in ran.active)
        for service in sorted(set(seen) - set(declared)):
            if service not in book.documented and not declared:
                continue  # told once a service
            opposite = any(one.service == service and one.use is not use for one in mine)
            told = _Undeclared(channel, use, service, seen[service], opposite)
            yield told.judged(service in book.documented)
    if senders and not receivers:
        yield _unused(channel, mine, senders)


def _runs(channel: Channel, senders: dict[str, int], receivers: dict[str, int]) -> Judged:
    runs = sum(senders.values()) + sum(receivers.values())
    if runs:
        return _check("channel", str(channel), "in use", channel.origin, held=runs), None
    why = (("not used in this recording", 1),)
    check = _check("channel", str(channel), "in use", channel.origin, why=why)
    text = f"the declared channel {channel} was not used by anybody in this recording"
    return check, _finding("silent-channel", Severity.NOTE, text, channel, None, channel.origin)


def _declared(operation: Operation, n: int, senders: dict[str, int], active: bool) -> Judged:
    """A declared sender or receiver: seen, vanished, or nothing to take."""
    channel, service = operation.channel, operation.service
    messages = sum(senders.values())
    expected = f"{operation.use.value} {channel}"
    if n:
        return _check(operation.use.value, service, expected, operation.origin, held=n), None
    if operation.use is Use.SENDS or not messages:
        missing = "it sent none" if operation.use is Use.SENDS else "no message was sent there"
        said = missing if active else f"{missing}, and the service is not in the recording"
        return _check(
            operation.use.value, service, expected, operation.origin, why=((said, 1),)
        ), None
    check = _check(operation.use.value, service, expected, operation.origin, broken=messages)
    severity = Severity.ERROR if active else Severity.WARNING
    why = "" if active else "; the service emits no span at all in this recording"
    text = (
        f"{service} is declared to receive {channel} and was not seen to, while "
        f"{plural(messages, 'message')} {'was' if messages == 1 else 'were'} sent there{why}"
    )
    finding = _finding("vanished-consumer", severity, text, channel, service, operation.origin)
    return check, finding


@dataclass(frozen=True)
class _Undeclared:
    """A service that uses a channel and is not declared to."""

    channel: Channel
    use: Use
    service: str
    n: int
    opposite: bool  # it is declared to do the other thing with it

    def judged(self, documented: bool) -> Judged:
        """A fault of the documents where there is one of the service; else not to be said."""
        verb = "send to" if self.use is Use.SENDS else "receive from"
        expected, origin = f"declared to {verb} {self.channel}", self.channel.origin
        rule = f"undeclared-{self.use.value}"
        if documented:
            check = _check(rule, self.service, expected, origin, broken=self.n)
            return check, self._finding(Severity.WARNING, self._turned())
        said = f"no document of {self.service} was given"
        why = ((said, self.n),)
        check = _check(rule, self.service, expected, origin, why=why)
        return check, self._finding(Severity.NOTE, f"; {said}")

    def _turned(self) -> str:
        if not self.opposite:
            return ""
        does = "receive" if self.use is Use.SENDS else "send"
        return f", but to {does}; in AsyncAPI 2 `publish` says that others publish to the service"

    def _finding(self, severity: Severity, more: str) -> Finding:
        sends = self.use is Use.SENDS
        did = "sent to" if sends else "received from"
        kind = "undocumented-producer" if sends else "undocumented-consumer"
        times = plural(self.n, "time")
        text = f"{self.service} {did} {self.channel} {times} and is not declared to{more}"
        return _finding(kind, severity, text, self.channel, self.service, self.channel.origin)


def _unused(channel: Channel, mine: Sequence[Operation], senders: dict[str, int]) -> Judged:
    n = sum(senders.values())
    check = _check("consumed", str(channel), "received by somebody", channel.origin, broken=n)
    declared = [one for one in mine if one.use is Use.RECEIVES]
    if declared:
        return check, None  # each of them is told as vanished
    text = (
        f"{plural(n, 'message')} of {', '.join(sorted(senders))} to the declared channel "
        f"{channel}, and nobody is declared or seen to receive them"
    )
    service = min(senders)
    return check, _finding("unused-event", Severity.WARNING, text, channel, service, channel.origin)


def _without_document(book: _Book, ran: Ran) -> Iterator[Check]:
    """Services that use declared channels, and of which nothing is declared."""
    pattern = _pattern(book.channels)
    named = {one.service for one in book.operations} | book.documented
    found: dict[str, int] = {}
    for service, _, places, n in ran.uses:
        if service not in named and _is_on(pattern, places):
            found[service] = found.get(service, 0) + n
    for service, n in sorted(found.items()):
        why = (("it uses declared channels, and no document of it was given", n),)
        yield _check("document", service, "documented", Origin("", 1), why=why)


def _undeclared_channels(book: _Book, ran: Ran) -> Iterator[tuple[Check, Finding]]:
    """Destinations that a documented service uses and no document has."""
    pattern = _pattern(book.channels)
    unknown: dict[tuple[str, Use, str], int] = {}
    for service, use, places, n in ran.uses:
        place = min(places)
        made = any(_MADE.match(one) or re.search(DEAD_LETTER, one) for one in places)
        if service in book.documented and not made and not _is_on(pattern, places):
            unknown[service, use, place] = unknown.get((service, use, place), 0) + n
    for (service, use, place), n in sorted(unknown.items()):
        origin = Origin("", 1)
        expected = f"{place} declared as a channel"
        check = _check(f"undeclared-{use.value}", service, expected, origin, broken=n)
        did = "sent to" if use is Use.SENDS else "received from"
        text = f"{service} {did} {place} {plural(n, 'time')}, which is in no document"
        channel = Channel(place, (place,))
        yield (
            check,
            _finding("undocumented-channel", Severity.WARNING, text, channel, service, origin),
        )


def _finding(
    kind: str,
    severity: Severity,
    text: str,
    channel: Channel,
    service: str | None,
    origin: Origin,
) -> Finding:
    place = f"declared at {origin.source}:{origin.line}" if origin.source else "declared nowhere"
    return Finding(
        kind=kind,
        severity=severity,
        confidence=0.8,
        message=text,
        service=service,
        waiting_for=WaitingFor(destination=str(channel)),
        causes=(Cause(kind, 0.8, (place,)),),
    )
