"""A replay as it might have been: a shop's searches, made from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from bridge.replay.answers import Answer, ShownHit, no_answer
from bridge.replay.clicks import Clicked, ClickedPages, Clicks
from bridge.replay.judged import JudgedPages
from bridge.replay.records import BrokenPlace, Record, Run
from bridge.replay.summary import Summary, SummaryOptions, summarise

RUN = Run(
    ("ubi_queries.jsonl.gz",),
    ("direct", "bridged"),
    {
        "limit": "None",
        "sample": "1.0",
        "unique": "True",
        "since_s": "None",
        "index": "products",
        "system direct": "127.0.0.1:9200",
        "system bridged": "127.0.0.1:9400",
    },
    "2026-11-24T16:20:00+00:00",
)
_MAKERS = ("Logitech", "HP", "Samsung", "Lenovo", "Canon", "Sony", "Kärcher", "Philips", "Bosch", "TP-Link")
_KINDS = (
    "wireless mouse",
    "laser printer",
    "monitor",
    "laptop sleeve",
    "ink cartridge",
    "headphones",
    "router",
    "drill",
)
_EXTRAS = (
    "black",
    "with USB-C",
    "27 inch, 2560 x 1440 pixels, height adjustable",
    "refurbished",
    "pack of 2",
    "white",
    "",
)
_SKIPPED = ("no-query-text", "sorted", "size-zero", "too-few-hits", "deadline")
_WINDOW = 100


def records(count: int = 400, seed: int = 7) -> list[Record]:
    """Two systems' answers to each search."""
    chance = random.Random(seed)
    return [_record(chance, number) for number in range(count)]


def _record(chance: random.Random, number: int) -> Record:
    kind = chance.choice(_KINDS)
    words = f"{chance.choice(_MAKERS).lower()} {kind}" if chance.random() < 0.6 else kind
    window = list(_window(chance, kind))
    at_s = 1_795_000_000.0 + number * 0.31
    before_ms = chance.lognormvariate(2.2, 0.5)
    first = Answer(200, before_ms, before_ms, total=4_000, hits=tuple(map(_plain, window[:10])))
    return Record(
        number,
        f"ubi_queries.jsonl.gz:{number + 1}",
        str(number),
        "/products/_search",
        (first, _bridged(chance, window, before_ms)),
        words,
        f"query-{number}",
        max(1, int(chance.paretovariate(1.1))),
        sent_s=at_s,
    )


def _window(chance: random.Random, kind: str) -> Iterator[ShownHit]:
    for rank in range(1, _WINDOW + 1):
        title = f"{chance.choice(_MAKERS)} {kind} {chance.randrange(100, 999)} {chance.choice(_EXTRAS)}".strip()
        number = str(chance.randrange(10**6, 10**8))
        passage = f"title: {title}\ndescription: The {kind} for home and office. " + "It does what it is for. " * 9
        yield ShownHit("products", number, round(30 - rank * 0.17, 4), title, rank, passage, f"ean-{number}")


def _bridged(chance: random.Random, window: list[ShownHit], before_ms: float) -> Answer:
    draw = chance.random()
    upstream, score, own = before_ms * 1.4, chance.lognormvariate(3.0, 0.7), chance.uniform(0.4, 1.2)
    whole = round(upstream + score + own, 3)
    if draw < 0.003:
        return no_answer("the connection was closed", whole, whole)
    if draw < 0.2:
        reason = chance.choice(_SKIPPED)
        return Answer(
            200,
            upstream,
            upstream,
            fate="skipped",
            reason=reason,
            parts_ms={"upstream": upstream},
            total=4_000,
            hits=tuple(_plain(hit) for hit in window[:10]),
        )
    spread = chance.choice((0.5, 2.0, 6.0, 14.0))
    order = sorted(range(_WINDOW), key=lambda place: place + chance.gauss(0, spread) * (1 + place / 20))
    return Answer(
        200,
        whole,
        whole,
        fate="applied",
        reason="deadline" if draw > 0.97 else "",
        parts_ms={"upstream": upstream, "score": score, "bridge": own},
        total=4_000,
        hits=tuple(islice((window[place] for place in order), 10)),
    )


def _plain(hit: ShownHit) -> ShownHit:
    return ShownHit(hit.index, hit.id, hit.score, hit.title, object_id=hit.object_id)


def whole_summary(changed: int = 100) -> Summary:
    """With judgments, clicks and places that could not be read."""
    made = records()
    chance = random.Random(3)
    qrels = {
        f"query-{record.number}": {hit.id: 1 for hit in record.answers[-1].hits[:6] if chance.random() < 0.4}
        or {"x": 1}
        for record in made[:135]
    }
    events = {
        record.query_id: [
            Clicked(hit.object_id, "bought" if chance.random() < 0.2 else "clicked", rank)
            for rank, hit in enumerate(record.answers[0].hits, start=1)
            if chance.random() < 0.5 / rank
        ]
        for record in made
    }
    looked_at = {rank: round(rank**-0.8, 4) for rank in range(1, 11)}
    options = SummaryOptions(
        changed=changed, judged=JudgedPages(qrels, {}), clicked=ClickedPages(Clicks(events, looked_at))
    )
    broken = [
        BrokenPlace(900 + place, f"ubi_queries.jsonl.gz:{900 + place}", "no JSON: unexpected end") for place in range(3)
    ]
    return summarise(RUN, made, broken, options)
