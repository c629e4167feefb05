"""Events that mean an order: one receiver, whose outcome the publisher awaits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analyzer.coupling.facts import Facts
from analyzer.coupling.names import is_imperative, is_open_command, is_reply
from analyzer.coupling.score import MIN_EDGE_INSTANCES, MIN_INSTANCES, hotspot, percent, share
from analyzer.finding import Hotspot

SIGNS = 3  # of four (Fowler 2017): each alone is ordinary
HALF = 0.5
RARE = 0.1  # a reaction that one in ten healthy runs shows is no reaction to a missing outcome
_COMPENSATED = ("compensating", "compensated")


@dataclass(frozen=True, slots=True)
class _Event:
    """A destination between a publisher and the consumer, with the instances it was used in."""

    publisher: str
    consumer: str
    destination: str
    answered: pl.Series  # instances with an outcome event
    silent: pl.Series  # instances without

    @property
    def n(self) -> int:
        return len(self.answered) + len(self.silent)


def passive_aggressive_events(facts: Facts) -> Iterator[Hotspot]:
    """Destinations with three of the four signs; what is openly a command is left out.

    Of the four signs two are about an outcome, so that there is always one where three hold.
    """
    keys = _candidates(facts)
    if keys.is_empty():
        return
    honest, single = _sent_as_commands(facts), _one_consumer(facts)
    seen = _between(facts, keys)
    for publisher, consumer, destination in keys.iter_rows():
        alone, orders = destination in single, is_imperative(destination)
        openly = destination in honest or is_open_command(destination)
        if not openly and (alone or orders):
            event = _event(seen, publisher, consumer, destination)
            yield from _judge(facts, event, alone, orders)


def _candidates(facts: Facts) -> pl.DataFrame:
    """Messages (source, target, destination) between services where one comes back; sorted.

    What comes back over a reply queue is a conversation that both sides own up to.
    """
    edges = facts.service_edges.filter(
        (pl.col("source") != pl.col("target")) & (pl.col("destination") != "")
    )
    outcomes = edges.filter(~pl.col("destination").map_elements(is_reply, pl.Boolean))
    back = outcomes.select(source="target", target="source").unique()
    sent = edges.filter(
        pl.col("kind").is_in(("event", "command")) & (pl.col("instances") >= MIN_INSTANCES)
    )
    keys = sent.join(back, on=["source", "target"], how="semi")
    return keys.select("source", "target", "destination").unique().sort(pl.all())


def _between(facts: Facts, keys: pl.DataFrame) -> pl.DataFrame:
    """Messages both ways between the candidates: source, target, destination, instance."""
    there = keys.select("source", "target")
    pairs = pl.concat([there, keys.select(source="target", target="source")]).unique()
    seen = facts.crossed.crossings.select("source", "target", "destination", "instance")
    word = pl.all().cast(pl.Categorical)
    kept = seen.filter(pl.col("destination").is_not_null()).join(
        pairs.with_columns(word), on=["source", "target"], how="semi"
    )
    return kept.unique()


def _sent_as_commands(facts: Facts) -> frozenset[str]:
    """Destinations that messages were sent to with the declared intent of a command."""
    sent = facts.spans.filter(pl.col("message_intent") == "Send")["destination"]
    return frozenset(sent.drop_nulls().unique().cast(pl.String))


def _one_consumer(facts: Facts) -> frozenset[str]:
    """Destinations that one service with one consumer group takes from."""
    taking = facts.crossed.steps.filter(pl.col("kind").is_in(("process", "receive")))
    groups = pl.col("group").drop_nulls().n_unique()
    by_group = taking.group_by("destination").agg(pl.col("service").n_unique(), groups)
    lone = by_group.filter((pl.col("service") == 1) & (pl.col("group") <= 1))
    services = facts.service_edges.group_by("destination").agg(pl.col("target").n_unique())
    alone = frozenset(services.filter(pl.col("target") == 1)["destination"])
    return alone & frozenset(lone["destination"].drop_nulls().cast(pl.String))


def _event(seen: pl.DataFrame, publisher: str, consumer: str, destination: str) -> _Event:
    there = (pl.col("source") == publisher) & (pl.col("target") == consumer)
    used = seen.filter(there & (pl.col("destination") == destination))["instance"].unique()
    back = (pl.col("source") == consumer) & (pl.col("target") == publisher)
    outcomes = seen.filter(back)
    openly = [name for name in outcomes["destination"].unique().cast(pl.String) if is_reply(name)]
    outcomes = outcomes.filter(~pl.col("destination").cast(pl.String).is_in(openly))
    answered = used.is_in(outcomes["instance"].unique().implode())
    return _Event(publisher, consumer, destination, used.filter(answered), used.filter(~answered))


def _judge(facts: Facts, event: _Event, alone: bool, orders: bool) -> Iterator[Hotspot]:
    awaited = share(len(event.answered), event.n)
    reacts = _reacts(facts, event)
    signs = (alone, awaited >= HALF, reacts >= HALF, orders)
    if event.n < MIN_INSTANCES or sum(signs) < SIGNS:
        return
    parts = {
        "one_consumer": (0.25, float(alone)),
        "outcome_awaited": (0.25, awaited),
        "reacts_to_absence": (0.25, reacts),
        "imperative_name": (0.25, float(orders)),
    }
    told = (
        f"only {event.consumer} takes it" * alone,
        f"an outcome comes back in {percent(awaited)} of the instances" * signs[1],
        f"{event.publisher} compensates or gives up without one" * signs[2],
        "its name orders" * orders,
    )
    message = (
        f"Hint: the event {event.destination} of {event.publisher} may be a command to "
        f"{event.consumer}: {'; '.join(filter(None, told))} (n = {event.n} instances)"
    )
    yield hotspot("passive-aggressive-event", (event.publisher, event.consumer), parts, message)


def _reacts(facts: Facts, event: _Event) -> float:
    """Share of the instances without an outcome in which the publisher acts on that.

    It acts where the instance is compensated, or where the publisher does something that it
    (nearly) never does with an outcome, such as publishing a cancellation.
    """
    if min(len(event.silent), len(event.answered)) < MIN_EDGE_INSTANCES:
        return 0.0
    states = facts.instances["state"].gather(event.silent)
    compensated = share(int(states.is_in(_COMPENSATED).sum()), len(states))
    own = facts.crossed.steps.filter(pl.col("service") == event.publisher)
    silent, answered = (
        own.filter(pl.col("instance").is_in(which.implode()))
        .group_by("operation")
        .agg(pl.col("instance").n_unique().alias("n"))
        for which in (event.silent, event.answered)
    )
    both = silent.join(answered, on="operation", how="left", suffix="_answered")
    usual = pl.col("n_answered").fill_null(0) / len(event.answered)
    most = both.filter(usual < RARE)["n"].max()
    reacted = share(most if isinstance(most, int) else 0, len(event.silent))
    return max(compensated, reacted)
