"""A shop in one process: three services, a broker with topics and groups, and a thread a group."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import propagate
from opentelemetry.trace import SpanKind, StatusCode, Tracer, TracerProvider

Provider = Callable[[str], TracerProvider]  # service.name -> where its spans go


@dataclass(frozen=True)
class Message:
    """What goes over the broker; headers carry the trace context, as over Kafka."""

    topic: str
    number: int
    body: Mapping[str, Any]
    headers: dict[str, str]


@dataclass
class Broker:
    """Every group of a topic gets every message."""

    groups: dict[str, dict[str, queue.Queue[Message | None]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    threads: list[threading.Thread] = field(default_factory=list)
    sent: int = 0

    def publish(self, tracer: Tracer, topic: str, body: Mapping[str, Any]) -> None:
        """Send a message; the producer's span is its context."""
        with tracer.start_as_current_span(
            f"publish {topic}",
            kind=SpanKind.PRODUCER,
            attributes={
                "messaging.system": "memory",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
                "order.id": body["order"],
            },
        ):
            headers: dict[str, str] = {}
            propagate.inject(headers)
            self.sent += 1
            for inbox in self.groups[topic].values():
                inbox.put(Message(topic, self.sent, body, headers))

    def subscribe(
        self, tracer: Tracer, topic: str, group: str, handler: Callable[[Any], None]
    ) -> None:
        """Work on every message of the topic, in a thread of its own."""
        inbox = self.groups[topic].setdefault(group, queue.Queue())

        def work() -> None:
            while (message := inbox.get()) is not None:
                _handle(tracer, group, message, handler)
                inbox.task_done()
            inbox.task_done()

        thread = threading.Thread(target=work, name=f"{group}-{topic}", daemon=True)
        self.threads.append(thread)
        thread.start()

    def drain(self) -> None:
        """Until every queue is empty, and what came of it is done too."""
        for _ in range(10):  # a message causes messages, at most so many hops far
            for groups in list(self.groups.values()):
                for inbox in groups.values():
                    inbox.join()

    def close(self) -> None:
        """End the threads."""
        for groups in self.groups.values():
            for inbox in groups.values():
                inbox.put(None)
        for thread in self.threads:
            thread.join(5)


def _handle(tracer: Tracer, group: str, message: Message, handler: Callable[[Any], None]) -> None:
    with (
        suppress(HandlerFailed),
        tracer.start_as_current_span(
            f"process {message.topic}",
            context=propagate.extract(message.headers),
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "memory",
                "messaging.operation.type": "process",
                "messaging.destination.name": message.topic,
                "messaging.consumer.group.name": group,
                "messaging.message.id": f"{message.topic}-{message.number}",
                "order.id": message.body["order"],
            },
        ) as span,
    ):
        try:
            handler(message.body)
        except HandlerFailed as error:
            span.set_status(StatusCode.ERROR, str(error))
            raise


class HandlerFailed(Exception):
    """A handler could not do its work."""


class Shop:
    """orders -> inventory and notification; inventory answers orders."""

    def __init__(self, provider: Provider, swallow: frozenset[str] = frozenset(),
                 fail: frozenset[str] = frozenset()) -> None:  # fmt: skip
        self.broker = Broker()
        self.swallow, self.fail = swallow, fail
        tracers = {name: provider(name).get_tracer("shop") for name in
                   ("orders", "inventory", "notification")}  # fmt: skip
        self.orders, self.inventory = tracers["orders"], tracers["inventory"]
        self.broker.subscribe(self.inventory, "orders.placed", "inventory", self._reserve)
        self.broker.subscribe(tracers["notification"], "orders.placed", "notification", _mail)
        self.broker.subscribe(self.orders, "stock.reserved", "orders", _mail)

    def order(self, number: str) -> None:
        """A customer orders something."""
        with self.orders.start_as_current_span(
            "POST /orders",
            kind=SpanKind.SERVER,
            attributes={"http.request.method": "POST", "http.route": "/orders", "order.id": number},
        ):
            self.broker.publish(self.orders, "orders.placed", {"order": number})

    def _reserve(self, body: Mapping[str, Any]) -> None:
        if body["order"] in self.fail:
            raise HandlerFailed("stock unknown")
        if body["order"] in self.swallow:
            return  # the bug: nobody is told
        self.broker.publish(self.inventory, "stock.reserved", body)

    def close(self) -> None:
        """Wait for all work, and end it."""
        self.broker.drain()
        self.broker.close()


def _mail(body: Mapping[str, Any]) -> None:
    del body
