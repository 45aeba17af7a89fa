"""Scores by what they depend on, within a bound of memory."""

from __future__ import annotations

import tracemalloc
from itertools import product

from bridge.score_cache import ENTRY_BYTES, ScoreCache, score_keys, window_key


def test_a_score_is_found_by_its_key() -> None:
    """What was put is what comes, zero as well; what was not put is not known."""
    cache = ScoreCache(10 * ENTRY_BYTES)
    cache.put(b"a", 1.5)
    cache.put(b"b", 0.0)
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (1.5, 0.0, None)


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    """The bound holds, and a score that is asked for stays."""
    cache = ScoreCache(2 * ENTRY_BYTES)
    cache.put(b"a", 1.0)
    cache.put(b"b", 2.0)
    assert cache.get(b"a") == 1.0
    cache.put(b"c", 3.0)
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (1.0, None, 3.0)


def test_the_bound_is_of_real_memory() -> None:
    """A full cache takes no more bytes than it was given."""
    bound = 20_000 * ENTRY_BYTES
    tracemalloc.start()
    cache = ScoreCache(bound)
    before, _ = tracemalloc.get_traced_memory()
    for number in range(40_000):
        cache.put(number.to_bytes(16, "little"), number * 1.5)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bound / 2 < after - before <= bound


def test_keys_tell_apart_all_that_a_score_depends_on() -> None:
    """Another revision, instruction, query or text is another key; where one ends and the next begins, too."""
    words = ("", "a", "ab", "b", "\ud800")
    keys = [key for revision, instruction, query in product(words, repeat=3)
            for key in score_keys(revision, instruction, query, words)]  # fmt: skip
    assert len(set(keys)) == len(words) ** 4


def test_equal_texts_have_equal_keys() -> None:
    """A text that stands twice has one key, in the order of the texts."""
    first, second, third = score_keys("r", "", "q", ["x", "y", "x"])
    assert first == third != second


def test_a_window_is_known_by_its_texts_and_their_order() -> None:
    """Another instruction, query, text, order or border between texts is another window."""
    windows = [("", "q", ["a", "b"]), ("i", "q", ["a", "b"]), ("", "p", ["a", "b"]), ("", "q", ["b", "a"]),
               ("", "q", ["ab", ""]), ("", "q", ["a", "b", ""]), ("q", "", ["a", "b"])]  # fmt: skip
    assert len({window_key(asked, texts) for *asked, texts in windows}) == len(windows)
