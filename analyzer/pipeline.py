"""The whole analysis, in order: stitch, then judge each instance, then merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from analyzer import coupling
from analyzer.analysis import Analysis, DataNote
from analyzer.codes import Flags, Ints, ints
from analyzer.conformance.conform import Conforming
from analyzer.conformance.declared import NOTHING, Declared
from analyzer.conformance.judgement import Judgement
from analyzer.conformance.match import extended
from analyzer.context import Context
from analyzer.detection import Detection, merged
from analyzer.detectors.awaited import awaited
from analyzer.detectors.compensation import compensation, suggested_pairs, told_once
from analyzer.detectors.dead_letters import dead_lettered
from analyzer.detectors.deliveries import duplicate_delivery, retry_storm
from analyzer.detectors.failed import failed
from analyzer.detectors.identity import identity_conflict
from analyzer.detectors.orphaned import orphaned
from analyzer.detectors.unconsumed import unconsumed
from analyzer.expectation.absence import judged_absences
from analyzer.expectation.flow import followed, label_services, learn
from analyzer.expectation.watermark import clocks_ahead, watermark
from analyzer.results.data_quality import data_findings, data_notes, silent_callees
from analyzer.results.instances import facts, with_states
from analyzer.results.naming import component_ids, instance_names
from analyzer.results.render import findings
from analyzer.results.workflows import workflows
from analyzer.steps.build import build_steps, edge_frame, step_frame
from analyzer.stitching.index import build_index
from analyzer.stitching.key_discovery import KeyCandidate, discover
from analyzer.stitching.keys import parse_keys
from analyzer.stitching.labels import label_table
from analyzer.stitching.roles import reading, roles
from analyzer.stitching.stitch import stitch
from collectors.recording import Recording

Progress = Callable[[str], None]
AUTO = "auto"  # the key that stands for all discovered ones


def analyze_recording(
    recording: Recording,
    *,
    as_of_ns: int | None = None,
    keys: Sequence[str] = (),
    wall_ns: int | None = None,
    progress: Progress | None = None,
    declared: Declared = NOTHING,
    later_ns: int = 0,
    arrival: Mapping[str, int] | None = None,
) -> Analysis:
    """All results for a recording at `as_of_ns`, or `later_ns` after its own event-time watermark.

    `keys`: business keys, "order.id" or "order.id=app.order_id,orderId"; "auto" accepts the
    discovered ones. `wall_ns` only keeps spans of the future from moving the watermark.
    `declared`: expectations and contracts that the recording is held against.
    `arrival`: nanoseconds after their end that the spans of each service usually arrive, as a
    live receiver sees it; "" stands for all others. Without it nothing is known of that.
    Raises `analyzer.stitching.keys.KeySyntaxError`.
    """
    tell = progress or (lambda _: None)
    tell("stitching")
    context, ids, suggestions, strays = build_context(
        recording, as_of_ns, keys, wall_ns, declared, later_ns, arrival
    )
    tell("detecting")
    conforming = Conforming.of(context, declared)
    detections, judged = detect(context, conforming)
    tell("instances")
    lost = _orphans(detections, context.table.instances)
    base = facts(context, ids[context.table.component]).with_columns(
        workflow=instance_names(context.table, context.labels, lost)
    )
    instances = with_states(base, detections, context)
    tell("coupling")
    steps = step_frame(context.table, context.spans, context.labels)
    nothing = pl.Series([None], dtype=pl.Categorical())
    untyped = edge_frame(context.table, nothing.new_from_index(0, len(context.table.source)))
    kinds = coupling.edge_kinds(steps, untyped, recording.spans)
    edges = untyped.with_columns(kind=kinds.cast(pl.Categorical()))
    crossed = coupling.Crossed(steps, edges)
    silent = silent_callees(context)
    service_edges = coupling.service_edges(steps, edges, silent, crossed)
    services = coupling.services(_by_service(recording.spans), steps, service_edges)
    hotspots = coupling.hotspots(
        steps, edges, instances, service_edges, services, recording.spans, crossed
    )
    notes = data_notes(context, silent, strays)
    tell("report")
    found, conformance = conforming.concluded(
        judged,
        (
            *findings(context, detections, base),
            *coupling.coupling_findings(hotspots, steps, edges, recording.spans),
            *data_findings(notes),
        ),
        instances,
    )
    return Analysis(
        recording=recording,
        as_of_ns=context.now_ns,
        instances=instances,
        steps=steps,
        edges=edges,
        services=services,
        service_edges=service_edges,
        workflows=workflows(context, instances, coupling.style(steps, edges, instances, crossed)),
        findings=tuple(sorted(found, key=lambda one: one.sort_key)),
        hotspots=hotspots,
        data_notes=notes,
        key_suggestions=suggestions,
        conformance=conformance,
    )


def build_context(
    recording: Recording,
    as_of_ns: int | None,
    keys: Sequence[str],
    wall_ns: int | None,
    declared: Declared = NOTHING,
    later_ns: int = 0,
    arrival: Mapping[str, int] | None = None,
) -> tuple[Context, pl.Series, tuple[DataNote, ...], int]:
    """Stitch the recording; also the ids of the components, the suggested keys, and the number of
    ends that were not believed."""
    index = build_index(recording)
    role = roles(recording.spans, index)
    label, labels = label_table(recording.spans)
    labels = extended(labels, declared.expectations)
    configured = [key for key in (*keys, *declared.expectations.keys) if key != AUTO]
    stitching = stitch(recording, index, role, parse_keys(configured))
    found = discover(recording, stitching.fragment, stitching.parent)
    found = tuple(
        one for one in found if one.key not in {key.partition("=")[0] for key in configured}
    )
    if AUTO in keys and found:
        accepted = [*configured, *(one.key for one in found)]
        stitching, found = stitch(recording, index, role, parse_keys(accepted)), ()
    ids = component_ids(recording.spans, index, stitching)
    table = build_steps(recording.spans, index, role, label, stitching, _rank(ids))
    pairs = followed(table, reading(recording.spans)[table.row])
    label_service = label_services(labels)
    latest, strays = watermark(recording.spans, wall_ns, clocks_ahead(table, label_service))
    context = Context(
        recording=recording,
        index=index,
        role=role,
        label=label,
        stitching=stitching,
        table=table,
        labels=labels,
        label_service=label_service,
        pairs=pairs,
        transitions=learn(table, pairs),
        now_ns=latest + later_ns if as_of_ns is None else as_of_ns,
        arrival=arrival,
    )
    return context, ids, _suggestions(found), strays


def _rank(ids: pl.Series) -> Ints:
    return ints(ids.rank("ordinal")) - 1


def _suggestions(found: Sequence[KeyCandidate]) -> tuple[DataNote, ...]:
    return tuple(
        DataNote(
            one.key,
            f"{one.key} would join traces in {one.joined:,} of {one.values:,} values, over "
            f"{one.services} services",
            one.joined,
            round(one.score, 3),
        )
        for one in found[:5]
    )


def detect(context: Context, conforming: Conforming) -> tuple[tuple[Detection, ...], Judgement]:
    """Every detector, in an order that does not matter to the result; then what was declared."""
    pairs = conforming.pairs(suggested_pairs(context))
    absences = conforming.absences(judged_absences(context))
    dead = dead_lettered(context)
    waiting = awaited(context, absences, frozenset(pair.undo for pair in pairs))
    waiting, undone = told_once(waiting, compensation(context, pairs))
    detections = (
        waiting,
        failed(context, ints(dead.frame["instance"])),
        dead,
        duplicate_delivery(context),
        retry_storm(context),
        undone,
        orphaned(context),
        unconsumed(context),
        identity_conflict(context),
    )
    return conforming.detections(detections, absences)


def _orphans(detections: Sequence[Detection], instances: int) -> Flags:
    lost = np.zeros(instances, dtype=np.bool_)
    where = pl.col("kind") == "orphaned"
    lost[ints(merged(detections, "instance", where=where)["instance"])] = True
    return lost


def _by_service(spans: pl.DataFrame) -> pl.DataFrame:
    """Spans, errors and last activity of each service that emits."""
    return (
        spans.group_by("service")
        .agg(spans=pl.len(), errors=(pl.col("status") == 2).sum(), last_ns=pl.col("end_ns").max())
        .select(pl.col("service").cast(pl.String).alias("name"), "spans", "errors", "last_ns")
        .sort("name")
    )
