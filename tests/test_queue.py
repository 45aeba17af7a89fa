"""Which texts are read and scored next, of the searches that wait."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from bridge.queue import CHUNK_TOKENS, Batch, Queue, Search, Unread
from tests.doubles.small_models import tokens


def search(texts: Sequence[str], query_text: str = "", deadline: float = math.inf) -> Search:
    """A search, estimated at a token for each character."""
    unread = deque(Unread(text.encode(), text, len(text)) for text in texts)
    places = {text.encode(): [place] for place, text in enumerate(texts)}
    total = sum(map(len, texts))
    return Search(query_text, "", deadline, [None] * len(texts), places, unread, waiting_tokens=total)


def read_all(queue: Queue, *searches: Search) -> None:
    """Takes the searches in and reads them whole."""
    for entry in searches:
        queue.add(entry)
    while (chunk := queue.next_chunk(1_000, 1_000)) is not None:
        read_chunk(*chunk)


def read_chunk(entry: Search, chunk: Sequence[Unread]) -> None:
    entry.put_read(chunk, [tokens(entry.query_text, text.text) for text in chunk])


def shown(batch: Batch | None) -> list[str]:
    return [] if batch is None else [text.key.decode() for _, text in batch.texts]


async def test_what_a_search_shares_is_computed_with_its_first_batch() -> None:
    """The query's tokens count once, not again in each batch."""
    queue, entry = Queue(), search(["aa", "bb", "cc", "dd", "ee"], query_text="query")
    read_all(queue, entry)
    batches = [queue.next_batch(9, lambda _: math.inf) for _ in range(3)]
    assert [shown(batch) for batch in batches] == [["aa", "bb"], ["cc", "dd", "ee"], []]
    assert [batch.tokens for batch in batches if batch is not None] == [9, 6]


async def test_texts_of_others_do_not_make_an_urgent_search_late() -> None:
    """A batch takes in no more than is done by the nearest deadline in it."""
    queue = Queue()
    patient, urgent = search(["ccc", "ddd", "eee"], deadline=90.0), search(["aaa", "bbb"], deadline=10.0)
    read_all(queue, patient, urgent)
    assert shown(queue.next_batch(100, lambda deadline: deadline)) == ["aaa", "bbb", "ccc"]
    assert shown(queue.next_batch(100, lambda deadline: deadline)) == ["ddd", "eee"]


async def test_a_search_that_can_not_go_on_in_time_is_answered() -> None:
    """Not before its texts under way are scored, and what waits of it goes with it."""
    queue, entry = Queue(), search(["a", "b", "c" * 50, "d"], deadline=10.0)
    read_all(queue, entry)
    assert shown(queue.next_batch(100, lambda deadline: deadline)) == ["a", "b"]
    assert queue.next_batch(100, lambda deadline: deadline) is None
    assert (entry.done.done(), entry.waiting_pairs) == (False, 2)
    entry.under_way = 0
    assert queue.next_batch(100, lambda deadline: deadline) is None
    assert (entry.done.done(), entry.waiting_pairs, queue.tokens) == (True, 0, 0)


async def test_reading_goes_ahead_of_the_model_by_so_many_batches() -> None:
    """Chunk by chunk, the most urgent search first, until two batches are filled; one search fills one at most."""
    queue = Queue()
    for texts, deadline in (("abcdefgh", 2.0), ("ABCDEFGH", 1.0), ("xyz", 3.0)):
        entry = search([letter * 5 for letter in texts], deadline=deadline)
        entry.unread = deque(text._replace(tokens=CHUNK_TOKENS // 3) for text in entry.unread)
        queue.add(entry)
    read = []
    while (chunk := queue.next_chunk(20, 2)) is not None:
        read_chunk(*chunk)
        read.append("".join(text.text[0] for text in chunk[1]))
    assert read == ["ABC", "DEF", "GH", "abc", "def", "gh"]


async def test_a_text_that_is_longer_than_a_chunk_is_read_alone() -> None:
    """It does not wait for ever, and does not hold up the short ones before it."""
    queue, entry = Queue(), search(["a", "b", "c"])
    entry.unread = deque(
        text._replace(tokens=tokens) for text, tokens in zip(entry.unread, (10, 2 * CHUNK_TOKENS, 10), strict=True)
    )
    queue.add(entry)
    read = []
    while (chunk := queue.next_chunk(1_000, 2)) is not None:
        read_chunk(*chunk)
        read.append([text.text for text in chunk[1]])
    assert read == [["a"], ["b"], ["c"]]


async def test_what_waits_is_counted_as_it_goes() -> None:
    """Texts and tokens that are not begun: estimated, then as read, then less what was begun."""
    queue, entry = Queue(), search(["aa", "bb", "cc"])
    entry.waiting_tokens, entry.unread = 30, deque(text._replace(tokens=10) for text in entry.unread)
    queue.add(entry)
    counted = [(queue.pairs, queue.tokens)]
    chunk = queue.next_chunk(40, 2)
    assert chunk is not None
    counted.append((queue.pairs, queue.tokens))
    read_chunk(*chunk)
    counted.append((queue.pairs, queue.tokens))
    queue.next_batch(2, lambda _: math.inf)
    counted.append((queue.pairs, queue.tokens))
    queue.discard(entry)
    counted.append((queue.pairs, queue.tokens))
    assert counted == [(3, 30), (3, 30), (3, 6), (2, 4), (0, 0)]


async def test_what_is_read_after_its_search_was_dropped_is_not_kept() -> None:
    """A client that leaves while its texts are read leaves nothing behind."""
    queue, entry = Queue(), search(["a", "b"])
    queue.add(entry)
    chunk = queue.next_chunk(100, 2)
    assert chunk is not None
    queue.discard(entry)
    read_chunk(*chunk)
    assert (list(entry.read), entry.waiting_pairs, entry.waiting_tokens) == ([], 0, 0)
