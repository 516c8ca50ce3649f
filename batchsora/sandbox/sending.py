"""Puts an answer on the wire."""

from aiohttp import web

from batchsora.sandbox.answers import Reply


def send(request: web.Request, reply: Reply) -> web.Response:
    """Return the response that a reply is; a status of 0 drops the connection."""
    if reply.status == 0:
        return hang_up(request)
    if reply.is_page:
        return web.Response(
            text=reply.body, status=reply.status, headers=reply.headers, content_type="text/html"
        )
    return web.json_response(reply.body, status=reply.status, headers=reply.headers)


def hang_up(request: web.Request) -> web.Response:
    """Drop the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
