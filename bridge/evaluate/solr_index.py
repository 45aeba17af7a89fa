"""A dataset's documents in a core or collection of Solr.

Sources: "CoreAdmin API", "Collection Management" and "Indexing with Update Handlers" of Solr's reference guide, 8.11 to
10.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from bridge.errors import DataError
from bridge.evaluate.client import SearchClient, reason
from bridge.evaluate.dataset import Document
from bridge.evaluate.dialect import quote_index

_REFUSED = 400
_MISSING = 404


class _System(msgspec.Struct):
    mode: str


class _Found(msgspec.Struct):
    num_found: int = msgspec.field(name="numFound")


class _Counted(msgspec.Struct):
    response: _Found


class SolrIndex:
    """A core, or a collection of one shard where Solr runs as a cloud, with Solr's own ``_default`` configset.

    That has dynamic fields for english texts: nothing has to be added to a schema, which standalone cores would share.
    """

    def __init__(self, client: SearchClient, name: str) -> None:
        self._client = client
        self._name = name
        self._path = f"solr/{quote_index(name)}"

    async def count(self) -> int | None:
        """How many documents it holds; None where there is no such core or collection."""
        answer = await self._client.send("GET", f"{self._path}/select?q=*:*&rows=0&wt=json")
        if answer.status == _MISSING:
            return None
        return self._client.read(answer, _Counted, f"the count of {self._name!r}").response.num_found

    async def make(self) -> None:
        """Makes it."""
        if await self._is_in_a_cloud():
            await self._ask("collections", action="CREATE", name=self._name, numShards="1", replicationFactor="1")
        else:
            await self._ask("cores", action="CREATE", name=self._name, configSet="_default")

    def written(self, document: Document) -> bytes:
        """A document as it stands in a load."""
        fields = self._client.dialect.fields
        texts = {fields["title"]: document.title, fields["text"]: document.text}
        return msgspec.json.encode({"id": document.id, **texts})

    async def load(self, documents: list[bytes]) -> None:
        """Loads documents. Raises ``DataError`` where one is refused."""
        body = b"[" + b",".join(documents) + b"]"
        answer = await self._client.send("POST", f"{self._path}/update", body)
        if answer.status == _REFUSED:
            raise DataError(f"a document of {self._name!r}", f"{self._client.url} refused it: {reason(answer.body)}")
        self._client.read(answer, msgspec.Raw, f"the load of {self._name!r}")

    async def settle(self) -> None:
        """Makes all that was loaded searchable."""
        answer = await self._client.send("POST", f"{self._path}/update", b'{"commit": {}}')
        self._client.read(answer, msgspec.Raw, f"the commit of {self._name!r}")

    async def remove(self) -> None:
        """Takes it away."""
        if await self._is_in_a_cloud():
            await self._ask("collections", action="DELETE", name=self._name)
        else:
            await self._ask("cores", action="UNLOAD", core=self._name, deleteInstanceDir="true")

    async def _is_in_a_cloud(self) -> bool:
        answer = await self._client.send("GET", "solr/admin/info/system?wt=json")
        return self._client.read(answer, _System, "Solr's mode").mode == "solrcloud"

    async def _ask(self, api: str, /, **parameters: str) -> None:
        answer = await self._client.send("GET", f"solr/admin/{api}?{urlencode({**parameters, 'wt': 'json'})}")
        self._client.read(answer, msgspec.Raw, f"{parameters['action']} of {self._name!r}")
