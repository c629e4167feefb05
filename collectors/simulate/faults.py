"""The faults that can be simulated, and what an honest analysis should say about each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and its truth.

    `findings` are groups of kinds: one of each group has to be said, the first is the best word.
    `accepts` are kinds that are no false alarm though nobody asks for them.
    """

    what: str
    where: str  # hop, send, variant: one place of an instance; system: the whole recording
    state: str = "complete"
    states: tuple[str, ...] = ()  # other states that are as good
    findings: tuple[tuple[str, ...], ...] = ()
    accepts: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()  # any of these is the right first cause
    synchronous: bool = False  # can happen to a system of calls
    number: str = "share of instances"


_STUCK = ("stuck", "late", "backlog", "missing-step", "unconsumed-message")

FAULTS: dict[str, Fault] = {
    "lost": Fault(
        "a message never reaches one of its groups",
        "hop",
        "stuck",
        (),
        (("unconsumed-message", "stuck"),),
        _STUCK,
        ("lost",),
    ),
    "crash": Fault(
        "a handler dies in the middle: its span is missing, its children are there",
        "hop",
        "stuck",
        ("failed",),
        (("stuck", "unconsumed-message", "failed"),),
        (*_STUCK, "failed", "orphaned", "broken-propagation"),
        ("crashed",),
        synchronous=True,
    ),
    "hang": Fault(
        "a handler never returns: its span is missing, its process goes on with other work",
        "hop",
        "stuck",
        ("failed",),
        (("stuck", "unconsumed-message", "failed"),),
        (*_STUCK, "failed", "orphaned", "broken-propagation"),
        ("hanging", "running", "processing", "crashed"),
        synchronous=True,
    ),
    "handler-error": Fault(
        "a handler fails and nothing comes after it",
        "hop",
        "failed",
        (),
        (("failed",),),
        ("missing-step", "stuck"),
        ("handler-error", "failed"),
        synchronous=True,
    ),
    "dead-letter": Fault(
        "a handler fails three times, then the message goes to the dead-letter destination",
        "hop",
        "dead-lettered",
        (),
        (("dead-lettered",),),
        ("failed", "missing-step", "stuck"),
        ("dead-lettered",),
    ),
    "retry": Fault("a handler fails one to three times, then succeeds", "hop"),
    "retry-storm": Fault(
        "a handler fails 8 to 20 times before it succeeds",
        "hop",
        findings=(("retry-storm",),),
        accepts=("late",),
        states=("late",),
    ),
    "duplicate": Fault(
        "a message is processed twice, both times with success",
        "hop",
        findings=(("duplicate-delivery",),),
    ),
    "late": Fault(
        "one delivery takes 30 to 90 times as long as usual, then all is well",
        "hop",
        states=("late",),
        accepts=("late", "backlog"),
    ),
    "slow-fine": Fault(
        "one handler takes 100 times as long as usual (10 times in a call), then all is well",
        "hop",
        accepts=("late",),
        synchronous=True,
    ),
    "skip": Fault(
        "a handler ends well but does not publish what it should",
        "hop",
        "stuck",
        ("failed",),
        (("missing-step", "stuck"),),
        _STUCK,
        ("ended-early", "not-sent", "missing-step"),
        synchronous=True,
    ),
    "identity-conflict": Fault(
        "a handler writes another instance's key",
        "hop",
        findings=(("identity-conflict",),),
        accepts=("duplicate-delivery",),
    ),
    "human": Fault("one delivery waits for a person: hours, with a long tail", "hop"),
    "replay": Fault(
        "old messages are processed again, days later", "hop", accepts=("duplicate-delivery",)
    ),
    "send-failed": Fault(
        "a send fails: its span has an error, nobody receives the message",
        "send",
        "failed",
        ("stuck",),
        (("failed", "unconsumed-message", "stuck"),),
        _STUCK,
        ("send-failed",),
    ),
    "rejection": Fault("the business says no, with status OK", "variant"),
    "compensated": Fault(
        "a step fails and every earlier step is undone",
        "variant",
        "compensated",
        accepts=("failed",),
    ),
    "no-compensation": Fault(
        "a step fails and one of the earlier steps is not undone",
        "variant",
        "compensating",
        ("stuck", "failed"),
        (("incomplete-compensation", "missing-step"),),
        (*_STUCK, "failed"),
        ("partial", "not-compensated", "ended-early", "missing-step"),
    ),
    "in-flight": Fault(
        "the recording stops while this share of the instances is at work",
        "system",
        synchronous=True,
    ),
    "consumer-dark": Fault(
        "one service is dead for the last part of the recording",
        "system",
        "stuck",
        (),
        (("consumer-dark", "backlog"),),
        (*_STUCK, "consumer-dark"),
        ("consumer-dark",),
        number="share of the recording",
    ),
    "outage": Fault(
        "one service is away in the middle of the recording and catches up",
        "system",
        states=("late",),
        accepts=("late", "backlog", "consumer-dark"),
        number="share of the recording",
    ),
    "broken-propagation": Fault(
        "one consumer loses the context of its messages",
        "system",
        number="share of its messages",
        states=("unknown", "waiting", "running", "orphaned"),
        accepts=("unconsumed-message", "broken-propagation", "orphaned"),
        causes=("context-broken",),
    ),
    "uninstrumented": Fault(
        "one service emits no spans at all",
        "system",
        states=("unknown", "waiting", "running", "orphaned"),
        accepts=("unconsumed-message", "broken-propagation", "orphaned", "consumer-dark"),
        causes=("no-known-consumer",),
        synchronous=True,
        number="1",
    ),
    "sampling": Fault(
        "head sampling keeps this share of the traces",
        "system",
        states=("unknown", "waiting", "running", "orphaned"),
        accepts=("sampling", "unconsumed-message", "orphaned"),
        causes=("sampled-out",),
        synchronous=True,
        number="share of traces kept",
    ),
    "skew": Fault("one service's clock is ahead", "system", synchronous=True, number="seconds"),
    "late-spans": Fault(
        "one service's spans are exported late: when the recording ends, its last are not there",
        "system",
        states=("running", "waiting"),
        synchronous=True,
        number="seconds",
    ),
    "poll-loop": Fault(
        "one service's handlers are all children of its long poll loops", "system", number="1"
    ),
    "cron": Fault(
        "a job starts many instances under one root span", "system", synchronous=True, number="1"
    ),
}
