"""Who is called: the callee of each call that left no span, by the name it is known under."""

from __future__ import annotations

import numpy as np
import polars as pl

from analyzer.codes import Ints, ints
from analyzer.stitching.index import SpanIndex
from analyzer.stitching.roles import Role
from collectors.schema import Kind

# What answers at such an address says nothing about who it is.
_ANONYMOUS = (
    r"^[0-9.]+$|^\[?[0-9a-f]*:[0-9a-f:.]*(%[a-z0-9]+)?(\](:[0-9]+)?)?$|^localhost$|\.localhost$|"
    r"^(host|gateway|metadata)\.(docker|google)\.internal$|^ip-[0-9-]+(\.|$)|^/|^unix|^$"
)
# Stores and brokers whose client wrote no db.system or messaging.system; they never emit spans.
_STORE = (
    r"^(postgres(ql)?|mysql|mariadb|percona|mssql|sqlserver|oracle|redis|valkey|memcached?|mongo(db)?|"
    r"cassandra|scylla(db)?|elasticsearch|opensearch|clickhouse|influxdb|neo4j|couch(base|db)|"
    r"dynamodb|kafka|rabbitmq|nats|activemq|zookeeper|etcd|minio|s3)([-_.0-9]|$)|"
    r"(^|[-_.])(db|database|sql|cache)([-_.0-9]|$)"
)
_TELEMETRY = r"/v1/(traces|metrics|logs)$|TraceService|MetricsService|LogsService"

_SEVERAL = "\x00"

CALLS: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    "callee": pl.String(),  # null: not known
    "emits": pl.Boolean(),  # the callee has spans of its own elsewhere in the recording
}


def unanswered_calls(spans: pl.DataFrame, index: SpanIndex, role: Ints) -> pl.DataFrame:
    """Calls under which nobody left a span, stores and brokers apart; shape CALLS, by row.

    A callee is named by `rpc.service` or its address. It emits where a service of that name does,
    whatever the spelling ("oteldemo.CartService" is "cart-service"), or where any other call to
    the address has the span of a service below it: names of hosts and of services may differ.
    """
    rows = np.flatnonzero(role == Role.CALL)
    pairs = ["rpc_service", "peer"]
    part = spans.select(*pairs, "system", "http_route", "name")[rows].with_columns(
        row=pl.Series(rows, dtype=pl.Int64)
    )
    export = pl.any_horizontal(
        pl.col("http_route", "name").cast(pl.String).str.contains(_TELEMETRY).fill_null(False)
    )
    part = part.filter(pl.col("system").is_null() & ~export)
    if part.is_empty():
        return pl.DataFrame(schema=CALLS)
    named = _resolved(part.select(pairs).unique(), spans, index)
    joined = part.join(named, on=pairs, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.col("emits").fill_null(False)).select(list(CALLS))


def _resolved(pairs: pl.DataFrame, spans: pl.DataFrame, index: SpanIndex) -> pl.DataFrame:
    """Columns rpc_service, peer, callee, emits: one row for each pair of names."""
    names = pairs.with_columns(host=_host(pl.col("peer")), remote=_remote(pl.col("rpc_service")))
    store = pl.col("host").is_in(_stores(spans).implode()) | pl.col("host").str.contains(_STORE)
    named = ~pl.col("host").str.contains(_ANONYMOUS) & ~store
    names = names.filter(~store.fill_null(False)).with_columns(host=pl.when(named).then("host"))
    core = _core(pl.coalesce("remote", "host"))
    names = names.with_columns(core=core, address=_core(pl.col("host"))).with_columns(
        first=_core(pl.col("host").str.split(".").list.first())
    )
    known = _known(spans, index)
    for column in ("core", "address", "first"):
        found = known.select(pl.col("core").alias(column), pl.col("service").alias(f"by_{column}"))
        names = names.join(found, on=column, how="left")
    service = pl.coalesce("by_core", "by_address", "by_first")
    # of those who emit nothing an address is the better name: people have typed it
    spelled = pl.coalesce("host", pl.col("remote").str.replace_all(r"[^a-z0-9]", ""))
    own = pl.when(pl.col("core").is_not_null()).then(spelled.min().over("core"))
    return names.select(
        "rpc_service",
        "peer",
        callee=pl.coalesce(pl.when(service != _SEVERAL).then(service), own),
        emits=service.is_not_null(),
    )


def _stores(spans: pl.DataFrame) -> pl.Series:
    """Hosts that some span names as a database or a broker."""
    used = spans.filter(pl.col("db_system").is_not_null() | pl.col("system").is_not_null())
    return used.select(_host(pl.col("peer").unique()).alias("host"))["host"].drop_nulls().unique()


def _known(spans: pl.DataFrame, index: SpanIndex) -> pl.DataFrame:
    """Columns core, service: the services with spans, by every name they go by; a service's own
    name counts before an address, and an address of several (a gateway) stands for none."""
    own = _own_names(spans)
    behind = _behind(spans, index).join(own, on="core", how="anti")
    several = pl.when(pl.col("service").n_unique() > 1).then(pl.lit(_SEVERAL))
    parts = [
        part.group_by("core").agg(service=several.otherwise(pl.col("service").first()))
        for part in (own, behind)
    ]
    return pl.concat(parts)


def _host(peer: pl.Expr) -> pl.Expr:
    """The host of an address: no scheme, no port, and only the name of a Kubernetes service."""
    plain = peer.cast(pl.String).str.to_lowercase().str.replace(r"^[a-z0-9+.-]+://(/)?", "")
    plain = plain.str.replace(r"^([^:]+):[0-9]+$", "${1}")
    return plain.str.replace(
        r"^([a-z0-9-]+)\.(?:[a-z0-9-]+\.svc(?:\..*)?|service\.consul)$", "${1}"
    )


def _remote(rpc_service: pl.Expr) -> pl.Expr:
    """ "CartService" of "oteldemo.CartService"; null where it is just "Service"."""
    last = rpc_service.cast(pl.String).str.split(".").list.last().str.to_lowercase()
    return pl.when(last != "service").then(last)


def _core(name: pl.Expr) -> pl.Expr:
    """What is left of a name without separators and the word "service"; null for nothing."""
    plain = name.cast(pl.String).str.to_lowercase().str.replace_all(r"[^a-z0-9]", "")
    core = plain.str.replace(r"(service|svc)$", "")
    return pl.when(core != "").then(core).otherwise(pl.when(plain != "").then(plain))


def _own_names(spans: pl.DataFrame) -> pl.DataFrame:
    """Columns core, service: those with spans, by their own name and by the RPC they serve."""
    own = spans.select("service").unique().cast(pl.String)
    served = spans.filter(pl.col("kind") == Kind.SERVER).select("service", "rpc_service").unique()
    served = served.select(core=_core(_remote(pl.col("rpc_service"))), service="service")
    return pl.concat(
        [own.select(core=_core(pl.col("service")), service="service"), served.cast(pl.String)]
    ).drop_nulls("core")


def _behind(spans: pl.DataFrame, index: SpanIndex) -> pl.DataFrame:
    """Columns core, service: who left spans under calls to an address."""
    service = ints(spans["service"])
    child = np.flatnonzero(index.parent >= 0)
    parent = index.parent[child]
    crossed = service[child] != service[parent]
    seen = pl.DataFrame(
        {"peer": spans["peer"][parent[crossed]], "service": spans["service"][child[crossed]]}
    )
    seen = seen.drop_nulls().unique().cast(pl.String)
    return seen.select(core=_core(_host(pl.col("peer"))), service="service").drop_nulls("core")
