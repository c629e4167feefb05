"""What tests ask of simulated spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from collectors.simulate import Scenario, Truth, parse, simulate
from collectors.simulate.otlp import KeyValue, Span


@dataclass(frozen=True)
class Made:
    """One span with the service that emitted it."""

    service: str
    pod: str
    span: Span

    @cached_property
    def attributes(self) -> dict[str, str]:
        return values(self.span.attributes)

    @property
    def role(self) -> str:
        return self.attributes.get("messaging.operation.type", "")

    @property
    def failed(self) -> bool:
        return self.span.status.code == 2


def values(pairs: tuple[KeyValue, ...]) -> dict[str, str]:
    return {p.key: str(p.value.string_value or p.value.int_value) for p in pairs}


def run(uri: str | Scenario) -> tuple[list[Made], list[Truth]]:
    """All spans and the truth of a scenario."""
    scenario = parse(uri) if isinstance(uri, str) else uri
    requests, truth = simulate(scenario)
    return [made for request in requests for made in spans(request)], list(truth)


def spans(request: object) -> Iterator[Made]:
    for resource in request.resource_spans:  # type: ignore[attr-defined]
        about = values(resource.resource.attributes)
        for group in resource.scope_spans:
            for span in group.spans:
                yield Made(about["service.name"], about["service.instance.id"], span)


def of(made: list[Made], truth: Truth) -> list[Made]:
    """An instance's spans, also where it shares a trace with others.

    Below a handler that left no span, in a trace that is shared, those of the others are there too.
    """
    near = [one for one in made if one.span.trace_id in truth.trace_ids]
    known = {one.span.span_id: one for one in near}
    return [one for one in near if _owner(one, known) in {*truth.span_ids, ""}]


def _owner(one: Made, known: dict[str, Made]) -> str:
    """The span at a service's boundary that it belongs to; "" where there is none."""
    while not _at_boundary(one):
        above = known.get(one.span.parent_span_id)
        if above is None:
            return ""
        one = above
    return one.span.span_id


def _at_boundary(one: Made) -> bool:
    return one.role in ("send", "process") or one.span.kind in (1, 2)
