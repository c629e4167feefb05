"""The scenario and its URI."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.simulate import FAULTS, SYSTEMS, Scenario, ScenarioError, parse
from collectors.simulate.scenario import duration_ns


def test_a_uri_says_everything():
    scenario = parse(
        "sim:order?instances=1000&seed=7&faults=lost:0.02,handler-error:0.01"
        "&shape=link&style=orchestrated&semconv=old&gap=100s"
    )
    assert (scenario.instances, scenario.seed) == (1000, 7)
    assert dict(scenario.faults) == {"lost": 0.02, "handler-error": 0.01}
    assert (scenario.shape, scenario.style, scenario.semconv) == ("link", "orchestrated", "old")
    assert scenario.gap_ns == 100 * 10**9


@given(
    st.sampled_from(sorted(SYSTEMS)),
    st.integers(1, 10**7),
    st.integers(0, 2**63),
    st.sampled_from(["child", "link", "key", "batch"]),
    st.sampled_from([{}, {"handler-error": 0.25}, {"in-flight": 1 / 3, "skew": 2.5}]),
)
def test_parse_reads_what_uri_writes(system, instances, seed, shape, faults):
    scenario = Scenario(system, instances, seed, faults, shape)
    assert parse(scenario.uri).uri == scenario.uri


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("sim:ordr", "did you mean 'order'"),
        ("sim:order?shap=link", "did you mean 'shape'"),
        ("sim:order?shape=links", "did you mean 'link'"),
        ("sim:order?faults=lots:0.1", "did you mean 'lost'"),
        ("sim:order?faults=lost:much", "'much' is no number"),
        ("sim:order?faults=lost:2", "it is a share above 0"),
        ("sim:order?instances=0", "has to be 1 or more"),
        ("sim:order?instances=1e99", "1000000000 at most"),
        ("sim:order?instances=1e999", "no whole number"),
        ("sim:order?seed=-1", "has to be 0 or more"),
        ("sim:order?gap=400d", "gap is 400 days; .* 365 at most"),
        ("sim:order?length=9999999d", "3650 at most"),
        ("sim:order?faults=skew:inf", "seconds, up to a day"),
        ("sim:order?faults=lost:nan", "it is a share above 0"),
        ("sim:order?seed=1&seed=2", "stands there twice"),
        ("sim:order?faults=lost:0.1,lost:0.2", "stands there twice"),
        ("sim:order?instances=many", "no whole number"),
        ("sim:order?target=inventroy", "did you mean 'inventory'"),
        ("sim:order?gap=3y", "no duration"),
        ("sim:order?faults=no-compensation:0.1", "it can have lost"),
        ("sim:login?faults=lost:0.1", "cannot have fault 'lost'"),
        ("sim:order?faults=lost:0.6,crash:0.6", "add up to more than 1"),
        ("file:x", "does not begin with 'sim:'"),
    ],
)
def test_errors_name_what_would_be_valid(uri, words):
    with pytest.raises(ScenarioError, match=words):
        parse(uri)


def test_durations():
    assert duration_ns("3d") == 3 * 86_400 * 10**9
    assert duration_ns("1.5h") == 5_400 * 10**9
    assert duration_ns("250ms") == 250 * 10**6


def test_every_fault_can_happen_somewhere():
    for fault in FAULTS:
        share = 2.0 if fault == "skew" else 0.1
        assert any(_runs(system, {fault: share}) for system in SYSTEMS), fault


def _runs(system: str, faults: dict[str, float]) -> bool:
    try:
        return Scenario(system, 1, faults=faults).system == system
    except ScenarioError:
        return False
