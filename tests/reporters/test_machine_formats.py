"""Each format for machines is what its own schema or parser says it is."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import junitparser
import polars as pl
import pytest
from jsonschema import Draft4Validator, Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from analyzer.analysis import Analysis
from analyzer.escape import escape
from analyzer.finding import Finding, Severity, Skipped
from analyzer.reporters import github, gitlab, sarif
from analyzer.reporters.context import Context
from analyzer.reporters.faults import anchor, faults, place_fingerprint
from analyzer.reporters.groups import (
    COUPLING_KINDS,
    DATA_KINDS,
    DECLARED_KINDS,
    INSTANCE_KINDS,
)
from analyzer.reporters.registry import REPORTERS
from analyzer.reporters.rules import RULES
from analyzer.reporters.style import prose
from analyzer.reporters.tables import FINDING_COLUMNS
from tests.support.analysis_builder import build, hostile_shop, order, shop, stuck_finding
from tests.support.hostile import HOSTILE
from tests.support.reports import ANALYSES, CHECKS, SECTIONS, damaged, large, render
from tui.commands.schema import schema_text

SARIF = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text())
ROOT = Path(__file__).parents[2]

analyses = pytest.mark.parametrize("analysis", list(ANALYSES.values()), ids=list(ANALYSES))
names = pytest.mark.parametrize("name", list(HOSTILE.values()), ids=list(HOSTILE))


# -- rules and identity ---------------------------------------------------------------------------


def test_every_kind_of_finding_is_a_rule_and_is_explained() -> None:
    kinds = INSTANCE_KINDS | COUPLING_KINDS | DATA_KINDS | DECLARED_KINDS
    assert {rule.id for rule in RULES} == kinds
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        headings = re.findall(r"^#+ (\S+)$", (ROOT / rule.page).read_text(), re.MULTILINE)
        assert rule.id in headings, rule.help


def test_a_fault_keeps_its_identity_when_ids_and_times_change() -> None:
    first = stuck_finding("ord-1")
    later = replace(first, instance="ord-2", trace_ids=("ff",), since_ns=1, message="now 3 of them",
                    instances=3, members=("x", "y", "z"), severity=Severity.WARNING)  # fmt: skip
    assert place_fingerprint(first) == place_fingerprint(later)
    assert first.fingerprint != later.fingerprint


@pytest.mark.parametrize("part", ["kind", "workflow", "service", "step"])
def test_another_place_is_another_fault(part: str) -> None:
    first = stuck_finding("ord-1")
    other = replace(first, **{part: "elsewhere"})
    missing = replace(first, **{part: None}) if part != "kind" else other
    assert len({place_fingerprint(f) for f in (first, other)}) == 2
    assert place_fingerprint(first) != place_fingerprint(missing)


def test_faults_do_not_depend_on_the_order_of_findings() -> None:
    findings = large(40, 1).findings
    assert faults(findings) == faults(findings[::-1])


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("traces/a.jsonl", "traces/a.jsonl"),
        ("./traces//a.jsonl", "traces/a.jsonl"),
        ("/home/ci/traces/a.jsonl", "a.jsonl"),
        ("../../etc/passwd", "passwd"),
        ("https://host/x", "x"),
        ("C:\\traces\\a", "C:\\traces\\a"),
        ("-", "stdin"),
        ("", "traces"),
        ("/", "traces"),
        ("..", "traces"),
    ],
)
def test_annotations_point_inside_the_repository(path: str, shown: str) -> None:
    assert anchor(shop(), Context(sources=(path,))) == shown
    assert anchor(shop(), Context(sources=(path,), anchor="flows.yaml")) == "flows.yaml"


# -- JSON lines -----------------------------------------------------------------------------------


@analyses
def test_jsonl_is_the_json_report_line_by_line(analysis: Analysis) -> None:
    whole = json.loads(render("json", analysis))
    header, *lines = map(json.loads, render("jsonl", analysis).splitlines())
    assert header.pop("type") == "header"
    assert header.pop("findings") == len(lines) == len(whole["findings"])
    assert header.items() <= whole.items()
    assert [line.pop("type") for line in lines] == ["finding"] * len(lines)
    assert lines == whole["findings"]


def test_sections_are_fields_of_the_json() -> None:
    report = json.loads(render("json", shop(), Context(sections=SECTIONS)))
    assert report["conformance"] == CHECKS.data
    assert report["comparison"] == {"new": 1}
    assert Draft202012Validator(json.loads(schema_text())).is_valid(report)


# -- JUnit ----------------------------------------------------------------------------------------


def suites(text: str) -> dict[str, Any]:
    xml = junitparser.JUnitXml.fromstring(text.encode())
    return {suite.name: suite for suite in xml}


def outcome(suite: Any, name: str) -> list[type]:
    [case] = [case for case in suite if case.name == name]
    return [type(result) for result in case.result]


@analyses
def test_junit_counts_what_it_holds(analysis: Analysis) -> None:
    xml = junitparser.JUnitXml.fromstring(render("junit", analysis).encode())
    said = (xml.tests, xml.failures, xml.errors, xml.skipped)
    for suite in xml:
        stated = (suite.tests, suite.failures, suite.errors, suite.skipped)
        suite.update_statistics()
        assert stated == (suite.tests, suite.failures, suite.errors, suite.skipped), suite.name
    xml.update_statistics()
    assert said == (xml.tests, xml.failures, xml.errors, xml.skipped)


def test_junit_has_a_suite_a_workflow_and_a_case_a_rule() -> None:
    found = suites(render("junit", shop()))
    assert {"input", "order", "data", "coupling"} == set(found)
    assert {case.name for case in found["order"]} == INSTANCE_KINDS
    assert {case.name for case in found["data"]} == DATA_KINDS
    assert outcome(found["order"], "stuck") == [junitparser.Failure]
    assert outcome(found["order"], "late") == [junitparser.Skipped]  # it could not judge
    assert outcome(found["order"], "backlog") == []
    assert outcome(found["coupling"], "cycle") == []  # a note is below the gate


@pytest.mark.parametrize(
    ("gate", "failing"),
    [("none", set()), ("error", {"stuck", "failed"}), ("note", {"stuck", "failed", "cycle"})],
)
def test_junit_fails_what_the_gate_fails(gate: str, failing: set[str]) -> None:
    found = suites(render("junit", shop(), Context(fail_on=gate)))
    failed = {
        case.name
        for suite in found.values()
        for case in suite
        if any(isinstance(result, junitparser.Failure) for result in case.result)
    }
    assert failed == failing


def test_junit_tells_what_is_below_the_gate_too() -> None:
    found = suites(render("junit", shop(), Context(fail_on="none")))
    [stuck] = [case for case in found["order"] if case.name == "stuck"]
    assert "ord-stuck-1" in (stuck.system_out or "")


def test_a_detector_that_could_not_judge_but_found_is_not_skipped() -> None:
    analysis = replace(shop(), skipped=(Skipped("stuck", "too few"),))
    assert outcome(suites(render("junit", analysis))["order"], "stuck") == [junitparser.Failure]


def test_junit_shows_sections_as_suites() -> None:
    found = suites(render("junit", shop(), Context(sections=(CHECKS,))))
    assert outcome(found["conformance: order"], CHECKS.lines[0].title) == [junitparser.Failure]
    assert outcome(found["conformance: order"], CHECKS.lines[1].title) == []
    assert outcome(found["conformance: refund"], "money back") == [junitparser.Skipped]


@names
def test_junit_reads_back_hostile_names(name: str) -> None:
    found = suites(render("junit", hostile_shop(name)))
    [shown] = set(found) - {"input", "data", "coupling"}
    assert shown == prose(name)
    assert "stuck" in {case.name for case in found[shown]}


def test_findings_of_workflows_that_are_not_listed_are_told() -> None:
    strangers = (stuck_finding("a", workflow="unheard"), stuck_finding("b", workflow=None))
    found = suites(render("junit", build([order("a")], findings=strangers)))
    assert outcome(found["other workflows"], "stuck") == [junitparser.Failure]
    assert outcome(found["no workflow"], "stuck") == [junitparser.Failure]


# -- SARIF ----------------------------------------------------------------------------------------


def sarif_run(analysis: Analysis, context: Context | None = None) -> dict[str, Any]:
    log = json.loads(render("sarif", analysis, context))
    assert [e.message for e in Draft4Validator(SARIF).iter_errors(log)] == []
    [run] = log["runs"]
    return dict(run)


@analyses
def test_sarif_follows_its_schema(analysis: Analysis) -> None:
    run = sarif_run(analysis)
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    prints = [result["partialFingerprints"]["choreoscope/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_the_schema_notices_what_is_wrong() -> None:
    log = json.loads(render("sarif", shop()))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not Draft4Validator(SARIF).is_valid(log)


def test_sarif_counts_instances_and_names_some() -> None:
    run = sarif_run(shop())
    [stuck] = [result for result in run["results"] if result["ruleId"] == "stuck"]
    assert stuck["occurrenceCount"] == 2
    assert stuck["properties"]["instances"] == ["ord-stuck-1", "ord-stuck-2"]
    assert stuck["level"] == "error"
    [place] = stuck["locations"][0]["logicalLocations"]
    assert place["fullyQualifiedName"] == "order / payments / process orders.placed"


def test_sarif_marks_what_a_baseline_knows() -> None:
    """Suppressed results are there, with the reason; a place with something new is not one."""
    analysis = shop()
    stuck = next(one for one in analysis.findings if one.kind == "stuck")  # one of two there
    everything = Context(known=dict.fromkeys(analysis.findings, "ticket 12, owner team-a"))
    run = sarif_run(analysis, everything)
    for result in run["results"]:
        [suppression] = result["suppressions"]
        assert suppression["justification"] == "ticket 12, owner team-a"
        assert result["baselineState"] == "unchanged"
    run = sarif_run(analysis, Context(known={stuck: "ticket 12"}))
    states = {one["ruleId"]: one["baselineState"] for one in run["results"]}
    assert states.pop("stuck") == "updated"
    assert set(states.values()) == {"new"}
    assert not any("suppressions" in result for result in run["results"])
    assert "baselineState" not in sarif_run(analysis)["results"][0]


@names
def test_sarif_messages_hold_no_placeholder_and_no_link(name: str) -> None:
    """Sections 3.11.5 and 3.11.6: what a consumer makes of the text is what was said."""
    run = sarif_run(hostile_shop(name))
    message = run["results"][0]["message"]["text"]
    assert "{" not in message.replace("{{", "")
    assert not re.search(r"(?<!\\)(?:\\\\)*\[", message)
    plain = re.sub(r"\\([\\\[\]])", r"\1", message.replace("{{", "{").replace("}}", "}"))
    assert plain.startswith(escape(name)[:300])


# -- GitHub ---------------------------------------------------------------------------------------


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """What the runner of GitHub Actions makes of the lines."""

    def decoded(said: str, *pairs: tuple[str, str]) -> str:
        for code, char in (*pairs, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            said = said.replace(code, char)
        return said

    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"::([a-z]+) (.*?)::(.*)", line)
        assert match, line
        properties = dict(part.split("=", 1) for part in match[2].split(","))
        shown = {k: decoded(v, ("%3A", ":"), ("%2C", ",")) for k, v in properties.items()}
        found.append((match[1], shown, decoded(match[3])))
    return found


def test_github_shows_the_worst_first_and_counts_the_rest() -> None:
    found = commands(render("github", large(40)))
    assert len(found) == github.SHOWN + 1 == 10
    assert [name for name, _, _ in found[:9]] == ["error"] * 9
    assert found[-1][2].startswith("+31 more findings")


def test_github_messages_have_lines_of_their_own() -> None:
    name, properties, message = commands(render("github", shop()))[0]
    assert name == "error"
    assert properties == {"title": "Instance is stuck · order · payments"}
    first, cause, command = message.split("\n")
    assert first == "ord-stuck-1: payments has not consumed payments.due (+1 more like it)"
    assert cause == "cause: consumer-dark (0.93)"
    assert command == "choreoscope show orders.jsonl --instance ord-stuck-1"


def test_github_points_at_the_expectations_where_there_are_some() -> None:
    found = commands(render("github", shop(), Context(anchor="ci/flows, new.yaml")))
    assert found[0][1]["file"] == "ci/flows, new.yaml"


@names
def test_github_reads_back_hostile_names(name: str) -> None:
    found = commands(render("github", hostile_shop(name)))
    assert [kind for kind, _, _ in found] == ["error", "error", "notice"]
    assert found[0][2] == "1 piece of the input could not be read"


# -- GitLab ---------------------------------------------------------------------------------------


@analyses
def test_gitlab_entries_have_what_gitlab_requires(analysis: Analysis) -> None:
    entries = json.loads(render("gitlab", analysis))
    assert isinstance(entries, list)
    for entry in entries:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert re.fullmatch("[0-9a-f]{32}", entry["fingerprint"])
        path = entry["location"]["path"]
        assert path
        assert not path.startswith(("/", "./"))
        assert entry["location"]["lines"]["begin"] == 1
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


def test_gitlab_fingerprints_survive_another_run() -> None:
    again = replace(shop(), findings=(stuck_finding("ord-of-tomorrow", since_ns=5),))
    first = {e["fingerprint"] for e in json.loads(render("gitlab", shop()))}
    assert {e["fingerprint"] for e in json.loads(render("gitlab", again))} < first


# -- what could not be judged is green nowhere ----------------------------------------------------


@pytest.mark.parametrize(
    ("analysis", "context"),
    [
        (damaged(), Context()),
        (build([]), Context()),
        (build([]), Context(where="state:stuck", instances_before_where=12)),
    ],
    ids=["damaged", "empty", "filtered away"],
)
def test_no_report_of_a_run_that_could_not_judge_is_green(
    analysis: Analysis, context: Context
) -> None:
    assert context.obstacles(analysis)
    assert suites(render("junit", analysis, context))["input"].errors == 1
    run = sarif_run(analysis, context)
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["toolExecutionNotifications"][0]["level"] == "error"
    assert commands(render("github", analysis, context))[0][0] == "error"
    assert json.loads(render("gitlab", analysis, context))[0]["severity"] == "blocker"
    assert gauge(analysis, context)["choreoscope_ok", ()] == 0
    assert "Not green" in render("html", analysis, context)
    assert "Not green" in render("markdown", analysis, context)


def test_what_the_user_allows_is_no_obstacle() -> None:
    allowed = Context(allow_empty=True)
    assert allowed.obstacles(build([])) == []
    assert suites(render("junit", build([]), allowed))["input"].errors == 0
    assert sarif_run(build([]), allowed)["invocations"][0]["executionSuccessful"] is True
    assert allowed.obstacles(damaged()) == ["2 pieces of the input could not be read"]


# -- OpenMetrics ----------------------------------------------------------------------------------

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def gauge(analysis: Analysis, context: Context | None = None) -> Series:
    families = text_string_to_metric_families(render("openmetrics", analysis, context))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@analyses
def test_openmetrics_is_read_by_the_parser_of_prometheus(analysis: Analysis) -> None:
    assert gauge(analysis)["choreoscope_spans", ()] == analysis.recording.spans.height


def test_openmetrics_tells_instances_findings_and_coupling() -> None:
    found = gauge(shop())
    at = (("state", "stuck"), ("workflow", "order"))
    assert found["choreoscope_instances", at] == 2
    assert found["choreoscope_instances", (("state", "late"), ("workflow", "order"))] == 0
    assert found["choreoscope_findings", (("kind", "stuck"), ("severity", "error"))] == 1
    where = (("kind", "stuck"), ("service", "payments"), ("workflow", "order"))
    assert found["choreoscope_finding_instances", where] == 2
    assert found["choreoscope_overdue_seconds_max", (("workflow", "order"),)] == 3540
    assert found["choreoscope_service_ca", (("service", "orders"),)] == 1


@names
def test_openmetrics_labels_read_back(name: str) -> None:
    found = gauge(hostile_shop(name))
    services = {dict(labels).get("service") for metric, labels in found if "service_ca" in metric}
    assert len(services) == len({name, name + "1", name + "2"}) or len(name) > 200
    assert len(escape(name)) > 200 or escape(name) in services


def test_series_are_bounded_and_nothing_is_lost_from_their_sum() -> None:
    found = gauge(large(1_500, 1))
    affected = {k: v for k, v in found.items() if k[0] == "choreoscope_finding_instances"}
    assert len(affected) == 1_001
    assert sum(affected.values()) == 1_500


# -- tables ---------------------------------------------------------------------------------------


@analyses
def test_csv_of_findings_is_read_by_the_csv_module_and_polars(analysis: Analysis) -> None:
    text = render("csv-findings", analysis)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(analysis.findings)
    assert text.splitlines()[0].split(",") == list(FINDING_COLUMNS)
    frame = pl.read_csv(io.StringIO(text), infer_schema=False)
    assert frame.shape == (len(analysis.findings), len(FINDING_COLUMNS))


@names
def test_tables_are_rectangular_and_inert(name: str) -> None:
    for form in ("csv", "csv-findings"):
        rows = list(csv.reader(io.StringIO(render(form, hostile_shop(name)))))
        assert {len(row) for row in rows} == {len(rows[0])}
        cells = [cell.lstrip()[:1] for row in rows[1:] for cell in row]
        assert not {"=", "+", "-", "@"} & set(cells)


def parquet(name: str, analysis: Analysis) -> pl.DataFrame:
    [reporter] = [one for one in REPORTERS if one.name == name]
    data = reporter.render(analysis, Context())
    assert isinstance(data, bytes)
    return pl.read_parquet(io.BytesIO(data))


@names
def test_parquet_keeps_values_as_they_came(name: str) -> None:
    instances, findings = (parquet(n, hostile_shop(name)) for n in ("parquet", "parquet-findings"))
    assert set(instances["instance"]) == {name + "a", name + "b"}
    assert findings["service"].to_list() == [name, name]
    assert dict(findings.schema) == FINDING_COLUMNS


@analyses
def test_the_tables_hold_what_the_json_holds(analysis: Analysis) -> None:
    report = json.loads(render("json", analysis))
    frame = parquet("parquet-findings", analysis)
    assert frame["fingerprint"].to_list() == [f["fingerprint"] for f in report["findings"]]
    assert frame["message"].to_list() == [f["message"] for f in report["findings"]]
    assert parquet("parquet", analysis).height == report["instances"]["total"]
    assert len(render("csv", analysis).splitlines()) == report["instances"]["total"] + 1


# -- all of them ----------------------------------------------------------------------------------


def test_files_that_others_must_load_are_bounded() -> None:
    """GitLab and GitHub read or show no more than so many entries; what is cut is counted."""
    analysis = large(6_000, 1)
    entries = json.loads(render("gitlab", analysis))
    assert len(entries) == gitlab.MOST + 1
    assert "+1,000 more" in entries[-1]["description"]
    run = sarif_run(analysis)
    assert len(run["results"]) == sarif.MOST
    [note] = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "1,000 of 6,000 findings are not in this file."


def test_figures_that_are_no_numbers_break_no_report() -> None:
    odd = (
        Finding("late", Severity.ERROR, float("nan"), "x", overdue_s=float("inf")),
        Finding("stuck", Severity.ERROR, 2.0, "x", overdue_s=float("nan"), service="s"),
    )
    analysis = replace(
        shop(),
        findings=odd,
        services=shop().services.with_columns(instability=pl.lit(float("nan"))),
    )
    for reporter in REPORTERS:
        assert reporter.render(analysis, Context())
    assert {result["rank"] for result in sarif_run(analysis)["results"]} == {-1, 100}
