"""An analysis of some of its instances: what a report with `--where` is about."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from analyzer.analysis import Analysis, Workflow
from analyzer.finding import Finding
from analyzer.where.compiler import compile_where


def narrow(analysis: Analysis, query: str) -> Analysis:
    """Only the instances that `query` keeps, their steps, edges and findings.

    Numbers of instances, states and variants of a workflow are those of the kept instances; its
    style, step profile and timings stay those of all, as do the services and everything that is
    no instance's: findings about data and coupling, hotspots. WhereError where `query` is wrong.
    """
    kept = analysis.instances.with_row_index("old").filter(
        compile_where(query, analysis.as_of_ns) if query.strip() else pl.lit(True)
    )
    if kept.height == analysis.instances.height:
        return analysis
    instances = kept.drop("old")
    rows = kept.select(pl.col("old").alias("instance")).with_row_index("new")
    steps = analysis.steps.with_row_index("old").join(
        rows, on="instance", how="inner", maintain_order="left"
    )
    moved = steps.select("old").with_row_index("row")
    return replace(
        analysis,
        instances=instances,
        steps=steps.with_columns(pl.col("new").alias("instance")).select(analysis.steps.columns),
        edges=_edges(analysis.edges, rows, moved),
        workflows=_workflows(analysis.workflows, instances),
        findings=_findings(analysis.findings, instances),
    )


def _edges(edges: pl.DataFrame, rows: pl.DataFrame, moved: pl.DataFrame) -> pl.DataFrame:
    joined = edges.join(rows, on="instance", how="inner", maintain_order="left")
    for end in ("source", "target"):
        at = moved.select(pl.col("old").alias(end), pl.col("row").alias(f"new_{end}"))
        joined = joined.join(at, on=end, how="inner", maintain_order="left")
    return joined.with_columns(
        pl.col("new").alias("instance"),
        pl.col("new_source").alias("source"),
        pl.col("new_target").alias("target"),
    ).select(edges.columns)


def _workflows(workflows: tuple[Workflow, ...], kept: pl.DataFrame) -> tuple[Workflow, ...]:
    out = []
    for workflow in workflows:
        own = kept.filter(pl.col("workflow") == workflow.name)
        if own.height:
            states = dict(own.group_by("state").len().sort("state").iter_rows())
            variants = own["variant"].n_unique()
            out.append(replace(workflow, instances=own.height, by_state=states, variants=variants))
    return tuple(out)


def _findings(findings: tuple[Finding, ...], kept: pl.DataFrame) -> tuple[Finding, ...]:
    ids = set(kept["id"].to_list())
    out = []
    for finding in findings:
        if finding.instance is not None:
            if finding.instance in ids:
                out.append(finding)
        elif finding.members:
            members = tuple(member for member in finding.members if member in ids)
            if members:
                out.append(_of_members(finding, members))
        else:
            out.append(finding)
    return tuple(sorted(out, key=lambda finding: finding.sort_key))


def _of_members(finding: Finding, members: tuple[str, ...]) -> Finding:
    """The group's finding about those members; a list that was cut keeps its number."""
    whole = len(finding.members) == finding.instances
    return replace(finding, members=members, instances=len(members) if whole else finding.instances)
