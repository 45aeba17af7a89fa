"""A member of the bridge's own in an engine's JSON reply, for clients that ask; every other byte stays as it was.

No search reply of an engine has a member of this name, and the official clients pass over members that they do not know
or hand them on: "Search API", response body, Elasticsearch and OpenSearch manuals; ``parseUnknownField`` of
``ObjectDeserializer`` in elasticsearch-java and opensearch-java.
"""

from __future__ import annotations

from connectors import _codings
from connectors._bodies import reply_with
from connectors._raw_json import RawJsonError, with_members
from connectors.base import Reply

MEMBER = "rerank_bridge"
_OK = 200


def with_explanation(reply: Reply, explanation: object, limit_bytes: int) -> Reply | None:
    """The reply with the explanation as its last member; None where it is an error, no JSON object, or over the limit.

    ``explanation`` is what msgspec can encode. ``limit_bytes`` is that of the reply, its content coding undone.
    """
    if reply.status != _OK or not _codings.is_json(reply.header("content-type")):
        return None
    try:
        body = _codings.decoded(reply.body, reply.header("content-encoding"), limit_bytes)
        return reply_with(reply, with_members(body, {MEMBER: explanation}))
    except (_codings.CodingError, RawJsonError):
        return None
