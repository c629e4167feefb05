"""Names what a file without traces is by its first bytes, and says how to come to traces."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ACCEPTED = "choreoscope reads OTLP, Jaeger, Zipkin, Parquet and Arrow"
EXPORT = "let the Collector's file exporter write the spans"
QUOTED = 50  # characters of a text that are quoted


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a file looks like, and what to do about it; together at most 120 characters."""

    what: str
    hint: str = EXPORT
    sentence: str = ""  # said instead of the usual one

    @property
    def message(self) -> str:
        """The whole sentence: what it looks like, what is accepted, how to come to that."""
        if self.sentence:
            return self.sentence
        return f"looks like {self.what}; {ACCEPTED}; {self.hint}"


UNPACK = "unpack it and name the folder"
TABLE = "export the spans themselves as OTLP or Jaeger JSON"

# Where in the file, which bytes, what that is.
MAGIC: Sequence[tuple[int, bytes, Foreign]] = (
    (257, b"ustar", Foreign("a tar archive", UNPACK)),
    (0, b"\x1f\x8b", Foreign("gzip inside of gzip or zstd", "unpack it once")),
    (0, b"\x28\xb5\x2f\xfd", Foreign("zstd inside of gzip or zstd", "unpack it once")),
    (0, b"BZh", Foreign("bzip2 data", "unpack it with bunzip2, or pack with gzip or zstd")),
    (0, b"\xfd7zXZ\0", Foreign("xz data", "unpack it with unxz, or pack with gzip or zstd")),
    (0, b"\x04\x22\x4d\x18", Foreign("lz4 data", "unpack it with lz4 -d")),
    (0, b"\xff\x06\0\0sNaPpY", Foreign("snappy data", "unpack it with snzip -d")),
    (0, b"7z\xbc\xaf\x27\x1c", Foreign("a 7-Zip archive", UNPACK)),
    (0, b"Rar!", Foreign("a RAR archive", UNPACK)),
    (0, b"SQLite format 3\0", Foreign("an SQLite database", TABLE)),
    (8, b"DUCK", Foreign("a DuckDB database", "COPY the spans to Parquet or OTLP JSON")),
    (0, b"\xd4\xc3\xb2\xa1", Foreign("a packet capture (pcap)", "packets are no spans")),
    (0, b"\xa1\xb2\xc3\xd4", Foreign("a packet capture (pcap)", "packets are no spans")),
    (0, b"\x4d\x3c\xb2\xa1", Foreign("a packet capture (pcap)", "packets are no spans")),
    (0, b"\x0a\x0d\x0d\x0a", Foreign("a packet capture (pcapng)", "packets are no spans")),
    (0, b"%PDF", Foreign("a PDF document")),
    (0, b"\x89PNG", Foreign("a picture (PNG)")),
    (0, b"\xff\xd8\xff", Foreign("a picture (JPEG)")),
    (0, b"GIF8", Foreign("a picture (GIF)")),
    (0, b"\x7fELF", Foreign("a program (ELF)")),
    (0, b"MZ", Foreign("a Windows program")),
    (0, b"\xca\xfe\xba\xbe", Foreign("a Java class or a macOS program")),
    (0, b"\xcf\xfa\xed\xfe", Foreign("a macOS program")),
    (0, b"Obj\x01", Foreign("Avro data", TABLE)),
    (0, b"ORC", Foreign("ORC data", "write the spans as Parquet or OTLP")),
    (0, b"\x89HDF", Foreign("HDF5 data", "write the spans as Parquet or OTLP")),
    (0, b"\x93NUMPY", Foreign("a NumPy array", "write the spans as Parquet or OTLP")),
    (0, b"\x80\x04\x95", Foreign("a Python pickle", "write the spans as OTLP JSON")),
    (0, b"\x80\x05\x95", Foreign("a Python pickle", "write the spans as OTLP JSON")),
    (0, b"\xac\xed\0\x05", Foreign("serialised Java objects", "write the spans as OTLP")),
    (0, b"\xd0\xcf\x11\xe0", Foreign("an old Office document", TABLE)),
    (0, b"\xff\xfe", Foreign("UTF-16 text, as PowerShell writes it", "save it as UTF-8")),
    (0, b"\xfe\xff", Foreign("UTF-16 text", "save it as UTF-8")),
)
_ZIP = b"PK\x03\x04"
_INSIDE_ZIP = (
    (b"word/", "a Word document (docx)"),
    (b"xl/", "an Excel table (xlsx)"),
    (b"ppt/", "a presentation (pptx)"),
    (b"META-INF/", "a Java archive (jar)"),
    (b"mimetypeapplication/", "an OpenDocument or EPUB file"),
)


def by_magic(head: bytes) -> Foreign | None:
    """What a binary format says of itself; None where nothing is known."""
    if head.startswith((_ZIP, b"PK\x05\x06")):
        return _zip(head[:8192])
    for offset, magic, foreign in MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return foreign
    return None


def _zip(head: bytes) -> Foreign:
    for name, what in _INSIDE_ZIP:
        if name in head:
            return Foreign(what, TABLE)
    return Foreign("a zip archive", UNPACK)


def by_content(head: bytes) -> Foreign:
    """What the beginning of a file that is no traces looks like."""
    known = None if is_text(head) else by_magic(head)
    if known is not None:
        return known
    if is_binary(head):
        if head[1:400:2].count(0) > len(head[:400]) // 3:
            return Foreign("UTF-16 text", "save it as UTF-8")
        return Foreign(f"binary data ({head[:8].hex(' ')} ...)")
    text = head.decode("utf-8", "replace").lstrip("\ufeff\0 \t\r\n")
    if not text:
        return Foreign("an empty file" if not head else "blank lines only")
    for looks, foreign in _TEXTS:
        if looks(text):
            return foreign
    return Foreign(f"plain text ({quoted(text)})")


def is_binary(head: bytes) -> bool:
    """Whether control characters abound: no text, however broken, has one in twenty."""
    return control(head[:1000]) * 20 > min(len(head), 1000)


def is_text(head: bytes) -> bool:
    """Whether it is UTF-8 without control characters: no protobuf with a span in it is."""
    if control(head[:4096]):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character that the end of the piece cuts
    return True


def control(data: bytes) -> int:
    """How many bytes no text has."""
    return sum(byte < 9 or 13 < byte < 32 for byte in data)


def quoted(text: str) -> str:
    """The beginning of the first line, in quotes."""
    line = text.split("\n", 1)[0].strip()
    return f'"{line[:QUOTED]}…"' if len(line) > QUOTED else f'"{line}"'


def _begins(*words: str) -> Callable[[str], bool]:
    return lambda text: text[:40].lower().startswith(words)


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.match(text[:400]) is not None


def _is_table(text: str) -> bool:
    """The same number of the same separator in the first lines."""
    lines = [line for line in text.split("\n")[:4] if line.strip()]
    if len(text.split("\n")) > 4:
        lines = lines[:3]
    for separator in ",\t;|":
        counts = {line.count(separator) for line in lines}
        if len(lines) > 1 and len(counts) == 1 and counts.pop() > 0:
            return True
    return False


def _is_yaml(text: str) -> bool:
    lines = [line for line in text.split("\n")[:20] if line.strip() and line.strip()[0] != "#"]
    fits = [re.match(r"\s*(- )?[\w.\-/\"']+:(\s|$)|\s*- \S", line[:200]) for line in lines[:8]]
    return text.startswith(("---\n", "%YAML")) or (len(fits) > 1 and all(fits))


_OTLP = "use the OTLP exporter to a Collector"
_JSON = "JSON with comments or other extras"
_LOG = Foreign("a log", "spans are needed, not log lines; " + EXPORT)
# The first that fits says what the text is.
_TEXTS: Sequence[tuple[Callable[[str], bool], Foreign]] = (
    (
        _begins("<!doctype html", "<html", "<head", "<body"),
        Foreign("an HTML page", "perhaps of a login or an error; fetch the API's JSON"),
    ),
    (_matches(r"HTTP/\d"), Foreign("an HTTP reply with its headers", "fetch it without curl -i")),
    (_matches(r"<[?!a-zA-Z]"), Foreign("XML", "export as OTLP or Jaeger JSON")),
    (_begins("//", "/*"), Foreign(_JSON, "write plain JSON")),
    (_begins("{'", "[{'"), Foreign("a Python value, not JSON", "write it with json.dumps")),
    (_matches(r"[\[{]\s*\w+: "), Foreign("JavaScript as a console exporter prints it", _OTLP)),
    (_matches(r"# (HELP|TYPE) "), Foreign("Prometheus metrics", "metrics are no spans")),
    (_matches(r"digraph |graph |strict "), Foreign("a DOT graph")),
    (_matches(r"(\[?\d{4}-\d\d-\d\d[T ]|\[?\d\d?:\d\d:\d\d|\w{3} [ \d]\d \d\d:\d\d:)"), _LOG),
    (_matches(r"(\d+\.){3}\d+ \S+ \S+ \["), _LOG),
    (_matches(r"\W{0,2}(DEBUG|INFO|WARN|WARNING|ERROR|TRACE|FATAL)\b"), _LOG),
    (_matches(r"(?i)\[(debug|info|warn|warning|error|trace|fatal)\]"), _LOG),
    (_matches(r"\w+=\S+ \w+="), _LOG),
    (_is_table, Foreign("a table (CSV)", TABLE)),
    (_is_yaml, Foreign("YAML", "configuration? " + EXPORT)),
)
