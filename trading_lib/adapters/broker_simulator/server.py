"""The simulator on a socket: an aiohttp server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from trading_lib.adapters.broker_simulator.messages import HOST_HEADER, Reply, Request
from trading_lib.adapters.broker_simulator.simulator import Simulator
from trading_lib.domain.errors import InputError

HOST = "127.0.0.1"
LONGEST_BODY = 1 << 20


def create_app(simulator: Simulator) -> web.Application:
    """Return the server's application."""

    async def answer(incoming: web.Request) -> web.StreamResponse:
        request = Request(
            incoming.method,
            incoming.headers.get(HOST_HEADER, incoming.host),
            incoming.rel_url.raw_path,
            incoming.rel_url.raw_query_string,
            dict(incoming.headers),
            await incoming.read(),
        )
        reply = simulator.answer(request)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.dropped or reply.cut:
            return await _break_off(incoming, reply)
        return web.Response(status=reply.status, reason=reply.reason, body=reply.body, headers=dict(reply.headers))

    app = web.Application(client_max_size=LONGEST_BODY)
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def _break_off(incoming: web.Request, reply: Reply) -> web.StreamResponse:
    """Close the connection: before anything is sent, or in the middle of the body."""
    transport = incoming.transport
    if transport is not None:
        if reply.cut:
            head = f"HTTP/1.1 {reply.status} {reply.reason}\r\nContent-Type: application/json\r\n"
            transport.write(f"{head}Content-Length: {len(reply.body)}\r\n\r\n".encode())
            transport.write(reply.body[: len(reply.body) // 2])
        transport.close()
    return web.Response(status=reply.status)


async def serve(simulator: Simulator, port: int, started: Callable[[str], None]) -> None:
    """Serve until the task is cancelled.

    Parameters
    ----------
    port
        0 takes a free one.
    started
        Called with the server's address when it listens.

    Raises
    ------
    InputError
        When the port is taken.
    """
    runner = web.AppRunner(create_app(simulator), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise InputError(f"port {port} cannot be used ({error.strerror})", "choose another with --port") from None
        started(f"http://{HOST}:{runner.addresses[0][1]}")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
