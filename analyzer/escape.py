"""The one function through which every foreign string passes before any output.

Names of spans, services, destinations, keys, ids, error messages and files are written by
others. `escape` makes what cannot be seen visible, then neutralises what the target would
interpret. JSON is the exception that keeps the value: `json_text` writes the same characters as
JSON escapes, so that a machine reads back what was sent.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum


class Target(StrEnum):
    """Where a string is going; each one interprets other characters."""

    PLAIN = "plain"  # terminals, plain text and log files
    MARKUP = "markup"  # Textual and Rich
    MARKDOWN = "markdown"
    HTML = "html"  # element content and quoted attributes
    CSV = "csv"  # one cell; the csv writer still quotes it
    GITHUB = "github"  # message of a workflow command
    GITHUB_PROPERTY = "github-property"  # title, file and the like
    MERMAID = "mermaid"  # inside a quoted label
    DOT = "dot"  # inside a quoted string
    XML = "xml"  # XML 1.0 element content and quoted attributes
    XML_VALUE = "xml-value"  # handed to a serialiser that writes entities itself
    SARIF = "sarif"  # plain text of a SARIF message, before it becomes JSON
    METRIC = "metric"  # value of an OpenMetrics label, between its quotes


# Printable by the Unicode tables, and still nothing to see.
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
COMBINING_RUN = 4  # marks on one base; Thai and Vietnamese need at most 3

_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
# CI runners take commands from any log: Actions `##[x]`, Azure `##vso[`, TeamCity `##teamcity[`.
_RUNNER_COMMAND = re.compile(r"#(?=#\[|#vso\[|#teamcity\[)", re.IGNORECASE)
_LEADING_COMMAND = re.compile(r"^(\s*):(?=:)")


def escape(text: object, target: Target = Target.PLAIN, limit: int | None = None) -> str:
    """`text`, safe for `target`; `limit` caps the visible cells with an ellipsis (tables only)."""
    shown = visible(str(text))
    if limit is not None:
        shown = clip(shown, limit)
    return _FOR_TARGET[target](shown)


def visible(text: str) -> str:
    r"""`text` with control, invisible and direction characters as `\x1b`-like text."""
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        keep = marks < COMBINING_RUN and _can_be_seen(char)
        shown.append(char if keep else _code(char))
    return "".join(shown)


def clip(text: str, cells: int, ellipsis: str = "…") -> str:
    """`text` cut to at most `cells` terminal cells, ending in an ellipsis where it was longer."""
    from rich.cells import cell_len, set_cell_size

    # A megabyte of name is not measured: a cell takes at most a few code points.
    if len(text) <= cells * 8 and cell_len(text) <= cells:
        return text
    room = max(cells - len(ellipsis), 0)
    return set_cell_size(text[: cells * 8], room).rstrip() + ellipsis[:cells]


def clip_middle(text: str, cells: int, ellipsis: str = "…") -> str:
    """As `clip`, keeping the end too: the end of a method's name tells it from its siblings."""
    if cells < 12 or clip(text, cells, "") == text:
        return clip(text, cells, ellipsis)
    head = clip(text, (cells - 1) // 3, "")
    tail = clip(text[: -cells * 8 - 1 : -1], cells - 1 - (cells - 1) // 3, "")[::-1]
    return f"{head}{ellipsis[:1]}{tail}"


def json_text(value: object, indent: int | None = None) -> str:
    r"""`value` as JSON (RFC 8259) with every unseen character as `\uXXXX`; NaN is a ValueError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if indent:
        text = _indented(text, indent)
    text = _RUNNER_COMMAND.sub(r"\\u0023", text)
    if text.isascii():
        return text.replace("\x7f", "\\u007f")
    unseen = [char for char in sorted(set(text)) if char != "\n" and not _can_be_seen(char)]
    if not unseen:
        return text
    found = re.compile("[" + "".join(map(re.escape, unseen)) + "]")
    return found.sub(lambda match: _json_code(match[0]), text)


def _indented(text: str, indent: int) -> str:
    """As the standard library would indent it, which has no fast way to: ten times slower."""
    from msgspec import json as fast

    raw = text.encode("utf-8", "surrogatepass")  # what no UTF-8 holds is written as text later
    return fast.format(raw, indent=indent).decode("utf-8", "surrogatepass")


def _can_be_seen(char: str) -> bool:
    if char.isprintable():
        return char not in BLANKS
    return unicodedata.category(char) == "Zs"


def _code(char: str) -> str:
    number = ord(char)
    if number <= 0xFF:
        return _NAMED.get(char, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _json_code(char: str) -> str:
    number = ord(char)
    if 0xD800 <= number <= 0xDFFF:  # no strict reader takes it: shown as text
        return f"\\\\u{number:04x}"
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _plain(text: str) -> str:
    return _LEADING_COMMAND.sub(r"\1\\x3a", _RUNNER_COMMAND.sub(r"\\x23", text))


def _markup(text: str) -> str:
    # A backslash before a bracket, or before the caller's own tag, would escape that instead.
    safe = re.sub(r"\\(?=\\*(?:\[|$))", r"\\x5c", text)
    return safe.replace("[", "\\[")


def _markdown(text: str) -> str:
    safe = re.sub(r"([\\`*_{}\[\]()#|~@:=^$!])", r"\\\1", text)
    safe = re.sub(r"(?i)\b(www)\.", r"\1\\.", safe)
    safe = re.sub(r"^(\s*)([-+])", r"\1\\\2", safe)
    safe = re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", safe)
    # GitHub and GitLab look for @user, #12, !12 and GH-12 in the finished page, where the
    # backslash is gone: a zero-width space keeps a name from calling people.
    safe = re.sub(r"(@(?=\w)|[#!](?=\d)|\bGH-(?=\d))", r"\1\0", safe, flags=re.IGNORECASE)
    return html.escape(safe, quote=False).replace("\0", "&#8203;")


def _html(text: str) -> str:
    return html.escape(text, quote=True).replace("`", "&#96;")


def _csv(text: str) -> str:
    # Spreadsheets also take the full-width forms, and look behind leading blanks.
    text = _plain(text)
    return "'" + text if text.lstrip()[:1] in tuple("=+-@|%＝＋－＠") else text


def _github(text: str) -> str:
    plain = _RUNNER_COMMAND.sub(r"\\x23", text).replace("%", "%25")
    return re.sub(r":(?=:)", r"\\x3a", plain)


def _github_property(text: str) -> str:
    return _github(text).replace(":", "%3A").replace(",", "%2C")


def _mermaid(text: str) -> str:
    return re.sub(r"[^\w\s.,/-]", _mermaid_entity, text, flags=re.ASCII)


def _mermaid_entity(match: re.Match[str]) -> str:
    char = match.group()
    return f"#{ord(char)};" if char.isascii() else char


def _dot(text: str) -> str:
    return _RUNNER_COMMAND.sub(r"\\x23", text).replace("\\", "\\\\").replace('"', '\\"')


def _xml(text: str) -> str:
    return html.escape(text, quote=True)


def _xml_value(text: str) -> str:
    return _RUNNER_COMMAND.sub(r"\\x23", text)


def _sarif(text: str) -> str:
    # Sections 3.11.5 and 3.11.6: braces are placeholders, brackets are links.
    return re.sub(r"([\\\[\]])", r"\\\1", _plain(text)).replace("{", "{{").replace("}", "}}")


_FOR_TARGET: dict[Target, Callable[[str], str]] = {
    Target.PLAIN: _plain,
    Target.MARKUP: _markup,
    Target.MARKDOWN: _markdown,
    Target.HTML: _html,
    Target.CSV: _csv,
    Target.GITHUB: _github,
    Target.GITHUB_PROPERTY: _github_property,
    Target.MERMAID: _mermaid,
    Target.DOT: _dot,
    Target.XML: _xml,
    Target.XML_VALUE: _xml_value,
    Target.SARIF: _sarif,
    Target.METRIC: _dot,  # the same two characters end or escape it
}
