"""Servers on loopback that answer whatever a test wants them to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Host:
    """Answers every request in the same way, then hangs up."""

    answer: Answer
    url: str = ""
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            if callable(self.answer):
                await self.answer(writer)
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had seen enough
        finally:
            writer.close()


@asynccontextmanager
async def hosting(answer: Answer = b"") -> AsyncIterator[Host]:
    """Serve on a free port as long as the context lasts."""
    host = Host(answer)
    listening = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield host
    finally:
        listening.close()


def reply(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Write an answer, with a length that may be a lie."""
    named = [f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([f"HTTP/1.1 {status}", *named, "", ""]).encode("latin-1") + body
