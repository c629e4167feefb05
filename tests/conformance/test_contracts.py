"""Contracts: AsyncAPI 2 and 3 and EventCatalog, read and held against what ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.checks import Outcome
from analyzer.conformance import asyncapi, eventcatalog
from analyzer.conformance.contracts import _address, same_service
from analyzer.conformance.declared import Contract, Use
from analyzer.conformance.yaml_text import DeclarationError
from analyzer.finding import Severity
from tests.conformance.held import check, held
from tests.support.spans import Tape, kinds, of_kind

# In the style of the specification's examples: parameters, traits, references, bindings.
V2 = """\
asyncapi: 2.6.0
info: {title: Stock Service, version: 1.0.0}
servers: {broker: {url: "kafka://broker:9092", protocol: kafka}}
channels:
  orders:
    description: Orders as they are placed.
    publish:
      operationId: onOrder
      traits: [{$ref: '#/components/operationTraits/kafka'}]
      message: {$ref: '#/components/messages/order'}
  stock/{warehouse}/reserved:
    parameters:
      warehouse: {$ref: '#/components/parameters/warehouse'}
    subscribe:
      message: {name: reserved}
components:
  parameters: {warehouse: {schema: {type: string}}}
  messages: {order: {name: orderPlaced}}
  operationTraits: {kafka: {bindings: {kafka: {clientId: {type: string}}}}}
"""
V3 = """\
asyncapi: 3.0.0
info: {title: Stock Service, version: 1.0.0}
channels:
  orderEvents:
    address: orders
    messages: {order: {$ref: '#/components/messages/order'}}
  reserved:
    address: null
    bindings: {kafka: {topic: stock.reserved}}
  replies:
    $ref: '#/components/channels/replies'
operations:
  onOrder:
    action: receive
    channel: {$ref: '#/channels/orderEvents'}
    reply:
      channel: {$ref: '#/channels/replies'}
  announce:
    action: send
    channel: {$ref: '#/channels/reserved'}
components:
  messages: {order: {payload: {type: object}}}
  channels: {replies: {address: 'replies.{id}'}}
"""


def nobody(path: str, source: str) -> tuple[str, str]:
    raise OSError(2, "No such file or directory", f"{source} -> {path}")


def read(text: str, service: str | None = None, files: dict[str, str] | None = None) -> Contract:
    def beside(path: str, source: str) -> tuple[str, str]:
        return (files[path], path) if files and path in files else nobody(path, source)

    return asyncapi.parse(text, "a.yaml", service, beside)


def errors(text: str, files: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        read(text, None, files)
    return [str(fault) for fault in caught.value.faults]


def uses(contract: Contract) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(one.service, one.use.value, one.channel.addresses) for one in contract.operations}


# -- reading ---------------------------------------------------------------------------------------


def test_the_verbs_of_version_2_are_those_of_the_others() -> None:
    """`publish`: others publish to the service, so it receives."""
    assert uses(read(V2, "stock")) == {
        ("stock", "receives", ("orders",)),
        ("stock", "sends", ("stock/{warehouse}/reserved",)),
    }


def test_version_3_says_what_the_service_itself_does() -> None:
    assert uses(read(V3, "stock")) == {
        ("stock", "receives", ("orders",)),
        ("stock", "sends", ("replies.{id}",)),
        ("stock", "sends", ("stock.reserved",)),
    }


def test_whose_document_it_is() -> None:
    assert read(V2).services == ("Stock Service",)
    assert not read(V2).certain
    named = V2.replace("title: Stock", "x-service-name: stock-svc, title: Stock")
    assert read(named).services == ("stock-svc",)
    assert read(named, "given").services == ("given",)


@pytest.mark.parametrize(
    ("binding", "name"),
    [
        ("kafka: {topic: t1}", "t1"),
        ("amqp: {is: queue, queue: {name: t1}}", "t1"),
        ("amqp: {is: routingKey, exchange: {name: t1, type: topic}}", "t1"),
        ("googlepubsub: {topic: projects/p/topics/t1}", "projects/p/topics/t1"),
        ("sqs: {queue: {name: t1, fifoQueue: false}}", "t1"),
        ("sns: {name: t1}", "t1"),
        ("ibmmq: {destinationType: queue, queue: {objectName: t1}}", "t1"),
        ("jms: {destination: t1, destinationType: queue}", "t1"),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_bindings_know_the_name_on_the_broker(version: int, binding: str, name: str) -> None:
    if version == 2:
        text = f"asyncapi: 2.0.0\nchannels: {{c: {{bindings: {{{binding}}}}}}}"
    else:
        text = f"asyncapi: 3.0.0\nchannels: {{c: {{address: c, bindings: {{{binding}}}}}}}"
    [channel] = read(text).channels
    assert channel.addresses == ("c", name)


def test_a_solace_queue_stands_in_the_operation() -> None:
    text = """\
asyncapi: 3.0.0
channels: {c: {address: a/b}}
operations:
  o:
    action: receive
    channel: {$ref: '#/channels/c'}
    traits: [{bindings: {solace: {destinations: [{queue: {name: q1}}]}}}]
"""
    [one] = read(text).operations
    assert one.channel.addresses == ("a/b", "q1")


def test_values_of_a_parameter_are_taken_where_they_are_listed() -> None:
    text = """\
asyncapi: 3.0.0
channels: {c: {address: 'x-{env}-{v}', parameters: {env: {enum: [dev, prod]}, v: {}}}}
"""
    [channel] = read(text).channels
    assert channel.addresses == ("x-dev-{v}", "x-prod-{v}")


def test_references_lead_to_files_next_to_it() -> None:
    text = """\
asyncapi: 2.2.0
channels:
  a: {$ref: 'common.yaml#/channels/a'}
  b/c: {publish: {message: {$ref: 'not-read.yaml#/x'}}}
"""
    files = {"common.yaml": "channels: {a: {subscribe: {$ref: '#/ops/s'}}}\nops: {s: {}}"}
    assert uses(read(text, "x", files)) == {("x", "sends", ("a",)), ("x", "receives", ("b/c",))}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "is not an AsyncAPI document"),
        ("openapi: 3.0.0", "it is OpenAPI"),
        ("asyncapi: 1.2.0", "a.yaml:1: AsyncAPI 1.2.0 is not read; versions 2 and 3 are"),
        ("asyncapi: 2.0.0\nchannels: [a]", "a.yaml:2: channels must be a map, is a list"),
        ("asyncapi: 2.0.0\nchannels: {a: 5}", "channel a must be a map"),
        ("asyncapi: 2.0.0\nchannels:\n  a: {$ref: '#/nope/x'}", "a.yaml:3: $ref '#/nope/x' leads"),
        ("asyncapi: 2.0.0\nchannels: {a: {$ref: '#/channels/a'}}", "leads in a circle"),
        ("asyncapi: 2.0.0\nchannels: {a: {$ref: 'https://x/y'}}", "on the network are not read"),
        ("asyncapi: 2.0.0\nchannels: {a: {$ref: 'b.yaml'}}", "$ref 'b.yaml': No such file"),
        (
            "asyncapi: 3.0.0\noperations: {o: {action: sends, channel: {$ref: '#/x'}}}",
            "action must be send or receive, is 'sends'; did you mean 'send'?",
        ),
        ("asyncapi: 3.0.0\noperations: {o: {action: send}}", "operation o needs the key 'channel'"),
        ("asyncapi: 3.0.0\nchannels: {a: &a [*a]}", "a"),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_line(text: str, said: str) -> None:
    assert any(said in one for one in errors(text))


def test_all_errors_are_told_at_once() -> None:
    text = "asyncapi: 2.0.0\nchannels:\n  a: 5\n  b: {$ref: '#/x'}\n  c: {publish: {$ref: '#/y'}}\n"
    assert [one.partition(": ")[0] for one in errors(text)] == ["a.yaml:3", "a.yaml:4", "a.yaml:5"]


junk: Any = st.recursive(
    st.sampled_from([None, True, 1, "x", "send", "#/channels/c", "orders"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                ["$ref", "publish", "subscribe", "address", "bindings", "amqp", "queue", "name",
                 "action", "channel", "reply", "traits", "parameters", "c", "message", "enum"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["2.6.0", "3.0.0"]), junk, junk)
def test_no_document_is_more_than_an_error(version: str, channels: Any, operations: Any) -> None:
    import json

    document = {"asyncapi": version, "channels": channels, "operations": operations}
    try:
        contract = read(json.dumps(document))
    except DeclarationError as error:
        text = str(error)
        assert text.startswith("a.yaml:")
    else:
        assert isinstance(contract, Contract)


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "name", "fits"),
    [
        ("orders", "orders", True),
        ("orders", "orders2", False),
        ("orders/{id}", "orders/17", True),
        ("orders/{id}", "orders/17/items", False),
        ("orders/{id}", "orders.17", True),
        ("orders.{id}.placed", "orders.a-b.placed", True),
        ("orders.{id}.placed", "orders.a.b.placed", False),
        ("a.b", "aXb", False),
        ("${env}.orders", "prod.orders", True),
    ],
)
def test_a_parameter_is_one_part_of_a_name(address: str, name: str, fits: bool) -> None:
    import re

    assert bool(re.fullmatch(_address(address), name)) is fits


@pytest.mark.parametrize(
    ("declared", "service"),
    [("Stock Service", "stock"), ("stock-api", "stock"), ("OrderManagement", "order-management"),
     ("Streetlights Kafka API", None), ("stock", "stock")],
)  # fmt: skip
def test_a_title_means_the_service_of_that_name(declared: str, service: str | None) -> None:
    assert same_service(declared, ["stock", "order-management", "mail"]) == service


# -- held against what ran -------------------------------------------------------------------------


def shop(consumers: tuple[str, ...] = ("stock",), reserved: bool = True) -> Tape:
    """Ten orders, which some services take; stock reserves, and nobody takes that."""
    tape = Tape()
    for n in range(10):
        root = tape.serve("shop", "POST /orders", n * 10.0)
        sent = tape.send("shop", "orders", n * 10.0 + 0.01, parent=root)
        for consumer in consumers:
            work = tape.process(consumer, sent, n * 10.0 + 0.1, takes=0.5)
            if consumer == "stock" and reserved:
                tape.send("stock", f"stock/{n % 3}/reserved", n * 10.0 + 0.2, parent=work)
    return tape


CONTRACT_KINDS = {"undocumented-consumer", "undocumented-producer", "undocumented-channel",
                  "vanished-consumer", "unused-event", "silent-channel"}  # fmt: skip


def told(tape: Tape, *contracts: Contract) -> set[str]:
    return kinds(held(tape, "", *contracts)) & CONTRACT_KINDS


def test_a_system_that_does_what_its_document_says_has_nothing_to_tell_but_who_listens() -> None:
    found = held(shop(), "", read(V2))
    assert check(found, "receives", "stock").held == 10
    assert check(found, "sends", "stock").held == 10
    assert kinds(found) & CONTRACT_KINDS == {"unused-event"}
    [unused] = of_kind(found, "unused-event")
    assert (
        "10 messages of stock to the declared channel stock/{warehouse}/reserved" in unused.message
    )


def test_a_consumer_without_document_is_a_note_one_with_a_document_a_warning() -> None:
    tape = shop(("stock", "mail"))
    [note] = of_kind(held(tape, "", read(V2)), "undocumented-consumer")
    assert (note.service, note.severity) == ("mail", Severity.NOTE)
    mail = read("asyncapi: 3.0.0\nchannels: {other: {address: other}}", "mail")
    [warned] = of_kind(held(tape, "", read(V2), mail), "undocumented-consumer")
    assert (warned.service, warned.severity) == ("mail", Severity.WARNING)


def test_a_declared_consumer_that_does_not_listen_has_vanished() -> None:
    tape = shop(("mail",))
    tape.span("stock", "tidy up", 50.0)
    [gone] = of_kind(held(tape, "", read(V2, "stock")), "vanished-consumer")
    assert (gone.service, gone.severity) == ("stock", Severity.ERROR)
    assert "10 messages were sent there" in gone.message
    [dark] = of_kind(held(shop(("mail",)), "", read(V2, "stock")), "vanished-consumer")
    assert dark.severity is Severity.WARNING
    assert "emits no span at all" in dark.message


def test_verbs_that_were_mixed_up_are_recognised() -> None:
    swapped = V2.replace("publish:", "x:").replace("subscribe:", "publish:")
    swapped = swapped.replace("x:", "subscribe:")
    told = of_kind(held(shop(), "", read(swapped)), "undocumented-producer")
    [warned] = [one for one in told if one.service == "stock"]
    assert "in AsyncAPI 2 `publish` says that others publish to the service" in warned.message


def test_a_channel_that_is_in_no_document() -> None:
    tape = shop()
    for n in range(3):
        tape.send("stock", "audit", n * 10.0 + 5, trace=f"audit {n}")
        tape.send("stock", "amq.gen-Xa1", n * 10.0 + 6, trace=f"reply {n}")
        tape.send("stock", "audit.dlq", n * 10.0 + 7, trace=f"dead {n}")
    [found] = of_kind(held(tape, "", read(V2)), "undocumented-channel")
    assert found.message == "stock sent to audit 3 times, which is in no document"


def test_a_channel_that_never_ran_is_a_note() -> None:
    found = held(shop(reserved=False), "", read(V2))
    [silent] = of_kind(found, "silent-channel")
    assert silent.severity is Severity.NOTE
    assert check(found, "sends").outcome is Outcome.UNJUDGED


def test_a_service_that_is_not_in_the_recording_is_named_with_the_nearest() -> None:
    found = held(shop(), "", read(V2, "stok"))
    [(why, _)] = check(found, "service").why
    assert why == "no service 'stok' in the recording; the nearest is 'stock'"
    found = held(shop(), "", read(V2.replace("Stock Service", "Warehouse of ours")))
    assert "say whose document it is: --asyncapi" in check(found, "service").why[0][0]


def test_a_routing_key_is_a_name_of_the_channel() -> None:
    tape = Tape()
    for n in range(5):
        key = {"messaging.rabbitmq.destination.routing_key": "orders.placed"}
        sent = tape.send("shop", "exchange", n * 10.0, attributes=key)
        tape.process("stock", sent, n * 10.0 + 0.1)
    text = "asyncapi: 2.0.0\nchannels: {orders.placed: {publish: {}}}"
    found = held(tape, "", read(text, "stock"))
    assert check(found, "receives").held == 5
    assert not of_kind(found, "undocumented-channel")


# -- EventCatalog ----------------------------------------------------------------------------------


def page(path: str, matter: str) -> tuple[str, str, str]:
    return path, f"catalog/{path}", f"---\n{matter}\n---\n\n## Text\nof the page: {{}}\n"


CATALOG = (
    page("channels/Orders/index.mdx", "id: orders-channel\nname: Orders\naddress: 'orders'"),
    page("events/OrderPlaced/index.mdx",
         "id: OrderPlaced\nname: Order placed\nversion: 1.0.0\nchannels: [{id: orders-channel}]"),
    page("events/OrderPlaced/versioned/0.0.1/index.mdx", "id: OrderPlaced\nchannels: 5"),
    page("domains/Sales/services/Shop/index.mdx", "id: Shop\nsends:\n  - id: OrderPlaced"),
    page("services/StockService/index.md",
         "id: StockService\nreceives:\n  - id: OrderPlaced\n    from: [{id: orders-channel}]\n"
         "sends: []"),
    page("services/Mail/index.md", "id: Mail\nreceives: [{id: OrderPlaced}]"),
)  # fmt: skip


def test_a_catalog_says_it_of_every_service() -> None:
    assert uses(eventcatalog.parse(CATALOG, "catalog")) == {
        ("Shop", "sends", ("orders",)),
        ("StockService", "receives", ("orders",)),
        ("Mail", "receives", ("orders",)),
    }


def test_a_catalog_is_held_against_what_ran() -> None:
    tape = shop(("stock", "spy"), reserved=False)
    tape.span("mail", "alive", 1.0)
    found = held(tape, "", eventcatalog.parse(CATALOG, "catalog"))
    assert check(found, "receives", "stock").held == 10
    assert [one.service for one in of_kind(found, "vanished-consumer")] == ["mail"]
    assert [one.service for one in of_kind(found, "undocumented-consumer")] == ["spy"]


def test_a_message_without_channel_is_found_by_its_usual_spellings() -> None:
    pages = (
        page(
            "events/OrderPlaced/index.md", "id: OrderPlaced\nproducers: [shop]\nconsumers: [stock]"
        ),
    )
    contract = eventcatalog.parse(pages, "catalog")
    assert {"OrderPlaced", "order.placed", "order-placed"} <= set(contract.channels[0].addresses)
    assert {one.use for one in contract.operations} == {Use.SENDS, Use.RECEIVES}


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ((), "catalog:1: no service and no event is described here"),
        ((page("services/A/index.md", "id: A\nsends:\n  - id: OrderPlacd"), CATALOG[1]),
         "catalog/services/A/index.md:4: no message with the id 'OrderPlacd'; did you mean 'Order"),
        ((page("services/A/index.md", "id: A\nsends: x"),), "sends must be a list, is 'x'"),
        ((page("services/A/index.md", "id: A\nsends: [{}]"),), "needs the id of a message"),
        ((page("services/A/index.md", "id: [A"),), "not YAML"),
    ],
)  # fmt: skip
def test_a_catalog_that_is_wrong(pages: tuple[tuple[str, str, str], ...], said: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        eventcatalog.parse(pages, "catalog")
    assert any(said in str(fault) for fault in caught.value.faults), caught.value.faults


def test_the_demo_does_what_a_document_of_it_says() -> None:
    """RabbitMQ through official instrumentations: exchanges, queues, exchange,routing.key."""
    from analyzer import analyze
    from analyzer.conformance.declared import Declared

    text = """\
asyncapi: 2.6.0
info: {title: Inventory Service, version: 1.0.0}
channels:
  orders:
    bindings: {amqp: {is: routingKey, exchange: {name: orders, type: topic}}}
    publish: {}
  stock: {subscribe: {}}
"""
    demo = Path(__file__).parents[2] / "fixtures/demo/orders.jsonl.gz"
    found = analyze(demo, declared=Declared(contracts=(read(text),)))
    assert check(found, "receives", "inventory").held > 250
    assert check(found, "sends", "inventory").held > 250
    assert not of_kind(found, "vanished-consumer", "undocumented-channel")
