"""How instrumentations name and describe their spans, in the old and the new conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zlib import crc32

from collectors.simulate.case import Act
from collectors.simulate.otlp import KeyValue, Resource, Scope, number, text
from collectors.simulate.scenario import Scenario

LANGUAGES: Final = ("python", "java", "nodejs", "dotnet")
WRITES_FLAGS: Final = ("python", "nodejs")  # the others' exporters leave the field out
ALIAS: Final = "nodejs"  # services in this language name the business key in their own way

_KINDS: Final = {"server": 2, "client": 3, "db": 3, "send": 4, "process": 5, "job": 1}

_SCOPES: Final = {
    ("python", "messaging"): "opentelemetry.instrumentation.kafka",
    ("python", "http"): "opentelemetry.instrumentation.asgi",
    ("python", "db"): "opentelemetry.instrumentation.psycopg2",
    ("java", "messaging"): "io.opentelemetry.kafka-clients-0.11",
    ("java", "http"): "io.opentelemetry.tomcat-10.0",
    ("java", "db"): "io.opentelemetry.jdbc",
    ("nodejs", "messaging"): "@opentelemetry/instrumentation-kafkajs",
    ("nodejs", "http"): "@opentelemetry/instrumentation-http",
    ("nodejs", "db"): "@opentelemetry/instrumentation-pg",
    ("dotnet", "messaging"): "OpenTelemetry.Instrumentation.ConfluentKafka",
    ("dotnet", "http"): "Microsoft.AspNetCore",
    ("dotnet", "db"): "Npgsql",
}


@dataclass(frozen=True, slots=True)
class Template:
    """What all spans of one place in the code have in common."""

    name: str
    kind: int
    scope: Scope
    attributes: tuple[KeyValue, ...]


def error_type(act: Act) -> str:
    """What the exception is called: the client library's of a send, the program's own elsewhere."""
    known = {"connection reset": "ConnectionResetError", "timeout": "TimeoutError"}
    return "BrokerNotAvailableError" if act.role == "send" else known.get(act.error, "HandlerError")


class Vocabulary:
    """Templates of one scenario's spans, made once for each place."""

    def __init__(self, scenario: Scenario) -> None:
        flow = scenario.flow
        self.flow = flow
        self.new = scenario.semconv == "new"
        self.broker = scenario.broker
        self.language = {s: LANGUAGES[i % 4] for i, s in enumerate(flow.services)}
        self._templates: dict[tuple[str, str, str, str, str | bool], Template] = {}
        self._resources: dict[str, Resource] = {}
        self._pods = {
            (name, replica): f"{name}-{crc32(name.encode()):08x}-{replica}"
            for name in self.language
            for replica in (0, 1)
        }

    def template(self, act: Act) -> Template:
        """The template of the act's span."""
        word = act.error if act.role == "client" else bool(act.error)
        key = (act.role, act.service, act.label, act.peer, word)
        found = self._templates.get(key)
        if found is None:
            found = self._templates[key] = self._make(act)
        return found

    def resource(self, service: str, pod: str) -> Resource:
        """The resource of one instance of a service."""
        found = self._resources.get(pod)
        if found is None:
            language = self.language[service]
            found = Resource(
                (
                    text("service.name", service),
                    text("service.version", "1.4.2"),
                    text("service.instance.id", pod),
                    text("telemetry.sdk.name", "opentelemetry"),
                    text("telemetry.sdk.language", language),
                    text("telemetry.sdk.version", "1.30.0"),
                )
            )
            if len(self._resources) < 10_000:  # pods that died are never asked for again
                self._resources[pod] = found
        return found

    def pod(self, act: Act, replica: int) -> str:
        """The instance of the service that did it; a handler that died had a pod of its own."""
        if act.dead_pod and act.case is not None:
            return f"{self._pods[act.service, replica]}-x{act.case.index}"
        return self._pods[act.service, replica]

    def key(self, service: str, value: str) -> KeyValue:
        """The business key as that service writes it."""
        alias = self.language[service] == ALIAS
        return text(self.flow.keys[alias], value)

    def _make(self, act: Act) -> Template:
        kind = _KINDS.get(act.role, 3 if self.new else 5)
        if act.role in ("send", "process", "receive"):
            name, attributes = self._messaging(act)
            return Template(name, kind, self._scope(act, "messaging"), attributes)
        if act.role == "db":
            name, attributes = self._database(act)
            return Template(name, kind, self._scope(act, "db"), attributes)
        if act.role == "job":
            return Template(act.label, kind, Scope(f"{act.service}.jobs", "1.0.0"), ())
        name, attributes = self._http(act)
        return Template(name, kind, self._scope(act, "http"), attributes)

    def _scope(self, act: Act, what: str) -> Scope:
        name = _SCOPES[self.language[act.service], what]
        if what == "messaging" and self.broker != "kafka":
            name = name.rpartition(".")[0] + "." + self.broker
        return Scope(name, "0.51b0" if self.language[act.service] == "python" else "1.30.0")

    # -- messages -----------------------------------------------------------------------------

    def _names(self, act: Act) -> tuple[str, str]:
        """System and destination as this side of the broker calls them."""
        sends = act.role == "send"
        if self.broker == "sqs":
            fans_out = len(self.flow.subscribers.get(act.label, ())) > 1
            if fans_out:
                return (
                    ("aws.sns", act.label) if sends else ("aws_sqs", f"{act.service}-{act.label}")
                )
            return "aws_sqs", act.label
        if self.broker == "rabbitmq" and self.new:
            base = f"{self.flow.name}:{act.label}"
            return "rabbitmq", base if sends else f"{base}:{act.service}"
        return self.broker, act.label

    def _messaging(self, act: Act) -> tuple[str, tuple[KeyValue, ...]]:
        system, destination = self._names(act)
        common = [text("messaging.system", system)]
        if self.new:
            common.append(text("messaging.destination.name", destination))
            common.append(text("messaging.operation.type", act.role))
            common.append(text("messaging.operation.name", act.role))
            common += self._group(act, "messaging.consumer.group.name")
            if self.broker == "rabbitmq":
                routing = "messaging.rabbitmq.destination.routing_key"
                common.append(text(routing, act.label))
            common += [text("error.type", error_type(act))] * bool(act.error)
            return f"{act.role} {destination}", tuple(common)
        common.append(text("messaging.destination", destination))
        common.append(text("messaging.destination_kind", "topic"))
        operation = act.role
        if self.broker == "rabbitmq" and act.role == "process":
            operation = "receive"  # pika and amqplib call their callbacks so
        if act.role != "send":
            common.append(text("messaging.operation", operation))
        common += self._group(act, "messaging.kafka.consumer_group")
        return f"{destination} {operation}", tuple(common)

    def _group(self, act: Act, name: str) -> list[KeyValue]:
        if act.role == "send" or self.broker != "kafka":
            return []
        return [text(name, act.service)]

    def message(self, act: Act) -> list[KeyValue]:
        """The attributes that identify the act's message."""
        message = act.message
        if message is None:
            return []
        if message.message_id:
            name = "messaging.message.id" if self.new else "messaging.message_id"
            return [text(name, message.message_id)]
        if self.new:
            return [
                text("messaging.destination.partition.id", str(message.partition)),
                number("messaging.kafka.offset", message.offset),
            ]
        return [
            number("messaging.kafka.partition", message.partition),
            number("messaging.kafka.message.offset", message.offset),
        ]

    # -- calls --------------------------------------------------------------------------------

    def _http(self, act: Act) -> tuple[str, tuple[KeyValue, ...]]:
        method, _, route = act.label.partition(" ")
        names = _NEW_HTTP if self.new else _OLD_HTTP
        found = [text(names["method"], method)]
        if act.role == "server" or not act.error or act.error.isdigit():
            code = int(act.error) if act.error.isdigit() else 500 if act.error else 200
            found.append(number(names["status"], code))
        else:  # no answer came
            found.append(text("error.type", error_type(act)))
        if act.role == "server":
            found.append(text(names["route"], route))
            found.append(text(names["path"], route.replace("{id}", "4711")))
            return act.label, tuple(found)
        found.append(text(names["url"], f"http://{act.peer}:8080{route.replace('{id}', '4711')}"))
        found.append(text(names["peer"], act.peer))
        return method, tuple(found)

    def _database(self, act: Act) -> tuple[str, tuple[KeyValue, ...]]:
        verb, _, table = act.label.partition(" ")
        statement = {
            "SELECT": f"SELECT * FROM {table} WHERE id = ?",
            "INSERT": f"INSERT INTO {table} VALUES (?, ?)",
            "UPDATE": f"UPDATE {table} SET state = ? WHERE id = ?",
        }[verb]
        names = _NEW_DB if self.new else _OLD_DB
        values = ("postgresql", table, verb, statement, f"{table}-db")
        return act.label, tuple(text(n, v) for n, v in zip(names, values, strict=True))


_NEW_HTTP: Final = {
    "method": "http.request.method",
    "status": "http.response.status_code",
    "route": "http.route",
    "path": "url.path",
    "url": "url.full",
    "peer": "server.address",
}
_OLD_HTTP: Final = {
    "method": "http.method",
    "status": "http.status_code",
    "route": "http.route",
    "path": "http.target",
    "url": "http.url",
    "peer": "net.peer.name",
}
_NEW_DB: Final = (
    "db.system.name",
    "db.namespace",
    "db.operation.name",
    "db.query.text",
    "server.address",
)
_OLD_DB: Final = ("db.system", "db.name", "db.operation", "db.statement", "net.peer.name")
