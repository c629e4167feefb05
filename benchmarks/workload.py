"""The choreography that the benchmarks measure: orders over Kafka, 26 spans each, 8 service edges.

    storefront =sync=> orders -orders.placed-> payment =sync=> fraud
                              -orders.placed-> inventory
    payment -payments.captured-> shipping
    inventory -stock.reserved-> shipping -parcels.dispatched-> orders
    orders -orders.confirmed-> notification

One message of one order in `BROKEN` is lost: whatever depends on it never happens, and the order
is never confirmed. No failure leaves an error behind; only the missing steps tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SERVER, CLIENT, PRODUCER, CONSUMER, INTERNAL = 2, 3, 4, 5, 1
BROKEN = 0.036  # share of orders that lose a message
RECORDING_S = 4 * 3600  # the same at every size, so that deadlines mean the same
GRACE_S = 300  # an order is unconfirmed once it is this old


@dataclass(frozen=True, slots=True)
class SpanType:
    """One kind of span: who emits it, below which other one, when in its activity."""

    key: str
    service: str
    name: str
    kind: int
    parent: str | None  # key of the parent span type; the message's producer for a consumer
    start_ms: float  # after the activity's start
    duration_ms: float
    attributes: dict[str, str | int] = field(default_factory=dict)
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """What one message (or the first request) makes happen, with the synchronous calls below it."""

    name: str
    after: str | None  # key of the producer span whose message starts it
    wait_ms: float  # median time in the queue
    needs: tuple[str, ...]  # activities without which this one does not happen
    spans: tuple[SpanType, ...]


def _http(method: str, route: str, peer: str) -> dict[str, str | int]:
    return {
        "http.request.method": method,
        "http.route": route,
        "url.path": route,
        "http.response.status_code": 200,
        "server.address": peer,
        "server.port": 8080,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }


def _sql(namespace: str, operation: str, table: str) -> dict[str, str | int]:
    return {
        "db.system.name": "postgresql",
        "db.namespace": namespace,
        "db.operation.name": operation,
        "db.collection.name": table,
        "db.query.summary": f"{operation} {table}",
        "server.address": f"{namespace}-db",
        "server.port": 5432,
        "thread.name": "worker-3",
    }


def _task(what: str) -> dict[str, str | int]:
    return {
        "code.function.name": what,
        "code.file.path": "src/handlers.py",
        "code.line.number": 117,
        "thread.id": 41,
        "thread.name": "worker-3",
        "app.feature": "default",
        "app.tenant": "shop-eu",
        "app.attempt": 1,
    }


# ORDER, PARTITION and OFFSET are filled in for each span; see `templates.py`.
ORDER, PARTITION, OFFSET = (
    "app.order.id",
    "messaging.destination.partition.id",
    "messaging.kafka.offset",
)


def _message(topic: str, operation: str, client: str) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.client.id": client,
        PARTITION: "0",
        OFFSET: 0,
        ORDER: "",
    }


def _publish(key: str, service: str, topic: str, parent: str, at: float) -> SpanType:
    attributes = _message(topic, "send", f"{service}-producer-1")
    return SpanType(key, service, f"publish {topic}", PRODUCER, parent, at, 3, attributes)


def _process(key: str, service: str, topic: str, parent: str, length: float) -> SpanType:
    attributes = _message(topic, "process", f"{service}-consumer-1")
    attributes["messaging.consumer.group.name"] = service
    return SpanType(
        key, service, f"process {topic}", CONSUMER, parent, 0, length, attributes, "record.polled"
    )


ACTIVITIES: tuple[Activity, ...] = (
    Activity(
        "checkout", None, 0, (),
        (
            SpanType("root", "storefront", "POST /checkout", SERVER, None, 0, 60,
                     _http("POST", "/checkout", "shop.example")),
            SpanType("call-orders", "storefront", "POST", CLIENT, "root", 4, 52,
                     _http("POST", "/orders", "orders")),
            SpanType("orders", "orders", "POST /orders", SERVER, "call-orders", 6, 48,
                     _http("POST", "/orders", "orders") | {ORDER: ""}),
            SpanType("orders-db", "orders", "INSERT orders", CLIENT, "orders", 10, 8,
                     _sql("orders", "INSERT", "orders")),
            _publish("placed", "orders", "orders.placed", "orders", 30),
        ),
    ),
    Activity(
        "pay", "placed", 80, ("checkout",),
        (
            _process("pay", "payment", "orders.placed", "placed", 120),
            SpanType("authorise", "payment", "authorise", INTERNAL, "pay", 5, 90,
                     _task("authorise")),
            SpanType("call-fraud", "payment", "POST", CLIENT, "authorise", 10, 60,
                     _http("POST", "/score", "fraud")),
            SpanType("fraud", "fraud", "POST /score", SERVER, "call-fraud", 14, 50,
                     _http("POST", "/score", "fraud")),
            SpanType("fraud-db", "fraud", "SELECT history", CLIENT, "fraud", 20, 20,
                     _sql("fraud", "SELECT", "history")),
            SpanType("pay-db", "payment", "INSERT payments", CLIENT, "pay", 98, 8,
                     _sql("payments", "INSERT", "payments")),
            _publish("captured", "payment", "payments.captured", "pay", 110),
        ),
    ),
    Activity(
        "reserve", "placed", 60, ("checkout",),
        (
            _process("reserve", "inventory", "orders.placed", "placed", 40),
            SpanType("stock-db", "inventory", "UPDATE stock", CLIENT, "reserve", 4, 10,
                     _sql("inventory", "UPDATE", "stock")),
            SpanType("pick", "inventory", "choose location", INTERNAL, "reserve", 16, 6,
                     _task("choose_location")),
            _publish("reserved", "inventory", "stock.reserved", "reserve", 26),
        ),
    ),
    Activity(
        "bill", "captured", 70, ("pay",),
        (
            _process("bill", "shipping", "payments.captured", "captured", 15),
            SpanType("bill-db", "shipping", "INSERT bills", CLIENT, "bill", 3, 8,
                     _sql("shipping", "INSERT", "bills")),
        ),
    ),
    Activity(
        "ship", "reserved", 900, ("reserve", "bill"),
        (
            _process("ship", "shipping", "stock.reserved", "reserved", 50),
            SpanType("ship-db", "shipping", "UPDATE shipments", CLIENT, "ship", 5, 12,
                     _sql("shipping", "UPDATE", "shipments")),
            _publish("dispatched", "shipping", "parcels.dispatched", "ship", 40),
        ),
    ),
    Activity(
        "confirm", "dispatched", 90, ("ship",),
        (
            _process("confirm", "orders", "parcels.dispatched", "dispatched", 30),
            SpanType("confirm-db", "orders", "UPDATE orders", CLIENT, "confirm", 3, 8,
                     _sql("orders", "UPDATE", "orders")),
            _publish("confirmed", "orders", "orders.confirmed", "confirm", 20),
        ),
    ),
    Activity(
        "mail", "confirmed", 50, ("confirm",),
        (
            _process("mail", "notification", "orders.confirmed", "confirmed", 80),
            SpanType("render", "notification", "render mail", INTERNAL, "mail", 5, 60,
                     _task("render_mail")),
        ),
    ),
)  # fmt: skip

SPAN_TYPES: tuple[SpanType, ...] = tuple(s for a in ACTIVITIES for s in a.spans)
SERVICES: tuple[str, ...] = tuple(sorted({s.service for s in SPAN_TYPES}))

# Which activities start a trace of their own and link the message, by layout.
LAYOUTS: dict[str, frozenset[str]] = {
    "parent": frozenset(),
    "mixed": frozenset({"pay", "bill", "mail"}),
    "links": frozenset(a.name for a in ACTIVITIES if a.after),
}


def survivors(lost: str | None) -> frozenset[str]:
    """The activities that happen when the message to activity `lost` never arrives."""
    alive: set[str] = set()
    for activity in ACTIVITIES:
        if activity.name != lost and alive.issuperset(activity.needs):
            alive.add(activity.name)
    return frozenset(alive)


def service_edges() -> list[tuple[str, str, str, str, str]]:
    """(source service, target service, destination or "", source key, target key) of each hop."""
    by_key = {s.key: s for s in SPAN_TYPES}
    edges = []
    for span in SPAN_TYPES:
        parent = by_key.get(span.parent or "")
        if parent and parent.service != span.service:
            topic = str(parent.attributes.get("messaging.destination.name", ""))
            edges.append((parent.service, span.service, topic, parent.key, span.key))
    return edges
