"""choreoscope's own stages are traced and measured where somebody asked, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from analyzer import analyze
from analyzer.alerts.outbox import Outbox
from analyzer.monitor.monitor import Monitor, Settings
from collectors import telemetry
from collectors.receivers.admission import OWN, Admission
from collectors.store.frames import Kind
from collectors.store.store import Store
from tests.receivers.running import running
from tests.store.requests import request, stored
from tests.support.spans import line

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "fixtures" / "demo" / "orders.jsonl.gz"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Whatever is traced, without a global provider, which could not be taken back."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
    yield exporter
    provider.shutdown()


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", lambda name: provider.get_meter(name))
    yield reader
    provider.shutdown()


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [one.name.removeprefix("choreoscope ") for one in exporter.get_finished_spans()]


def test_the_stages_of_an_analysis(
    spans: InMemorySpanExporter, numbers: InMemoryMetricReader
) -> None:
    """Each stage is a child of the analysis, and its duration is in the histogram."""
    analyze(DEMO)
    assert names(spans) == ["stitching", "detecting", "instances", "coupling", "report", "analyze"]
    *stages, whole = spans.get_finished_spans()
    assert whole.context is not None
    assert {one.parent.span_id for one in stages if one.parent} == {whole.context.span_id}
    assert whole.attributes is not None
    assert whole.attributes["spans"] == len(analyze(DEMO).recording.spans)
    data = numbers.get_metrics_data()
    assert data is not None
    [metric] = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == telemetry.DURATION
    assert {point.attributes["stage"] for point in metric.data.data_points if point.attributes} == {
        *("stitching", "detecting", "instances", "coupling", "report", "analyze")
    }


def test_the_stages_of_serving(
    tmp_path: Path, spans: InMemorySpanExporter, numbers: InMemoryMetricReader
) -> None:
    with Store(tmp_path / "s", compacting=False) as store:
        store.append(request(1)).result()
        outbox = Outbox(tmp_path / "alerts.db")
        Monitor(tmp_path / "s", Settings(), outbox).look()
        outbox.close()
    found = names(spans)
    assert found[0] == "store commit"
    assert found[-1] == "look"
    assert {"decode", "stitching", "detecting"} <= set(found)
    look = spans.get_finished_spans()[-1].attributes
    assert look is not None
    assert (look["spans"], look["instances"]) == (1, 1)
    data = numbers.get_metrics_data()
    assert data is not None
    sums = {
        metric.name: point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }
    assert sums == {"choreoscope.spans": 1, "choreoscope.requests": 1}


def test_an_error_is_on_its_stage(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ZeroDivisionError), telemetry.stage("dividing"):
        raise ZeroDivisionError("by nothing")
    [one] = spans.get_finished_spans()
    assert one.status.status_code is trace.StatusCode.ERROR
    assert one.events[0].name == "exception"


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    """A plain analysis loads neither the SDK nor the API, whatever OTEL_* says."""
    code = (
        "import sys; from analyzer import analyze; analyze(sys.argv[1]);"
        "print([name for name in sys.modules if name.startswith('opentelemetry.') and "
        "name.split('.')[1] in ('sdk', 'exporter', 'trace', 'metrics')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(DEMO)],
        cwd=ROOT,
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_command_sends_where_it_is_told(tmp_path: Path) -> None:
    """`analyze` into a receiver: its stages come out as one trace of choreoscope."""
    with running(tmp_path / "s") as server:
        done = subprocess.run(
            [sys.executable, "-m", "tui.cli", "analyze", str(DEMO), "--fail-on", "none"],
            cwd=ROOT,
            env=os.environ | {"CHOREOSCOPE_TELEMETRY_ENDPOINT": server.http},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert {"choreoscope analyze", "choreoscope read", "choreoscope render"} <= set(
            server.names()
        )
        assert set(stored(tmp_path / "s").spans["service"].cast(str)) == {"choreoscope"}


def test_its_own_spans_are_not_taken(tmp_path: Path) -> None:
    """Else each request about itself would make another; another choreoscope's are taken."""
    with Store(tmp_path / "s", compacting=False) as store:
        admission = Admission(store, own="me-1")
        span = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "store commit", "kind": 1}
        for name in ("me-1", "me-2"):
            body = line({"service.name": "choreoscope", "service.instance.id": name}, [span])
            checked = admission.patiently(Kind.OTLP_JSON, body)
            assert (checked.spans, checked.rejected) == ((0, 1) if name == "me-1" else (1, 0))
            assert (checked.reason == OWN) == (name == "me-1")
        assert (admission.counts.spans, admission.counts.rejected) == (1, 1)
    assert len(stored(tmp_path / "s").spans) == 1
