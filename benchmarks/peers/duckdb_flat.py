"""DuckDB: OTLP JSON lines into one flat table, then the link query and the service graph.

    python benchmarks/peers/duckdb_flat.py FILE ANSWER.json

The fastest of eight ways tried on DuckDB 2.0: cut the document into spans as JSON text, then
`json_transform` each (59k spans per CPU second); `read_json` into typed nested columns costs four
times that. It leans on this file: one scope a resource, `service.name` first, two attributes kept.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

FLAT = """
create table spans as
with groups as (
    select json_extract_string(json, '$.resourceSpans[*].resource.attributes[0].value.stringValue')
               as services,
           json_extract(json, '$.resourceSpans[*].scopeSpans[0].spans') as lists
    from read_ndjson_objects($path, maximum_object_size = 100000000)
),
lists as materialized (select unnest(services) as service, unnest(lists) as list from groups),
texts as (select service, unnest(list::json[]) as span from lists),
typed as (
    select service,
           json_transform(span, '{"traceId": "VARCHAR", "spanId": "VARCHAR",
               "parentSpanId": "VARCHAR", "name": "VARCHAR", "kind": "UTINYINT",
               "startTimeUnixNano": "BIGINT", "endTimeUnixNano": "BIGINT",
               "status": {"code": "UTINYINT"},
               "links": [{"traceId": "VARCHAR", "spanId": "VARCHAR"}]}') as v,
           json_extract_string(span, '$.attributes[*].key') as keys,
           json_extract(span, '$.attributes[*].value') as vals
    from texts
)
select service, v.traceId as trace, v.spanId as span, v.parentSpanId as parent, v.name as name,
       v.kind as kind, v.startTimeUnixNano as start_ns, v.endTimeUnixNano as end_ns,
       v.status.code as status, v.links as links,
       json_extract_string(vals[list_position(keys, 'messaging.destination.name')],
           '$.stringValue') as destination,
       json_extract_string(vals[list_position(keys, 'app.order.id')], '$.stringValue') as order_id
from typed
"""

LINKS = "create table links as select trace, span, unnest(links, recursive := true) from spans"

UNCONFIRMED = """
with recursive hops as (select distinct trace_1 as above, trace as below from (
    select trace, traceId as trace_1 from links)),
reached(root, trace) as (
    select trace, trace from spans where name = 'publish orders.placed'
    union
    select root, below from reached join hops on hops.above = reached.trace
)
select distinct root from spans join reached using (trace)
group by root
having bool_or(name = 'publish orders.placed') and not bool_or(name = 'process orders.confirmed')
   and min(start_ns) < (select max(end_ns) from spans) - 300000000000
order by root
"""

INSTANCES = "select count(distinct trace) from spans where trace not in (select trace from links)"

EDGES = """
with joined as (
    select a.service as source, b.service as target, b.destination
    from spans b join spans a on a.trace = b.trace and a.span = b.parent
    union all
    select a.service, b.service, b.destination
    from links l join spans a on a.trace = l.traceId and a.span = l.spanId
    join spans b on b.trace = l.trace and b.span = l.span
)
select source, target, coalesce(destination, '') as destination, count(*) as calls
from joined where source <> target group by all order by all
"""


def main() -> None:
    path, output = sys.argv[1], Path(sys.argv[2])
    base = duckdb.connect()
    laps: dict[str, float] = {}

    def timed(what: str, query: str, **given: Any) -> list[tuple[Any, ...]]:
        before = time.process_time()
        rows: list[tuple[Any, ...]] = base.execute(query, given or None).fetchall()
        laps[what] = round(time.process_time() - before, 3)
        return rows

    timed("flat table", FLAT, path=path)
    timed("links", LINKS)
    answer = {
        "spans": timed("spans", "select count(*) from spans")[0][0],
        "instances": timed("instances", INSTANCES)[0][0],
        "unconfirmed": [row[0] for row in timed("unconfirmed", UNCONFIRMED)],
        "edges": [
            dict(zip(("source", "target", "destination", "calls"), row, strict=True))
            for row in timed("edges", EDGES)
        ],
        "cpu_s": laps,
    }
    output.write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
