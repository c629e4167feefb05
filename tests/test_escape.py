"""Every foreign string is inert in every target, and never hides what it is."""

from __future__ import annotations

import csv
import html
import io
import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.text import Text
from textual.content import Content

from analyzer.escape import Target, clip, escape, json_text, visible
from tests.support.hostile import ALL, HOSTILE, raw_controls

anything = st.text(st.characters(codec=None)) | st.sampled_from(list(ALL.values()))
names = pytest.mark.parametrize("name", list(ALL.values()), ids=list(ALL))


def test_the_corpus_is_large_enough() -> None:
    assert len(HOSTILE) >= 40


@given(anything, st.sampled_from(list(Target)))
def test_no_target_lets_a_control_character_through(name: str, target: Target) -> None:
    text = escape(name, target)
    assert raw_controls(text) == []
    assert "\n" not in text
    text.encode("utf-8")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_stays_as_it_is(name: str) -> None:
    assert visible(name) == name


def test_escapes_look_like_python_ones() -> None:
    assert escape("\x1b[0m") == r"\x1b[0m"
    assert escape("\u202ex") == r"\u202ex"
    assert escape("\U000e0041") == r"\U000e0041"
    assert escape("a\ud800") == r"a\ud800"
    assert escape("a\x00\n\t") == r"a\x00\n\t"


@pytest.mark.parametrize("name", ["Bücher", "漢字", "مرحبا", "ภาษาไทย", "naïve", "🎉", "Ångström"])
def test_ordinary_writing_is_left_alone(name: str) -> None:
    assert escape(name) == name


def test_stacked_marks_are_cut_short() -> None:
    assert escape("a" + "\u0300" * 9).count("\u0300") == 3


@given(anything)
def test_markup_shows_the_name_and_nothing_else(name: str) -> None:
    """Neither Textual nor Rich finds a tag in it, even between our own tags."""
    safe = escape(name, Target.MARKUP)
    textual = Content.from_markup(f"[b]{safe}[/b]|")
    rich = Text.from_markup(f"[b]{safe}[/b]|", emoji=False)
    for plain in (textual.plain, rich.plain):
        assert plain.replace("\\x5c", "\\") == visible(name).replace("\\x5c", "\\") + "|"
    assert len(rich.spans) == (1 if safe else len(rich.spans))


@given(anything)
def test_html_is_text_only(name: str) -> None:
    safe = escape(name, Target.HTML)
    assert not set(safe) & set("<>\"'`")
    assert html.unescape(safe) == visible(name)


@given(anything)
def test_xml_reads_back(name: str) -> None:
    safe = escape(name, Target.XML)
    node = ET.fromstring(f'<a b="{safe}">{safe}</a>')
    assert (node.text or "") == visible(name)
    assert len(node) == 0


@given(anything)
def test_csv_cells_start_no_formula(name: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([escape(name, Target.CSV), "end"])
    [row] = csv.reader(io.StringIO(out.getvalue()))
    assert row[0].lstrip()[:1] not in tuple("=+-@＝＋－＠\t\r")
    assert row[1] == "end"


@given(anything)
def test_runner_commands_are_neutral(name: str) -> None:
    """What a CI log shows is never taken for a command of the runner."""
    for target in (Target.PLAIN, Target.GITHUB, Target.GITHUB_PROPERTY):
        text = escape(name, target)
        assert not text.lstrip().startswith("::")
        assert "##[" not in text
        assert "##vso[" not in text
    assert "::" not in escape(name, Target.GITHUB)
    assert not set(escape(name, Target.GITHUB_PROPERTY)) & set(":,")


def test_github_percent_is_data() -> None:
    assert escape("%0A", Target.GITHUB) == "%250A"


@given(anything)
def test_mermaid_labels_hold_no_syntax(name: str) -> None:
    safe = escape(name, Target.MERMAID)
    assert not set(safe) & set("\"'`[]{}()<>|%&\\")


@given(anything)
def test_dot_strings_end_where_we_end_them(name: str) -> None:
    safe = escape(name, Target.DOT)
    unquoted = safe.replace("\\\\", "").replace('\\"', "")
    assert '"' not in unquoted
    assert "\\" not in unquoted


@given(anything)
def test_markdown_renders_as_plain_text(name: str) -> None:
    """CommonMark with tables sees one paragraph of text: no link, image, code, emphasis or HTML."""
    tokens = MarkdownIt("gfm-like").parse("x " + escape(name, Target.MARKDOWN))
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {t.type for t in children} <= {"text", "text_special"}


@given(anything)
def test_json_reads_back_as_it_was(name: str) -> None:
    """JSON keeps the value; only a lone surrogate, which no strict reader takes, becomes text."""
    text = json_text({"name": name})
    assert raw_controls(text) == []
    text.encode("utf-8")
    if not any(0xD800 <= ord(c) <= 0xDFFF for c in name):
        assert json.loads(text) == {"name": name}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text('ab é"\\\u200b\ud800', max_size=4),
        lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text("kü", max_size=2), one),
        max_leaves=8,
    ),
    st.integers(1, 4),
)
def test_json_is_indented_as_the_standard_library_does(value: object, indent: int) -> None:
    plain = json_text(value)
    assert json_text(value, indent) == json.dumps(
        json.loads(plain), ensure_ascii=False, indent=indent
    ).replace("\u200b", "\\u200b")


def test_json_never_holds_a_bare_nan() -> None:
    with pytest.raises(ValueError):
        json_text({"x": float("nan")})


@given(anything, st.integers(1, 60))
def test_a_limit_is_kept_and_seen(name: str, limit: int) -> None:
    text = clip(visible(name), limit)
    assert cell_len(text) <= limit
    if text != visible(name):
        assert text.endswith("…")


@names
def test_escaping_is_the_same_twice(name: str) -> None:
    """Plain escaping of something escaped changes nothing: a double call does no harm."""
    assert escape(escape(name)) == escape(name)
