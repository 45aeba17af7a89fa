"""Who gets what: modes, shares, the client's own word, and coins that are fair and always the same."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.modes import (
    INTERLEAVED,
    LEFT_OUT,
    RERANKED,
    SHADOWED,
    SWITCHED_OFF,
    Lane,
    Mode,
    Rollout,
    Steering,
    Switch,
    flips,
    left_alone,
    point,
)
from connectors.base import Headers, Reason, Request

OFF = Lane(Reason.MODE_OFF)
INSIDE = 20_000


def asked(*headers: tuple[str, str]) -> Request:
    return Request("POST", "/i/_search", headers)


LANES: list[tuple[Mode, str, Lane]] = [
    ("on", "", RERANKED),
    ("on", "shadow", SHADOWED),
    ("off", "", OFF),
    ("off", "on", OFF),
    ("off", "shadow", OFF),
    ("shadow", "", SHADOWED),
    ("shadow", "on", RERANKED),
    ("shadow", "explain, on", RERANKED),
    ("canary", "", RERANKED),
    ("canary", "shadow", SHADOWED),
    ("interleave", "", INTERLEAVED),
    ("interleave", "on", RERANKED),
    ("interleave", "explain", INTERLEAVED),
]


@pytest.mark.parametrize(("mode", "word", "lane"), LANES)
def test_each_mode_and_each_word(mode: Mode, word: str, lane: Lane) -> None:
    """The client's word wins over the mode, but never over one that is off."""
    steering = Steering(lambda _: Rollout(mode, 1.0))
    request = asked(*([("X-Rerank", word)] if word else []))
    assert steering.lane(request, ("i",), "red shoes") == lane
    assert steering.early_reason(request, [("i",)]) == lane.reason


@pytest.mark.parametrize(("mode", "inside"), [("canary", RERANKED), ("shadow", SHADOWED), ("interleave", INTERLEAVED)])
@pytest.mark.parametrize("header", ["", "X-User"])
def test_a_share_is_about_as_large_as_it_says(mode: Mode, inside: Lane, header: str) -> None:
    """Of many users, or many words, and the others are left alone; a client that asks for reranking gets it."""
    rollout = Rollout(mode, 0.3, header)
    keys = [f"user {number}" for number in range(INSIDE)]
    lanes = [rollout.lane(asked(("x-user", key)), set(), "the same" if header else key) for key in keys]
    assert set(lanes) == {inside, LEFT_OUT}
    assert lanes.count(inside) / INSIDE == pytest.approx(0.3, abs=0.01)
    assert {rollout.lane(asked(("x-user", key)), {"on"}, key) for key in keys[:20]} == {RERANKED}


@given(key=st.text(), words=st.text(), smaller=st.floats(0, 1), larger=st.floats(0, 1))
def test_one_user_sees_one_system(key: str, words: str, smaller: float, larger: float) -> None:
    """Whatever is searched for; and who is in a share stays in it when it grows."""
    smaller, larger = sorted((smaller, larger))
    headers: Headers = (("X-User", key),)
    lane = Rollout("canary", smaller, "X-User").lane(asked(*headers), set(), words)
    if key:
        assert lane == Rollout("canary", smaller, "X-User").lane(asked(*headers), set(), "other words")
    if lane == RERANKED:
        assert Rollout("canary", larger, "X-User").lane(asked(*headers), set(), words) == RERANKED
    assert Rollout("canary", 0.0, "X-User").lane(asked(*headers), set(), words) == LEFT_OUT
    assert Rollout("canary", 1.0, "X-User").lane(asked(*headers), set(), words) == RERANKED


def test_points_are_the_same_on_every_machine() -> None:
    """Several bridges, and one after a restart, agree: these values never change."""
    assert [round(point(key), 6) for key in ("", "alice", "\udcff")] == [0.893168, 0.304366, 0.805166]


def test_words_that_look_alike_are_alike() -> None:
    """Case and white space don't move a search from one system to the other."""
    rollout = Rollout("canary", 0.5)
    for number in range(50):
        lanes = {rollout.lane(asked(), set(), text.format(number)) for text in ("Red Shoes {}", " red  shoes {}")}
        assert len(lanes) == 1


def test_what_is_known_before_the_words_are() -> None:
    """A header decides at once; without it, a share has to wait for the words, and a whole mode does not."""
    request = asked(("X-User", "alice"))
    shadow, of_user, of_words = Rollout("shadow"), Rollout("shadow", 0.01, "X-User"), Rollout("shadow", 0.5)
    assert shadow.early_lane(request, set()) == SHADOWED
    assert of_user.early_lane(request, set()) == LEFT_OUT
    assert of_user.early_lane(asked(), set()) is None
    assert of_words.early_lane(request, set()) is None


def test_the_switch_wins_over_everything() -> None:
    """No word of a client and no mode keeps a search from being left alone."""
    switch = Switch()
    steering = Steering(lambda _: Rollout("on"), switch)
    assert (steering.declines(), steering.lane(asked(), (), "x")) == (None, RERANKED)
    switch.is_off = True
    assert steering.declines() is Reason.SWITCHED_OFF
    assert steering.lane(asked(("X-Rerank", "on")), (), "x") == SWITCHED_OFF


ALONE: list[tuple[list[Lane], Reason | None]] = [
    ([], None),
    ([RERANKED], None),
    ([SHADOWED, RERANKED], None),
    ([LEFT_OUT, LEFT_OUT], Reason.NOT_IN_SHARE),
    ([LEFT_OUT, SHADOWED], Reason.SHADOW),
    ([LEFT_OUT, INTERLEAVED], None),
]


@pytest.mark.parametrize(("lanes", "reason"), ALONE)
def test_a_request_is_left_alone_where_all_its_searches_are(lanes: list[Lane], reason: Reason | None) -> None:
    """One in shadow makes it worth a look."""
    assert left_alone(lanes) is reason


def test_coins_are_fair_and_always_the_same() -> None:
    """For one search every toss is the same again, past the first block of them; over searches half are heads."""
    assert list(islice(flips("a"), 2_000)) == list(islice(flips("a"), 2_000))
    assert list(islice(flips("a"), 512)) != list(islice(flips("a"), 512, 1_024))
    for toss in range(3):
        heads = sum(next(islice(flips(str(seed)), toss, None)) for seed in range(4_000))
        assert heads / 4_000 == pytest.approx(0.5, abs=0.03)


def test_coins_differ_by_user_and_not_by_page() -> None:
    """Users of the same words get other turns, so that no search is always led by one side."""
    steering = Steering(lambda _: Rollout("interleave", 1.0, "X-User"))

    def first_tosses(user: str) -> list[bool]:
        return list(islice(steering.coins(asked(("X-User", user)), ("i",), "Red shoes"), 64))

    assert first_tosses("alice") == first_tosses("alice")
    assert first_tosses("alice") != first_tosses("bob")
