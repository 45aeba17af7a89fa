"""The pages of the documentation that are made from the code, so that they can't be out of date."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bridge import metrics_page, reference_solr
from bridge.config import Config
from bridge.config_sources import ENVIRONMENT_PREFIX
from bridge.headers import MAX_INSTRUCTION_CHARS
from bridge.index_config import IndexConfig, KeepTopConfig, StageConfig, TextFieldConfig
from bridge.operation_config import READ_AT_START, OperationConfig
from connectors import _highlight, _mapping, _pipelines, reasons
from connectors.base import Reason
from connectors.query_text import CLAUSE_KINDS, RETRIEVER_KINDS, QueryText, manual_page, read

_MADE = "<!-- Made by scripts/docs from the code; change it there. -->\n"
_FLAGS = ("upstream", "engine", "listen", "model", "device", "precision", "window", "mode", "admin_listen")

_CONFIGURATION = """# Configuration
{made}
Every setting can be given in a file (`--config bridge.yaml` or `bridge.toml`), as an environment variable, and the most
common ones as an option of the command line. The command line wins over the environment, and the environment over the
file. All mistakes are reported at once.

```yaml
upstream: http://localhost:9200
window: 100
model: embedded:30,mixedbread-ai/mxbai-rerank-base-v2
indices:
  - pattern: logs-*
    mode: off
  - pattern: shop-*
    model: mixedbread-ai/mxbai-rerank-base-v2
    window: 50
    instruction: Prefer products that can be bought over their accessories.
    exact_fields: sku
    keep_top: 1/3
    text_fields:
      - name: title
      - name: description
        label: description
        max_chars: 2000
```

## Settings

| setting | default | option and variable | what it does |
| --- | --- | --- | --- |
{settings}

## Entries of `model`

One model, or several that score one after the other, each what the one before it likes best. In one line they are
separated by commas, each but the last with the number of texts that it keeps: `embedded:30,FOLDER`. In a file they may
be a list of entries.

| setting | default | what it does |
| --- | --- | --- |
{stages}

## Entries of `indices`

What is wanted otherwise for the indices that match a pattern. Every setting that an entry leaves out is that of all.

A search is read by one entry: the first whose pattern matches one of the names that the search has, as it has them:
index, alias, data stream, pattern or `cluster:index`. So put first what shall win where one search names several
indices, and name what clients name: the engine knows which indices an alias or `shop-*` stands for, the bridge does
not. A search of everything, without a name, of `_all` or of `*`, is matched as `_all`. Names with a minus before them,
which take indices out, don't count. An entry with the pattern `*` matches every search; what stands behind it has no
turn.

A model that several entries name is loaded once; one that no search can get is not loaded. `rerank-bridge check`, and
the line that says that the bridge is ready, tell which models score for which indices.

| setting | default | what it does |
| --- | --- | --- |
{indices}

## Hits that must not fall

Pinned hits of Elasticsearch (`pinned` and `rule`, in queries and retrievers) keep their places, their scores and so
`max_score`, without any setting. Behind them come hits of which one of the `exact_fields` is the query text, in
first-stage order; then the order of the models, in which `keep_top` holds as far as room is left. All this concerns
hits in the window. The scores that are written fall down the page whatever is moved: they belong to the places.

## Entry of `keep_top`

| setting | default | what it does |
| --- | --- | --- |
{keep_top}

## Entries of `text_fields`

| setting | default | what it does |
| --- | --- | --- |
{text_fields}
"""

_WHAT_IS_RERANKED = """# What is reranked, what passes through, and why
{made}
The bridge looks at `GET` and `POST` of `_search`, on one index, several, patterns, aliases or all. Every other request
passes through untouched. The reply to a search says what happened, in one header:

```
X-Rerank: applied; window=100; model=embedded
X-Rerank: applied; window=100; model=embedded; scored=64; cut=deadline
X-Rerank: applied; window=100; model=embedded,mixedbread-ai/mxbai-rerank-base-v2; scored=100,30
X-Rerank: skipped; reason=sorted
```

`scored=64` stands there where the deadline came first, or hits have no text: the others follow in first-stage order.

With several models, `scored` has the numbers of texts that they scored, in their order. What the last one scored stands
first, then the rest in the order of the one before. `cut` says why a model scored less than it was given: `deadline`,
`overloaded` or `model-failed`; the models behind it did not begin. `Server-Timing` has the milliseconds of each model,
one `score` after the other.

The request header `X-Rerank: off` passes one search through. `X-Rerank-Instruction` says what relevance means to one
search, such as `Prefer studies on humans`, for models that know instructions; it wins over the `instruction` of the
configuration, and an empty one takes that away. It is read up to {instruction_chars:,} characters. Neither header
reaches the engine.

## Where the user's words are found

In the scoring part of the query, and in the URL parameter `q`. What stands in the `must_not` of a `bool` is never
read, and what stands in its `filter` only with `promote`, see below. Of several texts the longest is taken; equal ones
count once, with the fields of all. Operators, quotes, wildcards, fields, escapes and boosts are taken out of a query
string as the engines read them.

Beside or instead of the query, `knn` and `sub_searches` are read alike, and trees of these retrievers: {retrievers}.

Prefixes count only beside words that are typed out. `term`, `terms` and `fuzzy` count only where there are no other
words, not in a `filter` either, where the value looks like words, and where the mapping says that the field holds text.

| clause | such as | words and fields, or the reason to pass through |
| --- | --- | --- |
{clauses}

### Words that are configured

For an index, `query_pointer` names the place of the words in the search body, and `query_text` what is read in their
place: a constant, or a template such as `{{q}} in {{category}}`. `{{q}}` are the words that were found,
`{{/ext/city}}` is a JSON pointer into the body, and any other name a field, for the value that a `term` or `terms`
clause asks of it. Where a value is missing, the words stay as they were found. A search that has words in this way is
reranked though its query has none.

### Words in filters

Where the words stand in a `filter` or `constant_score` alone, as those typed in KQL of Dashboards and Kibana do, every
hit scores the same, and the window would be any hits. With `promote: true` the engine is asked for the same query with
these words as `should` beside it: the same hits match, with the same total and aggregations, and the window is those
that match the words best. What the query scores by else is added. Not taken as words: a `match_phrase` that is a
filter of its own, or one of several on a field, since this is what a filter pill is. Left as it is: a search with
`collapse`, `explain`, `min_score`, `profile` or `terminate_after`, or with aggregations that read scores.

Without scores of its own to show, such a search has 0 for every hit; reranked, it has the falling scores of any other
(with `score_policy: keep`, the engine's for the promoted query). Where it is not reranked, it is asked anew as it came.

### Searches in another order

With `sort_override: true` a search that is sorted by a field is reranked as well. Its hits keep their sort values, byte
for byte, and a score that is null, as it is without `track_scores`; so the values no longer rise or fall down the
page, and a client that goes on with `search_after` behind the last one sees hits twice or never. Never overridden: an
order that names `_score`, `_doc` first, `collapse`, `terminate_after`, and searches that run on their own. Where the
search is not reranked, it is asked anew as it came, in its own order.

## What the model reads of a hit

The fields that the query names, in its order, without boosts. Configuration can name the fields for an index instead.
A sub-field such as `title.english` is read from its parent. Fields are joined by new lines, lists by commas.

Where the query names no fields, or only patterns, the mapping says which ones hold text: {text_kinds}, alone or as a
sub-field, nested or not; where there is none of these, {last_resort}. They are read in the order of the document,
{max_fields} of them at most, the least nested ones first. The mapping is asked for with the client's own credentials,
once a minute. Where it can't be had, as by clients without the right to see it, in a search of everything, of another
cluster or of a point in time, every string of the hit's `_source` is read.

Where the client does not fetch the text itself, the text fields are fetched beside, and no others, so no vectors;
where an index keeps no `_source`, those of them that are stored apart. With `long_documents: highlight` the engine is
asked for fragments of the text fields, of {fragment_chars} characters, {fragments} at most of each; where the client
has a field highlighted itself, its fragments are read. What the client did not ask for is taken out of the reply
again.

A hit that has none of these fields is not scored; it stands behind the scored ones of the window.

## How many hits are fetched

The window, where the engine finds the same hits for a larger page. Neighbours that Elasticsearch would look for as
many of as the page has hits are asked for by number. What is fused (`rrf`, `linear`, `pinned`, `rule`, `rank`) or
rescored is fetched up to its `rank_window_size` or `window_size`. Where even that is not known, or the page lies
behind, the hits of the page alone are reranked: OpenSearch's `hybrid` without `pagination_depth`, Elasticsearch's
`semantic`, fusion without a window, and search pipelines with {counting}.

## Search pipelines

OpenSearch is asked once a minute for the default pipeline of an index, and for the pipelines that searches name. A
search passes through where its pipeline can't be looked up or has other processors than these, so `rerank` and
`personalize_search_ranking`: {processors}. Where the client may not see the settings of an index, it is taken to have
no default pipeline.

## What a model does not know

A model reads words. Where a search ranks by more than words (`function_score`, boosted clauses, popularity, freshness),
the rerank window is reordered by the model's view: with `ranking: blend` the engine's scores keep a share, set by
`blend_weight`, and with `boost_weight` they keep one in such searches alone; `X-Rerank: off` or `mode: off` leaves the
engine's order alone. Hits that Elasticsearch pins stay where they are, and `exact_fields` and `keep_top` keep others
from falling.

{solr}
## Reasons to pass a search through

{reasons}

## What is different in a reranked reply

The order and cut of `hits.hits`; `_score`, `hits.max_score` and a sort value that is the score (with
`score_policy: replace`, but for pinned hits, which keep theirs); `took`, which is the engine's time for the wider page;
and the headers `X-Rerank`, `Server-Timing` and `Content-Length`. With `explain: true`, `_explanation` is the engine's,
of its own score. `min_score` is applied by the engine to its own score.
"""

_GROUPS: Mapping[str, Mapping[Reason, str]] = {
    "On request": reasons.ON_REQUEST,
    "Seen in the request": reasons.BY_THE_REQUEST,
    "Seen in the reply": reasons.BY_THE_REPLY,
    "In the bridge": reasons.BY_THE_BRIDGE,
}


def pages() -> Mapping[str, str]:
    """File name -> text, of every page that is made."""
    return {
        "configuration.md": _configuration(),
        "metrics.md": metrics_page.page(_MADE),
        "what-is-reranked.md": _what_is_reranked(),
    }


def _configuration() -> str:
    return _CONFIGURATION.format(
        made=_MADE,
        settings="\n".join(_setting_row(name, field) for name, field in _in_order()),
        stages=_rows(StageConfig),
        indices=_rows(IndexConfig),
        keep_top=_rows(KeepTopConfig),
        text_fields=_rows(TextFieldConfig),
    )


def _in_order() -> Iterable[tuple[str, FieldInfo]]:
    """All settings, what is inherited last."""
    return sorted(Config.model_fields.items(), key=lambda entry: entry[0] in OperationConfig.model_fields)


def _setting_row(name: str, field: FieldInfo) -> str:
    option = f"`--{name.replace('_', '-')}`, " if name in _FLAGS else ""
    variable = f"{option}`{ENVIRONMENT_PREFIX}{name.upper()}`"
    fixed = " Read at the start alone." if name in READ_AT_START else ""
    return f"| `{name}` | {_default(field)} | {variable} | {_choices(field)}{field.description}{fixed} |"


def _rows(model: type[BaseModel]) -> str:
    return "\n".join(
        f"| `{name}` | {_default(field)} | {field.description} |" for name, field in model.model_fields.items()
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    shown = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    if isinstance(shown, bool):
        shown = str(shown).lower()
    return "unset" if shown in (None, "") else f"`{shown}`"


def _choices(field: FieldInfo) -> str:
    annotation = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        annotation = next((arg for arg in get_args(annotation) if arg is not type(None)), None)
    if get_origin(annotation) is not Literal:
        return ""
    return "One of " + ", ".join(f"`{choice}`" for choice in get_args(annotation)) + ". "


def _what_is_reranked() -> str:
    return _WHAT_IS_RERANKED.format(
        made=_MADE,
        instruction_chars=MAX_INSTRUCTION_CHARS,
        clauses="\n".join(map(_clause_row, CLAUSE_KINDS)),
        retrievers=_code(RETRIEVER_KINDS),
        text_kinds=_code(sorted(_mapping.TEXT)),
        last_resort=_code(sorted(_mapping.LAST_RESORT)),
        max_fields=_mapping.MAX_FIELDS,
        fragments=_highlight.FRAGMENTS,
        fragment_chars=_highlight.FRAGMENT_CHARS,
        counting=_code(sorted(_pipelines.COUNTS_HITS)),
        solr=reference_solr.section(),
        processors=_code(sorted({name for known in _pipelines.PHASES.values() for name in known})),
        reasons="\n\n".join(_reason_table(title, group) for title, group in _GROUPS.items()),
    )


def _clause_row(name: str) -> str:
    kind = CLAUSE_KINDS[name]
    meant = read({name: kind.example})
    where = (f" in {_code(meant.fields)}" if meant.fields else "") if isinstance(meant, QueryText) else ""
    said = f"{meant.text}{where}" if isinstance(meant, QueryText) else f"reason `{meant}`"
    return f"| [`{name}`]({manual_page(kind)}) | `{json.dumps(kind.example)}` | {said} |"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _reason_table(title: str, group: Mapping[Reason, str]) -> str:
    rows = "\n".join(f"| `{reason}` | {sentence} |" for reason, sentence in group.items())
    return f"### {title}\n\n| reason | what it means |\n| --- | --- |\n{rows}"


def main(arguments: list[str]) -> int:
    """Write the pages into a folder; with ``--check``, exit with 1 where one of them is not as it would be written."""
    folder, check = Path(arguments[0]), "--check" in arguments
    stale = [name for name, text in pages().items() if _read(folder / name) != text]
    for name in stale:
        if not check:
            (folder / name).write_text(pages()[name], encoding="utf-8")
        sys.stdout.write(f"{folder / name} {'is out of date: run scripts/docs' if check else 'is written'}\n")
    return int(check and bool(stale))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
