"""Every kind of finding in one sentence, and the page of the documentation that explains it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding; its id is also the anchor in the documentation."""

    id: str
    title: str  # a headline of a few words
    about: str  # one sentence
    page: str = "docs/detectors.md"

    @property
    def help(self) -> str:
        """Where it is explained: file and anchor."""
        return f"{self.page}#{self.id}"


def _coupling(id: str, title: str, about: str) -> Rule:
    return Rule(id, title, about, "docs/coupling.md")


RULES: tuple[Rule, ...] = (
    Rule("stuck", "Instance is stuck", "An expected step did not come and will not."),
    Rule("late", "Instance is late", "The expected step is overdue, but may still come."),
    Rule(
        "missing-step",
        "Step left out",
        "A step that usually happens did not, and cannot come any more.",
    ),
    Rule("backlog", "Backlog at a step", "Many instances are late together at one step."),
    Rule("consumer-dark", "Consumer fell silent", "A consumer stopped using its messages."),
    Rule("failed", "Instance failed", "An error that the instance did not get over."),
    Rule("dead-lettered", "Message dead-lettered", "A message went to a dead-letter queue."),
    Rule("unconsumed-message", "Message not consumed", "A message that nobody is seen to use."),
    Rule("orphaned", "Beginning is missing", "An instance whose beginning was not recorded."),
    Rule(
        "duplicate-delivery",
        "Message processed twice",
        "One consumer succeeded more than once with one message.",
    ),
    Rule("retry-storm", "Retry storm", "One step was tried again and again."),
    Rule(
        "incomplete-compensation",
        "Compensation incomplete",
        "Some steps were taken back after a failure, and one was not.",
    ),
    Rule("identity-conflict", "Keys contradict", "A span carries the key of another case."),
    *(
        Rule(id, title, about, "docs/expectations.md")
        for id, title, about in (
            ("deadline-missed", "Deadline missed", "A step came later than was declared."),
            (
                "exclusive-steps",
                "Exclusive steps together",
                "Steps came of which one excludes the other.",
            ),
            (
                "wrong-count",
                "Step came too often or too seldom",
                "A step came not as often as declared.",
            ),
            ("unclosed", "Opened and not closed", "What was opened was not closed in time."),
            ("unmatched-expectation", "Workflow not seen", "A declared workflow has no instance."),
            (
                "undocumented-consumer",
                "Undocumented consumer",
                "A service receives what no document says.",
            ),
            (
                "undocumented-producer",
                "Undocumented producer",
                "A service sends what no document says.",
            ),
            ("undocumented-channel", "Undocumented channel", "A channel that is in no document."),
            ("vanished-consumer", "Consumer vanished", "A declared consumer did not receive."),
            (
                "unused-event",
                "Event without consumer",
                "Nobody is declared or seen to receive an event.",
            ),
            ("silent-channel", "Channel not used", "A declared channel was not used."),
        )
    ),
    Rule("broken-propagation", "Context lost", "Consumer spans that name no producer."),
    Rule("clock-skew", "Clocks differ", "Steps that begin before their cause."),
    Rule("sampling", "Sampled recording", "Only a part of the traces was recorded."),
    Rule("bad-span", "Span is wrong", "Spans without a time, ending before they start, and such."),
    _coupling("cycle", "Circle of services", "Services that start work in each other in a circle."),
    _coupling(
        "bidirectional", "Two-way coupling", "Two services that each start work in the other."
    ),
    _coupling("hub", "Hub", "A service with far more neighbours than its peers."),
    _coupling(
        "synchronous-chain",
        "Synchronous chain",
        "Calls that wait for calls, longer than layers do.",
    ),
    _coupling("shared-database", "Shared database", "A database that several services write to."),
    _coupling("chatty", "Chatty pair", "Two services with many more exchanges than other pairs."),
    _coupling(
        "front-controller", "Front controller", "The first service is told the state by the others."
    ),
    _coupling("esb-like-hub", "Service-bus-like hub", "One service that directs most workflows."),
    _coupling("stamp-coupling", "Stamp coupling", "Messages that grow from hop to hop."),
    _coupling(
        "passive-aggressive-event", "Event that means an order", "An event used as a command."
    ),
)


@cache
def _known() -> dict[str, Rule]:
    return {rule.id: rule for rule in RULES}


def rule(kind: str) -> Rule:
    """The rule of that id; one that is not listed speaks for itself."""
    return _known().get(kind) or Rule(kind, kind, kind)
