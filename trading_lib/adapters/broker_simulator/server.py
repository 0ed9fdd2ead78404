"""The simulator on a socket: an aiohttp server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web

from trading_lib.adapters.broker_simulator.messages import HOST_HEADER, Reply, Request
from trading_lib.adapters.broker_simulator.simulator import Simulator
from trading_lib.domain.errors import InputError

HOST = "127.0.0.1"
LONGEST_BODY = 1 << 20
# Seconds between looks at what is due.
TICK = 0.25


def create_app(simulator: Simulator) -> web.Application:
    """Return the server's application."""

    async def answer(incoming: web.Request) -> web.StreamResponse:
        # As it was sent: a signature is over these very characters.
        path, _, query = incoming.raw_path.partition("?")
        request = Request(
            incoming.method,
            incoming.headers.get(HOST_HEADER, incoming.host),
            path,
            query,
            dict(incoming.headers),
            await incoming.read(),
        )
        reply = simulator.answer(request)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.dropped or reply.cut:
            return await _break_off(incoming, reply)
        return web.Response(status=reply.status, reason=reply.reason, body=reply.body, headers=dict(reply.headers))

    async def stream(incoming: web.Request) -> web.StreamResponse:
        return await _stream(simulator, incoming)

    app = web.Application(client_max_size=LONGEST_BODY)
    app.router.add_get("/stream", stream)
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
    return web.Response(status=500)


async def _stream(simulator: Simulator, incoming: web.Request) -> web.StreamResponse:
    """Send trade updates until either side closes."""
    socket = web.WebSocketResponse(heartbeat=30)
    await socket.prepare(incoming)
    frames: asyncio.Queue[bytes | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    # Events also come from other threads, where a test moves the simulator itself.
    def put(frame: bytes | None) -> None:
        loop.call_soon_threadsafe(frames.put_nowait, frame)

    listener = simulator.updates.connect(put)
    sending = asyncio.create_task(_send(socket, frames))
    try:
        async for message in socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                simulator.updates.receive(listener, message.data)
    finally:
        simulator.updates.disconnect(listener)
        sending.cancel()
    return socket


async def _send(socket: web.WebSocketResponse, frames: asyncio.Queue[bytes | None]) -> None:
    """Send frames as they come; None closes."""
    with suppress(ConnectionError):
        while (frame := await frames.get()) is not None:
            await socket.send_bytes(frame)
        await socket.close(code=WSCloseCode.GOING_AWAY)


async def _tick(simulator: Simulator) -> None:
    """Let due things happen although nobody asks."""
    while True:
        await asyncio.sleep(TICK)
        simulator.tick()


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
    # Connections that are still open when it ends are closed, not waited for.
    runner = web.AppRunner(create_app(simulator), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise InputError(f"port {port} cannot be used ({error.strerror})", "choose another with --port") from None
        started(f"http://{HOST}:{runner.addresses[0][1]}")
        await _tick(simulator)
    finally:
        await runner.cleanup()
