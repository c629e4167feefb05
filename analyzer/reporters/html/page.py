"""The whole page: policy, style, and the sections in the order in which they matter."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from analyzer.analysis import Analysis
from analyzer.reporters.context import Context
from analyzer.reporters.html import coupling, data, extra, findings, instances, overview, workflows
from analyzer.reporters.html.markup import Html, join, tag
from analyzer.reporters.summary import verdict

Part = Callable[[Analysis, Context], Html | None]

PARTS: tuple[tuple[str, str, Part], ...] = (  # anchor, title in the contents, section
    ("sections", "Checks", extra.section),
    ("findings", "Findings", findings.section),
    ("instances", "Instances", instances.section),
    ("workflows", "Workflows", workflows.section),
    ("services", "Services", coupling.graph_section),
    ("coupling", "Coupling", coupling.matrix_section),
    ("data", "Data", data.section),
)


def render(analysis: Analysis, context: Context) -> str:
    """A complete HTML document."""
    made = [(anchor, title, part(analysis, context)) for anchor, title, part in PARTS]
    shown = [(anchor, title, section) for anchor, title, section in made if section]
    body = tag(
        "body",
        tag("a", "Skip to the findings", href="#findings", class_="skip"),
        overview.header(analysis, context),
        _contents([(anchor, title) for anchor, title, _ in shown]),
        tag("main", [section for _, _, section in shown], id="main"),
        overview.footer(analysis, context),
    )
    page = tag("html", _head(verdict(analysis)[1]), body, lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


@cache
def style() -> str:
    """The style sheet of the page."""
    return files("analyzer.reporters.html").joinpath("report.css").read_text(encoding="utf-8")


def policy() -> str:
    """Nothing may be loaded or run; the one style is known by its hash."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _head(title: str) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        # The policy stands before anything that it could forbid.
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="generator", content="choreoscope"),
        tag("title", f"choreoscope: {title}"),
        tag("style", Html(style())),
    )


def _contents(parts: list[tuple[str, str]]) -> Html:
    links = [tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title in parts]
    return tag("nav", tag("ul", join(links)), aria_label="Contents")
