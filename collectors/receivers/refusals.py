"""Why a request is not taken, in the words of both transports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Status:
    """One outcome: HTTP's status and the code of google.rpc (and of gRPC)."""

    http: int
    rpc: int
    again: bool = False  # the client should send the request again
    what: str = ""  # tells apart what has the same codes


class Why(Enum):
    """The reasons there are."""

    MALFORMED = Status(400, 3)  # INVALID_ARGUMENT: sending it again changes nothing
    TOO_LARGE = Status(413, 8)  # RESOURCE_EXHAUSTED without RetryInfo: the same
    UNKNOWN_TYPE = Status(415, 3)
    UNKNOWN_PATH = Status(404, 12)
    WRONG_METHOD = Status(405, 12)
    NO_TOKEN = Status(401, 16)
    FOREIGN_HOST = Status(403, 7)
    READ_ONLY = Status(403, 7, what="may not")
    LARGE_HEADERS = Status(431, 8)
    TOO_SLOW = Status(408, 4)
    UNAVAILABLE = Status(503, 14, again=True)  # never 500, which clients do not send again


class Refused(Exception):
    """The request was not taken, and nothing of it is stored."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail
