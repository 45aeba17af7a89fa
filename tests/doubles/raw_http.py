"""HTTP/1.1 on bare sockets, both sides: what is sent and received is seen byte for byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LIMIT_BYTES = 1024 * 1024
_HANGS_AFTER_S = 30.0
"""Nothing here waits that long but what waits for ever: it fails then, and the next test runs."""


@dataclass(frozen=True)
class Message:
    """One request or reply as it stood on the wire."""

    head: bytes
    """Start line and fields, without the empty line."""
    chunks: tuple[bytes, ...] = ()
    """The chunks of a chunked body; else one with all of it, or none."""

    @property
    def start(self) -> bytes:
        return self.head.split(b"\r\n")[0]

    @property
    def fields(self) -> list[bytes]:
        return self.head.split(b"\r\n")[1:]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def values(self, name: bytes) -> list[bytes]:
        pairs = (line.split(b":", 1) for line in self.fields)
        return [value.strip() for key, value in pairs if key.lower() == name.lower()]

    @property
    def is_chunked(self) -> bool:
        return bool(self.values(b"Transfer-Encoding"))


async def read_head(reader: asyncio.StreamReader) -> Message:
    return Message((await reader.readuntil(b"\r\n\r\n"))[:-4])


async def read_body(reader: asyncio.StreamReader, message: Message, *, until_closed: bool = False) -> Message:
    lengths = message.values(b"Content-Length")
    if message.is_chunked:
        return Message(message.head, tuple([chunk async for chunk in _chunks(reader)]))
    if lengths and int(lengths[0]):
        return Message(message.head, (await reader.readexactly(int(lengths[0])),))
    if until_closed and not lengths:
        return Message(message.head, (await reader.read(),))
    return message


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)


class Conversation:
    """One request that an engine received, and the means to answer it in any way at all."""

    def __init__(self, head: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = head
        self.reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive_body(self) -> None:
        if self.request.values(b"Expect"):
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.request = await read_body(self.reader, self.request)

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Ends the connection as a crash does: with RST rather than FIN."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def client_left(self) -> None:
        """Returns when the other side closed the connection."""
        while await self.reader.read(LIMIT_BYTES):
            pass


Answer = Callable[[Conversation], Awaitable[None]]


@dataclass
class RawEngine:
    """A server that notes each request and answers it with given bytes, or as a function does."""

    answer: bytes | Answer = OK
    tls: ssl.SSLContext | None = None
    requests: list[Message] = field(default_factory=list)
    connections: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def request(self) -> Message:
        """The last one."""
        return self.requests[-1]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._converse, self.host, self.port, ssl=self.tls, limit=LIMIT_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Like a killed process: the port is closed, and every connection with it."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    await self._answer(Conversation(await read_head(reader), reader, writer))
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, conversation: Conversation) -> None:
        if isinstance(self.answer, bytes):
            await conversation.receive_body()
            self.requests.append(conversation.request)
            await conversation.send(self.answer)
        else:
            await self.answer(conversation)
            self.requests.append(conversation.request)


class RawClient:
    """A client's one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self, *, bodiless: bool = False) -> Message:
        head = await read_head(self.reader)
        return head if bodiless else await read_body(self.reader, head, until_closed=True)

    async def ask(self, data: bytes, *, bodiless: bool = False) -> Message:
        await self.send(data)
        return await self.receive(bodiless=bodiless)

    async def end(self) -> bool:
        """Reads until the connection ends: whether it did so with a reset."""
        try:
            while await self.reader.read(LIMIT_BYTES):
                pass
        except ConnectionError:
            return True
        return False

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[RawClient]:
    client = RawClient(*await asyncio.open_connection(host, port, limit=LIMIT_BYTES))
    try:
        async with asyncio.timeout(_HANGS_AFTER_S):
            yield client
    finally:
        await client.close()


async def ask(host: str, port: int, data: bytes, *, bodiless: bool = False) -> Message:
    """The reply to one request on a connection of its own."""
    async with connected(host, port) as client:
        return await client.ask(data, bodiless=bodiless)


@asynccontextmanager
async def no_server(greeting: bytes = b"") -> AsyncIterator[int]:
    """The port of something that is no HTTP server: it says this to whoever comes, and then nothing."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with suppress(ConnectionError):
            while await reader.read(LIMIT_BYTES):
                pass
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
