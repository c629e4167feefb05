"""Bodies: unpacked within bounds however they arrive; what all of them hold is counted."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hostile import gzip_bomb, zstd_bomb
from collectors.receivers import bodies
from collectors.receivers.bodies import Body, unpacked
from collectors.receivers.budget import PARTS, SMALL, Budget
from collectors.receivers.refusals import Refused, Why
from collectors.store.log import Overloaded

MB = 1 << 20
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "": bytes,
}


def arrived(sent: bytes, encoding: str, step: int, limit: int) -> Body:
    return arriving(Body(encoding, limit), sent, step)


def arriving(body: Body, sent: bytes, step: int) -> Body:
    for at in range(0, len(sent), step):
        if body.add(sent[at : at + step]):
            body.look()
    return body


@given(
    parts=st.lists(st.binary(max_size=3000), max_size=4),
    encoding=st.sampled_from(sorted(PACK)),
    step=st.integers(1, 4000),
    kept=st.integers(0, 5000),
    repeated=st.integers(1, 40),
)
def test_however_it_arrives_a_body_is_the_same(
    parts: list[bytes], encoding: str, step: int, kept: int, repeated: int
) -> None:
    """Every member of it, in pieces of any size, kept from the first or measured before."""
    plain = b"".join(parts) * repeated
    sent = b"".join(PACK[encoding](part * repeated) for part in parts)
    if not sent and encoding:
        return
    whole = b"".join(part * repeated for part in parts)
    with patch.multiple(bodies, KEPT=kept, LOOK=300, AHEAD=200):
        body = arrived(sent, encoding, step, len(plain) + len(sent) + 1)
        assert body.measured()
        assert (body.plain(), body.size, body.sent()) == (whole, len(whole), sent)


@given(
    size=st.integers(0, 40_000),
    encoding=st.sampled_from(["gzip", "zstd"]),
    step=st.integers(1, 4000),
    kept=st.integers(0, 50_000),
)
def test_the_limit_holds_to_the_byte(size: int, encoding: str, step: int, kept: int) -> None:
    """`size` bytes are taken where the limit is `size`, and refused where it is one less."""
    sent = PACK[encoding](bytes(size))
    with patch.object(bodies, "KEPT", kept):
        body = arrived(sent, encoding, step, max(size, len(sent)))
        assert body.measured()
        assert body.plain() == bytes(size)
        if size > len(sent):
            with pytest.raises(Refused) as refused:
                unpacked(sent, encoding, size - 1)
            assert refused.value.why is Why.TOO_LARGE


@pytest.mark.parametrize(
    ("encoding", "zeros"),
    [("gzip", gzip_bomb(2 << 30)), ("zstd", zstd_bomb(2 << 30))],
    ids=["gzip", "zstd"],
)
def test_a_bomb_is_seen_before_all_of_it_has_come(encoding: str, zeros: bytes) -> None:
    """4 MB of noise, then zeros: refused soon after the first zeros."""
    noise = random.Random(1).randbytes(4 * MB)
    sent = PACK[encoding](noise) + zeros + noise * 4
    body = Body(encoding, 64 * MB)
    with pytest.raises(Refused, match="more than"):
        arriving(body, sent, 1 << 16)
    assert len(body.sent()) < 6 * MB


def test_small_requests_never_wait_for_large_ones() -> None:
    """Large ones have a part of the memory; of those that want more one may go on, never two."""
    budget = Budget(64 * MB)
    first, second, small = budget.share(), budget.share(), budget.share()
    with first, second:
        first.grow(budget.total // PARTS - 8 * MB)
        second.grow(8 * MB)
        second.grow(60 * MB)  # beyond: it is the first that needs to
        with pytest.raises(Overloaded):
            first.grow(MB)
        with small:
            small.grow(SMALL)
        second.shrink(0)
        first.grow(MB)
    assert budget.held == 0


def test_no_more_is_held_than_there_is() -> None:
    """Small ones are refused too where everything is taken; what is given back can be taken."""
    budget = Budget(64 * MB)
    shares = [budget.share() for _ in range(budget.total // SMALL)]
    for share in shares:
        share.grow(SMALL)
    with pytest.raises(Overloaded):
        budget.share().grow(1)
    shares[0].shrink(SMALL - 1)
    budget.share().grow(1)
    assert budget.held == budget.total
