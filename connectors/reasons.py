"""A sentence on each reason for which a search passes through; ``docs/what-is-reranked.md`` is made from it."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Reason

ON_REQUEST: Mapping[Reason, str] = {
    Reason.OFF: "The request has the header `X-Rerank: off`.",
    Reason.MODE_OFF: "The bridge runs with `mode: off`.",
    Reason.SWITCHED_OFF: "All reranking was switched off, by `rerank-bridge off` or at the administration port.",
    Reason.SHADOW: "With `mode: shadow`, or the header `X-Rerank: shadow`, the engine's own page is shown, and the "
    "bridge finds out beside it what would have changed.",
    Reason.NOT_IN_SHARE: "The search is not in the `share` that `canary`, `shadow` or `interleave` concern.",
}

BY_THE_REQUEST: Mapping[Reason, str] = {
    Reason.BODY_TOO_LARGE: "The body is larger than `max_search_body_bytes`.",
    Reason.CONTENT_TYPE: "The body is not sent as JSON (`application/json` or a vendor's `+json`).",
    Reason.CONTENT_ENCODING: "The body is compressed in a way other than gzip or deflate, or is broken.",
    Reason.NOT_JSON: "The body is not a JSON object; the engine says what is wrong with it.",
    Reason.BODY_SHAPE: "A parameter stands twice or is not well encoded, `from` or `size` is no plain number, or "
    "`fields` no list: the engine may read it otherwise.",
    Reason.REPLY_FORMAT: "The client asks for YAML, CBOR or SMILE; of Solr, for another `wt` than JSON, or `json.wrf`.",
    Reason.FILTER_PATH: "`filter_path` leaves no hits to reorder, or parts of them that could not be restored exactly.",
    Reason.TEMPLATE: "A search template that the engine does not render for this client, or whose URL has parameters "
    "(`size`, `sort`, `_source` and the like) that it replaces.",
    Reason.NO_QUERY_TEXT: "No words of a user stand in the scoring part of the query; words in `filter` or `must_not` "
    "select, they don't rank.",
    Reason.FILTER_ONLY: "The user's words stand in filter context alone (`bool.filter`), where they select and don't "
    "rank, as KQL of Dashboards has it. With `promote` they rank as well.",
    Reason.AUTOCOMPLETE: "What is being typed is completed: by prefixes alone (`match_phrase_prefix`, "
    "`match_bool_prefix`, `bool_prefix`, `phrase_prefix`, fields of `search_as_you_type`, a `completion` suggester), "
    "or the last word has fewer letters than `min_last_word_letters`.",
    Reason.MORE_LIKE_THIS: "The query asks for documents like another, not for words.",
    Reason.VECTOR_SEARCH: "The order comes from vectors (`knn`, `neural` and their kin) alone, and the text that they "
    "were made from is not there.",
    Reason.RETRIEVER: "Another reranker orders the hits (`text_similarity_reranker`), or the tree of retrievers has "
    "a kind that is not known.",
    Reason.SEARCH_PIPELINE: "A search pipeline, `ext.rerank` or `ext.mmr` orders the hits already, or the pipeline "
    "can't be looked up or has a processor that is not known.",
    Reason.RESCORE: "The search has a `rescore` of its own, or Solr's `rq`, and the setting `rescore` is `skip`.",
    Reason.SORTED: "The order asked for is not by falling `_score` first.",
    Reason.SIZE_ZERO: "The search wants no hits (`size: 0`).",
    Reason.BEYOND_WINDOW: "The page starts behind the rerank window, where first-stage order holds.",
    Reason.SCROLL: "A scroll exports hits; its pages can't be reordered as one.",
    Reason.SEARCH_AFTER: "`search_after` continues from a first-stage score, and a sorted search of a point in time is "
    "the first page of such a walk.",
    Reason.SLICE: "A slice is a part of an export.",
    Reason.COLLAPSE_INNER_HITS: "`collapse` with `inner_hits`, or Solr's `expand`, orders inside each group as well.",
    Reason.GROUPED: "Solr groups the hits (`group`).",
    Reason.COMPONENT: "A component of Solr adds to each hit or to the page what could not be cut with it: similar "
    "documents (`mlt`), term vectors (`tv`), clusters (`clustering`).",
    Reason.FIELD_LIST: "Solr's `fl` is not understood, or puts documents into documents (`[child]`), so that what is "
    "fetched beside could not be taken out again.",
    Reason.HANDLER_UNKNOWN: "What Solr's request handler adds to searches can't be asked with the client's rights, and "
    "the search does not say itself which fields (`fl`) and how many hits (`rows`) it wants.",
    Reason.SHARD_REQUEST: "A node of Solr asks another for its part of a search (`isShard`).",
    Reason.STORED_FIELDS_NONE: "`stored_fields: _none_` forbids to fetch any text.",
    Reason.ID_TOO_LONG: "The search runs on its own, and what a later request has to know of it (the words above all) "
    "does not fit into an id.",
    Reason.UNKNOWN_ID: "The search of this id passed through when it was submitted, was submitted elsewhere, or by a "
    "bridge with another `id_secret`.",
}

BY_THE_REPLY: Mapping[Reason, str] = {
    Reason.ENGINE_ERROR: "The engine answered with an error; the client gets it as it is.",
    Reason.SHARDS_FAILED: "Some shards failed, and it may be for what the bridge asked beside the client's own wishes.",
    Reason.PARTIAL: "The search still runs on its own; the hits so far stay in first-stage order.",
    Reason.NOT_MODIFIED: "The engine says that the client's own copy of the reply is still good (304).",
    Reason.REPLY_TOO_LARGE: "The reply to the widened search is larger than `max_search_reply_bytes`.",
    Reason.REPLY_SHAPE: "The reply is not the JSON of a search.",
    Reason.TOO_FEW_HITS: "There are fewer than two hits.",
    Reason.NO_TEXT: "No hit has any text to read.",
    Reason.SAME_TEXT: "All hits have the same text in the fields that are read, so that no model can tell them apart; "
    "as when the longest words of a query were matched in a field of codes. Name the fields in `text_fields`.",
    Reason.NOT_SCORED: "The engine gave hits without a score.",
}

BY_THE_BRIDGE: Mapping[Reason, str] = {
    Reason.DEADLINE: "Scoring took, or would have taken, longer than `score_timeout_s`: fewer than two hits "
    "were scored.",
    Reason.OVERLOADED: "More than `queue_limit_pairs` texts wait to be scored, or more than the model can score within "
    "`score_timeout_s`; or the search is behind the hundredth of its `_msearch`.",
    Reason.MODEL_FAILED: "The model raised an error, or gave scores that are no numbers.",
    Reason.INTERNAL: "A mistake in the bridge; its log says where.",
}

SENTENCES: Mapping[Reason, str] = {**ON_REQUEST, **BY_THE_REQUEST, **BY_THE_REPLY, **BY_THE_BRIDGE}
