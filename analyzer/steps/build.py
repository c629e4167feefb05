"""Steps of each instance and the causal edges between them, in columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from analyzer.codes import Flags, Ints, combine, flags, ints, jump
from analyzer.steps.key_edges import with_key_edges
from analyzer.steps.table import StepTable
from analyzer.stitching.evidence import CONFIDENCE, Evidence, Tier
from analyzer.stitching.index import SpanIndex
from analyzer.stitching.labels import normalise
from analyzer.stitching.roles import Role, plain_receive
from analyzer.stitching.stitch import Stitching
from collectors.schema import Status

EMPTY_PAIR_NS = 1_000_000  # timestamps of some emitters are rounded to milliseconds
MAX_SHARED = 1_000_000  # (instance, step) pairs of batch spans


def step_rows(spans: pl.DataFrame, index: SpanIndex, role: Ints, stitching: Stitching) -> Flags:
    """Which spans are steps: boundary spans, without what only repeats or transports one."""
    service, destination = ints(spans["service"]), ints(spans["destination"])
    parent = index.parent
    boundary = (role != Role.INSIDE) & ~plain_receive(spans, role)
    is_step = boundary.copy()
    above = np.where(parent >= 0, parent, 0)
    twin = (parent >= 0) & (service == service[above]) & (role == role[above])
    same_place = (destination == destination[above]) | (destination < 0) | (destination[above] < 0)
    targets = np.zeros(len(role), dtype=np.bool_)
    targets[stitching.messages.target] = True
    wrapped = twin & same_place & np.isin(role, (Role.SEND, Role.PROCESS)) & ~targets
    is_step &= ~wrapped
    is_step &= ~_empty_twins(spans, index, role, stitching.messages)
    is_step &= ~_below_a_listener(spans, index, role, stitching.messages)
    is_step &= ~_batch_sends(index, role)
    transports = _transports(index, role, stitching)
    is_step &= ~transports
    is_step &= ~_invocations(spans, index, stitching, transports, is_step)
    return np.asarray(is_step | (boundary & _stranded(index, stitching, is_step)))


def _stranded(index: SpanIndex, stitching: Stitching, is_step: Flags) -> Flags:
    """Spans of components without a step, but for those that serve a component with steps: no
    instance would have them. Sends that link to each other in a circle all look like batches."""
    component, messages = stitching.component, stitching.messages
    has = _has_step(component, is_step)
    serves = np.zeros(len(component), dtype=np.bool_)
    serves[messages.target[has[component[messages.source]]]] = True
    torn_off = np.flatnonzero((index.parent >= 0) & (stitching.parent < 0))
    serves[index.parent[torn_off[has[component[torn_off]]]]] = True
    around = index.parent[serves & (index.parent >= 0)]
    while len(around):  # what a carrier runs in serves as well
        serves[around] = True
        around = index.parent[around]
        around = np.unique(around[(around >= 0) & ~serves[around]])
    return ~has[component] & ~serves


def _invocations(
    spans: pl.DataFrame, index: SpanIndex, stitching: Stitching, transports: Flags, is_step: Flags
) -> Flags:
    """Spans around a carrier that do nothing else: the invocation of a function that was handed
    a batch. One that failed says something of its own."""
    count = int(stitching.component.max(initial=0)) + 1
    steps = np.bincount(stitching.component[is_step], minlength=count)
    carrier = np.flatnonzero(transports & (index.parent >= 0))
    around = np.zeros(len(is_step), dtype=np.bool_)
    around[index.parent[carrier]] = True
    alone = steps[stitching.component] == 1
    return np.asarray(around & is_step & alone & flags(spans["status"] != Status.ERROR))


def _batch_sends(index: SpanIndex, role: Ints) -> Flags:
    """Sends that link to the messages they send: the messages' own spans are the steps."""
    batch = np.zeros(len(role), dtype=np.bool_)
    found = index.link_target >= 0
    source, target = index.link_source[found], index.link_target[found]
    batch[source[(role[source] == Role.SEND) & (role[target] == Role.SEND)]] = True
    return batch


def _transports(index: SpanIndex, role: Ints, stitching: Stitching) -> Flags:
    """Carriers that hand on to steps of their own: batch receives, poll loops, cron roots."""
    hands_on = np.zeros(len(role), dtype=np.bool_)
    torn_off = (index.parent >= 0) & (stitching.parent < 0) & (role != Role.INSIDE)
    hands_on[index.parent[torn_off]] = True
    linked = np.zeros(len(role), dtype=np.bool_)
    linked[stitching.messages.target] = True
    only_carries = stitching.carrier & ~linked
    return stitching.carrier & (hands_on | only_carries)


def _empty_twins(spans: pl.DataFrame, index: SpanIndex, role: Ints, messages: Evidence) -> Flags:
    """Of two consumer spans of one message in one service, the one that did no work.

    Some instrumentations (Spring AMQP, tt_* recordings) write a receive and a process span
    that look alike; the empty one begins first. A redelivery begins after the work instead.
    """
    empty = np.zeros(len(role), dtype=np.bool_)
    consumer = np.flatnonzero(role == Role.PROCESS)
    if not len(consumer):
        return empty
    origin = index.parent.copy()
    origin[messages.target] = messages.source
    consumer = consumer[origin[consumer] >= 0]
    has_child = np.zeros(len(role), dtype=np.bool_)
    has_child[index.parent[index.parent >= 0]] = True
    place = (ints(spans[name])[consumer] for name in ("service", "destination"))
    group, _ = combine(origin[consumer], *place)
    several = np.bincount(group, minlength=1)[group] > 1
    if not several.any():
        return empty
    consumer = consumer[several]
    twins = pl.DataFrame(
        {
            "row": consumer,
            "group": group[several],
            "start": spans["start_ns"][consumer],
            "busy": has_child[consumer],
            "error": spans["status"][consumer] == Status.ERROR,
        }
    )
    first_work = pl.col("start").filter(pl.col("busy")).min().over("group")
    idle = twins.filter(
        ~pl.col("busy") & ~pl.col("error") & (pl.col("start") <= first_work + EMPTY_PAIR_NS)
    )
    empty[ints(idle["row"])] = True
    return empty


def _below_a_listener(
    spans: pl.DataFrame, index: SpanIndex, role: Ints, messages: Evidence
) -> Flags:
    """Consumer spans of the broker's client under which a framework's listener took the same
    message: the Java agent writes both, with the exchange on the one and the queue on the other.

    Of the library (scope) that took the message first those spans go that did no work, and that
    a span of another library of the same service followed.
    """
    below = np.zeros(len(role), dtype=np.bool_)
    origin = index.parent.copy()
    origin[messages.target] = messages.source
    named = (role == Role.PROCESS) & (origin >= 0) & flags(spans["scope"].is_not_null())
    consumer = np.flatnonzero(named & flags(spans["scope"] != ""))
    service, scope = (ints(spans[name])[consumer] for name in ("service", "scope"))
    group, _ = combine(origin[consumer], service)
    first = np.full(int(group.max(initial=-1)) + 1, len(role), dtype=np.int64)
    np.minimum.at(first, group, consumer)  # spans are sorted by start
    last = np.full(len(first), -1, dtype=np.int64)
    lower = scope == ints(spans["scope"])[first[group]]
    np.maximum.at(last, group[~lower], consumer[~lower])
    busy = np.zeros(len(role), dtype=np.bool_)
    busy[index.parent[index.parent >= 0]] = True
    idle = ~busy[consumer] & flags(spans["status"] != Status.ERROR)[consumer]
    below[consumer[lower & idle & (last[group] > consumer)]] = True
    return below


def build_steps(
    spans: pl.DataFrame,
    index: SpanIndex,
    role: Ints,
    label: Ints,
    stitching: Stitching,
    rank: Ints,
) -> StepTable:
    """Steps, their instances and their edges. `rank`: order of the components by id."""
    is_step = step_rows(spans, index, role, stitching)
    start, end = ints(spans["start_ns"]), ints(spans["end_ns"])
    component, row, shared = _membership(index, stitching, is_step)
    # spans are sorted by start already; shared steps were appended at the end
    order = np.lexsort((row, rank[component])) if shared.any() else _stable(rank[component])
    component, row, shared = component[order], row[order], shared[order]
    instance, first = _runs(component)
    of_component = np.full(int(stitching.component.max(initial=-1)) + 1, -1, dtype=np.int64)
    of_component[component[first]] = np.arange(len(first))
    nearest = jump(stitching.parent, is_step)
    pairs, received_rows = _row_edges(role, is_step, stitching, nearest)
    source, target, tier = _attach(pairs, row, instance, shared, len(role))
    received = received_rows[row]
    receipts = _receipts(spans, stitching, is_step, row, nearest)
    table = StepTable(
        instance=instance,
        row=row,
        role=role[row],
        label=label[row],
        start=start[row],
        end=end[row],
        error=_step_errors(spans, index, role, is_step)[row],
        shared=shared,
        source=source,
        target=target,
        tier=tier,
        wait=np.empty(0, dtype=np.int64),
        skew=np.empty(0, dtype=np.int64),
        trace=index.trace[row],
        received=received,
        receipts=receipts,
        instance_of_row=of_component[stitching.component],
        component=component[first],
    )
    return _with_waits(with_key_edges(table, spans, index))


def _step_errors(spans: pl.DataFrame, index: SpanIndex, role: Ints, is_step: Flags) -> Flags:
    """Error status of each span; of a consumer also that of the handler directly below it: any
    span below a receive, a consumer span of its own below a consumer."""
    failed = flags(spans["status"] == Status.ERROR)
    service = ints(spans["service"])
    handler = np.flatnonzero(failed & ~is_step & (index.parent >= 0))
    above = index.parent[handler]
    here = (role[above] == Role.RECEIVE) & (role[handler] == Role.INSIDE)
    here |= (role[above] == Role.PROCESS) & (role[handler] == Role.PROCESS)
    failed[above[here & (service[above] == service[handler])]] = True
    return failed


def _stable(keys: Ints) -> Ints:
    return np.argsort(keys, kind="stable")


def _runs(values: Ints) -> tuple[Ints, Ints]:
    """(number of the run of equal values, first position of each run)."""
    change = np.ones(len(values), dtype=np.bool_)
    change[1:] = values[1:] != values[:-1]
    return np.cumsum(change) - 1, np.flatnonzero(change)


def _membership(index: SpanIndex, stitching: Stitching, is_step: Flags) -> tuple[Ints, Ints, Flags]:
    """(component, row, shared) of every step; the steps of a batch stand in each instance that
    the batch took a message from."""
    rows = np.flatnonzero(is_step)
    component = stitching.component
    messages = stitching.messages
    batch = stitching.carrier[messages.target] & (
        component[messages.source] != component[messages.target]
    )
    batch &= is_step[messages.target] | ~_has_step(component, is_step)[component[messages.target]]
    pairs = np.unique(
        np.stack([component[messages.target[batch]], component[messages.source[batch]]], axis=1),
        axis=0,
    )
    # a batch that only hands on has steps of its own elsewhere: nothing of it is shared
    steps_of = pl.DataFrame({"batch": component[rows], "row": rows})
    members = pl.DataFrame({"batch": pairs[:, 0], "component": pairs[:, 1]}).join(
        steps_of, on="batch"
    )
    members = members.head(MAX_SHARED)
    served = np.unique(pairs[:, 0])
    own = ~np.isin(component[rows], served)
    own |= ~own & ~np.isin(rows, members["row"].to_numpy())  # beyond MAX_SHARED
    count = len(members)
    return (
        np.concatenate([component[rows[own]], ints(members["component"])]),
        np.concatenate([rows[own], ints(members["row"])]),
        np.concatenate([np.zeros(int(own.sum()), np.bool_), np.ones(count, np.bool_)]),
    )


def _has_step(component: Ints, is_step: Flags) -> Flags:
    has = np.zeros(int(component.max(initial=-1)) + 1, dtype=np.bool_)
    has[component[is_step]] = True
    return has


def _row_edges(
    role: Ints, is_step: Flags, stitching: Stitching, nearest: Ints
) -> tuple[Evidence, Flags]:
    """(edges between rows that are steps, by row: sends that some span received).

    `nearest`: the step at or above each row.

    A consumer hangs on the message it took; its parent counts only where no message is known.
    """
    parent, messages = stitching.parent, stitching.messages
    steps = np.flatnonzero(is_step)
    via = _through_takers(parent, messages, is_step, steps)
    by_taker = pl.DataFrame(
        {"taker": messages.target, "source": nearest[messages.source], "tier": messages.tier}
    )
    inherited = via.join(by_taker, on="taker")
    direct = is_step[messages.target]
    target = np.concatenate([messages.target[direct], ints(inherited["step"])])
    source = np.concatenate([nearest[messages.source[direct]], ints(inherited["source"])])
    tier = np.concatenate([messages.tier[direct], ints(inherited["tier"])])
    known = np.zeros(len(role), dtype=np.bool_)
    known[target] = True
    consumes = np.isin(role, (Role.PROCESS, Role.RECEIVE))
    caller = np.where(parent[steps] >= 0, nearest[parent[steps]], -1)
    called = (caller >= 0) & ~(known[steps] & consumes[steps])
    source = np.concatenate([caller[called], source])
    target = np.concatenate([steps[called], target])
    tier = np.concatenate([np.full(int(called.sum()), int(Tier.PARENT)), tier])
    keep = (source >= 0) & (source != target)
    senders = nearest[messages.source]
    received = np.zeros(len(role), dtype=np.bool_)
    received[senders[senders >= 0]] = True
    return _strongest(Evidence(source[keep], target[keep], tier[keep])), received


def _through_takers(parent: Ints, messages: Evidence, is_step: Flags, steps: Ints) -> pl.DataFrame:
    """Steps whose nearest step or taker of a message above is a taker that is no step itself:
    columns taker, step."""
    taken = np.zeros(len(is_step), dtype=np.bool_)
    taken[messages.target] = True
    if not (taken & ~is_step).any():
        return pl.DataFrame(schema={"taker": pl.Int64, "step": pl.Int64})
    above = np.where(parent[steps] >= 0, jump(parent, is_step | taken)[parent[steps]], -1)
    through = (above >= 0) & taken[above] & ~is_step[above]
    return pl.DataFrame({"taker": above[through], "step": steps[through]})


def _receipts(
    spans: pl.DataFrame, stitching: Stitching, is_step: Flags, row: Ints, nearest: Ints
) -> pl.DataFrame:
    """Sends whose message a service received in a span that is no step: columns step, service."""
    messages = stitching.messages
    mere = ~is_step[messages.target]
    sender = nearest[messages.source[mere]]
    step_of = np.full(len(is_step) + 1, -1, dtype=np.int64)
    step_of[row] = np.arange(len(row))
    service = ints(spans["service"])[messages.target[mere]]
    found = pl.DataFrame({"step": step_of[sender], "service": service})
    return found.filter(pl.col("step") >= 0).unique().sort("step", "service")


def _strongest(pairs: Evidence) -> Evidence:
    """Each pair once, with its strongest tier. Most targets have one source and need no sort."""
    several = np.bincount(pairs.target)[pairs.target] > 1 if len(pairs) else np.zeros(0, np.bool_)
    if not several.any():
        return pairs
    single, rest = pairs.where(~several), pairs.where(several)
    order = np.lexsort((rest.tier, rest.source, rest.target))
    source, target = rest.source[order], rest.target[order]
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    return Evidence(
        np.concatenate([single.source, source[fresh]]),
        np.concatenate([single.target, target[fresh]]),
        np.concatenate([single.tier, rest.tier[order][fresh]]),
    )


def _attach(
    pairs: Evidence, row: Ints, instance: Ints, shared: Flags, rows: int
) -> tuple[Ints, Ints, Ints]:
    """Edges between rows as edges between steps of one instance."""
    step_of = np.full(rows, -1, dtype=np.int64)
    step_of[row] = np.arange(len(row))
    many = np.zeros(rows, dtype=np.bool_)
    many[row[shared]] = True
    plain = ~(many[pairs.source] | many[pairs.target])
    source, target = step_of[pairs.source[plain]], step_of[pairs.target[plain]]
    tier = pairs.tier[plain]
    here = (source >= 0) & (target >= 0)
    here &= instance[source] == instance[target]
    source, target, tier = source[here], target[here], tier[here]
    if plain.all():
        return source, target, tier
    steps = pl.DataFrame({"row": row, "instance": instance}).with_row_index("step")
    rest = pl.DataFrame(
        {"source": pairs.source[~plain], "target": pairs.target[~plain], "tier": pairs.tier[~plain]}
    )
    times = np.bincount(row, minlength=rows)
    by_source = pl.Series(times[pairs.source[~plain]] <= times[pairs.target[~plain]])
    joined = pl.concat(
        [
            _in_one_instance(rest.filter(by_source), steps, "source", "target"),
            _in_one_instance(rest.filter(~by_source), steps, "target", "source"),
        ]
    )
    return (
        np.concatenate([source, ints(joined["source"])]),
        np.concatenate([target, ints(joined["target"])]),
        np.concatenate([tier, ints(joined["tier"])]),
    )


def _in_one_instance(pairs: pl.DataFrame, steps: pl.DataFrame, near: str, far: str) -> pl.DataFrame:
    """Pairs of rows as pairs of steps of the same instance: columns source, target, tier.

    `near` is the end that stands in fewer instances: a batch of n messages has n steps and n
    edges, and n times n pairs of them fit no memory.
    """
    met = pairs.join(steps, left_on=near, right_on="row").join(
        steps, left_on=[far, "instance"], right_on=["row", "instance"], suffix="_far"
    )
    return met.select(pl.col("step").alias(near), pl.col("step_far").alias(far), "tier").select(
        "source", "target", "tier"
    )


def _with_waits(table: StepTable) -> StepTable:
    """Sort the edges and add waits: from the end of a send, from the start of anything else.

    A negative wait is clock skew: clamped to 0 and kept as `skew`.
    """
    order = np.lexsort((table.target, table.source))
    source, target, tier = table.source[order], table.target[order], table.tier[order]
    sent = table.role[source] == Role.SEND
    begin = np.where(sent, np.minimum(table.end[source], table.start[target]), table.start[source])
    wait = table.start[target] - begin
    # a consumer span may begin with idle polling, and then contains the send of its message
    contains = table.end[target] >= table.start[source]
    polls = contains & np.isin(table.role[target], (Role.PROCESS, Role.RECEIVE))
    skew = np.where(polls, 0, np.maximum(table.start[source] - table.start[target], 0))
    return replace(
        table, source=source, target=target, tier=tier, wait=np.maximum(wait, 0), skew=skew
    )


def step_frame(table: StepTable, spans: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The public frame of steps, shape `analyzer.analysis.STEPS`."""
    roles = [role.name.lower() for role in Role]
    named = labels[table.label]
    kinds = pl.Series(roles, dtype=pl.Categorical())
    return pl.DataFrame(
        {
            "instance": pl.Series(table.instance).cast(pl.UInt32),
            "span": pl.Series(table.row).cast(pl.UInt32),
            "service": named["service"],
            "operation": named["operation"],
            "kind": kinds[table.role],
            "destination": _general(spans["destination"])[table.row],
            "group": spans["consumer_group"][table.row],
            "start_ns": table.start,
            "end_ns": table.end,
            "error": table.error,
            "shared": table.shared,
        }
    )


def _general(destinations: pl.Series) -> pl.Series:
    """Destinations without the ids in them, as in the names of steps: `orders.{id}.created`."""
    distinct = destinations.unique().drop_nulls()
    names = distinct.cast(pl.String)
    general = pl.DataFrame({"name": names}).select(normalise(pl.col("name"))).to_series()
    changed = general != names
    if not changed.any():
        return destinations
    return destinations.replace(
        distinct.filter(changed), general.filter(changed).cast(destinations.dtype)
    )


def edge_frame(table: StepTable, kinds: pl.Series) -> pl.DataFrame:
    """The public frame of edges, shape `analyzer.analysis.EDGES`."""
    tiers = pl.Series([f"E{number}" for number in range(10)], dtype=pl.Categorical())
    confidence = np.array([CONFIDENCE[Tier(t)] if t else 1.0 for t in range(10)])
    return pl.DataFrame(
        {
            "instance": pl.Series(table.instance[table.source]).cast(pl.UInt32),
            "source": pl.Series(table.source).cast(pl.UInt32),
            "target": pl.Series(table.target).cast(pl.UInt32),
            "kind": kinds,
            "tier": tiers[table.tier],
            "confidence": pl.Series(confidence[table.tier]).cast(pl.Float32),
            "wait_ns": table.wait,
            "skew_ns": table.skew,
        }
    )
