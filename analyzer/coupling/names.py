"""What a name says: an order to do something, an answer, a gateway, a write to a database."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
_VERSION = re.compile(r"^v\d+$")
_MAX_NAME = 300  # a longer name is data, not a name; reading it costs more than it tells


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words of transport and place, which say nothing about the intent.
_NOISE = _set("com org net io topic queue stream channel exchange dev test staging prod")
_OPENLY_COMMAND = _set("command commands cmd cmds")
_REQUEST = _set("request requests req")
_REPLY = _set("reply replies response responses rsp resp answer answers ack acks")
_EVENT = _set("event events evt evts notification notifications")
# Past participles that do not end in -ed: an event is told in the past.
_IRREGULAR = _set(
    "sent paid made built taken found lost begun done sold bought written chosen given held left "
    "met won withdrawn broken frozen drawn known shown thrown undone kept gone born hidden"
)
_NOT_PAST = _set("need feed speed seed embed shed bed red breed exceed proceed succeed")
# Verbs that are hardly ever used as nouns in names.
_VERBS = _set(
    "accept activate add allocate approve arrange assign authorize authorise calculate cancel "
    "capture close collect complete compute confirm create deactivate debit decline delete deliver "
    "deny dispatch do enable disable execute fetch fulfil fulfill generate get handle initiate "
    "insert invoke make mark move notify open pay perform persist place prepare process provision "
    "publish reject remove renew reserve resolve restore retry revoke run save send settle start "
    "stop submit subscribe update upload validate verify write"
)
# Verbs that are nouns as well ("refund", "order"): they count where an object follows.
_NOUN_VERBS = _set(
    "bill block book charge check credit email index invoice issue lock mail order pack pick print "
    "quote rate refund register release report review route schedule ship sign store sync track "
    "transfer unblock unlock void withdraw"
)
_GATEWAY = _set("gateway gw frontend proxy ingress envoy nginx haproxy traefik bff web")
_BROKER = _set("kafka rabbitmq activemq pulsar nats broker eventbridge sqs sns")
_SCHEDULER = _set("scheduler cron cronjob quartz airflow locust")
_JOINED = ("gateway", "frontend", "loadgen", "loadbalancer", "scheduler")
_WRITE = _set(
    "insert insertone insertmany update updateone updatemany delete deleteone deletemany merge "
    "upsert replace replaceone truncate create drop alter findandmodify findoneandupdate "
    "findoneandreplace findoneanddelete bulkwrite bulk set setex setnx mset hset hmset hdel del "
    "unlink incr incrby decr decrby hincrby lpush rpush lpop rpop sadd srem zadd zrem expire put "
    "putitem updateitem deleteitem batchwriteitem save persist write xadd"
)
_READ = _set(
    "select find findone query get mget hget hmget hgetall lrange llen smembers sismember zrange "
    "exists scan keys ttl count countdocuments aggregate distinct search getitem batchgetitem "
    "read ping info show describe explain connect xread"
)


def words(name: str) -> list[str]:
    """The lower-case words of a name: split at punctuation, digits and camel humps."""
    return [word.lower() for word in _WORD.findall(name[:_MAX_NAME])]


def _is_past(word: str) -> bool:
    regular = len(word) > 3 and word.endswith("ed") and word not in _NOT_PAST
    return regular or word in _IRREGULAR


def _segments(name: str) -> list[list[str]]:
    """Words of each part between dots, slashes, colons and blanks; versions and places left out."""
    parts = [part for part in re.split(r"[./: ]+", name[:_MAX_NAME]) if not _VERSION.match(part)]
    kept = [[word for word in words(part) if word not in _NOISE] for part in parts]
    return [part for part in kept if part]


@lru_cache(maxsize=20_000)
def is_imperative(name: str) -> bool:
    """Whether a message's name orders ("ReserveStock", "payments.capture") and does not tell.

    An object may follow the verb or come before it. A past participle ("stock.reserved") or
    the word "event" tells, whatever else is in the name.
    """
    segments = _segments(name)
    flat = [word for part in segments for word in part]
    if not flat or any(_is_past(word) or word in _EVENT or word in _REPLY for word in flat):
        return False
    if any(word in _OPENLY_COMMAND or word in _REQUEST for word in flat):
        return True
    starts = [part[0] for part in segments]
    orders_object = any(part[0] in _NOUN_VERBS and len(part) > 1 for part in segments)
    return flat[-1] in _VERBS or any(word in _VERBS for word in starts) or orders_object


@lru_cache(maxsize=20_000)
def is_open_command(name: str) -> bool:
    """Whether the name says itself that it is a command or a request, as an honest command does."""
    return any(word in _OPENLY_COMMAND or word in _REQUEST for word in words(name))


@lru_cache(maxsize=20_000)
def is_reply(name: str) -> bool:
    """Whether a destination's name says that answers come over it."""
    return any(word in _REPLY for word in words(name))


@lru_cache(maxsize=20_000)
def is_relay(service: str) -> bool:
    """Whether a service's name says gateway, broker or scheduler: it passes on, decides nothing."""
    parts = words(service)
    if any(word in _GATEWAY or word in _BROKER or word in _SCHEDULER for word in parts):
        return True
    joined = "".join(parts)
    return any(word in joined for word in _JOINED)


@lru_cache(maxsize=20_000)
def writes(operation: str) -> bool | None:
    """Whether a database span's name tells a write (True), a read (False) or neither (None).

    "INSERT shop.orders" has its verb first, "orders.insert" has it last. SQL's WITH and CALL,
    and names of one's own, tell neither.
    """
    parts = re.split(r"[^A-Za-z]+", operation[:_MAX_NAME].strip().lower())
    parts = [part for part in parts if part]
    for part in (parts[0], parts[-1]) if parts else ():
        if part in _WRITE or part in _READ:
            return part in _WRITE
    return None
