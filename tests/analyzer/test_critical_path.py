"""The critical path: laws over any steps and links, and the cases that people argue about."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analyzer.critical_path import WAIT, WORK, Link, critical_path

times = st.tuples(st.integers(0, 60), st.integers(0, 30)).map(lambda t: (t[0], t[0] + t[1]))


@st.composite
def instances(draw: st.DrawFn) -> tuple[dict[int, tuple[int, int]], list[Link]]:
    """Any steps, with any links between them: cycles, clocks that differ, doubled links."""
    steps = dict(enumerate(draw(st.lists(times, min_size=1, max_size=12))))
    keys = st.sampled_from(sorted(steps))
    sure = st.sampled_from([0.5, 0.9, 1.0])
    return steps, draw(st.lists(st.builds(Link, keys, keys, st.booleans(), sure), max_size=30))


@given(instances())
def test_the_parts_add_up_to_the_time_from_the_first_to_the_end(
    case: tuple[dict[int, tuple[int, int]], list[Link]],
) -> None:
    steps, links = case
    path = critical_path(steps, links)
    assert all(part.start_ns < part.end_ns for part in path)
    assert all(a.end_ns == b.start_ns for a, b in pairwise(path))
    if path:
        assert path[-1].end_ns == max(end for _, end in steps.values())


@given(instances())
def test_it_only_goes_along_links(case: tuple[dict[int, tuple[int, int]], list[Link]]) -> None:
    """A wait lies on its link; work lies inside its step, or after it where clocks differ."""
    steps, links = case
    known = {(link.source, link.target) for link in links}
    for part in critical_path(steps, links):
        if part.kind == WAIT:
            assert (part.source, part.step) in known
            assert part.start_ns >= steps[part.source or 0][1] or part.start_ns == part.end_ns
        else:
            assert part.end_ns <= steps[part.step][1]
            assert part.start_ns >= min(steps[part.step][0], part.end_ns)


@given(instances(), st.randoms(use_true_random=False))
def test_the_order_of_the_links_does_not_matter(
    case: tuple[dict[int, tuple[int, int]], list[Link]], random: object
) -> None:
    steps, links = case
    other = list(links)
    random.shuffle(other)  # type: ignore[attr-defined]
    turned = dict(reversed(list(steps.items())))
    assert critical_path(turned, other) == critical_path(steps, links)


chains = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=20)


@given(chains)
def test_a_chain_of_messages_is_its_own_path(parts: list[tuple[int, int]]) -> None:
    """Of messages one after the other all is told: each wait and each step."""
    at, steps = 0, {}
    for number, (wait, work) in enumerate(parts):
        at += wait
        steps[number] = (at, at + work)
        at += work
    links = [Link(n, n + 1, False) for n in range(len(parts) - 1)]
    told = [(part.kind, part.end_ns - part.start_ns) for part in critical_path(steps, links)]
    expected = [(WORK, parts[0][1])]
    for wait, work in parts[1:]:
        expected += [(WAIT, wait)] * bool(wait) + [(WORK, work)]
    assert told == expected


def test_at_a_join_the_last_arrival_was_waited_for() -> None:
    steps = {0: (0, 10), 1: (0, 40), 2: (50, 60)}
    path = critical_path(steps, [Link(0, 2, False), Link(1, 2, False)])
    assert [(p.kind, p.step, p.source) for p in path] == [
        (WORK, 1, None),
        (WAIT, 2, 1),
        (WORK, 2, None),
    ]


def test_of_parallel_calls_the_one_that_returned_last_counts() -> None:
    """CRISP, figure 4: the parent works before and after, the shorter call hides behind."""
    steps = {0: (0, 100), 1: (10, 40), 2: (15, 80)}
    path = critical_path(steps, [Link(0, 1, True), Link(0, 2, True)])
    assert [(p.step, p.start_ns, p.end_ns) for p in path] == [(0, 0, 15), (2, 15, 80), (0, 80, 100)]


def test_calls_one_after_the_other_are_all_told() -> None:
    steps = {0: (0, 100), 1: (10, 40), 2: (50, 80)}
    path = critical_path(steps, [Link(0, 1, True), Link(0, 2, True)])
    assert [p.step for p in path] == [0, 1, 0, 2, 0]


def test_a_message_does_not_make_its_sender_wait() -> None:
    """A consumer that ends inside its sender's span is no part of the sender's time."""
    steps = {0: (0, 100), 1: (10, 40)}
    assert [p.step for p in critical_path(steps, [Link(0, 1, False)])] == [0]


def test_nothing_has_no_path() -> None:
    assert critical_path({}, []) == ()
