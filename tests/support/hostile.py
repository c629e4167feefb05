"""Names that attack whoever prints them; each one goes through every output there is."""

from __future__ import annotations

import re

# What polars, and so a frame, can hold.
HOSTILE: dict[str, str] = {
    "ansi colour": "\x1b[31mred\x1b[0m",
    "ansi clear screen": "a\x1b[2J\x1b[Hb",
    "osc 52 clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "osc 8 link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "osc title": "\x1b]0;pwned\x07",
    "dcs": '\x1bP$q"p\x1b\\',
    "c1 csi": "\x9b31mred",
    "c1 osc": "\x9d52;c;ZXZpbA==\x9c",
    "nul": "a\x00b",
    "bell backspace": "a\x07\x08\x08b",
    "del": "a\x7fb",
    "carriage return": "good\rEVIL",
    "newlines": "first\nsecond\r\nthird",
    "tab": "a\tb",
    "vertical tab, form feed": "a\x0b\x0cb",
    "next line": "a\x85b",
    "bidi override": "\u202egnp.exe\u202c",
    "bidi isolate": "\u2066abc\u2069\u2067def\u2069",
    "rtl mark": "a\u200fb\u061cc",
    "zero width": "pay\u200bments\u200d\u2060\ufeff",
    "soft hyphen": "pay\u00adments",
    "line separators": "a\u2028b\u2029c",
    "tag characters": "x\U000e0041\U000e007f",
    "hangul filler": "a\u3164b\u115fc",
    "noncharacters": "a\ufffe\uffffb",
    "rich markup": "[/nope]",
    "rich markup open": "[bold red]x",
    "rich markup action": "[@click=app.quit]x[/]",
    "rich backslash": "a\\",
    "rich backslash tag": "\\\\[b]",
    "html script": "<script>alert(1)</script>",
    "html attribute": '" onmouseover="alert(1)',
    "html entity": "&lt;img src=x onerror=alert(1)&gt;",
    "cdata end": "]]><x/>",
    "comment end": "--><b>",
    "csv formula": "=cmd|'/C calc'!A0",
    "csv plus": "+1+1",
    "csv minus": "-2+3",
    "csv at": "@SUM(A1)",
    "csv blank formula": "  =1+1",
    "csv full width": "＝1+1",
    "csv quotes": "a\",b;c'd",
    "github error": "::error file=a,line=1::boom",
    "github v1": "x ##[error]boom",
    "github stop": "::stop-commands::x",
    "azure": "##vso[task.setvariable variable=a]b",
    "teamcity": "##teamcity[testFailed name='x']",
    "percent": "%0A::error::x%25%0D",
    "mermaid": 'a"]; end; click n0 "javascript:alert(1)"',
    "mermaid markdown": '`**b**`"',
    "mermaid comment": "%%{init: {}}%%",
    "dot": 'a"]; b [label="x',
    "dot escape": 'a\\" -> b; //\\N\\l',
    "dot html": "<<b>x</b>>",
    "markdown link": "[x](javascript:alert(1)) ![i](http://e/x.png)",
    "markdown table": "a | b `c` | **d**\\|",
    "markdown heading": "# x",
    "template": "{{7*7}} ${7*7} {% x %}",
    "format": "{0.__class__} %s %n",
    "backticks": "`rm -rf /` $(reboot)",
    "path": "../../../etc/passwd",
    "windows path": "C:\\new\\table",
    "long": "x" * 20_000,
    "long wide": "漢" * 5_000,
    "rtl": "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "zalgo": "Z" + "\u0300\u0316\u035c\u0489" * 40 + "a",
    "emoji": "👩\u200d👩\u200d👧 🏴\U000e0067\U000e007f 🇩🇪",
    "wide": "漢字テスト",
    "quotes": "'\"`\\",
    "null word": "null",
    "nan word": "NaN",
    "number": "1e309",
    "empty": "",
    "blank": "   ",
    "no-break space": "a\u00a0b\u3000c",
    "slack": "<!channel> <@U1>",
    "dashes": "--help",
}

# Only a Python string can hold these: they must not crash an output either.
SURROGATES: dict[str, str] = {
    "lone high surrogate": "a\ud800b",
    "lone low surrogate": "a\udfffb",
    "undecodable byte": "file\udcff.json",
}

ALL = HOSTILE | SURROGATES

FORBIDDEN_RANGES = (
    (0x00, 0x09),
    (0x0B, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),
    (0x061C, 0x061C),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xD800, 0xDFFF),
    (0xFEFF, 0xFEFF),
    (0xFFFE, 0xFFFF),
    (0xE0000, 0xE007F),
)


_FORBIDDEN = re.compile(
    "[" + "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in FORBIDDEN_RANGES) + "]"
)


def raw_controls(text: str) -> list[str]:
    """The characters of `text`, line feeds apart, that no output may hold."""
    return [repr(char) for char in _FORBIDDEN.findall(text)]
