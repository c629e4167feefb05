"""Who is called and emits nothing; and addresses that are no such service."""

from __future__ import annotations

import pytest

from analyzer.analysis import Analysis
from tests.support.spans import Tape


def called(address: str, *, times: int = 3, path: str = "/x") -> Tape:
    """Requests whose handler calls an address under which nobody leaves a span."""
    tape = Tape()
    for number in range(times):
        page = tape.serve("web", "GET /", number)
        given = {"server.address": address, "url.path": path}
        tape.span("web", "GET", number, kind="client", parent=page, attributes=given)
    return tape


def silent(found: Analysis) -> list[str]:
    return [
        one for note in found.data_notes if note.kind == "silent-service" for one in note.services
    ]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("cart", "cart"),
        ("cart:7070", "cart"),
        ("Cart-Service", "cart-service"),
        ("cart.shop.svc.cluster.local", "cart"),
        ("cart.shop.svc", "cart"),
        ("api.example.com", "api.example.com"),
    ],
)
def test_a_callee_known_by_its_address_only_is_told(address: str, name: str) -> None:
    found = called(address).analyze()
    assert silent(found) == [name]
    assert found.services.filter(found.services["name"] == name)["spans"].to_list() == [0]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.7",
        "10.0.0.7:8080",
        "::1",
        "[fe80::1]:80",
        "localhost",
        "127.0.0.1",
        "host.docker.internal",
        "ip-10-0-0-7.ec2.internal",
        "/var/run/docker.sock",
        "postgres",
        "redis-cart",
        "users-db",
        "kafka.shop.svc.cluster.local",
    ],
)
def test_an_address_that_names_no_service_is_not_told(address: str) -> None:
    found = called(address).analyze()
    assert silent(found) == []
    assert found.services["name"].to_list() == ["web"]


def test_a_host_that_some_client_knows_as_a_database_is_none() -> None:
    tape = called("ledger")
    tape.span(
        "audit",
        "SELECT",
        50,
        kind="client",
        attributes={"db.system": "postgresql", "server.address": "ledger"},
    )
    assert silent(tape.analyze()) == []


def test_an_address_behind_which_a_service_was_seen_is_that_service() -> None:
    """Hosts and services have different names; a call that timed out does not make it silent."""
    tape = called("cart-internal", times=2)
    for number in range(3):
        page = tape.serve("web", "GET /", 10 + number)
        out = tape.span(
            "web",
            "GET",
            10 + number,
            kind="client",
            parent=page,
            attributes={"server.address": "cart-internal"},
        )
        tape.serve("basket", "GET /cart", 10 + number, parent=out)
    assert silent(tape.analyze()) == []


def test_a_gateway_before_several_services_is_not_silent() -> None:
    tape = called("gateway", times=2)
    for number, behind in enumerate(("orders", "stock", "orders")):
        page = tape.serve("web", "GET /", 10 + number)
        out = tape.span(
            "web",
            "GET",
            10 + number,
            kind="client",
            parent=page,
            attributes={"server.address": "gateway"},
        )
        tape.serve(behind, "GET /x", 10 + number, parent=out)
    assert silent(tape.analyze()) == []


def test_a_service_that_emits_under_another_spelling_is_not_silent() -> None:
    tape = called("cart-service.shop.svc.cluster.local")
    tape.serve("CartService", "GET /health", 30)
    assert silent(tape.analyze()) == []


def test_the_export_of_the_spans_themselves_is_no_call() -> None:
    assert silent(called("otel-collector", path="/v1/traces").analyze()) == []
