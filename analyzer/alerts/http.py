"""Posts to receivers that may be slow, down, endless or elsewhere than they say."""

from __future__ import annotations

import email.utils
import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3

TIMEOUT = 10.0  # seconds for everything
READ = 64 << 10  # bytes of an answer that are looked at


class Refusal(Exception):
    """The receiver will never take this; sending it again changes nothing."""


class Later(Exception):
    """The receiver cannot take this at present; `after_s` is how long it asks to wait."""

    def __init__(self, detail: str, after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Post:
    """One request to send."""

    url: str
    body: bytes
    headers: Mapping[str, str]


def send(post: Post, *, link_local: bool = False) -> bytes:
    """Send a request; the first `READ` bytes of the answer. Raises Refusal, Later."""
    _check_address(post.url, link_local)
    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=TIMEOUT))
    until = time.monotonic() + TIMEOUT
    try:
        answer = pool.request(
            "POST", post.url, body=post.body, headers=dict(post.headers),
            redirect=False, preload_content=False,
        )  # fmt: skip
        try:
            told = _read(answer, until)
        finally:
            answer.close()
    except urllib3.exceptions.HTTPError as error:
        raise Later(f"{type(error).__name__}: {error}") from error
    finally:
        pool.clear()
    _judge(answer, told)
    return told


def _read(answer: urllib3.BaseHTTPResponse, until: float) -> bytes:
    """At most `READ` bytes, and no longer than the timeout: an answer may come byte by byte."""
    told = b""
    while len(told) < READ and time.monotonic() < until:
        piece = answer.read(min(4096, READ - len(told)), decode_content=False)
        if not piece:
            break
        told += piece
    return told


def _judge(answer: urllib3.BaseHTTPResponse, told: bytes) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    detail = f"HTTP {status}: {told[:200].decode(errors='replace')}"
    if status in (408, 425, 429) or status >= 500:
        raise Later(detail, _retry_after(answer.headers.get("retry-after", "")))
    if 300 <= status < 400:
        detail = f"HTTP {status}: redirects are not followed; configure {_target(answer)}"
    raise Refusal(detail)


def _target(answer: urllib3.BaseHTTPResponse) -> str:
    return str(answer.headers.get("location", "the final address"))[:200]


def _retry_after(text: str) -> float:
    """Seconds, from a number or a date; 0 where neither."""
    if text.isdigit():
        return float(min(int(text), 3600))
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return min(max(0.0, at.timestamp() - time.time()), 3600.0)


def _check_address(url: str, link_local: bool) -> None:
    """Link-local addresses are where clouds keep their credentials. Raises Refusal, Later."""
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise Refusal(f"{url[:80]!r} is no http or https address")
    if link_local:
        return
    try:
        places = socket.getaddrinfo(found.hostname, found.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Later(f"{found.hostname} is unknown: {error}") from error
    for place in places:
        address = ipaddress.ip_address(str(place[4][0]).partition("%")[0])
        if address.is_link_local:
            raise Refusal(
                f"{found.hostname} is link-local ({address}); allow_link_local permits it"
            )
