"""Every alias leads to its column, and the known quirks of instrumentations are undone."""

from __future__ import annotations

from typing import Any

import pytest

from collectors import recording_from, schema
from collectors.raw import Builder
from collectors.semconv import RESOURCE_ALIASES, SPAN_ALIASES

TRACE = (0, 1)


def promoted(
    *, name: str = "x", kind: int = 1, scope: str | None = None, **attributes: Any
) -> dict[str, Any]:
    """The row of one span with these attributes; `__` in a name stands for a dot."""
    builder = Builder()
    pairs = [(key.replace("__", "."), str(value), True) for key, value in attributes.items()]
    builder.span(
        trace=TRACE, span_id=2, start_ns=10, end_ns=20, name=name, kind=kind, scope=scope,
        attributes=pairs,
    )  # fmt: skip
    recording = recording_from([builder.batch()])
    rest = dict(recording.attributes.select("key", "value").iter_rows())
    return {**recording.spans.row(0, named=True), "rest": rest}


@pytest.mark.parametrize(
    ("column", "alias"), [(c, a) for c, aliases in SPAN_ALIASES.items() for a in aliases]
)
def test_every_alias_is_promoted(column: str, alias: str) -> None:
    """And what the column holds exactly is not kept twice."""
    number = schema.SPANS[column] == schema.SPANS["offset"]
    row = promoted(kind=5, **{alias: "7" if number else "value-1"})
    assert row[column] == (7 if number else "value-1")
    assert alias not in row["rest"]


@pytest.mark.parametrize("column", [c for c, aliases in SPAN_ALIASES.items() if len(aliases) > 1])
def test_the_first_alias_wins_and_the_other_stays(column: str) -> None:
    first, second = SPAN_ALIASES[column][:2]
    number = schema.SPANS[column] == schema.SPANS["offset"]
    best, other = ("1", "2") if number else ("best", "other")
    row = promoted(kind=5, **{second: other, first: best})
    assert str(row[column]) == best
    assert row["rest"].get(second) == other
    same = promoted(kind=5, **{second: best, first: best})
    assert not {first, second} & set(same["rest"])


@pytest.mark.parametrize(
    ("value", "operation"),
    [
        *(("publish", "send"), ("send", "send"), ("deliver", "process"), ("process", "process")),
        *(("create", "create"), ("receive", "receive"), ("poll", "receive"), ("ack", "settle")),
        *(("settle", "settle"), ("Receive", "receive")),
    ],
)
@pytest.mark.parametrize("alias", ["messaging.operation.type", "messaging.operation"])
def test_operations(alias: str, value: str, operation: str) -> None:
    assert promoted(kind=3, **{alias: value})["operation"] == operation


@pytest.mark.parametrize(
    ("name", "kind", "attributes", "operation"),
    [
        ("x", 4, {"messaging.system": "kafka"}, "send"),
        ("x", 5, {"messaging.system": "kafka"}, "process"),
        ("poll", 5, {"kafka.topic": "t"}, "receive"),
        ("kafka.consume", 5, {"kafka.topic": "t"}, "receive"),
        ("orders receive", 5, {"messaging.system": "kafka"}, "receive"),
        ("receive orders", 3, {"messaging.destination.name": "orders"}, "receive"),
        ("orders process", 4, {}, "send"),
        ("receive", 3, {}, None),
        ("poll", 1, {}, None),
        ("send email", 1, {}, None),
        ("x", 2, {"messaging.destination.name": "orders"}, None),
    ],
)
def test_operation_without_an_attribute(
    name: str, kind: int, attributes: dict[str, str], operation: str | None
) -> None:
    """From kind and name, where kind or a destination say that it is messaging."""
    assert promoted(name=name, kind=kind, **attributes)["operation"] == operation


def test_vendor_tags_imply_the_system() -> None:
    assert promoted(kafka__topic="t")["system"] == "kafka"
    assert promoted(celery__action="run", kind=5)["system"] == "celery"
    assert promoted(messaging__system="aws.sqs")["system"] == "aws_sqs"
    assert promoted(messaging__system="AmazonSQS")["system"] == "aws_sqs"


def test_datadog_lists_all_topics_and_marks_empty_polls() -> None:
    row = promoted(
        kind=5, name="kafka.consume", kafka__topic="a,b", messaging__destination__name="a",
        kafka__received_message="False", kafka__message_key="None",
    )  # fmt: skip
    assert (row["destination"], row["operation"], row["batch_count"]) == ("a,b", "receive", 0)
    assert row["message_key"] is None
    assert row["rest"]["messaging.destination.name"] == "a"


def test_brave_rabbit_tags() -> None:
    sent = promoted(kind=4, rabbit__exchange="", rabbit__routing_key="q")
    received = promoted(kind=5, rabbit__exchange="", rabbit__queue="q", rabbit__routing_key="q")
    assert sent["destination"] == received["destination"] == "q"
    assert promoted(rabbit__exchange="e", rabbit__queue="q")["destination"] == "e"


def test_queue_urls_and_topic_arns_become_names() -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/123/orders"
    row = promoted(aws__sqs__queue__url=url)
    assert (row["destination"], row["rest"]["aws.sqs.queue.url"]) == ("orders", url)
    assert promoted(aws__sns__topic__arn="arn:aws:sns:eu:1:paid")["destination"] == "paid"


def test_destination_in_the_name_of_an_async_span() -> None:
    assert promoted(name="orders publish", kind=4)["destination"] == "orders"
    assert promoted(name="process orders", kind=5)["destination"] == "orders"
    assert promoted(name="orders publish", kind=1)["destination"] is None


def test_boto_batch_entry_id_is_no_conversation() -> None:
    row = promoted(messaging__system="aws.sqs", messaging__conversation_id="1")
    assert row["conversation_id"] is None
    assert row["rest"]["messaging.conversation_id"] == "1"
    kept = promoted(messaging__system="kafka", messaging__conversation_id="1")
    assert kept["conversation_id"] == "1"


def test_celery_task_id_is_no_conversation() -> None:
    row = promoted(
        celery__action="run", messaging__message__id="t1", messaging__conversation_id="t1", kind=5
    )
    assert (row["conversation_id"], row["message_id"], row["operation"]) == (None, "t1", "process")


def test_partition_of_a_producer_counts_beside_an_offset_only() -> None:
    partition = {"messaging.destination.partition.id": "0"}
    assert promoted(kind=4, **partition)["partition"] is None
    assert promoted(kind=4, **partition, messaging__kafka__offset="7")["partition"] == "0"
    assert promoted(kind=5, **partition)["partition"] == "0"
    assert promoted(kind=4, **partition)["rest"] == partition


def test_frameworks() -> None:
    row = promoted(
        kind=5, nservicebus__message_id="m2", nservicebus__related_to="m1",
        nservicebus__conversation_id="c", nservicebus__saga__saga_id="s",
        nservicebus__message_intent="Publish",
    )  # fmt: skip
    assert row["framework"] == "nservicebus"
    assert (row["causal_id"], row["correlation_id"], row["message_id"]) == ("m1", "m2", "m2")
    assert (row["framework_instance"], row["message_intent"]) == ("s", "Publish")
    transit = promoted(
        messaging__masstransit__initiator_id="i", messaging__masstransit__saga_id="s"
    )
    assert (transit["framework"], transit["causal_id"]) == ("masstransit", "i")
    task = {"durabletask.task.instance_id": "d", "durabletask.task.name": "Order"}
    durable = promoted(**task)
    assert (durable["framework"], durable["framework_workflow"]) == ("durabletask", "Order")
    assert promoted(temporalWorkflowID="w")["framework"] == "temporal"


def test_cloud_event_identity_is_source_and_id() -> None:
    row = promoted(cloudevents__event_id="1", cloudevents__event_source="/s", kind=4)
    assert row["event_id"] == "/s 1"


@pytest.mark.parametrize(
    ("attributes", "time"),
    [
        ({"celery.eta": "2026-05-30T12:00:00+02:00"}, 1_780_135_200_000_000_000),
        ({"celery.eta": "2026-05-30T10:00:00.5"}, 1_780_135_200_500_000_000),
        ({"nservicebus.deliver_at": "2026-05-30 10:00:00:250000 Z"}, 1_780_135_200_250_000_000),
        ({"messaging.rocketmq.message.delivery_timestamp": "1780135200000"}, 1_780_135_200 * 10**9),
        ({"celery.countdown": "2.5"}, 2_500_000_010),
        ({"celery.eta": "tomorrow"}, None),
    ],
)
def test_deliver_at(attributes: dict[str, str], time: int | None) -> None:
    assert promoted(**attributes)["deliver_at_ns"] == time


@pytest.mark.parametrize(
    ("attributes", "route"),
    [
        ({"http.route": "/a/{id}", "http.target": "/a/1?x=1"}, "/a/{id}"),
        ({"http.target": "/a/1?x=1#f"}, "/a/1"),
        ({"url.full": "https://shop:8080/cart?id=1"}, "/cart"),
        ({"http.url": "http://shop"}, "/"),
        ({"url.path": "/p"}, "/p"),
    ],
)
def test_http_route(attributes: dict[str, str], route: str) -> None:
    assert promoted(**attributes)["http_route"] == route


def test_rpc() -> None:
    row = promoted(rpc__method="shop.Cart/Get", rpc__response__status_code="UNAVAILABLE")
    assert (row["rpc_service"], row["rpc_method"], row["rpc_status"]) == ("shop.Cart", "Get", 14)
    assert promoted(rpc__grpc__status_code="13")["rpc_status"] == 13


def test_aws_sdk_calls_on_queues() -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/1/q"
    row = promoted(rpc__service="SQS", rpc__method="SendMessage", aws__queue__url=url, kind=3)
    assert (row["operation"], row["destination"]) == ("send", "q")


def test_what_is_no_number_stays_an_attribute() -> None:
    row = promoted(http__status_code="teapot")
    assert row["http_status"] is None
    assert row["rest"] == {"http.status_code": "teapot"}


def test_business_attributes_stay() -> None:
    assert promoted(order__id="o-1", app__order_id="o-2")["rest"] == {
        "order.id": "o-1",
        "app.order_id": "o-2",
    }


@pytest.mark.parametrize(
    ("pairs", "instance"),
    [
        ({"service.instance.id": "i", "k8s.pod.name": "p"}, "i"),
        ({"k8s.pod.name": "p", "host.name": "h"}, "p"),
        ({"host.name": "h", "process.pid": "7"}, "h:7"),
        ({"host.name": "h"}, None),
    ],
)
def test_service_instance(pairs: dict[str, str], instance: str | None) -> None:
    builder = Builder()
    resource = builder.resource([(key, value, True) for key, value in pairs.items()])
    builder.span(trace=TRACE, span_id=2, resource=resource)
    row = recording_from([builder.batch()]).spans.row(0, named=True)
    assert (row["service"], row["service_instance"]) == ("unknown_service", instance)
    assert RESOURCE_ALIASES["service"] == ("service.name",)


def test_exception_event_names_the_error() -> None:
    builder = Builder()
    row = builder.span(trace=TRACE, span_id=2, status=2)
    builder.event(row, 5, "exception", [("exception.type", "First", True)])
    error = [("exception.type", "Last", True), ("exception.message", 'a "b"\n', True)]
    builder.event(row, 6, "exception", error)
    found = recording_from([builder.batch()])
    assert found.spans["error_type"].to_list() == ["Last"]
    assert found.spans["error_message"].to_list() == ['a "b"\n']
    assert (
        found.events["attributes"][1]
        == '{"exception.message":"a \\"b\\"\\n","exception.type":"Last"}'
    )
