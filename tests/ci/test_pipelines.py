"""The GitHub Action and the GitLab template: valid, safe, run, and never green by accident."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from analyzer.reporters.registry import REPORTERS
from collectors.simulate import parse, write
from tests.ci.pipelines import ROOT, Runner, action, gitlab
from tui import cli

DOCS = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
HEALTHY = "sim:order?instances=40"
FAULTY = "sim:order?instances=40&faults=lost:0.3"
SHELLS = [step["run"] for step in action()["runs"]["steps"] if "run" in step]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def spans(runner: Runner, uri: str, name: str = "spans.jsonl") -> str:
    write(parse(uri), runner.folder / name)
    return name


# -- the files ------------------------------------------------------------------------------------


def test_the_action_is_what_github_takes() -> None:
    found = action()
    assert set(found) <= {"name", "description", "author", "branding", "inputs", "outputs", "runs"}
    assert found["runs"]["using"] == "composite"
    for step in found["runs"]["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert ("shell" in step) == ("run" in step)
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@v\d+", step.get("uses", "a/b@v1"))
    named = re.findall(r"inputs\.([\w-]+)", (ROOT / "ci" / "action.yml").read_text())
    assert set(named) == set(found["inputs"])
    ids = {step["id"] for step in found["runs"]["steps"] if "id" in step}
    used = re.findall(r"steps\.(\w+)\.", (ROOT / "ci" / "action.yml").read_text())
    assert set(used) <= ids


@pytest.mark.parametrize("script", SHELLS)
def test_no_input_is_code(script: str) -> None:
    """An input stands in the environment only: in a script it could end the quotes around it."""
    assert "${{" not in script


def test_no_input_of_gitlab_is_code() -> None:
    _, jobs = gitlab()
    job = jobs["choreoscope"]
    assert "$[[" not in "".join([*job["script"], *job["before_script"]])


@pytest.mark.parametrize("script", SHELLS)
def test_bash_reads_the_steps(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say() -> None:
    _, jobs = gitlab()
    scripts = [("bash", script) for script in SHELLS]
    scripts += [("sh", script) for script in jobs["choreoscope"]["script"]]
    for shell, script in scripts:
        # SC2086: GitLab's lists are split at line feeds on purpose
        command = ["shellcheck", f"--shell={shell}", "--exclude=SC2086", "-"]
        done = subprocess.run(command, input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_both_know_the_same_words() -> None:
    """What can be asked of one can be asked of the other, under the same name."""
    spec, _ = gitlab()
    only_github = {"arguments", "reports", "upload-reports", "upload-sarif", "python-version"}
    only_gitlab = {"stage", "image", "package"}
    ours, theirs = set(action()["inputs"]), set(spec["spec"]["inputs"])
    assert ours - only_github == theirs - only_gitlab


def test_every_option_and_format_exists() -> None:
    texts = (ROOT / "ci" / "action.yml").read_text(), (ROOT / "ci" / "gitlab.yml").read_text()
    context = cli.group.make_context("choreoscope", [], resilient_parsing=True)
    known = {
        option
        for name in ("analyze", "diff")
        for parameter in (cli.group.get_command(context, name) or cli.group).params
        for option in parameter.opts
    }
    formats = {reporter.name for reporter in REPORTERS}
    foreign = {"--quiet", "--disable-pip-version-check"}
    for text in texts:
        code = "\n".join(line.partition("#")[0] for line in text.splitlines())
        options = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", code)) - foreign
        assert options <= known
        written = set(re.findall(r"\b([a-z]+)=[a-z-]+\.(?:html|json|xml|sarif|md|txt)", text))
        assert written <= formats | {"report"}


# -- documentation --------------------------------------------------------------------------------


def snippets() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)


def test_five_lines_are_five_lines_and_valid() -> None:
    first = {"uses": 0, "include": 0}
    for text in snippets():
        for word in first:
            if f"{word}:" in text and not first[word]:
                first[word] = len([line for line in text.splitlines() if line.strip()])
    assert 0 < first["uses"] <= 5
    assert 0 < first["include"] <= 5


def test_the_documented_inputs_are_the_real_ones() -> None:
    spec, _ = gitlab()
    known = {"ci": set(action()["inputs"]), "include": set(spec["spec"]["inputs"])}
    checked = 0
    for text in snippets():
        found = YAML(typ="safe", pure=True).load(text)
        for step in found if isinstance(found, list) else []:
            if "/choreoscope/ci@" in step.get("uses", ""):
                assert set(step["with"]) <= known["ci"]
                checked += 1
        for include in found.get("include", []) if isinstance(found, dict) else []:
            assert set(include["inputs"]) <= known["include"]
            checked += 1
    assert checked >= 3
    described = set(re.findall(r"^\| `([a-z-]+)` \|", DOCS, re.MULTILINE))
    assert known["ci"] | known["include"] <= described


# -- runs -----------------------------------------------------------------------------------------


def test_a_healthy_run_is_green_with_all_reports(runner: Runner) -> None:
    ran = runner.step("Analyse workflows", {"source": spans(runner, HEALTHY)})
    assert ran.code == 0, ran.log
    assert ran.outputs == {"exit-code": "0", "report": "choreoscope-reports/report.json"}
    assert ran.summary
    written = {path.name for path in (runner.folder / "choreoscope-reports").iterdir()}
    assert written == {"report.html", "report.json", "junit.xml", "results.sarif", "summary.md",
                       "annotations.txt"}  # fmt: skip
    assert json.loads((runner.folder / ran.outputs["report"]).read_text())["instances"]


def test_findings_are_red_annotated_and_summed_up(runner: Runner) -> None:
    ran = runner.step("Analyse workflows", {"source": spans(runner, FAULTY)})
    assert ran.code == 1
    assert ran.outputs["exit-code"] == "1"
    assert "::error" in ran.log
    assert "stuck" in ran.summary


def test_inputs_reach_the_command(runner: Runner) -> None:
    spans(runner, FAULTY, "a b.jsonl")
    spans(runner, "sim:order?instances=30&seed=9", "c.jsonl")
    ran = runner.step(
        "Analyse workflows",
        {
            "source": "  a b.jsonl\n\nc.jsonl\n",
            "fail-on": "none",
            "thresholds": "stuck_ratio<0.001\ninstances>60",
            "keys": "order.id=app.order_id",
            "arguments": "--where\nstate:stuck,complete",
        },
    )
    assert ran.code == 1, ran.log
    assert "threshold stuck_ratio<0.001: " in ran.log
    assert "threshold instances>60: " in ran.log
    assert "does not hold" in ran.log


@pytest.mark.parametrize("source", ["typo.jsonl", "empty.jsonl", "*.nothing"])
def test_no_spans_are_never_green(runner: Runner, source: str) -> None:
    (runner.folder / "empty.jsonl").write_text("")
    for inputs in ({"source": source}, {"source": source, "fail-on": "none"}):
        ran = runner.step("Analyse workflows", inputs)
        assert ran.code == 3
        assert ran.outputs["exit-code"] == "3"
        assert ran.summary
        assert runner.job(inputs).code == 3


def test_the_report_of_an_earlier_run_is_none_of_this_one(runner: Runner) -> None:
    """Where nothing could be read nothing is shown, uploaded or compared."""
    good = spans(runner, HEALTHY)
    assert runner.step("Analyse workflows", {"source": good}).code == 0
    bad = {"source": "typo.jsonl", "compare-with": good}
    ran = runner.step("Analyse workflows", bad)
    assert (ran.code, "wrote no report" in ran.summary) == (3, True)
    assert not list((runner.folder / "choreoscope-reports").iterdir())
    ran = runner.step("Compare with an earlier run", bad)
    assert (ran.code, "no report of this run" in ran.log) == (3, True)
    assert runner.job({"source": good}).code == 0
    assert runner.job(bad).code == 3
    assert not list((runner.folder / "choreoscope-reports").iterdir())


def test_an_input_cannot_run_anything(runner: Runner) -> None:
    evil = 'x\'; touch "$GITHUB_STEP_SUMMARY.evil"; $(touch evil) `touch evil`'
    for inputs in ({"source": evil}, {"source": "x", "fail-on": evil, "thresholds": evil}):
        assert runner.step("Analyse workflows", inputs).code in (2, 3)
        assert runner.job(inputs).code in (2, 3)
    assert not list(runner.folder.rglob("*evil*"))


def test_an_option_as_a_source_is_a_source(runner: Runner) -> None:
    assert runner.step("Analyse workflows", {"source": "--allow-empty"}).code == 3


def test_a_change_fails_where_it_is_named(runner: Runner) -> None:
    before = spans(runner, "sim:order?instances=60", "before.jsonl")
    spans(runner, "sim:order?instances=60&seed=2&faults=rejection:0.5", "after.jsonl")
    assert runner.step("Analyse workflows", {"source": "after.jsonl"}).code == 0
    step = "Compare with an earlier run"
    named = {"compare-with": before, "fail-on-change": "new-step"}
    ran = runner.step(step, named)
    assert ran.code == 1, ran.log
    assert "new-step" in ran.summary
    assert runner.step(step, {"compare-with": before}).code == 0
    assert runner.step(step, {"compare-with": "typo.json"}).code == 2
    assert runner.job({"source": "after.jsonl", **named}).code == 1
    assert runner.job({"source": "after.jsonl", "compare-with": before}).code == 0
    assert runner.job({"source": "after.jsonl", "compare-with": "typo.json"}).code == 2


def test_the_gitlab_job_writes_what_it_declares(runner: Runner) -> None:
    _, jobs = gitlab()
    artifacts = jobs["choreoscope"]["artifacts"]
    ran = runner.job({"source": spans(runner, FAULTY)})
    assert ran.code == 1
    for path in artifacts["reports"].values():
        assert (runner.folder / path).stat().st_size
    assert runner.job({"source": spans(runner, HEALTHY, "h.jsonl")}).code == 0
    assert runner.job({"source": "h.jsonl", "thresholds": "instances<10\nstuck=0"}).code == 1


def test_the_action_installs_its_own_commit(runner: Runner) -> None:
    """In an environment of its own, from the checkout that the action stands in."""
    made = runner.folder / "choreoscope" / "bin"
    fake = runner._script(
        "python-for-test",
        f'echo "$@" >> "{runner.folder}/calls"; mkdir -p "{made}"; '
        f'[ -e "{made}/python" ] || ln -s "$0" "{made}/python"',
    )
    ran = runner.step(
        "Install choreoscope",
        {},
        **{"steps.python.outputs.python-path": str(fake), "github.action_path": "/somewhere/ci"},
    )
    assert ran.code == 0, ran.log
    assert ran.outputs["command"] == str(made / "choreoscope")
    calls = (runner.folder / "calls").read_text().splitlines()
    assert calls[0] == f"-m venv {made.parent}"
    assert calls[1].endswith("/somewhere/ci/..")
