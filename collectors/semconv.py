"""The alias table: which attribute names mean which column of `collectors.schema.SPANS`.

Instrumentations keep old names for years, so every name that occurs in the field is listed; the
first one that a span carries wins. Sources: OpenTelemetry semantic conventions v1.17 to v1.44 and
the instrumentations of the libraries named beside the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Column -> attribute names, best first. The value goes into the column as it is.
SPAN_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "error_type": ("error.type", "exception.type"),
    "error_message": ("error.message", "exception.message", "grpc.error_message"),
    "system": ("messaging.system",),
    "destination": (
        "kafka.topic",  # ddtrace lists every topic of a batch here, Brave the one topic
        "messaging.destination.name",
        "messaging.destination",
        "messaging.source.name",
        "messaging.source",
        "messaging.destination_publish.name",
        "message_bus.destination",
        "jms.queue",
        "jms.topic",
        "aws.sqs.queue.url",
        "aws.queue.url",
        "aws.queue_url",
        "aws.queue.name",
        "aws.sns.topic.arn",
        "messaging.url",
        "celery.queue",
        "celery.routing_key",
        "bullmq.queue.name",
    ),
    "message_id": (
        "messaging.message.id",
        "messaging.message_id",
        "nservicebus.message_id",
        "messaging.masstransit.message_id",
        "celery.task_id",
        "jms.message_id",
    ),
    "conversation_id": (
        "messaging.message.conversation_id",
        "messaging.conversation_id",
        "nservicebus.conversation_id",
        "messaging.masstransit.conversation_id",
        "messaging.message.correlation_id",
        "messaging.correlation_id",
    ),
    "consumer_group": (
        "messaging.consumer.group.name",
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
        "messaging.rocketmq.client_group",
        "messaging.eventhubs.consumer.group",
        "kafka.group_id",
        "kafka.group",
        "messaging.destination.subscription.name",
        "messaging.servicebus.destination.subscription_name",
    ),
    "partition": (
        "messaging.destination.partition.id",
        "messaging.kafka.destination.partition",
        "messaging.kafka.source.partition",
        "messaging.kafka.partition",
        "messaging.partition",
        "kafka.partition",
    ),
    "offset": (
        "messaging.kafka.offset",
        "messaging.kafka.message.offset",
        "messaging.offset",
        "kafka.message_offset",
        "kafka.offset",
    ),
    "message_key": (
        "messaging.kafka.message.key",
        "messaging.kafka.message_key",
        "messaging.message.key",
        "kafka.message_key",
        "kafka.key",
        "messaging.rocketmq.message.group",
        "messaging.gcp_pubsub.message.ordering_key",
    ),
    "routing_key": (
        "messaging.rabbitmq.destination.routing_key",
        "messaging.rabbitmq.routing_key",
        "rabbit.routing_key",
    ),
    "batch_count": ("messaging.batch.message_count", "messaging.batch_size"),
    "body_size": (
        "messaging.message.body.size",
        "messaging.message_payload_size_bytes",
        "messaging.message.payload_size_bytes",
    ),
    "delivery_attempt": (
        "messaging.gcp_pubsub.message.delivery_attempt",
        "messaging.servicebus.message.delivery_count",
        "messaging.message.delivery_attempt",
        "nservicebus.delayed_retries",
        "celery.retries",
    ),
    "disposition": (
        "messaging.servicebus.disposition_status",
        "messaging.gcp_pubsub.result",
        "nservicebus.recoverability_action",
    ),
    "event_type": (  # of the message or the job: one queue carries several
        "cloudevents.event_type",
        "celery.task_name",
        "messaging.sidekiq.job_class",
        "oban.job.worker",
        "bullmq.job.name",
        "messaging.message.job_name",  # Laravel
        "nservicebus.enclosed_message_types",
        "messaging.masstransit.message_types",
        "messaging.message_type",  # Wolverine
    ),
    "event_subject": ("cloudevents.event_subject",),
    "framework_instance": (
        "nservicebus.saga.saga_id",
        "nservicebus.saga_id",
        "messaging.masstransit.saga_id",
        "messaging.masstransit.tracking_number",
        "wolverine.saga.id",
        "durabletask.task.instance_id",
        "temporalWorkflowID",
        "temporal.workflow.id",
    ),
    "framework_workflow": (
        "nservicebus.saga.saga_type",
        "nservicebus.saga_type",
        "messaging.masstransit.saga_type",
        "wolverine.saga.type",
        "durabletask.task.name",
        "temporalWorkflowType",
        "temporal.workflow.type",
    ),
    "causal_id": (
        "nservicebus.related_to",
        "messaging.masstransit.initiator_id",
        "messaging.message.causation_id",
        "messaging.causation_id",
        "cloudevents.causation_id",
    ),
    "correlation_id": ("messaging.masstransit.correlation_id",),
    "message_intent": ("nservicebus.message_intent",),
    "http_method": ("http.request.method", "http.method"),
    "http_route": ("http.route",),
    "http_status": ("http.response.status_code", "http.status_code"),
    "rpc_service": ("rpc.service",),
    "rpc_method": ("rpc.method",),
    "rpc_status": ("rpc.grpc.status_code", "rpc.response.status_code", "grpc.status_code"),
    "db_system": ("db.system.name", "db.system"),
    "db_namespace": ("db.namespace", "db.name", "db.instance", "cassandra.keyspace"),
    "peer": (
        "peer.service",
        "service.peer.name",
        "server.address",
        "net.peer.name",
        "peer.hostname",
    ),
}

# Values that other columns are derived from; the attribute itself stays where it is.
SPAN_HELPERS: Final[Mapping[str, tuple[str, ...]]] = {
    "_op_type": ("messaging.operation.type",),
    "_op_old": ("messaging.operation",),
    "_op_name": ("messaging.operation.name",),
    "_op_celery": ("celery.action",),
    "_path": ("url.path", "http.path", "http.target", "http.uri", "http.uri.client"),
    "_url": ("url.full", "http.url"),
    "_received": ("kafka.received_message",),
    "_rabbit_exchange": ("rabbit.exchange",),
    "_rabbit_queue": ("rabbit.queue",),
    "_event_id": ("cloudevents.event_id",),
    "_event_source": ("cloudevents.event_source",),
    "_deliver_iso": ("nservicebus.deliver_at", "celery.eta"),
    "_deliver_ms": ("messaging.rocketmq.message.delivery_timestamp",),
    "_countdown": ("celery.countdown",),
    "_rpc_system": ("rpc.system.name", "rpc.system"),
}

# Of these those that say few different things.
WORD_HELPERS: Final[tuple[str, ...]] = (
    *("_op_type", "_op_old", "_op_name", "_op_celery"),
    *("_path", "_url", "_rabbit_exchange", "_rabbit_queue"),
)

LINK_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "message_id": SPAN_ALIASES["message_id"],
    "destination": SPAN_ALIASES["destination"],
}

RESOURCE_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("service.name",),
    "service_version": ("service.version",),
    "service_instance": ("service.instance.id", "k8s.pod.name"),
    "_host": ("host.name",),
    "_pid": ("process.pid",),
}

# A key with this prefix says that the span is about a message.
MESSAGING_PREFIXES: Final[tuple[str, ...]] = (
    "messaging.",
    "message_bus.",
    "kafka.",
    "rabbit.",
    "jms.",
    "celery.",
    "nservicebus.",
    "wolverine.",
    "bullmq.",
    "aws.sqs.",
    "aws.sns.",
)

# Where `messaging.system` is absent, the tags of one system name it.
SYSTEM_PREFIXES: Final[Mapping[str, str]] = {
    "kafka.": "kafka",
    "messaging.kafka.": "kafka",
    "rabbit.": "rabbitmq",
    "messaging.rabbitmq.": "rabbitmq",
    "messaging.servicebus.": "servicebus",
    "messaging.eventhubs.": "eventhubs",
    "messaging.gcp_pubsub.": "gcp_pubsub",
    "messaging.rocketmq.": "rocketmq",
    "jms.": "jms",
    "celery.": "celery",
    "bullmq.": "bullmq",
    "aws.sqs.": "aws_sqs",
    "aws.sns.": "aws.sns",
}

SYSTEMS: Final[Mapping[str, str]] = {
    "aws.sqs": "aws_sqs",
    "AmazonSQS": "aws_sqs",
    "aws_sns": "aws.sns",
    "AmazonSNS": "aws.sns",
}

FRAMEWORK_PREFIXES: Final[Mapping[str, str]] = {
    "nservicebus.": "nservicebus",
    "messaging.masstransit.": "masstransit",
    "wolverine.": "wolverine",
    "durabletask.": "durabletask",
    "temporal.": "temporal",
    "temporalWorkflowID": "temporal",
    "temporalRunID": "temporal",
}

# What emitters write as the operation -> the five canonical ones.
OPERATIONS: Final[Mapping[str, str]] = {
    "create": "create",
    "send": "send",
    "publish": "send",
    "produce": "send",
    "enqueue": "send",
    "apply_async": "send",
    "sendmessage": "send",
    "sendmessagebatch": "send",
    "receive": "receive",
    "poll": "receive",
    "receivemessage": "receive",
    "process": "process",
    "deliver": "process",
    "consume": "process",
    "run": "process",
    "settle": "settle",
    "ack": "settle",
    "nack": "settle",
    "reject": "settle",
    "commit": "settle",
    "deletemessage": "settle",
    "complete": "settle",
    "abandon": "settle",
    "dead_letter": "settle",
    "defer": "settle",
}

# What emitters write as the end of a message -> that of Service Bus; the last word of a name too.
DISPOSITIONS: Final[Mapping[str, str]] = {
    "complete": "complete",
    "ack": "complete",
    "abandon": "abandon",
    "nack": "abandon",
    "reject": "abandon",
    "immediate_retry": "abandon",
    "dead_letter": "dead_letter",
    "deadletter": "dead_letter",
    "dead-letter": "dead_letter",
    "move_to_error": "dead_letter",
    "defer": "defer",
    "delayed_retry": "defer",
}

# RabbitMQ's default exchange, through which a message goes to the queue of its routing key.
DEFAULT_EXCHANGES: Final[frozenset[str]] = frozenset(("<default>", "(default)", "amq.default"))

# Words that stand in a name where a destination would: "process message", "publish event".
NO_DESTINATIONS: Final[frozenset[str]] = frozenset(
    ("message", "messages", "msg", "event", "command", "batch", "job", "task")
)

# Span names that say it whole; a poll loop's name says receive though its kind is CONSUMER.
OPERATION_NAMES: Final[Mapping[str, str]] = {
    "poll": "receive",
    "kafka.poll": "receive",
    "kafka.consume": "receive",
    "receive": "receive",
    "next-message": "receive",
    "send": "send",
    "publish": "send",
    "process": "process",
    "consume": "process",
    "kafka.produce": "send",
    "kafka.send": "send",
    "kafka.process": "process",
    "basic.ack": "settle",
    "basic.nack": "settle",
    "basic.reject": "settle",
}

# Dapr calls its sidecar over HTTP or gRPC; the sidecar's spans are clients on both sides.
PATH_OPERATIONS: Final[tuple[tuple[str, str], ...]] = (
    (r"^/v[0-9.a-z]+/publish(/|$)", "send"),
    (r"^/dapr\.proto\.runtime\.v1\.Dapr/(Bulk)?PublishEvent", "send"),
    (r"^pubsub/", "process"),
)

# Words at the beginning or the end of a span name: "<operation> <destination>" since semantic
# conventions v1.26, "<destination> <operation>" before.
OPERATION_WORDS: Final[Mapping[str, str]] = {
    word: OPERATIONS[word]
    for word in ("create", "send", "publish", "receive", "poll", "process", "deliver", "settle")
} | {"ack": "settle", "nack": "settle", "consume": "process", "produce": "send"}

GRPC_CODES: Final[tuple[str, ...]] = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
