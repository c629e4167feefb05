"""The text report says the worst first, groups what is alike, and never hides a cut."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from analyzer.analysis import DataNote
from analyzer.reporters.context import Context
from analyzer.reporters.groups import grouped
from analyzer.reporters.style import Style, fit_columns, share_out
from analyzer.reporters.text import render
from analyzer.reporters.waterfall import fit
from tests.support.analysis_builder import build, order, shop, stuck_finding

MS = 1_000_000


def test_sections_come_in_their_order() -> None:
    text = render(shop(), Context())
    places = [text.index(word) for word in ("need attention", "DATA", "FINDINGS", "WORKFLOWS",
                                            "COUPLING")]  # fmt: skip
    assert places == sorted(places)
    assert "■ 3 of 12 workflow instances need attention: 2 stuck, 1 failed." in text


def test_one_of_many_needs() -> None:
    text = render(build([order("a", "stuck"), order("b")]), Context())
    assert "1 of 2 workflow instances needs attention: 1 stuck." in text


def test_health_is_said_calmly() -> None:
    text = render(build([order("a"), order("b")]), Context())
    assert "Nothing wrong in 2 workflow instances: 2 complete." in text
    assert "FINDINGS  none about instances" in text


def test_forty_alike_are_one_group() -> None:
    many = [stuck_finding(f"ord-{n:02}") for n in range(40)]
    analysis = replace(shop(), findings=tuple(many))
    text = render(analysis, Context())
    assert text.count("consumer-dark") == 1
    assert "40 instances" in text
    assert "(+39 more)" in text
    assert len(grouped(many)) == 1


def test_an_instance_with_two_findings_of_a_group_counts_once() -> None:
    two = [stuck_finding("a"), stuck_finding("a", step="other")]
    [group] = grouped(two)
    assert group.instances == 1


def test_what_is_left_out_is_counted() -> None:
    findings = tuple(stuck_finding(f"o{n}", service=f"s{n:02}") for n in range(30))
    notes = tuple(DataNote("k", f"note {n}", 1) for n in range(12))
    text = render(replace(shop(), findings=findings, data_notes=notes), Context())
    assert "+10 more groups (10 instances)" in text
    assert "+4 more notes on the data" in text
    assert "note 7" in text
    assert "note 8" not in text


def test_causes_show_what_speaks_for_and_against() -> None:
    text = render(shop(), Context())
    assert "+ payments exported nothing since 22:13:21" in text
    assert "- no later message was processed" in text
    assert "overdue by 59m" in text
    assert "choreoscope show orders.jsonl --instance ord-stuck-1" in text


def test_silent_services_are_named() -> None:
    analysis = shop()
    services = analysis.services.with_columns(
        spans=pl.when(pl.col("name") == "stock").then(0).otherwise("spans").cast(pl.UInt32)
    )
    assert "called, but emits no span: stock" in render(
        replace(analysis, services=services), Context()
    )


def test_ascii_has_no_other_character() -> None:
    for style in (Style(unicode=False), Style(120, unicode=False)):
        assert render(shop(), Context(style)).isascii()


def test_colour_changes_nothing_but_colour() -> None:
    import re

    plain = render(shop(), Context(Style(100)))
    coloured = render(shop(), Context(Style(100, colour=True)))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert coloured != plain


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 10**9), min_size=1, max_size=8))
def test_every_state_has_a_cell_and_the_bar_its_width(counts: dict[str, int]) -> None:
    cells = share_out(counts, 12)
    assert sum(cells.values()) == 12
    assert min(cells.values()) >= 1


@given(st.lists(st.integers(1, 200), min_size=1, max_size=6), st.integers(10, 200))
def test_columns_share_the_room(needs: list[int], room: int) -> None:
    widths = fit_columns(needs, room)
    assert all(width <= need for width, need in zip(widths, needs, strict=True))
    assert sum(widths) <= room or max(widths) <= 8
    if sum(needs) <= room:
        assert widths == needs


INTERVALS = st.lists(
    st.tuples(st.integers(0, 10**12), st.integers(0, 10**9)).map(lambda t: (t[0], t[0] + t[1])),
    min_size=1,
    max_size=12,
)


@given(INTERVALS, st.integers(8, 120), st.none() | st.integers(0, 10**13))
def test_a_time_axis_is_monotonic_and_fits(
    intervals: list[tuple[int, int]], width: int, until: int | None
) -> None:
    """Folding never turns the order round, and every bar stays inside and can be seen."""
    axis = fit(intervals, until, width)
    times = sorted({time for interval in intervals for time in interval})
    cells = [axis.cell(time) for time in times]
    assert cells == sorted(cells)
    assert all(-0.001 <= cell <= width + 0.001 for cell in cells)
    for start, end in intervals:
        bar = axis.bar(start, end, "#")
        assert "#" in bar
        assert len(bar) <= width
    assert len(axis.ruler(10**9)) == width


def test_days_of_waiting_are_folded() -> None:
    day = 86_400_000 * MS
    axis = fit([(0, 40 * MS), (3 * day, 3 * day + 60 * MS)], None, 60)
    assert "//3d//" in axis.ruler(3 * day)
    assert axis.bar(0, 40 * MS, "#").count("#") > 10


def test_the_headline_is_short_and_the_finding_whole() -> None:
    message = "payments: capture did not happen" + "; nor did the next long step of it" * 12
    finding = stuck_finding("a", message=message)
    text = render(build([order("a", "stuck")], findings=(finding,)), Context())
    headline = " ".join(text.partition("DATA")[0].split())
    told = " ".join(text.partition("FINDINGS")[2].split())
    assert headline.endswith("of it …")
    assert message.count(";") > headline.count(";") > 0
    assert message in told


def test_junk_in_a_folder_does_not_hide_what_matters() -> None:
    analysis = build([order("a")], data_notes=(DataNote("missing-parents", "3 missing parents"),))
    warnings = tuple(f"f{number}.md was left out: it holds no traces" for number in range(40))
    intake = replace(analysis.recording.intake, warnings=warnings)
    recording = replace(analysis.recording, intake=intake)
    text = render(replace(analysis, recording=recording), Context())
    assert "3 missing parents" in text
    assert "+33 more notes on the data" in text
