"""What tests ask of simulated spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collectors.simulate import Scenario, Truth, parse, simulate
from collectors.simulate.otlp import KeyValue, Span


@dataclass(frozen=True)
class Made:
    """One span with the service that emitted it."""

    service: str
    pod: str
    span: Span

    @property
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
    """The spans in an instance's traces."""
    return [one for one in made if one.span.trace_id in truth.trace_ids]
